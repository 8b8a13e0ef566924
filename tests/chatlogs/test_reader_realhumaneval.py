"""RealHumanEval: history repeated in every row, tasks begun anew, copies; and the real rows, without loss."""

import gzip
import json
from collections import Counter
from pathlib import Path

from tests.chatlogs.flat import conversations, said, told
from tests.chatlogs.reading import FIXTURES, counted, left_out, read


def test_rows_that_repeat_the_history_become_one_conversation_for_each_time_someone_began() -> None:
    found = read(FIXTURES / "realhumaneval.jsonl")
    assert conversations(found) == [
        ["How do I multiply all of a list?", "Use math.prod."],
        ["Sum a list", "Sum a list, please", ""],
        ["Sum a list", "Use sum(xs).", "And the product?", "Use math.prod(xs)."],
        ["This code counts digits."],
    ]
    assert ("And the product?", "assistant", "Use math.prod(xs).", "GPT-3.5 (chat)") in said(found, "model")
    assert ("Use sum(xs).", "user", "And the product?", None) in said(found, "model")
    assert set(found.messages["created_at"]) == {None}  # seconds since the first request are no date
    assert counted(found, "messages", "in") == (1 + 3 + 1 + 0 + 3) + 5
    assert left_out(found, "messages") == {"repeated": 2, "unknown role": 1}
    assert left_out(found, "records") == {"no request": 1}


def test_copies_are_signals_on_the_answer_with_the_text_that_was_taken() -> None:
    found = read(FIXTURES / "realhumaneval.jsonl")
    assert told(found, "labels", "text", "actor_kind") == [
        ("copy", "Use math.prod(xs).", [], ["copy_chat"], "math.prod(xs)", "human"),
        ("copy", "Use math.prod(xs).", [], ["copy_chat"], "prod", "human"),
        ("copy", "Use sum(xs).", [], ["copy_button"], "sum(xs)", "human"),
    ]
    assert left_out(found, "signals") == {"no copied text": 1}
    assert len(set(found.messages["user_hash"])) == 2


def test_the_502_real_requests_are_read_without_loss(shared_data: Path) -> None:
    path = shared_data / "chat" / "realhumaneval_chat.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    found = read(path, scrubbed=False)
    assert counted(found, "records", "out") == len(rows) == 502
    assert counted(found, "messages", "in") == sum(len(row["messages"]) + 1 for row in rows)
    assert set(left_out(found, "messages")) == {"repeated"}
    # A message is one of its own if nobody said the same after the same words: counted here with no code of ours.
    paths = {(row["programmer_id"], row["task_name"], tuple((one["role"], one["content"]) for one in said[:end]))
             for row in rows
             for said in [[*row["messages"], {"role": "assistant", "content": row["response"]}]]
             for end in range(1, len(said) + 1)}
    assert found.messages.height == len(paths)
    assert Counter(found.messages["role"]) == Counter(path[-1][0] for _, _, path in paths)


def test_every_real_copy_is_a_signal_with_its_text(shared_data: Path) -> None:
    path = shared_data / "chat" / "realhumaneval_chat.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        copies = [(row["response"], event["copied"], event["type"])
                  for row in map(json.loads, file) for event in row["copy_events"]]
    found = read(path, scrubbed=False)
    texts = dict(zip(found.messages["msg_id"], found.messages["text"], strict=True))
    told = [(texts[row["target_msg_id"]], row["text"], row["labels"][0]) for row in found.signals.to_dicts()
            if row["kind"] == "copy"]
    assert len(copies) == 255
    assert sorted(told) == sorted(copies)
