"""Gathering: recognised by content, each thing once, named by salted digests, by days, and forgotten on request."""

import gzip
import json
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from feedback.chatlogs import drawers
from feedback.chatlogs import gather as gather_module
from feedback.chatlogs.gather import gather, stream
from feedback.chatlogs.sniff import FORMATS
from feedback.chatlogs.tally import Tally
from privacy.people import Salt
from schemas.chat_messages import message_id
from schemas.errors import ConfigError, InputError
from tests.chatlogs.reading import FIXTURES, SALT, counted, left_out, messages, names, read, signals


def row(message: str, parent: str | None, text: str, *, by_user: bool = True, at: str | None = None,
        conversation: str = "c", **more: Any) -> dict[str, Any]:
    """A message of LibreChat's collection: a format that holds every message in a record of its own."""
    return {"messageId": message, "parentMessageId": parent, "conversationId": conversation, "text": text,
            "isCreatedByUser": by_user, "createdAt": at, **more}


def log(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


def tree(conversation: str = "c", **more: Any) -> list[dict[str, Any]]:
    """A question, two answers, and a question after the second; on two days."""
    return [row("q", None, "Why?", at="2024-01-01T10:00:00Z", conversation=conversation, **more),
            row("a", "q", "No.", by_user=False, at="2024-01-01T10:01:00Z", conversation=conversation),
            row("b", "q", "Because.", by_user=False, at="2024-01-01T10:02:00Z", conversation=conversation),
            row("z", "b", "I see.", at="2024-01-02T09:00:00Z", conversation=conversation)]


CALLED = names("librechat", "c", ["q", "a", "b", "z"])


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_the_parts_of_a_conversation_are_put_together_in_whatever_order_they_come(order: list[int],
                                                                                tmp_path: Path) -> None:
    rows = tree()
    paths = [log(tmp_path / f"{place}.jsonl", rows[number]) for place, number in enumerate(order)]
    found = read(*paths)
    assert messages(found, CALLED, "depth", "branch", "on_main_path") == {
        "q": (None, 0, 0, True), "a": ("q", 1, 0, False), "b": ("q", 1, 1, True), "z": ("b", 2, 0, True)}
    assert signals(found, CALLED, "polarity") == [("regenerate", "b", ["a"], "positive")]


def test_reading_the_same_log_twice_adds_nothing(tmp_path: Path) -> None:
    path = log(tmp_path / "log.jsonl", *tree())
    once, twice = read(path), read(path, path)
    assert once.messages.equals(twice.messages)
    assert once.signals.equals(twice.signals)
    assert left_out(twice, "messages") == {"repeated": 4}


def test_a_message_that_comes_again_with_other_words_stays_as_it_was_and_is_counted(tmp_path: Path) -> None:
    found = read(log(tmp_path / "log.jsonl", *tree(), row("a", "q", "No!", by_user=False)))
    assert found.messages.height == 4
    assert left_out(found, "messages") == {"repeated with another text": 1}
    assert "No!" not in found.messages["text"].to_list()


def test_a_message_whose_parent_is_nowhere_begins_a_piece_and_says_so(tmp_path: Path) -> None:
    found = read(log(tmp_path / "log.jsonl", *tree()[1:]))
    assert messages(found, CALLED, "depth", "flags") == {
        "a": (None, 0, ["orphan"]), "b": (None, 0, ["orphan"]), "z": ("b", 1, [])}
    assert signals(found, CALLED) == []


def test_parents_that_lead_in_a_circle_across_records_are_left_out(tmp_path: Path) -> None:
    found = read(log(tmp_path / "log.jsonl", *tree(), row("x", "y", "round"), row("y", "x", "and round")))
    assert left_out(found, "messages") == {"its parents lead in a circle": 2}
    assert found.messages.height == 4


@pytest.mark.parametrize(("day", "kept", "events"), [
    (date(2024, 1, 1), {"q", "a", "b"}, [("regenerate", "b", ["a"], None)]),
    (date(2024, 1, 2), {"q", "a", "b", "z"}, [("regenerate", "b", ["a"], "positive")]),
    (date(2024, 1, 3), set(), []),
])
def test_a_day_holds_the_conversations_of_that_day_as_they_stood_at_its_end(
    day: date, kept: set[str], events: list[Any], tmp_path: Path
) -> None:
    found = read(log(tmp_path / "log.jsonl", *tree()), day=day)
    assert set(messages(found, CALLED)) == kept
    assert counted(found, "messages", "in") == 4
    assert left_out(found, "messages") == ({"of another day": 4 - len(kept)} if len(kept) < 4 else {})
    assert [(*signal[:3], signal[3]) for signal in signals(found, CALLED, "polarity")] == events


def test_what_a_log_does_not_date_has_the_day_given_for_its_file(tmp_path: Path) -> None:
    undated = [{key: value for key, value in one.items() if key != "createdAt"} for one in tree()]
    path = log(tmp_path / "log.jsonl", *undated)
    day = date(2024, 5, 1)
    assert read(path, day=day, undated=day).messages.height == 4
    assert read(path, day=day, undated={str(path): day}).messages.height == 4
    assert read(path, day=day, undated={"another": day}).messages.height == 0
    assert read(path, day=date(2024, 5, 2), undated=day).messages.height == 0
    assert left_out(read(path, day=day), "messages") == {"of no day": 4}


def test_a_question_without_a_time_was_asked_on_the_day_of_its_answer(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello", "timestamp": 1704103200},
             {"role": "user", "content": "Bye"}, {"role": "assistant", "content": "Till then", "timestamp": 1704276000}]
    path = log(tmp_path / "log.jsonl", {"conversation_hash": "w", "conversation": turns})
    assert read(path, day=date(2024, 1, 1)).messages["text"].to_list() == ["Hi", "Hello"]
    assert read(path, day=date(2024, 1, 3)).messages.height == 4


def test_a_forgotten_user_has_no_rows_and_is_counted(tmp_path: Path) -> None:
    path = log(tmp_path / "log.jsonl", *[{**one, "user": "jane"} for one in tree()], *tree("d", user="joe"))
    everything = read(path)
    assert everything.messages["user_hash"].n_unique() == 3  # jane, joe, and the rows that name nobody
    found = read(path, forgotten=frozenset({SALT.name("user", "jane")}))
    assert found.messages["conv_id"].n_unique() == 1
    assert left_out(found, "messages") == {"forgotten": 4}
    assert found.messages["msg_id"].is_in(everything.messages["msg_id"].implode()).all()


def test_the_signals_of_a_forgotten_user_go_from_the_conversations_of_others_too(tmp_path: Path) -> None:
    row = json.loads((FIXTURES / "open_webui_feedback.json").read_text())[0] | {"user_id": "a visitor"}
    row["data"] = {"rating": 1}
    paths = FIXTURES / "open_webui_chats.json", log(tmp_path / "feedback.jsonl", row)
    gone = SALT.name("user", "a visitor")
    everything, found = read(*paths), read(*paths, forgotten=frozenset({gone}))
    assert everything.signals.filter(actor_hash=gone).height == 1
    assert found.signals.filter(actor_hash=gone).height == 0
    assert found.messages.equals(everything.messages)
    assert left_out(found, "signals")["forgotten"] == 1


def test_names_of_people_files_models_and_conversations_are_not_in_the_tables(tmp_path: Path) -> None:
    plant = "jane.doe@example.com"
    rows = [{**one, "conversationId": plant, "user": plant, "model": plant, "finish_reason": plant} for one in tree()]
    rows[1]["feedback"] = {"rating": "thumbsDown", "tag": plant, "text": f"ask {plant}"}
    rows[2]["files"] = [{"filename": plant, plant: 1}]
    rows[3]["text"] = f"write to {plant} and {plant}"
    found = read(log(tmp_path / f"{plant}.jsonl", *rows, {"conversationId": plant, "messages": plant}, f"no {plant}"))
    written = "\n".join([*map(str, found.messages.rows()), *map(str, found.signals.rows()), *found.told,
                         *map(str, found.counts)])
    assert plant not in written
    assert "write to <EMAIL_1> and <EMAIL_1>" in written
    assert len(found.told) == 2


def test_ids_are_those_of_the_salt_and_of_nothing_else(tmp_path: Path) -> None:
    path = log(tmp_path / "log.jsonl", *tree(user="jane"))
    one, other = (gather([str(path)], Salt(bytes([number]) * 32)).messages for number in (1, 2))
    for column in ("msg_id", "conv_id", "user_hash"):
        assert not set(one[column].drop_nulls()) & set(other[column].drop_nulls())
    assert one.equals(gather([str(path)], Salt(bytes([1]) * 32)).messages)
    # Nobody can try texts or names against an id without the salt, not even with the conversation's id at hand.
    tried = {message_id(conv_id, key) for conv_id in one["conv_id"] for key in "qabz"}
    assert not tried & set(one["msg_id"])


def test_batches_hold_the_same_rows_as_the_whole() -> None:
    paths = [str(path) for path in sorted(FIXTURES.rglob("*.json*"))]
    tally = Tally()
    batches = list(stream(paths, SALT, tally))
    whole = gather(paths, SALT)
    parts = pl.concat([batch.messages for batch in batches]).filter(pl.col("msg_id").is_in(
        whole.messages["msg_id"].implode()))
    assert sorted(parts.select("msg_id", "text", "role").rows()) == sorted(
        whole.messages.select("msg_id", "text", "role").rows())
    assert {row.unit for row in tally.counts} == {"records", "conversations", "messages", "signals"}


def test_every_file_is_recognised_by_itself_whatever_its_name(tmp_path: Path) -> None:
    (tmp_path / "one.bin").write_bytes(gzip.compress((FIXTURES / "oasst.jsonl").read_bytes()))
    (tmp_path / "two.bin").write_bytes((FIXTURES / "chatgpt" / "conversations.json").read_bytes())
    found = read(tmp_path)
    assert sorted(found.formats) == ["chatgpt", "oasst"]
    assert sorted(found.messages["source_format"].unique()) == ["chatgpt", "oasst"]
    assert sum(row.count for row in found.formats["oasst"] if (row.unit, row.fate) == ("messages", "out")) == 6


def test_an_object_around_the_records_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "log.json"
    path.write_text(json.dumps({"data": [*tree(), 7], "meta": {"page": 1}}))
    found = read(path)
    assert found.messages.height == 4
    assert found.told == [f"{path}, line 1, element 5: is no object; delete it"]


def test_a_file_that_no_reader_knows_is_an_error_that_names_it_and_them(tmp_path: Path) -> None:
    path = log(tmp_path / "other.jsonl", {"some": "thing"})
    with pytest.raises(InputError, match=r"other\.jsonl, line 1: no reader of chat logs knows it; they read .*oasst"):
        gather([str(path)], SALT)
    with pytest.raises(ConfigError, match="reader 'nobody': there is none; use one of"):
        gather([str(path)], SALT, reader="nobody")
    with pytest.raises(InputError, match="there is no such file"):
        gather([str(tmp_path / "missing*.jsonl")], SALT)


def test_a_reader_that_is_named_reads_what_is_not_its_own_as_broken(tmp_path: Path) -> None:
    path = log(tmp_path / "other.jsonl", {"some": "thing"})
    assert left_out(read(path, reader="oasst"), "records") == {"no tree": 1}


def test_a_file_of_broken_lines_only_is_counted_and_one_that_breaks_off_gives_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_bytes(b'{"a"\n\xff\xfe\n[1]\n')
    assert left_out(read(tmp_path / "broken.jsonl"), "records") == {"not JSON": 1, "not UTF-8": 1, "not an object": 1}
    cut = tmp_path / "cut.json"
    cut.write_text(json.dumps(tree())[:-40])
    found = read(cut)
    assert found.messages.height == 3
    assert left_out(found, "records") == {"the file breaks off": 1}
    assert found.told[0].startswith(f"{cut}: begins like a JSON array")


def test_formats_have_names_of_their_own() -> None:
    assert len({format.name for format in FORMATS}) == len(FORMATS)


def test_messages_that_do_not_fit_into_memory_give_the_same_tables(tmp_path: Path,
                                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [one for number in range(300) for one in tree(f"c{number}")]
    path = log(tmp_path / "log.jsonl", *sorted(rows, key=lambda one: one["messageId"]))  # no conversation together
    held, held_day = read(path), read(path, day=date(2024, 1, 2))
    monkeypatch.setattr(drawers, "_HELD", 1 << 12)
    monkeypatch.setattr(gather_module, "_ROWS", 50)
    spilt, spilt_day = read(path, folder=tmp_path / "home"), read(path, folder=tmp_path, day=date(2024, 1, 2))
    assert len(list(spilt.pieces())) == drawers._DRAWERS
    assert held.messages.height == 1200
    for one, other in ((held, spilt), (held_day, spilt_day)):
        assert one.messages.equals(other.messages)
        assert one.signals.equals(other.signals)
        assert (one.counts, one.told) == (other.counts, other.told)
    assert list((tmp_path / "home").iterdir()) == [], "what lies on disk has no name"
