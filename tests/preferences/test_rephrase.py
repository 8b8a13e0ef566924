"""Rephrased questions (E12): by an absorbing chain solved by hand; what it leaves out has its reason."""

from datetime import timedelta
from typing import Any

import pytest

from preferences.by_events import pair_by_events
from preferences.event_changes import rephrases
from schemas.errors import ConfigError
from tests.preferences.logs import START, Log, sides
from tests.preferences.small import fates

ONCE = pair_by_events(rephrases(support=1))


def asked(log: Log, name: str, *wordings: str, end: str = "success", **more: Any) -> Log:
    """A conversation in which a question is put in these wordings, and the last answer is praised or complained of."""
    above = None
    for place, wording in enumerate(wordings):
        log.ask(f"{name}/q{place}", above, wording, **more).answer(f"{name}/a{place}", f"{name}/q{place}")
        if above is not None:
            log.said(above, f"{name}/q{place}", "repeat_rephrase", "negative")
        above = f"{name}/a{place}"
    act, polarity = ("positive", "positive") if end == "success" else ("rejection", "negative")
    return log.ask(f"{name}/end", above, "So.").said(f"{name}/a{len(wordings) - 1}", f"{name}/end", act, polarity)


def hand() -> Log:
    """Twelve sessions. Steps: A to B 4, to C 2, to failure 2; B to D 2, to success 2; C to failure 2, to success 1; D
    to success 2, to failure 2."""
    log = Log()
    ways = {"AB": "success", "ABD": "success", "AC": "failure", "A": "failure", "D": "failure"}
    for way, end in ways.items():
        for time in range(2):
            asked(log, f"{way}{time}", *(f"Say it like {one}" for one in way), end=end)
    return asked(log, "C0", "Say it like C")


def test_a_pair_is_what_satisfied_over_the_earlier_answers_with_the_chances_of_a_chain_solved_by_hand() -> None:
    # With a support of 2, C to success does not count. p(D) = 2/4; p(C) = 0; p(B) = (2 + 2 p(D)) / 4 = 3/4;
    # p(A) = (4 p(B) + 2 p(C)) / 8 = 3/8. D ends two chains in success, but B would have done better.
    made = hand().made(pair_by_events("rephrase"))
    assert sides(made.table) == {(f"Answer AB{time}/a1.", f"Answer AB{time}/a0.") for time in range(2)}
    assert set(made.table.select("score_chosen", "score_rejected", "margin").iter_rows()) == {(0.75, 0.375, 0.375)}
    assert fates(made.counts, "claims") == {"in": 8, "out": 2, "rephrase: another wording does better": 4,
                                            "rephrase: ended in a complaint": 2}


def test_the_place_of_all_answers_is_the_last_wording_after_what_was_said_before_the_first() -> None:
    log = Log().ask("c/hi", text="Hi").answer("c/ho", "c/hi", "Ho").ask("c/q", "c/ho", "Sort it").answer("c/a", "c/q")
    log.ask("c/q2", "c/a", "Sort the list").answer("c/b", "c/q2").ask("c/q3", "c/b", "Sort the list in place")
    log.answer("c/x", "c/q3").ask("c/thanks", "c/x", "Thanks").said("c/a", "c/q2", "repeat_rephrase", "negative")
    log.said("c/b", "c/q3", "repeat_rephrase", "negative").said("c/x", "c/thanks", "positive", "positive")
    made = log.made(ONCE)
    assert sides(made.table) == {("Answer c/x.", "Answer c/a."), ("Answer c/x.", "Answer c/b.")}
    assert {tuple(turn["content"] for turn in row["prompt"]) for row in made.table.to_dicts()} == {
        ("Hi", "Ho", "Sort the list in place")}
    evidence = {row["rejected"][0]["content"]: {item["id"] for item in row["evidence"]}
                for row in made.table.to_dicts()}
    questions = {"c/q", "c/q2", "c/q3", "c/thanks", "c/x"}
    assert evidence == {"Answer c/a.": {"e0", "e1", "e2", "c/a"} | questions,
                        "Answer c/b.": {"e1", "e2", "c/b"} | questions}
    assert log.made(pair_by_events("repair")).table.is_empty()


