"""ShareGPT: pieces of a conversation put together, saved pages made plain; the real sample."""

import gzip
import json
from pathlib import Path

from feedback.chatlogs.markup import plain, remnant
from feedback.chatlogs.readers.sharegpt import FORMAT
from tests.chatlogs.flat import broken, conversations, of, said
from tests.chatlogs.reading import FIXTURES, counted, left_out, read

LOG = FIXTURES / "sharegpt.jsonl"


def test_pieces_are_put_together_and_numbers_of_other_ids_are_left_alone() -> None:
    found = read(LOG)
    assert [texts[:1] + texts[2:] for texts in conversations(found)] == [
        ["As I said, no.", "Rules."],
        ["Be kind."],
        ["Sort a list", "Backwards?", "Pass reverse=True. Mind that <div> is no Python."],
        ["Who are you?"],
        ["Who made you?"],
    ]
    assert ("Backwards?", "assistant", "Pass reverse=True. Mind that <div> is no Python.", 3) in said(found, "depth")
    assert (None, "assistant", "As I said, no.", 0) in said(found, "depth")  # the piece before it is not in the log
    assert of(found, "flags")["As I said, no."] == ["orphan"]
    assert left_out(found, "messages") == {"no text": 1, "unknown role": 1}


def test_a_word_with_a_number_names_a_conversation_of_its_own(tmp_path: Path) -> None:
    rows = [{"id": f"session_{number}", "conversations": [{"from": "human", "value": f"Ask {number}"},
                                                          {"from": "gpt", "value": "Yes"}]} for number in range(3)]
    (tmp_path / "log.json").write_text(json.dumps(rows), encoding="utf-8")
    assert conversations(read(tmp_path / "log.json")) == [["Ask 0", "Yes"], ["Ask 1", "Yes"], ["Ask 2", "Yes"]]


def test_an_answer_that_is_a_saved_page_becomes_text() -> None:
    flagged = read(LOG).messages.filter(flags=["html"])
    assert flagged["text"].item() == (
        "Use `sorted`:\n\n```\n\npython\nsorted(xs)\n```\n\n- stable\n- fast & easy")
    assert remnant('<div class="markdown"><p>Yes</p></div>')
    assert not remnant("A <div> holds a block.")
    assert not remnant("x < y and <z>")
    assert plain("<p>One<br>two</p><ol><li>a</li><li>b</li></ol>") == "One\ntwo\n\n- a\n- b"


def test_a_record_without_messages_says_what_to_write() -> None:
    assert broken(FORMAT, {"id": "x", "conversations": []}) == (
        "holds no messages; conversations is a list of from and value")


def test_the_real_sample_is_read_without_loss(shared_data: Path) -> None:
    path = shared_data / "chat" / "sharegpt_format.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    found = read(path, scrubbed=False)
    expected = sorted([turn["value"] for turn in row["conversations"]] for row in rows)
    assert conversations(found) == expected
    assert counted(found, "conversations", "out") == len(rows) == 200
    assert left_out(found, "messages") == {}
