"""Cues and repeats: what is found in turns, what it licenses, and what real gold says of it."""

import math
from difflib import SequenceMatcher
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.chatlogs.cue_table import features, table
from feedback.chatlogs.cues import HEAD, REPEAT, SEAM, TAIL, act_of, cues, pack, version
from feedback.chatlogs.intervals import wilson
from feedback.chatlogs.repeats import similarity
from schemas import FEEDBACK_EVENTS, TURN_CUES
from schemas.errors import ConfigError
from schemas.turn_cues import CUE_FAMILIES
from tests.chatlogs.talk import counted, messages, obeys, talk

SAID = {
    "That's wrong.": "rejection", "this does not work": "rejection", "Nope": "rejection",
    "you didn't answer my question": "rejection", "I still get an error": "rejection",
    "No, it should return 4, not 3": "correction", "I meant the other file": "correction",
    "Actually, Paris is the capital.": "correction", "you forgot the imports": "correction",
    "what do you mean?": "clarification", "Are you sure?": "clarification", "huh?": "clarification",
    "Can you explain that?": "clarification", "that doesnt make sense": "clarification",
    "make it shorter": "revision", "Can you rewrite this in French?": "revision",
    "thanks a lot": "positive", "Perfect, that works!": "positive", "You’re right": "positive",
    "How do I sort a list?": None, "I am leaving from the station.": None, "Tell me about whales": None,
    "What is the weather in Notwrongham?": None,
}


@pytest.mark.parametrize(("said", "act"), SAID.items())
def test_a_cue_says_what_a_turn_does(said: str, act: str | None) -> None:
    assert features([("before", said)]).select(act_of()).item() == act


def test_of_several_cues_the_first_in_order_of_priority_counts() -> None:
    order = ["you forgot the imports", "that's wrong", "what do you mean?", "REPEAT", "make it shorter", "thanks"]
    names = ["correction", "rejection", "clarification", "repeat", "revision", "positive"]
    for place, name in enumerate(names):
        said = ". ".join(order[place:]).replace("REPEAT", "")
        before = said if name in names[:4] else "something else"
        assert features([(before, said)]).select(act_of()).item() == name


def test_cues_are_looked_for_at_the_beginning_and_the_end_of_a_turn() -> None:
    middle = "lorem ipsum " * 200
    turns = features([(None, "that is wrong " + middle), (None, middle + " that is wrong"),
                      (None, middle + " that is wrong " + middle)])
    assert turns["rejection"].to_list() == ["that is wrong", "that is wrong", None]


def test_no_cue_runs_over_what_is_left_out() -> None:
    said = "x" * (HEAD - len(" explain")) + " explain" + "y" * 900 + "." * TAIL
    assert features([(None, said)])["clarification"][0] is None
    assert features([(None, "please explain" + "." * TAIL)])["clarification"][0] is not None


@given(st.lists(st.sampled_from([*SAID, "x" * 300, "\n", "é", "filler words here"]), max_size=8).map(" ".join))
def test_a_cue_is_words_of_the_turn_itself(said: str) -> None:
    row = features([(None, said)]).to_dicts()[0]
    for family in CUE_FAMILIES:
        assert row[family] is None or (row[family] in said and SEAM not in row[family])


def test_a_language_without_a_pack_is_read_by_repeats_and_pasted_errors_only() -> None:
    log = messages(talk("c", "wie geht das?", "so", "wrong, wie geht das?", language="de"),
                   talk("d", "wie", "so", "wrong", language="en"), talk("e", "wie", "so", "wrong"))
    found = cues().measure(log).table
    assert found.select("pack", "rejection").rows() == [(None, None), ("en", "wrong"), ("en", "wrong")]
    assert cues().flagged(found).height == 3


@pytest.mark.parametrize("said", [
    'Traceback (most recent call last):\n  File "a.py", line 3', "it says\nValueError: no", "NameError",
    "Exception in thread main", "  at java.util.List.get(List.java:12)", "main.c:3:5: error: expected ';'",
    "npm ERR! code 1", "zsh: command not found: foo\nzsh: foo: command not found", "error TS2304"])
def test_a_pasted_error_is_seen(said: str) -> None:
    assert features([(None, said)])["pasted_error"][0] is not None


@pytest.mark.parametrize("said", ["an error of judgement", "The Error of my ways", "at noon (12:30)", "panic attack"])
def test_talk_of_errors_is_no_pasted_error(said: str) -> None:
    assert features([(None, said)])["pasted_error"][0] is None


def test_the_share_of_lines_that_look_like_code() -> None:
    said = ("def f(x):\n    return x\nplease explain\nwhat it does", "just words", "")
    turns = features([(None, one) for one in said])
    assert turns["code_ratio"].to_list() == [0.5, 0.0, 0.0]
    assert turns["characters"].to_list() == [50, 10, 0]


def test_similarity_by_hand() -> None:
    assert similarity("How do I sort a list?", "how do i SORT a list") == 1.0
    assert similarity("sort a list", "a list sort") == 1.0
    assert similarity("abc", "xyz") == 0.0
    assert similarity("", "") == 0.0
    assert similarity("a b", "a") == pytest.approx(2 / 4)  # "a" is all of the one, a third of "a b"
    # in common "an hunting is license"; "requeres" and "requires" share requ.res, seven letters
    common, rest, shared = len("an hunting is license"), len(" requires"), 1 + 7
    expected = 2 * (common + shared) / (2 * (common + rest))
    assert similarity("Is hunting requeres an license?", "Is hunting requires an license?") == pytest.approx(expected)


