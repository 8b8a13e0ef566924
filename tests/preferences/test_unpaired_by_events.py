"""Single labels from events: what users liked, what they complained of, and all that is neither."""

from typing import Any

import pytest

from preferences.by_events import pair_by_events
from preferences.unpaired_by_events import unpaired_by_events
from schemas.errors import ConfigError
from tests.preferences.logs import QUESTION, Log, answered, two
from tests.preferences.small import fates


def labels(log: Log, **more: Any) -> dict[str, bool]:
    """The label of each answer, by the id of its message."""
    table = log.made(unpaired_by_events(*more.pop("sources", ()), **more)).table
    return {next(item["id"] for item in row["evidence"] if item["table"] == "messages"): row["label"]
            for row in table.to_dicts()}


def test_thumbs_and_words_label_their_target_and_both_bad_labels_both() -> None:
    log = two().event("thumb", "c/a", 1.0).said("c/b", "c/then", "rejection", "negative")
    assert labels(log) == {"c/a": True, "c/b": False}
    assert labels(two().event("vote", "c/a", -1.0, compared=["c/b"])) == {"c/a": False, "c/b": False}
    assert labels(two().event("vote", "c/a", 1.0, compared=["c/b"])) == {}


def test_users_who_disagree_leave_no_label() -> None:
    log = two().event("thumb", "c/a", 1.0, actor_hash="u").event("thumb", "c/a", -1.0, actor_hash="v")
    made = log.made(unpaired_by_events())
    assert made.table.is_empty()
    assert fates(made.counts, "responses") == {"in": 2, "contradiction": 1, "no label": 1}


def test_equal_texts_with_both_labels_leave_none() -> None:
    log = Log().ask("c/q").answer("c/a", "c/q", "Yes.").answer("c/b", "c/q", "Yes.")
    log.event("thumb", "c/a", 1.0).event("thumb", "c/b", -1.0)
    assert fates(log.made(unpaired_by_events()).counts, "responses") == {"in": 2, "contradiction": 2}


@pytest.mark.parametrize(("act", "more", "reason"), [
    ("revision_request", {}, "a revision is no complaint"), ("rejection", {"justified": "no"}, "unjustified"),
    ("rejection", {"confidence": 0.3}, "unsure")])
def test_words_that_judge_nothing_leave_no_label(act: str, more: Any, reason: str) -> None:
    log = two().said("c/a", "c/then", act, "negative", **more)
    made = log.made(unpaired_by_events(least_confidence=0.5))
    assert made.table.is_empty()
    assert fates(made.counts, "events") == {"in": 1, reason: 1}


def test_a_revision_and_an_unjustified_complaint_count_on_demand() -> None:
    log = two().said("c/a", "c/then", "revision_request", "negative")
    assert labels(log, revisions=True) == {"c/a": False}
    log = two().said("c/a", "c/then", "rejection", "negative", justified="no")
    assert labels(log, unjustified=True) == {"c/a": False}


@pytest.mark.parametrize(("ordinal", "label"), [(1, False), (2, False), (3, None), (4, True), (5, True)])
def test_an_ordinal_labels_on_both_sides_of_neutral(ordinal: int, label: bool | None) -> None:
    log = answered("c").said("c/a", "c/then", "continue", "neutral", ordinal=ordinal)
    assert labels(log, sources=("ordinal",)) == ({} if label is None else {"c/a": label})


@pytest.mark.parametrize(("ordinal", "score"), [(1, 1.0), (2, 2.0), (4, 3.0), (5, 4.0)])
def test_the_grade_is_the_rows_score_and_a_thumb_gives_none(ordinal: int, score: float) -> None:
    log = answered("c").said("c/a", "c/then", "continue", "neutral", ordinal=ordinal)
    answered("d", log, QUESTION.upper()).event("thumb", "d/a", 1.0)
    table = log.made(unpaired_by_events("ordinal", "thumb")).table
    assert set(table["score"]) == {score, None}


def test_what_has_no_grade_has_no_label_by_ordinals_and_the_reason_is_told() -> None:
    log = answered("c", answer="Like so.").said("c/a", "c/then", "continue", "neutral", ordinal=5)
    answered("d", log).said("d/a", "d/then", "rejection", "negative", ordinal=1, justified="no")
    made = log.made(unpaired_by_events("ordinal"))
    assert made.table.is_empty()
    assert fates(made.counts, "events") == {"in": 2, "short answer": 1, "unjustified": 1}
    assert labels(log, sources=("ordinal",), unjustified=True) == {"d/a": False}


def test_labels_by_ordinals_agree_with_pairs_by_ordinals() -> None:
    log = answered("c").said("c/a", "c/then", "rejection", "negative", ordinal=1)
    answered("d", log).said("d/a", "d/then", "positive", "positive", ordinal=5)
    label = {row["response_id"]: row["label"] for row in log.made(unpaired_by_events("ordinal")).table.to_dicts()}
    [row] = log.made(pair_by_events("ordinal")).table.to_dicts()
    assert (label[row["chosen_id"]], label[row["rejected_id"]]) == (True, False)


def test_a_copy_counts_on_demand_only() -> None:
    log = two().event("copy", "c/a")
    assert labels(log) == {}
    assert labels(log, sources=("copy",)) == {"c/a": True}


def test_mistakes_are_told() -> None:
    with pytest.raises(ConfigError, match="no source is called 'thumbs'"):
        unpaired_by_events("thumbs")
    with pytest.raises(ConfigError, match="least_confidence is 2"):
        unpaired_by_events(least_confidence=2)
