"""What votes on stated answers tell where nobody knows the truth: two bounds, and no estimate.

The same answers fit a world in which every vote is right and one in which none is, so that how often pairs are
inverted cannot be estimated from the answers alone. Two things hold in every such world. A prompt has one right answer:
of its pairs at most those are inverted whose rejected sides say the same. And where two votes by separate halves of the
answers differ, at least one of them is wrong; which half is which is chance, so votes by half the answers are wrong at
least half as often as halves differ.
"""

from contextlib import nullcontext
from dataclasses import asdict

import polars as pl

from audits.bootstrap import ESTIMATE, Array, Resamples, columns, ratio, resamples
from feedback.testcases.answers import answer_key
from feedback.testcases.outcomes import Comparer
from schemas.ids import draw

BOUNDS = {"bound": pl.String, "of": pl.String, "prompts": pl.Int64, "rows": pl.Int64, **ESTIMATE}
SPLITS = 5
"""In how many ways the answers to a prompt are halved."""


def inverted_at_most(pairs: pl.DataFrame, executions: pl.DataFrame, of: str, draws: Resamples | None = None,
                     maths: Comparer | None = None) -> pl.DataFrame:
    """The share of pairs that could be inverted, whatever the truth is: one row (BOUNDS), `rows` being pairs.

    A rejected side that states no answer could be right. Answers count as the same unless they are proved different.
    """
    met = pairs.select("prompt_id", response_id="rejected_id").join(
        _stated(executions).drop("prompt_id"), on="response_id", how="left")
    said = met.drop_nulls("key").group_by("prompt_id", "key").agg(pairs=pl.len(), output=pl.col("output").min())
    both = _apart(said.join(said, on="prompt_id", suffix="_other"), maths)
    alike = both.filter(~pl.col("apart")).group_by("prompt_id", "key").agg(pl.col("pairs_other").sum())
    most = alike.group_by("prompt_id").agg(alike=pl.col("pairs_other").max())
    sizes = met.group_by("prompt_id").agg(pairs=pl.len(), silent=pl.col("key").null_count())
    flags = sizes.join(most, on="prompt_id", how="left").with_columns(
        could=pl.col("alike").fill_null(0) + pl.col("silent")).sort("prompt_id")
    return _row("inverted_at_most", of, flags, "could", "pairs", draws, "there is no pair")


def halves(executions: pl.DataFrame, test_cases: pl.DataFrame, draws: Resamples | None = None, seed: int = 0,
           maths: Comparer | None = None) -> pl.DataFrame:
    """How often the votes of two halves differ, and how often such votes are wrong at least: two rows (BOUNDS).

    Of the prompts with a vote: `rows` are the halvings (SPLITS a prompt, drawn by hash) in which each half has an
    answer more frequent than every other. An odd answer is left out. Votes differ where they are proved different.
    """
    voted = test_cases.filter((pl.col("source") == "vote") & (pl.col("kind") == "answer"))
    met = _met(_stated(executions).join(voted, on="prompt_id", how="semi"), seed)
    flags = _apart(met, maths).with_columns(one=pl.lit(1.0), wrong=pl.col("apart") / 2).sort("prompt_id", "split")
    of, why = "votes by half the answers", "no two halves have a vote"
    return pl.concat([_row("differ", of, flags, "apart", "one", draws, why),
                      _row("wrong_at_least", of, flags, "wrong", "one", draws, why)])


def _stated(executions: pl.DataFrame) -> pl.DataFrame:
    """response_id, prompt_id, output and key of the answers that may vote."""
    valid = (pl.col("kind") == "answer") & (pl.col("status") == "ran") & pl.col("steady")
    said = executions.filter(valid).select("response_id", "prompt_id", "output").drop_nulls()
    outputs = said["output"].unique().sort().to_list()
    keys = pl.DataFrame({"output": outputs, "key": [answer_key(each) for each in outputs]},
                        {"output": pl.String, "key": pl.String})
    return said.join(keys, on="output")


def _met(said: pl.DataFrame, seed: int) -> pl.DataFrame:
    """The votes of the two halves of each split: prompt_id, split, key and output, key_other and output_other."""
    split = said.join(pl.DataFrame({"split": range(SPLITS)}), how="cross")
    at = [draw(seed, "half", *ids) for ids in split.select("response_id", "split").iter_rows()]
    here, half = ("prompt_id", "split"), pl.len().over("prompt_id", "split") // 2
    placed = split.with_columns(at=pl.Series(at, dtype=pl.Float64)).sort(*here, "at", "response_id").with_columns(
        place=pl.int_range(pl.len()).over(here), half=half).filter(pl.col("place") < 2 * pl.col("half"))
    sized = placed.group_by(*here, "key", second=pl.col("place") >= pl.col("half")).agg(
        votes=pl.len(), output=pl.col("output").min())
    most = sized.filter(pl.col("votes") == pl.col("votes").max().over(*here, "second"))
    won = most.filter(pl.len().over(*here, "second") == 1).drop("votes")
    return won.filter(~pl.col("second")).join(won.filter("second"), on=here, suffix="_other")


def _apart(met: pl.DataFrame, maths: Comparer | None) -> pl.DataFrame:
    """The rows with `apart`: whether output and output_other are proved different; equal keys are one answer.

    Two answers are compared once, in the order of their texts, whichever comes first in a row.
    """
    from feedback.testcases.maths.workers import MathsWorkers

    both = met.with_columns(one=pl.min_horizontal("output", "output_other"),
                            other=pl.max_horizontal("output", "output_other"))
    asked = both.filter(pl.col("key") != pl.col("key_other")).select("one", "other").unique().sort(pl.all())
    if asked.is_empty():
        return met.with_columns(apart=pl.lit(False))
    with MathsWorkers() if maths is None else nullcontext(maths) as workers:
        told = list(workers.compare(asked.iter_rows()))
    known = asked.with_columns(apart=pl.Series(told, dtype=pl.String) == "different")
    return both.join(known, on=["one", "other"], how="left").with_columns(
        pl.col("apart").fill_null(False)).drop("one", "other")


def _row(bound: str, of: str, flags: pl.DataFrame, above: str, below: str, draws: Resamples | None,
         why: str) -> pl.DataFrame:
    draws = draws or resamples(flags["prompt_id"])
    stats: Array = columns(draws, flags, (above, below))
    row = {"bound": bound, "of": of, "prompts": flags["prompt_id"].n_unique(), "rows": int(flags[below].sum()),
           **asdict(draws.estimate(stats, ratio, why))}
    return pl.DataFrame([row], BOUNDS, orient="row")
