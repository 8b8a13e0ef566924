"""A small hand-made build: three prompts, two models, two judges, one tie that was dropped."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from exports.folder import write_dataset
from schemas import DROPPED, JUDGMENTS, LISTS, PREFERENCES, PROMPTS, UNPAIRED
from schemas.table import Table

Rows = list[dict[str, Any]]
TOOLS = '[{"type":"function","function":{"name":"add","parameters":{"type":"object"}}}]'


def frame(table: Table, rows: Rows) -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(table.rows(rows)))


def turns(role: str, text: str) -> Rows:
    return [{"role": role, "content": text}]


def prompt(number: int, **more: Any) -> dict[str, Any]:
    base = {"prompt_id": f"p{number}", "messages": turns("user", f"What is {number} + 1?"), "sources": ["sums"],
            "licences": ["Apache-2.0"], "language": "en", "group": f"g{number}"}
    return base | more


def pair(number: int, **more: Any) -> dict[str, Any]:
    base = {
        "pair_id": f"pair{number}", "prompt_id": f"p{number}", "prompt": turns("user", f"What is {number} + 1?"),
        "chosen": turns("assistant", f"It is {number + 1}."), "rejected": turns("assistant", "I do not know."),
        "chosen_id": f"r{number}a", "rejected_id": f"r{number}b", "chosen_model": "sage", "rejected_model": "fool",
        "score_chosen": 8.0, "score_rejected": 2.5, "margin": 5.5, "policy": "best-worst", "split": "train",
        "evidence": [{"table": "judgments", "id": f"j{number}"}],
    }
    return base | more


def label(number: int, good: bool, **more: Any) -> dict[str, Any]:
    base = {"response_id": f"r{number}{'a' if good else 'b'}", "prompt_id": f"p{number}",
            "prompt": turns("user", f"What is {number} + 1?"), "completion": turns("assistant", "an answer"),
            "label": good, "model": "sage", "score": 8.0 if good else 2.5, "split": "train", "evidence": []}
    return base | more


def ranked(number: int, **more: Any) -> dict[str, Any]:
    base = {"prompt_id": f"p{number}", "prompt": turns("user", f"What is {number} + 1?"),
            "completions": [turns("assistant", "right"), turns("assistant", "wrong")],
            "response_ids": [f"r{number}a", f"r{number}b"], "models": ["sage", "fool"], "scores": [8.0, 2.5],
            "ranks": [1, 2], "split": "train", "evidence": []}
    return base | more


def vote(number: int, judge: str, outcome: str = "scored") -> dict[str, Any]:
    scored = outcome == "scored"
    return {"judgment_id": f"j{number}{judge}", "prompt_id": f"p{number}", "subject": "response",
            "shown": [f"r{number}a"], "judge": judge, "model": f"{judge}-1b", "protocol": "rate_alone",
            "aspect": "overall", "outcome": outcome,
            "order": [], "scores": [8.0] if scored else [], "rubric": "feed", "reason": None if scored else "no JSON"}


@pytest.fixture
def build() -> dict[str, pl.DataFrame]:
    """The tables of the build, as write_dataset takes them."""
    return {
        "prompts": frame(PROMPTS, [prompt(1), prompt(2), prompt(3), prompt(4)]),
        "kept": frame(PREFERENCES, [pair(1), pair(2), pair(3, split="test")]),
        "unpaired": frame(UNPAIRED, [label(1, True), label(1, False), label(3, True, split="test")]),
        "lists": frame(LISTS, [ranked(1), ranked(3, split="test")]),
        "judgments": frame(JUDGMENTS, [vote(1, "ann"), vote(2, "ann"), vote(3, "bob"), vote(4, "bob", "invalid")]),
        "dropped": frame(DROPPED, [{"table": "preferences", "row_id": "pair4", "prompt_id": "p4", "reason": "tie",
                                    "evidence": "8 = 8", "also": []}]),
    }


Write = Callable[..., dict[str, Any]]


@pytest.fixture
def write(build: dict[str, pl.DataFrame]) -> Write:
    """Export the build, with changes."""

    def with_changes(folder: Path, **changes: Any) -> dict[str, Any]:
        return write_dataset(folder, **({"name": "sums", "recipe": "pair('best-worst')"} | build | changes))

    return with_changes
