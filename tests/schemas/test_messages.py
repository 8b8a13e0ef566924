"""Messages: what is one, and the id of a prompt."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.errors import InputError
from schemas.messages import ROLES, Message, check_messages, prompt_id

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
turns = st.builds(Message, role=st.sampled_from(ROLES), content=texts)


@given(st.lists(turns, min_size=1, max_size=4))
def test_good_messages_pass_unchanged(messages: list[Message]) -> None:
    assert check_messages(messages, "here") == messages


def test_fields_beside_role_and_content_are_left_out() -> None:
    assert check_messages([{"role": "user", "content": "a", "id": 7}], "x") == [{"role": "user", "content": "a"}]


@pytest.mark.parametrize(("value", "told"), [
    (None, "must be a list"),
    ([], "must be a list"),
    ("text", "must be a list"),
    ([{"role": "user"}], "message 0 has no text content"),
    ([{"role": "user", "content": None}], "message 0 has no text content"),
    (["text"], "message 0 has no text content"),
    ([{"role": "user", "content": "a"}, {"role": "human", "content": "b"}], "message 1 has role 'human'; use one of"),
    ([{"content": "a"}], "message 0 has role None"),
])
def test_a_value_that_is_no_messages_is_named_with_its_place(value: Any, told: str) -> None:
    with pytest.raises(InputError, match=told) as raised:
        check_messages(value, "questions.jsonl:17")
    assert str(raised.value).startswith("questions.jsonl:17: ")


def test_a_prompts_id_depends_on_roles_contents_their_order_and_tools() -> None:
    ask: Message = {"role": "user", "content": "a"}
    rule: Message = {"role": "system", "content": "a"}
    variants = {prompt_id([ask]), prompt_id([rule]), prompt_id([rule, ask]), prompt_id([ask, rule]),
                prompt_id([ask], "[]")}
    assert len(variants) == 5
    assert prompt_id([{"content": "a", "role": "user"}]) == prompt_id([ask])


@given(st.lists(turns, min_size=1, max_size=3), st.lists(turns, min_size=1, max_size=3))
def test_two_prompts_share_an_id_only_when_they_are_equal(one: list[Message], other: list[Message]) -> None:
    assert (prompt_id(one) == prompt_id(other)) == (one == other)
