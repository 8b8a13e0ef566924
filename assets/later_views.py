"""What the UI shows of what models are asked once tests are known: beginnings and their values, repairs, hints."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from assets.show import SAMPLE, frame, last_text, rows
from assets.stage import Tables


def steps(tables: Tables) -> Mapping[str, Any]:
    """Beginnings: by what they are worth, and a few."""
    told = tables["steps"]
    worth = told.group_by("value", "tests").agg(beginnings=pl.len(), rollouts=pl.col("rollouts").sum()).sort(
        "value", "tests", nulls_last=True)
    sample = told.head(SAMPLE).join(tables["responses"].select("response_id", "model", "text"), on="response_id")
    cells = [(row["model"], row["text"][: row["end"]], row["value"], row["tests"], row["rollouts"])
             for row in sample.iter_rows(named=True)]
    return {"beginnings by value": frame(worth, "value", "tests", "beginnings", "rollouts"),
            "sample beginnings": rows(("model", "beginning", "value", "of", "completions"), cells),
            "beginnings without a value": told["value"].null_count()}


def rollouts(tables: Tables) -> Mapping[str, Any]:
    """Completions: a few, whole."""
    return {"sample completions": frame(tables["rollouts"].head(SAMPLE), "model", "text")}


def correct(tables: Tables) -> Mapping[str, Any]:
    """Correct answers: how many prompts have how many, and a few."""
    told = tables["correct"]
    sizes = told.group_by("prompt_id").agg(answers=pl.len()).group_by("answers").agg(prompts=pl.len()).sort("answers")
    return {"correct answers of a prompt": frame(sizes, "answers", "prompts"),
            "sample correct answers": frame(told.head(SAMPLE), "model", "strategy", "text")}


def repairs(tables: Tables) -> Mapping[str, Any]:
    """Repairs: by round, how many there are, pass every test and say something else; and a few beside their origin."""
    told, every = tables["repairs"], pl.concat([tables["responses"], tables["repairs"]])
    passed = tables["repair_outcomes"].group_by("response_id").agg(passed=(pl.col("outcome") == "pass").all())
    met = told.join(passed, on="response_id", how="left").join(
        tables["measurements"].select(response_id="subject_id", changed="value"), on="response_id", how="left")
    by_round = met.group_by("round").agg(
        repairs=pl.len(), pass_every_test=pl.col("passed").sum(), changed=pl.col("changed").sum().cast(pl.Int64)).sort(
        "round")
    sample = told.head(SAMPLE).with_columns(parent=pl.col("parents").list.last()).join(
        every.select(parent="response_id", before="text"), on="parent").join(
        tables["prompts"].select("prompt_id", "messages"), on="prompt_id")
    cells = [(last_text(row["messages"]), row["before"], row["text"]) for row in sample.iter_rows(named=True)]
    return {"repairs by round": frame(by_round, *by_round.columns),
            "sample repairs": rows(("prompt", "before", "after"), cells)}


def critiques(tables: Tables) -> Mapping[str, Any]:
    """Reports: a few, and what they were worth."""
    return {"sample reports": frame(tables["critiques"].sort("score", "critique_id", descending=[True, False],
                                                             nulls_last=True).head(SAMPLE), "text", "round", "score")}


def hints(tables: Tables) -> Mapping[str, Any]:
    """Hints that help: a few, with how many more repairs pass, beside the answers they are of."""
    told = tables["hints"].sort("score", "critique_id", descending=[True, False]).head(SAMPLE).join(
        tables["responses"].select("response_id", answer="text"), on="response_id", maintain_order="left").join(
        tables["prompts"].select("prompt_id", "messages"), on="prompt_id", maintain_order="left")
    cells = [(last_text(row["messages"]), row["answer"], row["text"], row["score"])
             for row in told.iter_rows(named=True)]
    return {"sample hints that help": rows(("prompt", "answer", "hint", "more repairs pass by"), cells)}


def tutored(tables: Tables) -> Mapping[str, Any]:
    """All hints: how many there are of each gain, and how many of them are kept."""
    kept = tables["hints"].select("critique_id", kept=pl.lit(1))
    met = tables["tutored"].join(kept, on="critique_id", how="left").with_columns(gain=pl.col("score").round(1))
    told = met.group_by("critic", "gain").agg(hints=pl.len(), kept=pl.col("kept").count()).sort(
        "critic", "gain", nulls_last=True)
    return {"hints by gain": frame(told, "critic", "gain", "hints", "kept")}