@given(st.text("ab c", max_size=12), st.text("ab c", max_size=12))
def test_similarity_is_the_same_either_way_and_never_above_one(first: str, second: str) -> None:
    assert similarity(first, second) == similarity(second, first)
    assert 0 <= similarity(first, second) <= 1
    assert (similarity(first, second) == 1) == (set(first.split()) == set(second.split()) != set())


def test_the_longest_common_subsequence_is_the_textbooks() -> None:
    from feedback.chatlogs.repeats import _subsequence

    def slow(first: str, second: str) -> int:
        row = [0] * (len(second) + 1)
        for letter in first:
            corner = 0
            for place, other in enumerate(second, 1):
                corner, row[place] = row[place], corner + 1 if letter == other else max(row[place], row[place - 1])
        return row[-1]

    words = ["requires", "requeres", "", "abcabba", "cbabac", "a" * 70, "ab" * 50, "nothing"]
    assert all(_subsequence(one, other) == slow(one, other) for one in words for other in words)
    assert SequenceMatcher(None, "abcabba", "cbabac").ratio() < 1  # it is not the blocks that difflib counts


def test_thresholds_change_without_measuring_again() -> None:
    log = messages(talk("c", "sort my list please", "no", "sort my lists please", "no", "bananas"))
    found = cues().measure(log).table
    assert obeys(TURN_CUES, found)
    assert [cues(repeat=at).flagged(found).height for at in (0.5, 1.0)] == [1, 0]
    assert cues(repeat=1.0, families=()).flagged(found).height == 0


def test_events_of_cues_are_one_a_turn_with_quotes_that_stand_in_it() -> None:
    log = messages(talk("c", "sort it", "x", "That's wrong, you forgot one. thanks", "y",
                        "That’s wrong, you forgot one. Thanks", "z", "ValueError: no", "w", "tell me of whales", "v",
                        "make it shorter"))
    found = cues().measure(log).table
    made = cues().events(log, found)
    assert obeys(FEEDBACK_EVENTS, made.table)
    assert counted(made, "user turns") == {"in": 5, "out": 3, "no cue": 1, "pasted error only": 1}
    by_turn = {row["evidence_msg_id"]: row for row in made.table.to_dicts()}
    assert {name: (row["act"], row["polarity"], row["ordinal"], row["target_msg_id"])
            for name, row in by_turn.items()} == {
        "c/2": ("correction", "negative", 2, "c/1"), "c/4": ("correction", "negative", 2, "c/3"),
        "c/10": ("revision_request", "neutral", 3, "c/9")}
    texts = dict(log.select("msg_id", "text").rows())
    assert all(row["quote"] in texts[name] for name, row in by_turn.items())
    assert {row["detector"] for row in by_turn.values()} == {"cues"}
    assert cues().events(log.reverse(), found.reverse()).table.equals(made.table)


def test_a_repeat_is_an_event_without_a_quote() -> None:
    log = messages(talk("c", "sort my list", "x", "sort my list"))
    [row] = cues().events(log, cues().measure(log).table).table.to_dicts()
    assert (row["act"], row["quote"], row["explicitness"]) == ("repeat_rephrase", None, "text_implicit")


@pytest.mark.parametrize("wrong", [{"repeat": 0}, {"repeat": 1.5}, {"families": ("anger",)}, {"families": "positive"}])
def test_what_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="cues: "):
        cues(**wrong)  # type: ignore[arg-type]


def test_the_pack_has_every_family_and_the_version_names_it() -> None:
    assert tuple(pack("en")) == CUE_FAMILIES
    assert len(version()) == 24
    assert HEAD + TAIL == 600
    assert REPEAT == 0.8


def test_wilsons_interval_is_the_one_of_the_textbook() -> None:
    # Two binomial inequalities: the ends solve (p - share)^2 = z^2 p (1 - p) / n.
    for hits, of in ((1, 10), (45, 50), (7, 7), (0, 4)):
        share = wilson(hits, of)
        for end in (share.low, share.high):
            assert (end - hits / of) ** 2 == pytest.approx(1.959963984540054 ** 2 * end * (1 - end) / of, abs=1e-12)
    assert wilson(0, 0) == (0, 0, None, 0.0, 1.0)


def test_real_conversations_give_the_frozen_figures(shared_data: Path) -> None:
    rows = {(row["set"], row["figure"]): row for row in table(shared_data)}
    if not rows:
        pytest.skip("the folder of real data holds no chat logs")
    any_act = rows["petrak", "any act: flagged (recall)"]
    assert (any_act["of"], rows["petrak", "no act: flagged all the same"]["of"]) == (58, 16)
    assert any_act["share"] >= 0.8
    assert rows["petrak", "clarification: found as such"]["share"] >= 0.8
    assert 0.25 <= rows["realhumaneval", "flagged by any cue, a repeat or a pasted error"]["share"] <= 0.5
    assert all(row["low"] <= row["share"] <= row["high"] and math.isfinite(row["share"]) for row in rows.values())
    # Cues do not find quality: among the turns they flag, breakdowns are hardly more common than among all.
    base = rows["dbdc3", "breakdowns among all turns (base)"]["share"]
    assert rows["dbdc3", "flagged turns that follow a breakdown (precision)"]["share"] < base + 0.15
    assert rows["dbdc3", "breakdowns flagged (recall)"]["share"] < 0.5


def test_no_rows_give_no_rows() -> None:
    empty = messages()
    found = cues().measure(empty)
    assert found.table.height == 0
    assert cues().events(empty, found.table).table.height == 0
    assert isinstance(found.table, pl.DataFrame)
