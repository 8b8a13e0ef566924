"""Which turns can carry feedback, and what stands around them."""

from feedback.chatlogs.turns import FIELDS, candidates
from tests.chatlogs.talk import counted, message, messages, talk


def test_a_follow_up_points_at_the_answer_before_it_and_knows_the_turns_around() -> None:
    made = candidates(messages(talk("c", "q1", "a1", "q2", "a2", "q3", "a3")))
    assert made.table.select(FIELDS[:5]).rows() == [
        ("c/2", "c", "c/1", "c/0", "c/4"), ("c/4", "c", "c/3", "c/2", None)]
    assert counted(made, "user turns") == {"in": 3, "out": 2, "begins its conversation": 1}


def test_the_last_answer_is_censored_and_a_lone_question_is_no_candidate() -> None:
    assert candidates(messages(talk("c", "q1", "a1"), talk("d", "q1"))).table.height == 0


def test_where_the_assistant_begins_there_is_no_turn_before() -> None:
    made = candidates(messages([message("c/0", None, "assistant", "Hello!"), message("c/1", "c/0", "user", "hm")]))
    assert made.table.select(FIELDS[:5]).rows() == [("c/1", "c", "c/0", None, None)]


def test_tool_calls_and_system_messages_between_are_passed_over() -> None:
    made = candidates(messages([
        message("c/0", None, "system", "be brief"), message("c/1", "c/0", "user", "q"),
        message("c/2", "c/1", "tool", "..."), message("c/3", "c/2", "assistant", "a"),
        message("c/4", "c/3", "tool", "..."), message("c/5", "c/4", "system", "..."),
        message("c/6", "c/5", "user", "no")]))
    assert made.table.select(FIELDS[:5]).rows() == [("c/6", "c", "c/3", "c/1", None)]


def test_every_branch_has_its_own_path_and_the_main_path_says_what_came_next() -> None:
    made = candidates(messages([
        message("c/q", None, "user", "q"),
        message("c/a", "c/q", "assistant", "a"), message("c/b", "c/q", "assistant", "b", branch=1),
        message("c/ua", "c/a", "user", "about a"), message("c/ub", "c/b", "user", "about b"),
        message("c/a2", "c/ua", "assistant", "a2"),
        message("c/off", "c/a2", "user", "first", on_main_path=False, branch=0),
        message("c/on", "c/a2", "user", "second", branch=1)]))
    found = {row[0]: row[2:5] for row in made.table.rows()}
    assert found["c/ua"] == ("c/a", "c/q", "c/on")
    assert found["c/ub"] == ("c/b", "c/q", None)
    assert found["c/on"] == found["c/off"] == ("c/a2", "c/ua", None)


def test_turns_that_cannot_carry_feedback_are_dropped_with_a_reason() -> None:
    made = candidates(messages(
        [message("c/0", None, "user", "q"), message("c/1", "c/0", "user", "and?"),
         message("c/2", "c/1", "assistant", "a"), message("c/3", "c/2", "user", "  \n"),
         message("c/4", "c/2", "user", "typed", synthetic=True), message("c/5", "c/2", "user", "x", flags=["hidden"])],
        [message("d/1", "d/0", "user", "its parent is missing")]))
    assert counted(made, "user turns") == {"in": 6, "out": 0, "begins its conversation": 2, "no text": 1, "hidden": 1,
                                           "follows another user turn": 1, "a program wrote it": 1}


def test_the_language_is_that_of_most_of_a_conversations_user_turns() -> None:
    rows = talk("c", "q", "a", "q", "a", "q")
    for row, language in zip(rows, ["de", "en", "fr", "en", "fr"], strict=True):
        row["language"] = language
    made = candidates(messages(rows, talk("d", "q", "a", "q")))
    assert dict(made.table.select("conv_id", "language").unique().rows()) == {"c": "fr", "d": None}


def test_the_order_of_rows_does_not_matter() -> None:
    log = messages(talk("c", "q1", "a1", "q2", "a2", "q3"), talk("d", "q1", "a1", "q2"))
    assert candidates(log.reverse()).table.equals(candidates(log).table)
