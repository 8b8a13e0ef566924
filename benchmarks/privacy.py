"""privacy: planted secrets and personal data that survive, and false alarms on real messages.

    python -m benchmarks.privacy [--seeds N] [--read FILE]

Planted are 26 of each of 15 kinds, in sentences, code, JSON, URLs, in pieces and escaped (benchmarks/plants.py), drawn
anew from each seed. Leaked is a plant whose letters and digits are still there after scrubbing, or that the second scan
misses. The real messages are those of the shared data, each text once; every span that is flagged in them was read, and
KNOWN says what it is. A flagged span that nobody has read counts as a false alarm; `--read FILE` writes all spans with
the words around them, to be read. Last line: a JSON object.

    planted                   plants
    leaked                    plants that are found in what is left, or that the second scan does not see
    false_per_1000_messages   false alarms in 1,000 real messages (null without the data)
    messages, flagged, false  what the share is of
    by_kind                   flagged spans by kind, and how many of them are false
    mb_per_cpu_s              real messages scrubbed, on one core
    messages_per_cpu_s        the same in messages
"""

import argparse
import gzip
import hashlib
import json
import os
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.plants import plants
from privacy.scan import found as scanned
from privacy.scrub import Scrub

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("realhumaneval_chat", "oasst_en_tree", "hh_rlhf_harmless", "sharegpt_format", "dbdc3_en_dev",
         "petrak2023_erroneous", "pandalm_human_pairs", "llmbar_pairs", "mt_bench_questions", "sight_comments")
KNOWN = dict.fromkeys((
    "9d327006864a8b3f", "7378edf4e982e73d", "9ee9b015fb26b4d1", "ebd2b372496bea18", "2ea538b04a623ab9",
    "daa3712e9ab32e89", "28b0a91afe862a2e", "74218e7ce4eed12d", "48d73def01ac052a", "0bf83e83ec4e0651",
    "603d0faea0ff8da0", "43518ed9b9a321e8", "ad9b2dc39cda1aa8", "c6417d1c40e2ec70",
), "an address or number of a person or shop") | dict.fromkeys((
    "0cd62bbd033e8876", "e5aaca26e3047140", "b08a8128ca3ba972", "455c9803b583ee13",
), "false: made up to stand for one, such as your_email@ at a reserved host, and numbers of fives")
"""The SHA-256 (its first 16 digits) of a flagged span that was read, and what it is."""
_SHORTEST = 8
_TURNS = re.compile(r"\n\n(?:Human|Assistant): ")
_AROUND = 60


def main() -> None:
    """Plant, scrub, search; then read real messages."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="how many times to plant")
    parser.add_argument("--read", type=Path, help="write flagged spans with the words around them")
    chosen = parser.parse_args()
    planted = [plant for seed in range(chosen.seeds) for plant in plants(7 + seed)]
    leaks = [plant for plant in planted if _leaks(plant.text, plant.marks)]
    for plant in leaks:
        print(f"leaked {plant.kind}: {plant.text[:200]!r}", file=sys.stderr)
    print(json.dumps({"planted": len(planted), "leaked": len(leaks), **_real(chosen.read)}))


def _leaks(text: str, marks: tuple[str, ...]) -> bool:
    clean = Scrub().text(text)[0]
    return not scanned(text) or any(_bare(mark) in _bare(clean) for mark in marks)


def _bare(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", text)


def _real(read: Path | None) -> dict[str, Any]:
    """The alarms on real messages."""
    folder = Path(os.environ.get("WINNOW_SHARED_DATA", ROOT.parent / "shared" / "data")) / "chat"
    if not folder.is_dir():
        print(f"no real data at {folder}; set WINNOW_SHARED_DATA", file=sys.stderr)
        return {"false_per_1000_messages": None}
    messages = sorted(real_messages(folder))
    started = time.process_time()
    for _, text in messages:
        Scrub().text(text)
    spent = time.process_time() - started
    spans = list(alarms(messages))
    if read:
        read.write_text("".join(f"{json.dumps(span)}\n" for span in spans))
    false = [span for span in spans if KNOWN.get(span["digest"], "false").startswith("false")]
    flagged, wrong = (Counter(span["kind"] for span in those) for those in (spans, false))
    return {"false_per_1000_messages": round(1000 * len(false) / len(messages), 3), "messages": len(messages),
            "flagged": len(spans), "false": len(false),
            "by_kind": {kind: [count, wrong[kind]] for kind, count in sorted(flagged.items())},
            "mb_per_cpu_s": round(sum(len(text.encode()) for _, text in messages) / 1e6 / spent, 1),
            "messages_per_cpu_s": round(len(messages) / spent)}


def alarms(messages: list[tuple[str, str]]) -> Iterator[dict[str, Any]]:
    """Each flagged span, with what stands around it."""
    for source, text in messages:
        for kind, start, end in scanned(text):
            span = text[start:end]
            yield {"source": source, "kind": kind, "digest": span_digest(span), "span": span,
                   "around": text[max(0, start - _AROUND):end + _AROUND]}


def span_digest(span: str) -> str:
    """What a span is known by here: the texts of the real data are not copied into the project."""
    return hashlib.sha256(span.encode()).hexdigest()[:16]


def real_messages(folder: Path) -> set[tuple[str, str]]:
    """Every text of the real data with the set it is from, dialogues cut into their turns."""
    found = set()
    for name in NAMES:
        path = folder / f"{name}.jsonl.gz"
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                for text in _texts(json.loads(line)):
                    found |= {(name, turn) for turn in _TURNS.split(text) if len(turn) >= _SHORTEST}
    return found


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)


if __name__ == "__main__":
    main()
