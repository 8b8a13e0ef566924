"""Small planted tables: prompts with answers whose scores, texts and models the test chooses."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from schemas import JUDGMENTS, PROMPTS, RANKINGS, RESPONSES
from schemas.funnel import Count
from schemas.ids import digest, text_digest
from schemas.table import Table

Answer = Mapping[str, Any]
"""name; score (None: no quorum; absent: never voted on); and any of text, model, engine, role."""


def frame(table: Table, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows as a DataFrame of the table's types."""
    return pl.DataFrame(pl.from_arrow(table.rows(rows)))


def prompt(name: str, group: str | None = None) -> dict[str, Any]:
    """A prompts row."""
    return {"prompt_id": name, "messages": [{"role": "user", "content": f"What is {name}?"}], "sources": ["test"],
            "licences": ["CC0"], "group": group or name}


def response(prompt_name: str, answer: Answer) -> dict[str, Any]:
    """A responses row; its id is prompt/name, its text names it unless the answer has one."""
    text = answer.get("text", f"Answer {answer['name']} to {prompt_name}.")
    engine = answer.get("engine", "one")
    return {"response_id": f"{prompt_name}/{answer['name']}", "prompt_id": prompt_name, "origin": "engine",
            "role": answer.get("role", "candidate"), "engine": engine, "model": answer.get("model", engine),
            "strategy": "sample", "round": 0, "parents": [], "criteria": [], "critiques": [], "sample": 0, "text": text,
            "text_digest": text_digest(text), "finish_reason": answer.get("finish_reason", "stop"),
            "tokens": answer.get("tokens", 5)}


def ranking(prompt_name: str, answer: Answer) -> dict[str, Any]:
    """A rankings row without its rank, which nothing here reads."""
    score = answer["score"]
    name = f"{prompt_name}/{answer['name']}"
    return {"prompt_id": prompt_name, "response_id": name, "outcome": "no_quorum" if score is None else "ranked",
            "score": score, "votes": 1, "invalid": 0, "judges": 1,
            "judgment_ids": sorted([digest(name, 1), digest(name, 2), digest(prompt_name, "shared")])}


def world(answers: Mapping[str, Sequence[Answer]]) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """prompts, responses and rankings of the given answers by prompt."""
    pairs = [(name, answer) for name, those in answers.items() for answer in those]
    return (frame(PROMPTS, map(prompt, answers)), frame(RESPONSES, [response(*pair) for pair in pairs]),
            frame(RANKINGS, [ranking(*pair) for pair in pairs if "score" in pair[1]]))


def scored(*scores: float | None) -> list[Answer]:
    """Answers named a, b, c, ... with these scores."""
    return [{"name": chr(ord("a") + number), "score": score} for number, score in enumerate(scores)]


def vote(judge: str, outcome: str, shown: list[str], **fields: Any) -> dict[str, Any]:
    """A judgments row on responses of the prompt that the first id names."""
    return {"judgment_id": digest(judge, outcome, shown, fields.get("aspect", "overall")), "judge": judge,
            "shown": shown, "prompt_id": shown[0].split("/")[0], "subject": "list", "protocol": "import",
            "aspect": "overall", "outcome": outcome, "order": [], "scores": [], **fields}


def votes(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """The judgments table of these rows."""
    return frame(JUDGMENTS, rows)


def fates(counts: Iterable[Count], unit: str = "pairs") -> Counter[str]:
    """The counts of one unit by reason; "in" and "out" by their fate."""
    return Counter({row.reason or row.fate: row.count for row in counts if row.unit == unit and row.count})


def named(table: pl.DataFrame) -> set[tuple[str, str]]:
    """Every pair as (name of the chosen answer, name of the rejected one), without the prompt."""
    return {(c.split("/")[1], r.split("/")[1]) for c, r in table.select("chosen_id", "rejected_id").iter_rows()}
