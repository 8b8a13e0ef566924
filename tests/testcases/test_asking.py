"""Questions and replies meet by key, never by position; requests that are equal are made once."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback.testcases.asking import Question, Questions, filled, said, some_engines, user
from schemas import COMPLETIONS
from schemas.errors import ConfigError
from tests.testcases.replies import ENGINES, answered, reply
from tests.testcases.tables import frame


def questions(*texts: str, engines: tuple[str, ...] = ("one",), n: int = 1) -> Questions:
    def drawn() -> Iterator[Question]:
        for number, text in enumerate(texts):
            yield Question(subject=f"s{number}", prompt_id=f"p{number}", messages=user(text))

    return Questions(drawn=drawn, engines=engines, n=n)


def parse(text: str) -> str | None:
    return None if text.startswith("good") else "not good"


def test_every_question_engine_and_sample_is_one_request_and_equal_ones_are_made_once() -> None:
    asked = questions("x", "y", "x", engines=("one", "two"), n=2)
    found = [(ask.messages[0]["content"], ask.engine, ask.sample) for ask in asked]
    assert found == [(text, name, sample) for text in "xy" for name in ("one", "two") for sample in (0, 1)]
    assert [ask.engine for ask in asked.of("two")] == ["two"] * 4
    assert list(asked) == list(asked)


def test_a_reply_is_found_by_its_request_whatever_the_order_of_rows() -> None:
    asked = questions("x", "y", engines=("one", "two"))
    replies = answered(asked, lambda ask: f"good {ask.messages[0]['content']} {ask.engine}")
    told = [answer.text for answer in asked.answers(ENGINES, replies.reverse(), parse)]
    assert told == ["good x one", "good x two", "good y one", "good y two"]


def test_equal_questions_share_their_reply() -> None:
    asked = questions("x", "x")
    told = list(asked.answers(ENGINES, answered(asked, lambda ask: "good"), parse))
    assert [(answer.question.subject, answer.text) for answer in told] == [("s0", "good"), ("s1", "good")]


def test_the_first_attempt_that_parses_counts_and_the_reason_is_the_last_ones() -> None:
    asked = questions("x", "y", "z", "w")
    x, y, z, _ = asked
    table = frame(COMPLETIONS, [reply(x, "bad", 0), reply(x, "good 1", 1), reply(x, "good 2", 2), reply(y, "bad", 0),
                                reply(y, None, 1), reply(z, "bad", 0)])
    told = [(answer.reason, answer.attempt, answer.text) for answer in asked.answers(ENGINES, table.reverse(), parse)]
    assert told == [("", 1, "good 1"), ("no reply", 0, ""), ("not good", 0, ""), ("missing", 0, "")]


@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=4), st.integers(1, 3), st.integers(0, 9))
@settings(max_examples=25)
def test_every_question_and_sample_has_one_answer_whatever_came(texts: list[str], n: int, lost: int) -> None:
    asked = questions(*texts, n=n)
    replies = answered(asked, lambda ask: "good").sort("request_id", "sample").slice(lost)
    told = list(asked.answers(ENGINES, replies, parse))
    assert len(told) == len(texts) * n
    assert len({(answer.request_id, answer.sample) for answer in told if not answer.reason}) == replies.height


def test_an_engine_that_is_not_known_is_refused_before_anything_is_asked() -> None:
    with pytest.raises(ConfigError, match="three"):
        questions("x", engines=("three",)).plan(ENGINES, "generate_inputs")
    assert len(list(questions("x").plan(ENGINES, "generate_inputs"))) == 1


def test_what_fills_a_slot_is_not_read_for_slots() -> None:
    text = filled("inputs_stdin", task="print {{n}} and {{task}}", n="7")
    assert "print {{n}} and {{task}}" in text
    assert "Write 7 different inputs" in text


def test_a_prompt_of_one_turn_is_its_words_and_of_more_turns_names_who_spoke() -> None:
    assert said(user("Add.")) == "Add."
    assert said([{"role": "system", "content": "Be brief."}, *user("Add.")]) == "[system]\nBe brief.\n\n[user]\nAdd."


@pytest.mark.parametrize("names", ["one", [], ["one", "one"]])
def test_engines_are_a_list_of_names_each_once(names: str | list[str]) -> None:
    with pytest.raises(ConfigError):
        some_engines("step", names)
