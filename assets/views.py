"""What the UI shows of each table: a few rows as a person reads them, and the counts worth knowing."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from assets.show import SAMPLE, crosstab, frame, last_text, rows
from assets.stage import Tables
from audits.mutation import MUTATION

View = Callable[[Tables], Mapping[str, Any]]


def prompts(tables: Tables) -> Mapping[str, Any]:
    """Prompts: a few, and where they come from."""
    told = tables["prompts"]
    sources = told.explode("sources").group_by("sources", "task").len().sort("sources", "task", nulls_last=True)
    columns = ("messages", "task", "reference", "language", "licences")
    return {"sample prompts": frame(told.head(SAMPLE), *columns), "sources": frame(sources, "sources", "task", "len")}


def criteria(tables: Tables) -> Mapping[str, Any]:
    """Criteria: their beginnings."""
    return {"criteria": frame(tables["criteria"], "kind", "name", "scope", "text")}


def replies(table: str) -> View:
    """Raw replies: by engine and status, and those that came to nothing."""

    def show(tables: Tables) -> Mapping[str, Any]:
        told = tables[table]
        lost = told.filter(pl.col("status") != "ok").head(SAMPLE)
        return {"replies by engine": crosstab(told, "engine", "status"),
                "sample replies": frame(told.head(SAMPLE), "engine", "status", "finish_reason", "text"),
                **({"sample of lost replies": frame(lost, "engine", "status", "error", "text")} if len(lost) else {})}

    return show


def responses(tables: Tables) -> Mapping[str, Any]:
    """Answers: by model, and a few beside their prompts."""
    told = tables["responses"]
    length = pl.col("text").str.len_chars().median().cast(pl.Int64).alias("median characters")
    by_model = told.group_by("model").agg(pl.len().alias("answers"), length).sort("model", nulls_last=True)
    sample = told.head(SAMPLE).join(tables["prompts"].select("prompt_id", "messages"), on="prompt_id", how="left")
    cells = [(last_text(row["messages"] or []), row["model"], row["text"]) for row in sample.iter_rows(named=True)]
    return {"answers by model": frame(by_model, *by_model.columns),
            "sample answers": rows(("prompt", "model", "answer"), cells)}


def judgments(tables: Tables) -> Mapping[str, Any]:
    """Votes: what each judge says how often, and a few beside what was judged."""
    votes = tables["judgments"]
    answers = _by_id(votes.head(SAMPLE), tables["responses"])
    cells = [(vote["judge"], vote["aspect"], _shown(vote, answers), _verdict(vote, answers),
              vote["rationale"] or vote["reason"]) for vote in votes.head(SAMPLE).iter_rows(named=True)]
    return {"outcomes by judge": crosstab(votes, "judge", "outcome"),
            "sample votes": rows(("judge", "aspect", "shown, in this order", "vote", "reasons"), cells)}


def rankings(tables: Tables) -> Mapping[str, Any]:
    """Ranked answers: those of the first prompts, best first."""
    told = tables["rankings"]
    some = told.filter(pl.col("prompt_id").is_in(told["prompt_id"].unique(maintain_order=True).head(2).implode()))
    texts = tables["responses"].select("response_id", "model", "text")
    sample = some.join(texts, on="response_id", how="left").sort("prompt_id", "rank", "response_id", nulls_last=True)
    outcomes = told.group_by("outcome").agg(pl.len().alias("responses")).sort("outcome")
    columns = ("prompt_id", "rank", "score", "votes", "invalid", "agreement", "model", "text")
    return {"outcomes": frame(outcomes, "outcome", "responses"), "answers, best first": frame(sample, *columns),
            **_mean(told, "agreement", "mean agreement")}


def pairs(table: str) -> View:
    """Pairs: a few side by side, with the votes they came from where the stage has them, else with their scores."""

    def show(tables: Tables) -> Mapping[str, Any]:
        told = tables[table]
        sample = told.head(SAMPLE)
        voted = "judgments" in tables
        said = _votes_by_pair(sample, tables["judgments"]) if voted else _scores_by_pair(sample)
        cells = [(last_text(row["prompt"]), f"{row['chosen_model'] or 'unnamed'}: {last_text(row['chosen'])}",
                  f"{row['rejected_model'] or 'unnamed'}: {last_text(row['rejected'])}", row["margin"],
                  *((said.get(row["pair_id"], ""),) if any(said.values()) else ()))
                 for row in sample.iter_rows(named=True)]
        columns = ("prompt", "chosen", "rejected", "margin",
                   *(("votes" if voted else "scores",) if any(said.values()) else ()))
        return {"sample pairs": rows(columns, cells),
                **_mean(told, "margin", "mean margin")}

    return show


def dropped(table: str) -> View:
    """Rows that filters removed: by reason, and a few."""

    def show(tables: Tables) -> Mapping[str, Any]:
        told = tables[table]
        reasons = told.group_by("reason").agg(pl.len().alias("rows")).sort("rows", "reason", descending=[True, False])
        return {"dropped by reason": frame(reasons, "reason", "rows"),
                "sample of dropped rows": frame(told.head(SAMPLE), "row_id", "reason", "evidence")} if len(told) else {}

    return show


def unpaired(tables: Tables) -> Mapping[str, Any]:
    """Single labels: by model, and a few."""
    told = tables["unpaired"].with_columns(label=pl.when("label").then(pl.lit("good")).otherwise(pl.lit("bad")))
    return {"labels by model": crosstab(told.with_columns(pl.col("model").fill_null("unnamed")), "model", "label"),
            "sample labels": frame(told.head(SAMPLE), "prompt", "completion", "model", "score", "label")}


def lists(tables: Tables) -> Mapping[str, Any]:
    """Ranked lists: a few, best answer first."""
    cells = [(last_text(row["prompt"]), "  ›  ".join(str(model) for model in row["models"]),
              ", ".join(f"{score:.3g}" for score in row["scores"]), last_text(row["completions"][0]))
             for row in tables["lists"].head(SAMPLE).iter_rows(named=True)]
    return {"sample lists": rows(("prompt", "models, best first", "scores", "best answer"), cells)}


def _by_id(votes: pl.DataFrame, responses: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """The responses that some votes show."""
    shown = votes["shown"].explode().unique().implode()
    return {row["response_id"]: row for row in responses.filter(pl.col("response_id").is_in(shown)).to_dicts()}


def _name(answers: Mapping[str, Mapping[str, Any]], response_id: str) -> str:
    return str(answers.get(response_id, {}).get("model") or response_id[:8])


def _shown(vote: Mapping[str, Any], answers: Mapping[str, Mapping[str, Any]]) -> str:
    """The answers of a vote in the order shown, short enough to fit side by side."""
    each = 190 // len(vote["shown"])
    return " │ ".join(f"{_name(answers, i)}: {answers.get(i, {}).get('text', '?')}"[:each] for i in vote["shown"])


def _verdict(vote: Mapping[str, Any], answers: Mapping[str, Mapping[str, Any]]) -> str:
    if vote["scores"]:
        return ", ".join(f"{_name(answers, i)} {s:g}" for i, s in zip(vote["shown"], vote["scores"], strict=True))
    if vote["order"]:
        return " > ".join(_name(answers, i) for i in vote["order"])
    return str(vote["outcome"])


def _votes_by_pair(pairs: pl.DataFrame, judgments: pl.DataFrame) -> dict[str, str]:
    votes = {row["judgment_id"]: row for row in judgments.filter(
        pl.col("prompt_id").is_in(pairs["prompt_id"].implode())).iter_rows(named=True)}
    told = {}
    for row in pairs.iter_rows(named=True):
        names = {row["chosen_id"]: "chosen", row["rejected_id"]: "rejected"}
        cast = Counter(_vote(votes[item["id"]], names) for item in row["evidence"] if item["id"] in votes)
        told[row["pair_id"]] = "; ".join(f"{said} ×{n}" if n > 1 else said for said, n in sorted(cast.items()) if said)
    return told


def _scores_by_pair(pairs: pl.DataFrame) -> dict[str, str]:
    scored = pairs.drop_nulls(["score_chosen", "score_rejected"])
    return {pair: f"{chosen:.3g} over {rejected:.3g}, by {policy}" for pair, chosen, rejected, policy in scored.select(
        "pair_id", "score_chosen", "score_rejected", "policy").iter_rows()}


def _vote(vote: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """One vote in words, as far as it concerns the pair."""
    if vote["outcome"] == "win" and set(vote["order"]) <= names.keys():
        return f"{vote['judge']}: {names[vote['order'][0]]}"
    if vote["outcome"] == "scored":
        scores = [f"{names[i]} {s:g}" for i, s in zip(vote["shown"], vote["scores"], strict=True) if i in names]
        return f"{vote['judge']} ({vote['aspect']}): {', '.join(scores)}" if scores else ""
    return f"{vote['judge']}: {vote['outcome']}" if set(vote["shown"]) <= names.keys() else ""


def _mean(table: pl.DataFrame, column: str, name: str) -> dict[str, Any]:
    """A mean that Dagster plots over builds; nothing where no row has a value."""
    mean = table[column].mean()
    return {name: round(mean, 4)} if isinstance(mean, float) else {}


_AUDIT = {
    "agreement of the jury": ("jury", ("aspect", "measure", "judges", "items", "value", "low", "high", "reason")),
    "agreement of two judges": (
        "judge_pairs", ("aspect", "judge_a", "judge_b", "items", "agreement", "kappa", "kappa_low", "kappa_high")),
    "outcomes of votes": (
        "votes", ("judge", "aspect", "votes", "win", "tie", "both_bad", "ranked", "scored", "abstain", "invalid")),
    "position: the first shown wins": ("position", ("judge", "aspect", "decided", "value", "low", "high", "reason")),
    "length: the longer answer wins": ("length", ("judge", "aspect", "decided", "value", "low", "high", "reason")),
    "self-preference": (
        "self_preference", ("judge", "model", "own_rate", "others_rate", "value", "low", "high", "reason")),
    "arms against each other": (
        "arms", ("arm", "other", "prompts", "duels", "wins", "ties", "losses", "value", "low", "high", "reason")),
    "win rates": ("win_rates", ("model", "duels", "wins", "ties", "losses", "value", "low", "high")),
    "labels that are right": ("label_accuracy", ("table", "pairs", "right", "wrong", "equal", "value", "low", "high")),
    "votes that are right": (
        "judge_accuracy", ("judge", "aspect", "right", "wrong", "undecided", "value", "low", "high")),
    "test cases by source": (
        "case_sources", ("source", "cases", "prompts", "voters", "share", "agreed", "trivial")),
    "outcomes of tests": (
        "test_outcomes", ("source", "outcomes", "pass", "fail", "error", "timeout", "unknown", "sandbox_error")),
    "what tests look like that models wrote": ("smells", ("what", "tests", "share")),
    "votes that are right, by their share": (
        "calibration", ("low_share", "high_share", "cases", "prompts", "right", "value", "low", "high")),
    "pairs against the truth": ("standings", ("table", "standing", "pairs", "prompts", "value", "low", "high")),
    "pairs by the tests of another source": (
        "inversions", ("table", "source", "standing", "pairs", "prompts", "value", "low", "high")),
    "votes without a truth: bounds": ("vote_bounds", ("bound", "of", "prompts", "rows", "value", "low", "high")),
    "planted faults that the test cases of a prompt tell: mean share": ("mutation", tuple(MUTATION)),
    "cost": ("cost", ("engine", "model", "requests", "replies", "invalid", "errors", "completion_tokens", "cost")),
}


def audit(tables: Tables) -> dict[str, Any]:
    """The audit's tables, without the columns that only the report needs."""
    return {title: frame(tables[name], *columns) for title, (name, columns) in _AUDIT.items() if tables[name].height}
