"""Siblings in a tree: what was kept, what was abandoned, and when neither can be said."""

from pathlib import Path
from typing import Any

import pytest

from tests.chatlogs.reading import names, read, signals
from tests.chatlogs.test_gather import log, row

TIMES = {key: f"2024-01-01T10:0{place}:00Z" for place, key in enumerate("qabcxyzw")}
CALLED = names("librechat", "c", list(TIMES))


def said(key: str, parent: str | None, *, at: str | None = None) -> dict[str, Any]:
    """A message: q and x to z are questions, a to c answers."""
    return row(key, parent, f"says {key}", by_user=key in "qxyz", at=at or TIMES[key])


def told(tmp_path: Path, *rows: dict[str, Any]) -> list[tuple[Any, ...]]:
    found = read(log(tmp_path / "log.jsonl", *rows))
    return [(*signal[:4], CALLED.get(signal[4])) for signal in signals(found, CALLED, "polarity", "evidence_msg_id")]


Q = said("q", None)


@pytest.mark.parametrize("kept", ["a", "b", "c"])
def test_the_answer_that_the_user_went_on_with_was_kept_whichever_it_is(kept: str, tmp_path: Path) -> None:
    answers = [said(key, "q") for key in "abc"]
    others = sorted({"a", "b", "c"} - {kept})
    assert told(tmp_path, Q, *answers, said("x", kept)) == [("regenerate", kept, others, "positive", None)]


def test_where_the_user_went_on_with_several_only_those_left_behind_are_abandoned(tmp_path: Path) -> None:
    answers = [said(key, "q") for key in "abc"]
    assert told(tmp_path, Q, *answers, said("x", "a"), said("y", "c")) == [("regenerate", "c", ["b"], "positive", None)]
    assert told(tmp_path, Q, *answers[:2], said("x", "a"), said("y", "b")) == []


def test_nothing_is_preferred_where_nothing_was_said_after_the_last_answer(tmp_path: Path) -> None:
    assert told(tmp_path, Q, said("a", "q"), said("b", "q")) == [("regenerate", "b", ["a"], None, None)]


def test_an_edited_question_speaks_of_the_answer_that_was_seen_and_one_without_answer_of_none(tmp_path: Path) -> None:
    first = [Q, said("a", "q"), said("x", "a"), said("b", "x")]
    assert told(tmp_path, *first, said("y", "a"), said("z", "a")) == [("edit", "b", [], None, "y")]


def test_answers_in_several_messages_are_left_alone(tmp_path: Path) -> None:
    assert told(tmp_path, Q, said("a", "q"), said("b", "q"), said("c", "b"), said("x", "c")) == []


def test_no_order_of_the_log_changes_what_is_told(tmp_path: Path) -> None:
    rows = [Q, said("a", "q"), said("b", "q"), said("x", "a"), said("y", "a"), said("c", "x")]
    expected = told(tmp_path, *rows)
    assert expected == [("edit", "c", [], None, "y"), ("regenerate", "a", ["b"], "positive", None)]
    assert told(tmp_path, *reversed(rows)) == expected
