"""What imported records bring: prompts, answers and votes, keyed by content and accounted for record by record."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from generators.made import Made
from generators.read import OnError, Prompts, nothing, tolerate, usable
from generators.records import Broken, Record, records
from schemas.errors import InputError
from schemas.funnel import count
from schemas.ids import text_digest
from schemas.judgments import JUDGMENTS, judgment_id
from schemas.responses import RESPONSES, response_id
from schemas.table import Table


class Unfit(Exception):
    """A record that is well formed but says nothing about a preference; always dropped, under this reason."""


@dataclass(frozen=True, slots=True)
class Row:
    """One imported record as rows of our tables."""

    prompt: dict[str, Any]
    place: str
    answers: list[dict[str, Any]]
    votes: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All records of a source as rows of our tables."""

    prompts: Prompts
    rows: list[Row]
    """The records whose prompt was kept."""
    total: int
    dropped: Counter[str]
    """Records by the reason why they are not in `rows`."""

    def prompts_made(self) -> Made:
        """The prompts table; a prompt of several records is one row."""
        table = self.prompts.table().filter(pl.col("prompt_id").is_in({row.prompt["prompt_id"] for row in self.rows}))
        dropped = self.dropped + Counter({"duplicate": len(self.rows) - table.height})
        return Made(table, count("prompts", "records", self.total, out=table.height, dropped=dropped))

    def responses_made(self, each: int) -> Made:
        """The responses table, from `each` answers a record; an answer of several records is one row."""
        table = _distinct(RESPONSES, [answer for row in self.rows for answer in row.answers])
        return Made(table, count("responses", "answers", self.total * each, out=table.height,
                                 dropped=self._dropped(each, table.height)))

    def judgments_made(self, each: int) -> Made:
        """The judgments table, from `each` votes a record; a record that is there twice votes once."""
        table = _distinct(JUDGMENTS, [vote for row in self.rows for vote in row.votes])
        fates = Counter(table["outcome"])
        valid = table.height - fates["abstain"] - fates["invalid"]
        return Made(table, [
            *count("judgments", "votes", self.total * each, out=table.height,
                   dropped=self._dropped(each, table.height)),
            *count("judgments", "valid votes", table.height, out=valid, dropped=+Counter({"abstain": fates["abstain"]}),
                   failed=+Counter({"invalid": fates["invalid"]})),
        ])

    def _dropped(self, each: int, out: int) -> Counter[str]:
        scaled = Counter({reason: n * each for reason, n in self.dropped.items()})
        return scaled + Counter({"duplicate": len(self.rows) * each - out})


def gather(path: str, row_of: Callable[[Record], Row], on_error: OnError, limit: int | None) -> Evidence:
    """Every record of a source through `row_of`; raises InputError for a broken one, unless it is to be dropped."""
    prompts, rows, total, dropped = Prompts(on_error), list[Row](), 0, Counter[str]()
    for record in records(path):
        total += 1
        try:
            row = row_of(usable(record))
            prompts.add(row.prompt, row.place)
            rows.append(row)
        except Unfit as unfit:
            dropped[str(unfit)] += 1
        except Broken as broken:
            tolerate(broken, on_error, dropped)
    if not rows:
        raise InputError(nothing(path, total, dropped))
    taken = set(sorted(prompts.rows.keys() - prompts.conflicts)[:limit])
    for row in rows:
        if row.prompt["prompt_id"] in prompts.conflicts:
            dropped["conflicting references"] += 1
        elif row.prompt["prompt_id"] not in taken:
            dropped["over the limit"] += 1
    return Evidence(prompts, [row for row in rows if row.prompt["prompt_id"] in taken], total, dropped)


def answer(prompt: str, author: str, text: str) -> dict[str, Any]:
    """A responses row. One author's two texts for a prompt are two answers; the same text again is the same answer."""
    digest = text_digest(text)
    return {
        "response_id": response_id(prompt, "import", f"{author}/{digest}", 0), "prompt_id": prompt, "origin": "import",
        "role": "candidate", "model": author, "strategy": "import", "round": 0, "parents": [], "criteria": [],
        "critiques": [], "sample": 0, "text": text, "text_digest": digest,
    }


def vote(row: tuple[str, ...], prompt: str, judge: str, aspect: str, shown: list[str], **fields: Any) -> dict[str, Any]:
    """A judgments row; `row` is what tells this vote of the imported record from any other."""
    empty: dict[str, Any] = {"order": [], "scores": []}
    return {
        "judgment_id": judgment_id(row, "import", aspect, shown), "prompt_id": prompt, "shown": shown, "judge": judge,
        "model": None if judge.startswith(("human:", "import:")) else judge, "protocol": "import", "aspect": aspect,
        **empty, **fields,
    }


def _distinct(table: Table, rows: list[dict[str, Any]]) -> pl.DataFrame:
    key = table.key[0]
    by_key = {row[key]: row for row in rows}
    return pl.DataFrame(pl.from_arrow(table.rows(by_key[name] for name in sorted(by_key))))
