"""Pairs from real logs are those that a count of the files gives: Open-Assistant's trees, HH-RLHF's transcripts."""

import gzip
import json
from collections.abc import Iterator
from datetime import date
from itertools import combinations
from pathlib import Path
from typing import Any

from feedback.chatlogs.answers import logged
from feedback.chatlogs.gather import gather
from feedback.chatlogs.logs import chat_logs
from generators.made import Made
from preferences.by_events import pair_by_events
from privacy.people import Salt


def paired(path: Path, home: Path, rule: str) -> Made:
    """The pairs of a log, unscrubbed, so that texts can be compared with the file's."""
    read = gather([str(path)], Salt.find(home), scrubbed=False)
    given = read.messages, read.signals
    return pair_by_events(rule)(logged(licensed_only=False).prompts(*given).table,
                                logged(licensed_only=False).responses(*given).table, *given)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        yield from map(json.loads, file)


def counted(message: dict[str, Any], before: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Prompt, better and worse text of every two ranked, reviewed answers of people, by a walk of its own."""
    said = (*before, message["text"])
    ranked = [reply for reply in message["replies"] if reply["role"] == "assistant" and reply.get("rank") is not None
              and not reply.get("deleted") and reply.get("review_result") is True and not reply.get("synthetic")]
    if message["role"] == "prompter":
        for one, other in combinations(sorted(ranked, key=lambda reply: int(reply["rank"])), 2):
            if one["rank"] != other["rank"] and one["text"] != other["text"]:
                yield said, one["text"], other["text"]
    for reply in message["replies"]:
        if not reply.get("deleted"):
            yield from counted(reply, said)


def test_open_assistants_trees_give_exactly_the_pairs_of_ranked_siblings(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "chat" / "oasst_en_tree.jsonl.gz"
    expected = sorted(pair for tree in lines(path) for pair in counted(tree["prompt"], ()))
    made = paired(path, tmp_path, "rank").table
    found = sorted((tuple(turn["content"] for turn in row["prompt"]), row["chosen"][0]["content"],
                    row["rejected"][0]["content"]) for row in made.to_dicts())
    assert len(expected) > 100
    assert found == expected


def test_transcripts_give_back_their_prompt_chosen_and_rejected(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "chat" / "hh_rlhf_harmless.jsonl.gz"
    made = paired(path, tmp_path, "vote")
    kept = {(tuple(turn["content"] for turn in row["prompt"]), row["chosen"][0]["content"],
             row["rejected"][0]["content"]) for row in made.table.to_dicts()}
    rows = list(lines(path))
    told = [row for row in rows if row["chosen"] != row["rejected"]]
    right = sum((prompt, chosen, rejected) in kept for prompt, chosen, rejected in map(split, told) if prompt)
    one_turn = sum(1 for prompt, *_ in map(split, told) if prompt)
    assert one_turn > 0.9 * len(rows)
    assert right >= 0.99 * one_turn


def split(row: dict[str, str]) -> tuple[tuple[str, ...], str, str]:
    """The shared turns and the last answers; no prompt where the sides part earlier than at the last answer."""
    first, second = (said(row[side]) for side in ("chosen", "rejected"))
    if len(first) != len(second) or first[:-1] != second[:-1] or len(first) % 2 or not all(first + second):
        return (), "", ""
    return first[:-1], first[-1], second[-1]


def said(transcript: str) -> tuple[str, ...]:
    """What is said in turn."""
    marks = transcript.replace("\n\nAssistant:", "\n\nHuman:").split("\n\nHuman:")
    return tuple(text.strip() for text in marks[1:])


def test_a_recipe_reads_real_logs_whole(shared_data: Path, tmp_path: Path) -> None:
    read = chat_logs(shared_data / "chat" / "realhumaneval_chat.jsonl.gz").read(
        tmp_path, date(2026, 3, 2))
    made = logged().responses(read.messages, read.signals)
    copies = read.signals.filter(read.signals["kind"] == "copy")
    assert copies.height > 0
    assert made.table.height >= copies["target_msg_id"].n_unique()
