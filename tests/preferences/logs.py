"""Small planted logs: messages named by the test, and events that point at them."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl

from feedback.chatlogs.answers import logged
from generators.made import Made
from preferences.by_events import PairByEvents
from preferences.unpaired_by_events import UnpairedByEvents
from schemas import CHAT_MESSAGES, FEEDBACK_EVENTS
from tests.preferences.small import frame

START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Log:
    """Conversations in the making; a message's name begins with its conversation's, as in "c/a1"."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self._depth: dict[str | None, int] = {None: -1}

    def ask(self, name: str, parent: str | None = None, text: str | None = None, **more: Any) -> "Log":
        """A user's message."""
        return self._say(name, parent, "user", f"Question {name}?" if text is None else text, more)

    def answer(self, name: str, parent: str | None, text: str | None = None, **more: Any) -> "Log":
        """An assistant's message."""
        return self._say(name, parent, "assistant", f"Answer {name}." if text is None else text,
                         {"model": "bot", **more})

    def event(self, kind: str, target: str, value: float | None = None, **more: Any) -> "Log":
        """An event; its id is e0, e1, ..."""
        self.events.append({
            "event_id": f"e{len(self.events)}", "conv_id": target.split("/")[0], "target_msg_id": target,
            "compared": [], "kind": kind, "value": value, "labels": [], "reasons": [], "explicitness": "structural",
            "standing_directive": False, "detector": "log", "detector_version": "1", "actor_kind": "human",
            "source_format": "test", "place": "log, line 1", **more})
        return self

    def said(self, target: str, evidence: str, act: str, polarity: str, **more: Any) -> "Log":
        """An event found in a user's words."""
        return self.event("follow_up", target, evidence_msg_id=evidence, act=act, polarity=polarity,
                          explicitness="text_explicit", detector="cues", **more)

    def frames(self, turned: bool = False) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The messages and the events, in the order they came or turned round."""
        step = -1 if turned else 1
        return frame(CHAT_MESSAGES, self.messages[::step]), frame(FEEDBACK_EVENTS, self.events[::step])

    def made(self, operator: PairByEvents | UnpairedByEvents, turned: bool = False) -> Made:
        """What an operator makes of it."""
        messages, events = self.frames(turned)
        return operator(*self.tables(turned), messages, events)

    def tables(self, turned: bool = False) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The prompts and responses of it."""
        messages, events = self.frames(turned)
        return logged().prompts(messages, events).table, logged().responses(messages, events).table

    def _say(self, name: str, parent: str | None, role: str, text: str, more: Mapping[str, Any]) -> "Log":
        self._depth[name] = self._depth[parent] + 1
        branch = sum(row["parent_id"] == parent for row in self.messages)
        self.messages.append({
            "msg_id": name, "conv_id": name.split("/")[0], "parent_id": parent, "depth": self._depth[name],
            "branch": branch, "on_main_path": True, "role": role, "text": text, "synthetic": False, "flags": [],
            "placeholders": [], "source_format": "test", "source": "log", "place": "log, line 1",
            "redistributable": True, "created_at": START + timedelta(minutes=len(self.messages)), **more})
        return self


def sides(table: pl.DataFrame) -> set[tuple[str, str]]:
    """The texts of the pairs: chosen, rejected."""
    return {(row["chosen"][-1]["content"], row["rejected"][-1]["content"]) for row in table.iter_rows(named=True)}


QUESTION = "How do I sort a list of names?"


def answered(name: str, log: Log | None = None, question: str = QUESTION, answer: str = "") -> Log:
    """A question, an answer of ten words and more, and what the user then said, which a grade can be made of."""
    answer = answer or f"Call sorted on it, as anybody would expect, and keep what {name} gives back."
    found = (log or Log()).ask(f"{name}/q", text=question).answer(f"{name}/a", f"{name}/q", answer)
    return found.ask(f"{name}/then", f"{name}/a")


def two(**more: Any) -> Log:
    """One question with answers a and b, and what was said after a."""
    return Log().ask("c/q", **more).answer("c/a", "c/q").answer("c/b", "c/q").ask("c/then", "c/a")
