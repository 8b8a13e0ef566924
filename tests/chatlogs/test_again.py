"""Wishes out of complaints, and answers given again with them and without: what is asked, read and lost."""

import json
from typing import Any

import polars as pl
import pytest

from feedback.chatlogs.again import FROM_SCRATCH, WITH_SUMMARY, AnswerAgain, answer_again
from feedback.chatlogs.answers import Tree, logged
from feedback.chatlogs.asking import between
from feedback.chatlogs.summaries import summarise
from generators.ask import Ask
from generators.made import Made
from schemas import CRITERIA, RESPONSES
from schemas.errors import ConfigError
from schemas.funnel import check_balance
from tests.chatlogs.talk import Says, counted, obeys, replies, staff
from tests.preferences.logs import Log

STAFF = staff("reader", "teacher")
READER = summarise("reader")


def log(**more: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Two complaints, of which one is about a question with a system turn; and a wish for something new."""
    told = Log()._say("c/s", None, "system", "Be brief.", {}).ask("c/q", "c/s", "Name a bird.")
    told.answer("c/a", "c/q", "A bat.").ask("c/no", "c/a", "A bat is no bird!")
    told.ask("d/q", text="Say hello.").answer("d/a", "d/q", "Bye.").ask("d/no", "d/a", "Not that.", **more)
    told.ask("e/q").answer("e/a", "e/q").ask("e/more", "e/a", "Make it longer")
    told.said("c/a", "c/no", "correction", "negative").said("d/a", "d/no", "rejection", "negative")
    return told.said("e/a", "e/more", "revision_request", "neutral").frames()


def wishes(*said: str) -> str:
    return json.dumps({"wishes": list(said)})


def summaries(say: Says) -> Made:
    messages, events = log()
    told = replies(READER.plan(messages, events, STAFF), STAFF, say)
    made = READER.criteria(messages, events, told, STAFF)
    assert obeys(CRITERIA, made.table)
    check_balance(made.counts)
    return made


def on_bats(ask: Ask, otherwise: str | None) -> str | None:
    """The wish about birds; of the other complaint what the test says."""
    return wishes("The answer names a bird.") if "bat" in (between("turn", ask.messages[0]["content"]) or
                                                           "") else otherwise


def test_the_model_reads_question_answer_and_complaint_and_its_wishes_become_a_criterion() -> None:
    messages, events = log()
    asked = [ask.messages[0]["content"] for ask in READER.plan(messages, events, STAFF)]
    assert sorted((between("question", text), between("answer", text), between("turn", text)) for text in asked) == [
        ("Name a bird.", "A bat.", "A bat is no bird!"), ("Say hello.", "Bye.", "Not that.")]
    made = summaries(lambda ask: on_bats(ask, wishes()))
    [row] = made.table.to_dicts()
    assert (row["kind"], row["name"], row["text"], row["evidence"]) == (
        "summary", "c/a", "- The answer names a bird.", "e0")
    assert counted(made, "answers complained of") == {"in": 2, "out": 1, "no wish": 1}


@pytest.mark.parametrize(("reply", "reason"), [("I think so", "invalid"), (wishes(" "), "invalid"),
                                               (wishes(*map(str, range(11))), "invalid"), (None, "no reply")])
def test_a_reply_that_is_no_list_of_wishes_is_a_failure(reply: str | None, reason: str) -> None:
    made = summaries(lambda ask: on_bats(ask, reply))
    assert counted(made, "answers complained of") == {"in": 2, "out": 1, reason: 1}


def test_a_complaint_that_was_unjustified_is_not_summed_up() -> None:
    messages, events = log()
    unfair = events.with_columns(justified=pl.when(pl.col("event_id") == "e0").then(pl.lit("no")))
    assert len(READER.plan(messages, unfair, STAFF)) == 1


def again(operator: AnswerAgain, say: Says) -> tuple[Made, list[Ask]]:
    messages, events = log()
    told = replies(READER.plan(messages, events, STAFF), STAFF,
                   lambda ask: on_bats(ask, wishes("The answer greets.")))
    criteria = READER.criteria(messages, events, told, STAFF).table
    asks = list(operator.plan(messages, events, criteria, STAFF))
    made = operator.responses(messages, events, criteria, replies(asks, STAFF, say), STAFF)
    assert obeys(RESPONSES, made.table)
    check_balance(made.counts)
    return made, asks


def test_both_arms_are_asked_and_the_wishes_stand_before_the_prompts_own_system_turn() -> None:
    made, asks = again(answer_again("teacher", control=1.0), lambda ask: f"A wren. {len(ask.messages)}")
    birds = [ask for ask in asks if ask.messages[-1]["content"] == "Name a bird."]
    [steered] = [ask for ask in birds if "names a bird" in ask.messages[0]["content"]]
    [plain] = [ask for ask in birds if ask is not steered]
    assert [turn["role"] for turn in steered.messages] == ["system", "user"]
    assert steered.messages[0]["content"].endswith("Be brief.")
    assert [turn["content"] for turn in plain.messages] == ["Be brief.", "Name a bird."]
    arms = made.table.group_by("arm").len().sort("arm").rows()
    assert arms == [(FROM_SCRATCH, 2), (WITH_SUMMARY, 2)]
    assert made.table.filter(pl.col("arm") == FROM_SCRATCH)["criteria"].list.len().sum() == 0


def test_the_users_words_are_in_no_request_to_the_model_that_answers() -> None:
    _, asks = again(answer_again("teacher", control=1.0), lambda ask: "A wren.")
    said = "\n".join(turn["content"] for ask in asks for turn in ask.messages)
    assert "no bird!" not in said
    assert "Not that." not in said
    assert "A bat." not in said


def test_an_answer_given_again_has_the_logged_one_as_parent_and_its_prompt() -> None:
    made, _ = again(answer_again("teacher", control=1.0), lambda ask: "A wren.")
    messages, _events = log()
    tree = Tree(messages, ["c/a"])
    logged = tree.answer(tree.own("c/a"))
    assert not isinstance(logged, str)
    mine = made.table.filter(pl.col("prompt_id") == logged.prompt_id)
    assert mine.height == 2
    assert all(parents == [logged.response_id] for parents in mine["parents"].to_list())


def test_an_answer_that_never_comes_is_counted() -> None:
    made, asks = again(answer_again("teacher", control=1.0),
                       lambda ask: None if ask.messages[-1]["content"] == "Say hello." else "A wren.")
    assert counted(made, "answers given again") == {"in": len(asks), "out": 2, "no reply": 2}


@pytest.mark.parametrize("licensed_only", [True, False])
def test_what_may_not_be_passed_on_is_answered_again_where_the_recipe_takes_it(licensed_only: bool) -> None:
    messages, events = log()
    messages = messages.with_columns(redistributable=pl.lit(False))
    part = logged(licensed_only=licensed_only) | answer_again("teacher", control=1.0)
    told = replies(READER.plan(messages, events, STAFF), STAFF, lambda ask: wishes("The answer greets."))
    criteria = READER.criteria(messages, events, told, STAFF).table
    asks = list(part.again.plan(messages, events, criteria, STAFF))
    assert len(asks) == (0 if licensed_only else 4)
    assert part.prompts(messages, events, criteria).table["reference"].count() == (0 if licensed_only else 2)


def test_there_is_no_answering_again_without_a_control() -> None:
    with pytest.raises(ConfigError, match="nobody can tell whether the feedback helped"):
        answer_again("teacher", control=0.0)


def test_two_answers_to_one_question_share_what_is_asked_from_scratch_and_each_has_it() -> None:
    told = Log().ask("c/q", text="Name a bird.").answer("c/a", "c/q", "A bat.").answer("c/b", "c/q", "A cat.")
    told.ask("c/no", "c/a", "A bat is no bird!").ask("c/nor", "c/b", "No cat is!")
    told.said("c/a", "c/no", "correction", "negative").said("c/b", "c/nor", "correction", "negative")
    messages, events = told.frames()
    read = replies(READER.plan(messages, events, STAFF), STAFF, lambda ask: wishes(f"Of {ask.messages[0]['content']}"))
    criteria = READER.criteria(messages, events, read, STAFF).table
    operator = answer_again("teacher", control=1.0)
    asks = list(operator.plan(messages, events, criteria, STAFF))
    assert len(asks) == 3
    made = operator.responses(messages, events, criteria, replies(asks, STAFF, lambda ask: "A wren."), STAFF)
    assert counted(made, "answers given again") == {"in": 4, "out": 4}
    assert sorted(made.table["arm"]) == [FROM_SCRATCH] * 2 + [WITH_SUMMARY] * 2
