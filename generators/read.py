"""Prompts of the user's own files: JSON Lines, JSON, CSV, Parquet, and datasets of the Hugging Face Hub."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl

from generators.columns import HOLE, fill, json_text, plain, scalar, turns, words
from generators.made import Made
from generators.records import Broken, Record, records
from schemas.errors import ConfigError, InputError
from schemas.funnel import count
from schemas.ids import canonical
from schemas.messages import Message, prompt_id
from schemas.prompts import PROMPTS

OnError = Literal["stop", "drop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What a source says of its prompts beside their words."""

    reference: str | None = None
    """The column of a known good answer."""
    task: str | None = None
    """The kind of task, or "{column}" where each record names its own; the same holds for licence and language."""
    licence: str | None = None
    language: str | None = None
    group: str | None = None
    """The column whose equal values must fall on the same side of the train/test split."""
    source: str | None = None
    """What to call the source; default: the file's name without suffix."""

    def prompt(self, record: Record, messages: list[Message], used: Collection[str], tools: str | None = None,
               ) -> dict[str, Any]:
        """The row of the prompts table; the record's columns that are neither used nor named here go into `meta`."""
        if not any(turn["content"].strip() for turn in messages if turn["role"] != "system"):
            raise Broken(record.place, "empty prompt", "the prompt is empty; delete the record or fill it")
        if messages[-1]["role"] in ("assistant", "system", "developer"):
            told = f"the last turn is the {messages[-1]['role']}'s, nothing is left to answer; end with a user's turn"
            raise Broken(record.place, "nothing to answer", told)
        key = prompt_id(messages, tools)
        named = {*used, self.reference, self.group, *self._columns()}
        meta = {name: plain(value) for name, value in record.fields.items() if name not in named}
        return {
            "prompt_id": key, "messages": messages, "tools": tools, "task": fill(record, self.task),
            "reference": scalar(record, self.reference), "sources": [self.source or record.source],
            "licences": [fill(record, self.licence) or "unknown"], "language": fill(record, self.language),
            "group": scalar(record, self.group) or key, "meta": canonical(meta).decode() if meta else None,
        }

    def _columns(self) -> set[str]:
        return {name for said in (self.task, self.licence, self.language) for name in HOLE.findall(said or "")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """Prompts from a source, one row each, whatever the order of files and lines."""

    path: str
    text: str | None = "prompt"
    """The column of the prompt's words, for prompts of one user turn; `turns.0` reaches into nested values."""
    messages: str | None = None
    """The column of the prompt's turns, instead of `text`."""
    tools: str | None = None
    about: About = About()
    limit: int | None = None
    """Take this many prompts only: those with the smallest ids, a sample that no file order changes."""
    on_error: OnError = "stop"
    """Stop at the first broken record, or drop it and count why."""
    config: str | None = None
    split: str | None = None

    def __call__(self) -> Made:
        """The prompts. Raises InputError that names file, line, field and remedy, and where no prompt is left."""
        prompts, dropped, total = Prompts(self.on_error), Counter[str](), 0
        for record in records(self.path, self.config, self.split):
            total += 1
            try:
                prompts.add(self._row(usable(record)), usable(record).place)
            except Broken as broken:
                tolerate(broken, self.on_error, dropped)
        table = prompts.table()
        kept = table if self.limit is None else table.head(self.limit)
        dropped += prompts.dropped + Counter({"over the limit": table.height - kept.height})
        if not total or (not kept.height and self.limit != 0):
            raise InputError(nothing(self.path, total, dropped))
        return Made(kept, count("prompts", "records", total, out=kept.height, dropped=+dropped))

    def _row(self, record: Record) -> dict[str, Any]:
        if self.messages:
            messages = turns(record, self.messages)
        else:
            told = words(record, str(self.text), remedy="name a column of turns as messages=")
            messages = [{"role": "user", "content": told}]
        used = {name for name in (self.messages or self.text, self.tools) if name}
        return self.about.prompt(record, messages, used, json_text(record, self.tools))


def read(path: str | Path, *, text: str = "prompt", messages: str | None = None, tools: str | None = None,
         reference: str | None = None, task: str | None = None, licence: str | None = None, language: str | None = None,
         group: str | None = None, limit: int | None = None, source: str | None = None, on_error: OnError = "stop",
         config: str | None = None, split: str | None = None) -> Read:
    """Read prompts from a file, a glob, a folder or `hf:org/name`.

    text, messages, tools, reference and group name columns; task, licence and language are said of the whole source,
    or "{column}" for a column's values. A prompt that comes more than once is one row: its sources and licences are
    merged, of task, language and meta the alphabetically first stands; its groups become one, called after the
    alphabetically first; two different references are an error.
    """
    if limit is not None and limit < 0:
        raise ConfigError(f"read({path!r}): limit is {limit}; say how many prompts to take, or leave it out")
    about = About(reference=reference, task=task, licence=licence, language=language, group=group, source=source)
    return Read(path=str(path), text=None if messages else text, messages=messages, tools=tools, about=about,
                limit=limit, on_error=on_error, config=config, split=split)


@dataclass(slots=True)
class Prompts:
    """Prompt rows, merged by id as they come."""

    on_error: OnError
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    """Where the reference of each prompt stands."""
    records: Counter[str] = field(default_factory=Counter)
    """How many records each prompt came from."""
    conflicts: set[str] = field(default_factory=set)
    joined: dict[str, str] = field(default_factory=dict)
    """Groups that one prompt is in: each but the alphabetically first, with another one of them that stands before."""

    def add(self, row: dict[str, Any], place: str) -> None:
        """Take one more record of a prompt in; raises InputError where its reference is another than before."""
        key = row["prompt_id"]
        self.records[key] += 1
        held = self.rows.setdefault(key, row)
        if row["reference"] is not None:
            first = self.places.setdefault(key, place)
            if held["reference"] not in (None, row["reference"]):
                self._conflict(key, first, place)
        if held is not row:
            self.rows[key] = _merged(held, row)
            self._join({held["group"], row["group"]} - {key})

    def _join(self, groups: set[str]) -> None:
        """Make one group of those that a prompt of several records is in: its others would lie on both sides."""
        roots = sorted({self._root(group) for group in groups})
        self.joined.update((root, roots[0]) for root in roots[1:])

    def _root(self, group: str) -> str:
        """The group that a group belongs to."""
        while group in self.joined:
            above = self.joined[group]
            self.joined[group] = self.joined.get(above, above)      # the way is half as long for whoever asks next
            group = above
        return group

    def _conflict(self, key: str, first: str, place: str) -> None:
        if self.on_error == "stop":
            raise InputError(f"{place}: the same prompt has another reference at {first}; keep the right one, or say "
                             "on_error='drop' to leave the prompt out")
        self.conflicts.add(key)

    @property
    def dropped(self) -> Counter[str]:
        """Records that are no row of their own: of prompts seen before, or with conflicting references."""
        conflicting = sum(self.records[key] for key in self.conflicts)
        return +Counter({"duplicate": self.records.total() - len(self.rows) - conflicting + len(self.conflicts),
                         "conflicting references": conflicting})

    def table(self) -> pl.DataFrame:
        """The rows of the prompts table, sorted by id."""
        keys = sorted(self.rows.keys() - self.conflicts)
        rows = (self.rows[key] for key in keys)
        return pl.DataFrame(pl.from_arrow(PROMPTS.rows({**row, "group": self._root(row["group"])} for row in rows)))


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    lists = {name: sorted({*one[name], *other[name]}) for name in ("sources", "licences")}
    # A group that a source names stands before the prompt's own id, which is only the default.
    groups = {one["group"], other["group"]} - {one["prompt_id"]} or {one["prompt_id"]}
    first = {name: min((value for value in (one[name], other[name]) if value is not None), default=None)
             for name in ("task", "reference", "language", "meta")}
    return {**one, **lists, **first, "group": min(groups)}


def usable(record: Record | Broken) -> Record:
    """The record, or its error raised."""
    if isinstance(record, Broken):
        raise record
    return record


def tolerate(broken: Broken, on_error: OnError, dropped: Counter[str]) -> None:
    """Count a broken record, or raise it where broken records stop the reading."""
    if on_error == "stop":
        raise broken
    dropped[broken.reason] += 1


def nothing(path: str, total: int, dropped: Counter[str]) -> str:
    """What to say where a source leaves no row at all."""
    if not total:
        return f"{path}: holds no records; check that this is the right file"
    why = ", ".join(f"{reason} ({n})" for reason, n in dropped.most_common(3))
    return f"{path}: none of its {total} records can be used: {why}; say on_error='stop' to see the first one"