def test_wordings_that_were_seen_once_make_no_pair_unless_one_is_enough() -> None:
    log = asked(Log(), "c", "Sort it", "Sort the list")
    made = log.made(pair_by_events("rephrase"))
    assert fates(made.counts, "claims") == {"in": 1, "rephrase: wordings seen too rarely": 1}
    assert fates(made.counts, "events") == {"in": 2, "its claims do not stand": 2}
    assert log.made(ONCE).table.height == 1
    asked(log, "d", "sort IT!", "sort the list...")  # case and marks make no other wording
    assert log.made(pair_by_events("rephrase")).table.height == 2


@pytest.mark.parametrize(("minutes", "pairs"), [(10, 1), (11, 0)])
def test_a_wording_that_comes_too_late_is_another_question(minutes: int, pairs: int) -> None:
    log = asked(Log(), "c", "Sort it", "Sort the list")
    times = {"c/q0": START, "c/q1": START + timedelta(minutes=minutes)}
    log.messages = [{**row, "created_at": times.get(row["msg_id"], START)} for row in log.messages]
    made = log.made(ONCE)
    assert made.table.height == pairs
    late = {} if pairs else {"rephrase: too long between wordings": 1}
    assert fates(made.counts, "claims") == {"in": 1, **({"out": 1} if pairs else {}), **late}
    assert log.made(pair_by_events(rephrases(support=1, max_gap_s=3600))).table.height == 1


def test_times_that_the_log_does_not_tell_are_no_hindrance() -> None:
    assert asked(Log(), "c", "Sort it", "Sort the list", created_at=None).made(ONCE).table.height == 1


def test_a_chain_that_ends_in_a_complaint_or_in_silence_makes_no_pair_and_is_counted() -> None:
    made = asked(Log(), "c", "Sort it", "Sort the list", end="failure").made(ONCE)
    assert fates(made.counts, "claims") == {"in": 1, "rephrase: ended in a complaint": 1}
    log = Log().ask("c/q").answer("c/a", "c/q").ask("c/q2", "c/a").answer("c/b", "c/q2")
    silent = log.said("c/a", "c/q2", "repeat_rephrase", "negative")
    assert fates(silent.made(ONCE).counts, "claims") == {"in": 1, "rephrase: nobody said that it helped": 1}
    assert silent.tables()[1].height == 1, "an answer is put to another question only where a pair may come of it"
    thumb = silent.event("thumb", "c/b", 1.0, polarity="positive")
    assert thumb.made(ONCE).table.height == 1


def test_an_earlier_answer_that_was_praised_as_well_is_no_worse_one() -> None:
    log = asked(Log(), "c", "Sort it", "Sort the list").event("thumb", "c/a0", 1.0, polarity="positive")
    assert fates(log.made(ONCE).counts, "claims") == {"in": 1, "rephrase: the earlier answer satisfied, too": 1}


def test_an_answer_that_knows_an_earlier_wording_is_no_answer_to_the_last() -> None:
    log = Log().ask("c/q", text="Sort the long list of names by age").answer("c/a", "c/q")
    log.ask("c/q2", "c/a", "Sort it").answer("c/b", "c/q2", "Here is the long list of names by age.")
    log.ask("c/end", "c/b", "Thanks").said("c/a", "c/q2", "repeat_rephrase", "negative")
    made = log.said("c/b", "c/end", "positive", "positive").made(ONCE)
    assert fates(made.counts) == {"in": 1, "leaks the feedback": 1}


def test_numbers_that_cannot_be_are_refused() -> None:
    with pytest.raises(ConfigError, match="support is 0"):
        rephrases(support=0)
    with pytest.raises(ConfigError, match="max_gap_s is -1"):
        rephrases(max_gap_s=-1)
