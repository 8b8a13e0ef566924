"""Open-Assistant trees: ranks among siblings, what is deleted, rejected or synthetic; on real trees a direct count."""

import gzip
import json
from itertools import permutations
from pathlib import Path
from typing import Any

from feedback.chatlogs.rows import conversation_id, named
from tests.chatlogs.reading import FIXTURES, SALT, left_out, messages, names, read, signals

CALLED = names("oasst", "t1", ["t1", "r0", "r1", "r2", "r4", "p2"])


def test_a_tree_is_read_without_what_was_deleted_and_all_that_followed_it() -> None:
    found = read(FIXTURES / "oasst.jsonl")
    assert messages(found, CALLED, "role", "branch", "on_main_path", "synthetic", "flags", "model") == {
        "t1": (None, "user", 0, True, False, [], None),
        "r0": ("t1", "assistant", 0, False, False, [], None),
        "p2": ("r0", "user", 0, False, False, [], None),
        "r1": ("t1", "assistant", 1, True, False, [], None),
        "r2": ("t1", "assistant", 2, False, False, ["rejected"], None),
        "r4": ("t1", "assistant", 3, False, True, [], "chip20b"),
    }
    assert left_out(found, "messages") == {"deleted": 1, "said after a message that is gone": 1}
    assert left_out(found, "records") == {"no tree": 1}


def test_ranks_labels_and_emojis_are_signals_of_answers() -> None:
    found = read(FIXTURES / "oasst.jsonl")
    assert signals(found, CALLED, "value", "scale_max", "labels") == [
        ("flag", "r0", [], 3.0, None, ["+1"]),
        ("rank", "r0", ["r1", "r2"], 2.0, 4.0, []),
        ("rank", "r1", ["r0", "r2"], 1.0, 4.0, []),
        ("rank", "r2", ["r0", "r1"], 4.0, 4.0, []),
        ("score", "r0", [], 0.75, 1.0, ["quality"]),
    ]
    assert left_out(found, "signals") == {"about a user's message": 2, "deleted": 1}


def test_the_sibling_pairs_of_real_trees_are_those_of_a_direct_count(shared_data: Path) -> None:
    path = shared_data / "chat" / "oasst_en_tree.jsonl.gz"
    found = read(path, scrubbed=False)
    rank = {row["target_msg_id"]: row["value"] for row in found.signals.filter(kind="rank").to_dicts()}
    ours = {(row["target_msg_id"], other) for row in found.signals.filter(kind="rank").to_dicts()
            for other in row["compared"] if row["value"] < rank[other]}
    with gzip.open(path, "rt", encoding="utf-8") as file:
        counted = {pair for line in file for pair in _ranked_pairs(json.loads(line))}
    assert ours == counted
    assert len(counted) == 446


def _ranked_pairs(tree: dict[str, Any]) -> set[tuple[str, str]]:
    conv_id = conversation_id(SALT, "oasst", tree["message_tree_id"])
    pairs, waiting = set(), [tree["prompt"]]
    for message in waiting:
        waiting += message["replies"]
        for better, worse in permutations(message["replies"], 2):
            ranks = better.get("rank"), worse.get("rank")
            if better["role"] == "assistant" and None not in ranks and ranks[0] < ranks[1]:
                pairs.add((named(SALT, conv_id, better["message_id"]), named(SALT, conv_id, worse["message_id"])))
    return pairs
