"""PAIR BY EVENTS: every kind of event gives the pairs it licenses, and every other pair its reason."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.chatlogs.answers import logged
from preferences.by_events import RULES, pair_by_events
from preferences.event_changes import edits
from preferences.event_rules import community, ranks, scores, thumbs
from schemas.errors import ConfigError
from schemas.funnel import check_balance
from tests.preferences.logs import START, Log, sides, two
from tests.preferences.small import fates

A, B = "Answer c/a.", "Answer c/b."


def test_a_vote_is_for_its_target() -> None:
    made = two().event("vote", "c/b", 1.0, compared=["c/a"]).made(pair_by_events())
    assert sides(made.table) == {(B, A)}
    [row] = made.table.to_dicts()
    assert row["policy"] == "vote"
    assert row["margin"] is None
    assert [turn["content"] for turn in row["prompt"]] == ["Question c/q?"]
    assert [(item["table"], item["id"]) for item in row["evidence"]] == [
        ("feedback_events", "e0"), ("messages", "c/a"), ("messages", "c/b")]


@pytest.mark.parametrize(("value", "fate"), [(0.0, "tie"), (-1.0, "both bad"), (None, "no value"),
                                             (7.0, "unknown value")])
def test_a_vote_for_none_makes_no_pair(value: float | None, fate: str) -> None:
    made = two().event("vote", "c/b", value, compared=["c/a"]).made(pair_by_events())
    assert made.table.is_empty()
    assert fates(made.counts, "claims") == {"in": 1, f"vote: {fate}": 1}
    assert fates(made.counts, "events") == {"in": 1, "its claims do not stand": 1}


def test_two_users_who_disagree_make_no_pair() -> None:
    log = two().event("vote", "c/b", 1.0, compared=["c/a"]).event("vote", "c/a", 1.0, compared=["c/b"])
    made = log.made(pair_by_events())
    assert made.table.is_empty()
    assert fates(made.counts) == {"in": 1, "contradicted": 1}
    assert fates(made.counts, "events") == {"in": 2, "its pair was dropped": 2}


def test_events_that_say_the_same_are_one_pair_with_the_evidence_of_both() -> None:
    log = two().event("vote", "c/a", 1.0, compared=["c/b"]).event("thumb", "c/a", 1.0).event("thumb", "c/b", -1.0)
    [row] = log.made(pair_by_events()).table.to_dicts()
    assert row["policy"] == "vote+thumb"
    assert [item["id"] for item in row["evidence"] if item["table"] == "feedback_events"] == ["e0", "e1", "e2"]


def scored(*values: float, log: Log | None = None, actor: str = "u", **more: Any) -> Log:
    """One question with an answer for each score of one person, on a scale of 1 to 100."""
    found = log or Log().ask("c/q")
    for number, value in enumerate(values):
        if log is None:
            found.answer(f"c/{number}", "c/q")
        found.event("score", f"c/{number}", value, scale_min=1.0, scale_max=100.0, actor_hash=actor, **more)
    return found


def test_scores_of_one_turn_give_every_pair_with_its_margin() -> None:
    made = scored(80, 30, 30).made(pair_by_events("score"))
    assert {(row["score_chosen"], row["score_rejected"], row["margin"]) for row in made.table.to_dicts()} == {
        (80.0, 30.0, 50.0)}
    assert made.table.height == 2
    assert fates(made.counts, "claims") == {"in": 3, "out": 2, "score: tie": 1}


def test_a_margin_in_deviations_is_that_of_the_person_who_scored() -> None:
    log = scored(80, 60).ask("d/q").answer("d/0", "d/q")
    log.event("score", "d/0", 40.0, scale_min=1.0, scale_max=100.0, actor_hash="u")
    messages, events = log.frames()
    found = pair_by_events("score").measurements(*log.tables(), messages, events)
    assert found["name"].to_list() == ["margin_z"]
    assert found["value"][0] == pytest.approx(20 / (800 / 3) ** 0.5)  # of 80, 60 and 40: mean 60, variance 800/3
    assert log.made(pair_by_events(scores(min_z=1.3))).table.is_empty()
    assert log.made(pair_by_events(scores(min_z=1.2))).table.height == 1


def test_scores_of_two_people_are_never_compared() -> None:
    log = Log().ask("c/q").answer("c/0", "c/q").answer("c/1", "c/q")
    for number, actor in enumerate("uv"):
        log.event("score", f"c/{number}", 10.0 + number, scale_min=1.0, scale_max=100.0, actor_hash=actor)
    assert log.made(pair_by_events("score")).table.is_empty()


def test_a_labelled_score_counts_where_its_label_is_named() -> None:
    log = scored(1, 90, labels=["quality"])
    assert log.made(pair_by_events("score")).table.is_empty()
    assert log.made(pair_by_events(scores(labels=["quality"]))).table.height == 1
    assert log.made(pair_by_events(scores(labels=["humor"]))).table.is_empty()


def ranked(**more: Any) -> Log:
    """Three ranked answers; `more` describes the last."""
    log = Log().ask("c/q").answer("c/a", "c/q").answer("c/b", "c/q").answer("c/x", "c/q", **more)
    for rank, name in enumerate("bax", 1):
        log.event("rank", f"c/{name}", float(rank), scale_min=1.0, scale_max=3.0)
    return log


def test_ranks_give_every_pair_of_siblings_the_better_rank_first() -> None:
    made = ranked().made(pair_by_events("rank"))
    assert sides(made.table) == {(B, A), (B, "Answer c/x."), (A, "Answer c/x.")}
    assert sorted(made.table["margin"].to_list()) == [1.0, 1.0, 2.0]


@pytest.mark.parametrize(("more", "fate"), [({"synthetic": True}, "synthetic"), ({"flags": ["rejected"]}, "rejected"),
                                            ({"flags": ["unreviewed"]}, "unreviewed")])
def test_ranks_of_what_was_not_reviewed_or_not_written_by_a_person_make_no_pair(more: Any, fate: str) -> None:
    made = ranked(**more).made(pair_by_events("rank"))
    assert sides(made.table) == {(B, A)}
    assert fates(made.counts, "claims") == {"in": 3, "out": 1, f"rank: {fate}": 2}


def test_a_synthetic_answer_is_taken_on_demand() -> None:
    assert ranked(synthetic=True).made(pair_by_events(ranks(synthetic=True))).table.height == 3


def test_a_thumb_beats_a_sibling_with_the_other_thumb_and_no_thumb_says_little() -> None:
    log = two().answer("c/x", "c/q").event("thumb", "c/a", 1.0).event("thumb", "c/b", -1.0)
    made = log.made(pair_by_events("thumb"))
    assert sides(made.table) == {(A, B)}
    assert fates(made.counts, "claims") == {"in": 3, "out": 1, "thumb: no thumb": 2}
    weak = log.made(pair_by_events(thumbs(unvoted=True)))
    assert sides(weak.table) == {(A, B), (A, "Answer c/x."), ("Answer c/x.", B)}


def test_the_answer_a_user_went_on_with_beats_those_that_were_left() -> None:
    log = Log().ask("c/q").answer("c/a", "c/q", on_main_path=False).answer("c/b", "c/q").ask("c/then", "c/b")
    made = log.event("regenerate", "c/b", compared=["c/a"]).made(pair_by_events("regenerate"))
    assert sides(made.table) == {(B, A)}
    other = Log().ask("c/q").answer("c/a", "c/q", on_main_path=False).answer("c/b", "c/q")
    left = other.event("regenerate", "c/b", compared=["c/a"]).made(pair_by_events("regenerate"))
    assert fates(left.counts, "claims") == {"in": 1, "regenerate: nothing was said after any of them": 1}


def test_an_answer_that_was_asked_for_after_the_kept_one_is_not_rejected() -> None:
    log = Log().ask("c/q").answer("c/a", "c/q").answer("c/b", "c/q", on_main_path=False).ask("c/then", "c/a")
    made = log.event("regenerate", "c/a", compared=["c/b"]).made(pair_by_events("regenerate"))
    assert fates(made.counts, "claims") == {"in": 1, "regenerate: asked for later": 1}


TEN = "one two three four five six seven eight nine ten"


@pytest.mark.parametrize(("after", "fate"), [
    (TEN.replace("six", "6"), ""), (TEN, "tiny edit"), (TEN.upper(), "rewritten")])
def test_an_edit_beats_the_answer_where_it_is_neither_tiny_nor_another_text(after: str, fate: str) -> None:
    log = Log().ask("c/q").answer("c/a", "c/q", TEN).event("edit", "c/a", text=after)
    made = log.made(pair_by_events(edits(smallest=0.1)))
    if fate:
        assert fates(made.counts, "claims") == {"in": 1, f"edit: {fate}": 1}
        return
    [row] = made.table.to_dicts()
    assert (row["chosen"][0]["content"], row["chosen_model"]) == (after, "human")
    assert row["margin"] == pytest.approx(0.1)


def test_an_edited_question_is_no_edited_answer() -> None:
    made = two().event("edit", "c/a", evidence_msg_id="c/then").made(pair_by_events("edit"))
    assert made.table.is_empty()
    assert fates(made.counts, "events") == {"in": 1, "nothing to compare": 1}


def repaired(better: str = "def f(): return 2", said: str = "No, it must give back the number two instead",
             act: str = "rejection", **more: Any) -> Log:
    """A complaint of the first answer, and thanks for the second."""
    log = Log().ask("c/q", text="Write f.").answer("c/a", "c/q", "def f(): return 1").ask("c/no", "c/a", said)
    log.answer("c/b", "c/no", better).ask("c/thanks", "c/b", "Thanks, that works!")
    return log.said("c/a", "c/no", act, "negative", **more).said("c/b", "c/thanks", "positive", "positive")


def test_a_repair_is_put_to_the_first_question() -> None:
    [row] = repaired().made(pair_by_events("repair")).table.to_dicts()
    assert [turn["content"] for turn in row["prompt"]] == ["Write f."]
    assert (row["chosen"][0]["content"], row["rejected"][0]["content"]) == ("def f(): return 2", "def f(): return 1")
    assert {item["id"] for item in row["evidence"]} == {"e0", "e1", "c/a", "c/b", "c/no", "c/thanks"}


@pytest.mark.parametrize("better", ["You're right, here it is: def f(): return 2",
                                    "As it must give back the number two: return 2"])
def test_a_repair_that_knows_the_complaint_makes_no_pair(better: str) -> None:
    made = repaired(better).made(pair_by_events("repair"))
    assert fates(made.counts) == {"in": 1, "leaks the feedback": 1}


def test_an_unjustified_complaint_begins_no_repair() -> None:
    assert repaired(justified="no").made(pair_by_events("repair")).table.is_empty()
    assert repaired(justified="yes").made(pair_by_events("repair")).table.height == 1


def posted(*replies: tuple[float, float]) -> Log:
    """One message with a reply for each (minute, score), scored by a community."""
    log = Log().ask("c/q")
    for number, (minute, score) in enumerate(replies):
        at = START.replace(minute=0, hour=0).timestamp() + 60 * minute
        log.answer(f"c/{number}", "c/q", created_at=START.fromtimestamp(at, START.tzinfo))
        log.event("score", f"c/{number}", score, actor_kind="human")
    return log


def test_replies_are_compared_with_the_next_in_time_alone_and_under_all_three_controls() -> None:
    log = posted((0, 100), (30, 50), (100, 500), (110, 499), (115, 0))
    made = log.made(pair_by_events("community"))
    assert sides(made.table) == {("Answer c/3.", "Answer c/4.")}
    assert fates(made.counts, "claims") == {"in": 4, "out": 1, "community: too long between them": 1,
                                            "community: below margin": 1, "community: below rank gap": 1}
    loose = log.made(pair_by_events(community(min_margin=1, min_rank_gap=0.0, max_gap_s=7200)))
    assert loose.table.height == 4


def test_a_community_never_compares_replies_to_two_messages() -> None:
    log = posted((0, 0)).ask("d/q").answer("d/0", "d/q", created_at=START).event("score", "d/0", 900.0)
    assert log.made(pair_by_events(community(max_gap_s=1e9, min_rank_gap=0.0))).table.is_empty()


def test_what_may_not_be_passed_on_is_no_answer() -> None:
    log = Log().ask("c/q").answer("c/a", "c/q", redistributable=False).answer("c/b", "c/q")
    log.event("vote", "c/a", 1.0, compared=["c/b"])
    assert fates(log.made(pair_by_events()).counts, "claims") == {"in": 1, "vote: not among the responses": 1}
    assert fates(logged().responses(*log.frames()).counts, "messages") == {"in": 2, "out": 1, "may not be passed on": 1}


def test_a_prompt_ends_with_a_users_turn_and_holds_all_that_was_said_but_what_the_log_hides() -> None:
    log = Log()._say("c/s", None, "system", "Be brief.", {})._say("c/h", "c/s", "system", "secret", {
        "flags": ["hidden"]})
    log.ask("c/q", "c/h").answer("c/a", "c/q").answer("c/after", "c/a").answer("c/b", "c/q")
    log.event("vote", "c/a", 1.0, compared=["c/b", "c/after"])
    made = log.made(pair_by_events())
    [row] = made.table.to_dicts()
    assert [turn["content"] for turn in row["prompt"]] == ["Be brief.", "Question c/q?"]
    assert fates(made.counts, "claims")["vote: its prompt does not end with a user's turn"] == 1


def test_prompts_of_one_user_and_equal_questions_of_two_are_of_one_group() -> None:
    log = Log()
    for conv, user, text in (("c", "u", "Hi"), ("d", "u", "Why?"), ("e", "v", " hi "), ("f", "w", "Else")):
        log.ask(f"{conv}/q", text=text, user_hash=user).answer(f"{conv}/a", f"{conv}/q", user_hash=user)
        log.event("thumb", f"{conv}/a", 1.0)
    prompts, _ = log.tables()
    group = {row["messages"][0]["content"].strip().lower(): row["group"] for row in prompts.to_dicts()}
    assert group == {"hi": "u", "why?": "u", "else": "w"}


def test_the_pairs_of_one_user_are_capped() -> None:
    log = Log()
    for number in range(5):
        log.ask(f"{number}/q", user_hash="u").answer(f"{number}/a", f"{number}/q", user_hash="u")
        log.answer(f"{number}/b", f"{number}/q", user_hash="u").event(
            "vote", f"{number}/a", 1.0, compared=[f"{number}/b"])
    made = log.made(pair_by_events(cap=2))
    assert fates(made.counts) == {"in": 5, "out": 2, "cap": 3}


def test_a_models_vote_in_a_log_makes_no_pair() -> None:
    made = two().event("vote", "c/b", 1.0, compared=["c/a"], actor_kind="llm").made(pair_by_events())
    assert made.table.is_empty()
    assert fates(made.counts, "events") == {"in": 1, "not a person's": 1}


@pytest.mark.parametrize(("more", "reason"), [
    ({"flags": ["unfinished"]}, "no whole answer"), ({"flags": ["orphan"]}, "a message before it is missing")])
def test_half_an_answer_or_one_to_half_a_conversation_is_no_response(more: Any, reason: str) -> None:
    log = Log().ask("c/q").answer("c/a", "c/q", **more).event("thumb", "c/a", 1.0)
    assert fates(logged().responses(*log.frames()).counts, "messages") == {"in": 1, reason: 1}


def test_what_follows_a_message_that_the_log_lacks_has_no_prompt() -> None:
    log = Log().ask("c/q", flags=["context left out"]).answer("c/a", "c/q").ask("c/q2", "c/a").answer("c/b", "c/q2")
    log.event("thumb", "c/b", 1.0)
    assert fates(logged().responses(*log.frames()).counts, "messages") == {"in": 1, "a message before it is missing": 1}


def test_mistakes_are_told_before_anything_is_read() -> None:
    with pytest.raises(ConfigError, match="no rule is called 'thumbs'"):
        pair_by_events("thumbs")
    with pytest.raises(ConfigError, match="named twice"):
        pair_by_events("thumb", thumbs(unvoted=True))
    with pytest.raises(ConfigError, match="0 <= smallest < largest <= 1"):
        edits(0.9, 0.1)


KINDS = st.sampled_from(["vote", "score", "rank", "thumb", "regenerate", "edit", "copy", "community"])


@st.composite
def logs(draw: st.DrawFn) -> Log:
    """A question with three answers and any events."""
    log = Log().ask("c/q")
    for name in "abx":
        log.answer(f"c/{name}", "c/q", on_main_path=name == "a", synthetic=draw(st.booleans()))
    log.ask("c/then", "c/a")
    for kind, target, value in draw(st.lists(st.tuples(KINDS, st.sampled_from("abx"), st.integers(-1, 3)), max_size=8)):
        others = [f"c/{name}" for name in "abx" if name != target]
        scale = {"scale_min": 0.0, "scale_max": 5.0} if kind == "score" else {}
        log.event("score" if kind == "community" else kind, f"c/{target}", float(value), compared=others,
                  text=f"Answer c/{target}. More." if kind == "edit" else None, **scale)
    return log


@given(logs())
def test_everything_is_accounted_for_and_the_order_of_rows_decides_nothing(log: Log) -> None:
    every = pair_by_events(*RULES)
    made, again = log.made(every), log.made(every, turned=True)
    check_balance(made.counts)
    assert made.table.equals(again.table)
    assert made.counts == again.counts
    pairs = {frozenset(row) for row in made.table.select("chosen_id", "rejected_id").iter_rows()}
    assert len(pairs) == made.table.height  # never both ways round
    assert all(len(pair) == 2 for pair in pairs)


@given(logs())
def test_a_vote_the_other_way_round_turns_its_pairs_round(log: Log) -> None:
    def turned(log: Log) -> Log:
        other = Log()
        other.messages, other._depth = log.messages, log._depth
        other.events = [{**event, "target_msg_id": event["compared"][0], "compared": [event["target_msg_id"]]}
                        for event in log.events if event["kind"] == "vote"]
        return other

    twice = turned(turned(log))
    assert {(b, a) for a, b in sides(turned(log).made(pair_by_events("vote")).table)} == sides(
        twice.made(pair_by_events("vote")).table)
