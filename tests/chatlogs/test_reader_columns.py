"""Tables of one's own: a message, an exchange or a conversation a row; maps that do not add up are refused."""

import json
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from assets.recipe import describe
from feedback.chatlogs.logs import chat_logs
from feedback.chatlogs.readers.columns import columns
from schemas.errors import ConfigError
from tests.chatlogs.flat import broken, of, said, told
from tests.chatlogs.reading import left_out, read


def test_a_message_a_row_is_put_in_order_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "support.csv").write_text(
        "chat,n,who,body,customer,helpful,when\n"
        "c1,2,bot,Try again.,ann,,2024-01-02T10:01:00\n"
        "c1,1,human,It hangs,ann,,2024-01-02T10:00:00\n"
        "c1,3,human,Thanks,ann,yes,2024-01-02T10:02:00\n"
        "c1,4,bot,Glad to help.,ann,no,2024-01-02T10:03:00\n"
        "c1,x,bot,Lost,ann,,\n", encoding="utf-8")
    reader = columns(conversation="chat", turn="n", role="who", text="body", user="customer", thumb="helpful",
                     created_at="when")
    found = read(tmp_path / "support.csv", reader=reader)
    assert said(found, "depth") == [
        ("It hangs", "assistant", "Try again.", 1),
        ("Thanks", "assistant", "Glad to help.", 3),
        ("Try again.", "user", "Thanks", 2),
        (None, "user", "It hangs", 0),
    ]
    assert of(found, "created_at")["Thanks"] == datetime(2024, 1, 2, 10, 2, tzinfo=UTC)
    assert len(set(found.messages["user_hash"])) == 1
    assert told(found, "value") == [("thumb", "Glad to help.", [], -1.0)]
    assert left_out(found, "signals") == {"about no answer": 1}
    assert left_out(found, "records") == {"no turn": 1}


def test_messages_with_names_of_their_own_become_a_tree(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(
        "chat,id,after,who,body\nc,q,,user,Hi\nc,a1,q,assistant,Hello\nc,a2,q,assistant,Hey\n", encoding="utf-8")
    reader = columns(conversation="chat", message="id", parent="after", role="who", text="body")
    assert said(read(tmp_path / "log.csv", reader=reader)) == [
        ("Hi", "assistant", "Hello"), ("Hi", "assistant", "Hey"), (None, "user", "Hi")]


def test_an_exchange_a_row_has_its_score_and_comment(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(
        '{"question": "Two and two?", "answer": "Four.", "meta": {"stars": 5, "note": "Right."}, "lang": "English"}\n'
        '{"question": "And three?", "answer": "Six.", "meta": {"stars": null, "note": ""}, "lang": "en"}\n'
        '{"question": "Hm?", "answer": null, "meta": {"stars": "1", "note": ""}, "lang": null}\n', encoding="utf-8")
    reader = columns(prompt="question", response="answer", score="meta.stars", scale=(1, 5), comment="meta.note",
                     language="lang")
    found = read(tmp_path / "log.jsonl", reader=reader)
    assert said(found, "language") == [
        ("And three?", "assistant", "Six.", "en"), ("Two and two?", "assistant", "Four.", "en"),
        (None, "user", "And three?", "en"), (None, "user", "Hm?", None), (None, "user", "Two and two?", "en")]
    assert told(found, "value", "scale_min", "scale_max", "text") == [("score", "Four.", [], 5.0, 1.0, 5.0, "Right.")]
    assert left_out(found, "messages") == {"no text": 1}
    assert left_out(found, "signals") == {"about no answer": 1}


def test_exchanges_of_one_conversation_follow_each_other(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("chat,n,q,a\nc,1,Hi,Hello\nc,2,How?,Well\n", encoding="utf-8")
    found = read(tmp_path / "log.csv", reader=columns(conversation="chat", turn="n", prompt="q", response="a"))
    assert said(found, "depth") == [
        ("Hello", "user", "How?", 2), ("Hi", "assistant", "Hello", 1), ("How?", "assistant", "Well", 3),
        (None, "user", "Hi", 0)]


def test_a_conversation_a_row_is_a_list_of_messages(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text(
        '{"id": "c", "turns": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]}\n'
        '{"id": "d", "turns": []}\n', encoding="utf-8")
    found = read(tmp_path / "log.jsonl", reader=columns(conversation="id", messages="turns"))
    assert said(found) == [("Hi", "assistant", "Hello"), (None, "user", "Hi")]
    assert left_out(found, "records") == {"no messages": 1}


@pytest.mark.parametrize("named", [
    {}, {"role": "r"}, {"prompt": "p"}, {"prompt": "p", "response": "r", "messages": "m"},
    {"role": "r", "text": "t"}, {"role": "r", "text": "t", "conversation": "c", "message": "m"},
    {"prompt": "p", "response": "r", "conversation": "c"}, {"prompt": "p", "response": "r", "score": "s"},
])
def test_columns_that_do_not_add_up_are_refused(named: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"^columns\(\.\.\.\): "):
        columns(**named)


def test_a_column_that_is_not_there_is_named() -> None:
    reader = columns(prompt="question", response="answer")
    assert broken(reader, {"questoin": "?", "answer": "!"}) == (
        "there is no column 'question'; the columns are questoin, answer; did you mean 'questoin'?")


def test_a_recipe_with_other_columns_is_another_recipe(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("q,a,b\nHi,Hello,Hey\n", encoding="utf-8")
    logs = [chat_logs(tmp_path / "log.csv", reader=columns(prompt="q", response=name)) for name in ("a", "b", "a")]
    assert [sorted(one.read(tmp_path, date(2024, 1, 1)).messages["text"]) for one in logs] == [
        ["Hello", "Hi"], ["Hey", "Hi"], ["Hello", "Hi"]]
    first, second, third = (describe(one) for one in logs)
    assert first == third != second


def test_records_inside_an_object_are_found_and_a_column_of_that_name_is_left_alone(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]
    (tmp_path / "wrapped.json").write_text(json.dumps({"data": [{"turns": turns}]}), encoding="utf-8")
    (tmp_path / "bare.json").write_text(json.dumps({"conversations": turns}), encoding="utf-8")
    expected = [("Hi", "assistant", "Hello"), (None, "user", "Hi")]
    assert said(read(tmp_path / "wrapped.json", reader=columns(messages="turns"))) == expected
    assert said(read(tmp_path / "bare.json", reader=columns(messages="conversations"))) == expected
