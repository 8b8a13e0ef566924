"""HH-RLHF: the shared prompt is recovered from two transcripts; and from the thousand real pairs."""

import gzip
import json
from itertools import takewhile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from feedback.chatlogs.readers.hh_rlhf import FORMAT
from generators.records import Record
from tests.chatlogs.flat import broken, conversations, said, told
from tests.chatlogs.reading import FIXTURES, counted, left_out, read

LOG = FIXTURES / "hh_rlhf.jsonl"


def test_the_last_answers_are_siblings_and_the_chosen_one_has_the_vote() -> None:
    found = read(LOG)
    assert told(found, "value", "polarity") == [
        ("vote", "Ash.", ["Oak."], 1.0, "positive"), ("vote", "Elm.", ["No."], 1.0, "positive")]
    assert [row for row in said(found) if row[0] == "Another"] == [
        ("Another", "assistant", "Elm."), ("Another", "assistant", "No.")]
    assert len(conversations(found)) == 4  # two pairs begin with the same question
    assert counted(found, "messages", "in") == 8 + 4 + 4 + 8 + 5
    assert left_out(found, "messages") == {"repeated": 10}


def test_pairs_that_say_nothing_are_counted_with_their_reason() -> None:
    found = read(LOG)
    assert left_out(found, "signals") == {
        "the sides are the same": 1, "the sides part before the last answer": 1,
        "a side does not end with the assistant": 1}
    assert left_out(found, "records") == {"no transcript": 1}
    assert broken(FORMAT, {"chosen": "\n\nHuman: a\n\nAssistant: b", "rejected": "b"}) == (
        "rejected is no transcript; it must begin with a blank line and 'Human:' or 'Assistant:'")


TEXTS = st.text(alphabet="ab \n", max_size=6).map(str.strip)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=3), TEXTS, TEXTS, TEXTS)
def test_the_prompt_and_both_answers_come_back_from_the_transcripts(
        history: list[tuple[str, str]], question: str, chosen: str, rejected: str) -> None:
    def transcript(answer: str) -> str:
        turns = [*history, (question, answer)]
        return "".join(f"\n\nHuman: {asked}\n\nAssistant: {said}" for asked, said in turns)

    fields = {"chosen": transcript(chosen), "rejected": transcript(rejected)}
    conversation, = FORMAT.read(Record(fields, "here", "log"))
    if chosen == rejected:
        assert conversation.dropped_signals == {"the sides are the same": 1}
        return
    texts = {turn.key: turn for turn in conversation.turns}
    vote, = conversation.signals
    assert (texts[vote.target].text, texts[vote.compared[0]].text) == (chosen, rejected)
    prompt = []
    at = texts[vote.target].parent
    assert at == texts[vote.compared[0]].parent
    while at is not None:
        prompt.append(texts[at].text)
        at = texts[at].parent
    assert prompt[::-1] == [said for pair in history for said in pair] + [question]


def test_the_real_pairs_give_the_prompt_the_chosen_and_the_rejected_answer(shared_data: Path) -> None:
    path = shared_data / "chat" / "hh_rlhf_harmless.jsonl.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    # Recovered by text alone: the common prefix, cut back to where its last answer begins.
    expected = []
    for row in rows:
        both = zip(row["chosen"], row["rejected"], strict=False)
        shared = row["chosen"][:sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], both))]
        end = shared.rindex("\n\nAssistant:") + len("\n\nAssistant:")
        expected.append((row["chosen"][:end], row["chosen"][end:].strip(), row["rejected"][end:].strip()))
    found = read(path, scrubbed=False)
    by_id = {row["msg_id"]: row for row in found.messages.to_dicts()}
    got = []
    for signal in found.signals.to_dicts():
        target, other = by_id[signal["target_msg_id"]], by_id[signal["compared"][0]]
        assert target["parent_id"] == other["parent_id"]
        prompt, at = "", target["parent_id"]
        while at is not None:
            who = {"user": "Human", "assistant": "Assistant"}[by_id[at]["role"]]
            prompt = f"\n\n{who}: {by_id[at]['text']}{prompt}"
            at = by_id[at]["parent_id"]
        got.append((prompt + "\n\nAssistant:", target["text"], other["text"]))

    def plain(pairs: list[tuple[str, str, str]]) -> list[tuple[str, ...]]:
        return sorted(tuple(" ".join(text.split()) for text in pair) for pair in pairs)

    assert counted(found, "records", "out") == len(rows) == 1000
    assert plain(got) == plain(sorted(set(expected)))
    assert left_out(found, "messages").keys() == {"repeated"}
