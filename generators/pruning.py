"""Deletion from the reply store, for good, here and at the remote: by age, by engine, or all that a prompt led to."""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from generators.shelf import Stored
from generators.store import ReplyStore
from schemas.errors import ConfigError

_Name = tuple[str, int, int, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What was deleted."""

    requests: int
    links: int
    replies: int
    """Forgotten ones included."""
    bytes: int


def prune(store: ReplyStore, *, older_than_s: float | None = None, engine: str | None = None,
          prompt_ids: Collection[str] | None = None, saying: Collection[str] = (), now: float | None = None) -> Pruned:
    """Delete replies by age, by engine or by both, or everything that the prompts led to.

    Requests that this leaves unanswered go with their replies; requests that another prompt led to as well stay, unless
    one of the texts in `saying` stands in them.
    Forgotten replies and damaged records go too. `now` is in Unix seconds. Raises HeldError, naming the process, while
    another one has the store open; machines that share the remote must be told by hand to stop.
    """
    if (prompt_ids is None) == (older_than_s is None and engine is None):
        raise ConfigError("prune the reply store either by prompts, or by age and engine; nothing was deleted")
    latest = None if older_than_s is None else (time.time() if now is None else now) - older_than_s
    with store.alone():
        doomed = _of_age(store, latest, engine) if prompt_ids is None else _of_prompts(
            store, set(prompt_ids), saying)
        freed = store.rewrite(doomed.drops)
    count = doomed.dropped
    return Pruned(requests=count["request"], links=count["link"], replies=count["reply"], bytes=freed)


@dataclass(slots=True)
class _Doomed:
    """What is to go."""

    requests: set[str] = field(default_factory=set)
    """With their replies and links."""
    prompts: set[str] = field(default_factory=set)
    """Their links."""
    reply: Callable[[Mapping[str, Any]], bool] = lambda record: False
    forgotten: set[_Name] = field(default_factory=set)
    """Replies whose forget records have done their work."""
    dropped: Counter[str] = field(default_factory=Counter)

    def drops(self, stored: Stored) -> bool:
        """Whether the record goes; counted by kind."""
        record = stored.record
        goes = (
            _name(record, record["crc"]) in self.forgotten if record["kind"] == "forget"
            else record["request_id"] in self.requests
            or (record["kind"] == "link" and record["prompt_id"] in self.prompts)
            or (record["kind"] == "reply" and (stored.forgotten or self.reply(record)))
        )
        self.dropped[record["kind"]] += goes
        return goes


def _of_prompts(store: ReplyStore, prompt_ids: set[str], saying: Collection[str]) -> _Doomed:
    doomed = _Doomed(prompts=prompt_ids)
    shared: set[str] = set()
    quoting: set[str] = set()
    for stored in store.records():
        record = stored.record
        if record["kind"] == "link":
            (doomed.requests if record["prompt_id"] in prompt_ids else shared).add(record["request_id"])
        elif record["kind"] == "request" and saying and _says(record["request"], saying):
            quoting.add(record["request_id"])
        elif stored.forgotten:
            doomed.forgotten.add(_name(record, stored.crc))
    doomed.requests = (doomed.requests - shared) | quoting
    return doomed


def _says(request: Mapping[str, Any], texts: Collection[str]) -> bool:
    """Whether one of the texts stands in what was asked, each of its lines, as other lines may stand between them."""
    said = [str(turn.get("content")) for turn in request.get("messages", ())]
    return any(all(line in turn for line in text.splitlines()) for turn in said for text in texts)


def _of_age(store: ReplyStore, latest: float | None, engine: str | None) -> _Doomed:
    def goes(record: Mapping[str, Any]) -> bool:
        return (latest is None or record["at"] < latest) and (engine is None or record["engine"] == engine)

    doomed = _Doomed(reply=goes)
    answered: set[str] = set()
    for stored in store.records():
        record = stored.record
        if record["kind"] == "reply":
            (doomed.requests if stored.forgotten or goes(record) else answered).add(record["request_id"])
            if stored.forgotten:
                doomed.forgotten.add(_name(record, stored.crc))
    doomed.requests -= answered
    return doomed


def _name(record: Mapping[str, Any], crc: str) -> _Name:
    return record["request_id"], record["sample"], record["attempt"], crc
