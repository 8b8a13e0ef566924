"""Chat logs: reading, scrubbing, structural events and cues of a WildChat-shaped log of 1 GB; what cues find in gold.

    python -m benchmarks.chatlogs
    python -m benchmarks.chatlogs --short

The log is made up, the same every time, with personal data planted in it. Reading without scrubbing, and everything
together, each run in a process of their own. Speeds are messages per CPU second (user and system of the whole process,
so those of one core). Last line: a JSON object.

    read_messages_per_s      reading without scrubbing
    scrubbed_messages_per_s  reading, scrubbing, structural events and cues together
    peak_mb                  the most memory that the process of all steps held
    lost                     messages that neither became rows nor were counted as left out
    cue_table                what cues find in labelled turns, with intervals; null where the real data is not there
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from schemas.ids import draw

MEGABYTES, SHORT = 1024, 5
DATA = Path(os.environ.get("WINNOW_SHARED_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
TEXT = """the tide returns at noon and the harbour fills slowly while gulls wait on the wall for the boats to
come in with nets full of silver fish that nobody has counted yet because the scale broke last winter and the new one is
still on its way from the north where roads are closed by snow"""
WORDS = TEXT.split()
COMPLAINTS = ("That's wrong, please try again.", "Thanks, that helps!", "I meant the other one.", "Make it shorter.")
PLANTS = ("jane.doe@example.com", "+1 415 555 2671", "203.0.113.77", "4111 1111 1111 1111",
          "AKIAIOSFODNN7EXAMPLE", "ghp_16C7e42F292c6912E7710c838347Ae178B4a")
"""What stands in one user turn of fifty, in turn."""


def main() -> None:
    """Make the log, measure, print."""
    parser = argparse.ArgumentParser(prog="benchmarks.chatlogs")
    parser.add_argument("--short", action="store_true", help=f"{SHORT} MB: to see that it works")
    megabytes = SHORT if parser.parse_args().short else MEGABYTES
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "wildchat.jsonl"
        written = write(path, megabytes)
        print(f"{path.stat().st_size / 2**20:.0f} MB, {written} messages")
        bare, whole = measured(path, "read"), measured(path, "all")
    for name, told in (("read", bare), ("all", whole)):
        print(name, json.dumps(told))
    print(json.dumps({
        "read_messages_per_s": round(bare["messages"] / bare["cpu_s"]),
        "scrubbed_messages_per_s": round(whole["messages"] / whole["cpu_s"]), "peak_mb": whole["peak_mb"],
        "lost": written - whole["accounted"], "cue_table": cue_table()}))


def write(path: Path, megabytes: float) -> int:
    """Write a log of this size; how many messages it holds."""
    number, messages, left = 0, 0, megabytes * 2**20
    with path.open("wb") as file:
        while left > 0:
            record = conversation(number)
            line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE)
            file.write(line)
            number, messages, left = number + 1, messages + len(record["conversation"]), left - len(line)
    return messages


def conversation(number: int) -> dict[str, Any]:
    """One record, as WildChat has them: two to six messages, of which the answers have a time."""
    user = {"hashed_ip": f"{number % 9973:064x}", "country": "Sweden", "state": "Skåne", "language": "English",
            "header": {"accept-language": "en-US", "user-agent": "Mozilla/5.0"}, "toxic": False, "redacted": False}
    turns: list[dict[str, Any]] = []
    for place in range(2 + 2 * int(3 * draw(number, "turns"))):
        role = "assistant" if place % 2 else "user"
        turns.append({**user, "role": role, "content": said(number, place), "turn_identifier": number * 8 + place,
                      "timestamp": f"2023-04-{1 + number % 28:02}T12:{place:02}:00+00:00" if place % 2 else None})
    flags = {"sexual": False, "hate": False, "violence": False}
    return {"conversation_hash": f"{number:032x}", "model": "gpt-3.5-turbo-0301", "timestamp": turns[-1]["timestamp"],
            "conversation": turns, "turn": len(turns) // 2, "language": "English", "toxic": False, "redacted": False,
            "openai_moderation": [{"categories": flags, "flagged": False}] * len(turns),
            "detoxify_moderation": [{"toxicity": 0.001}] * len(turns)}


def said(number: int, place: int) -> str:
    """What a message says: an answer of some two thousand characters, a question of some two hundred."""
    chance = draw(number, "length", place)
    start = int(chance * 997)
    length = int((200 + 500 * chance) if place % 2 else (5 + 70 * chance))
    words = " ".join(WORDS[(start + step * step) % len(WORDS)] for step in range(length))
    if place % 2:
        return f"{words}.\n\n- " + words[:200]
    opening = COMPLAINTS[start % len(COMPLAINTS)] + " " if place and chance < 0.3 else ""
    planted = f" Write to {PLANTS[number % len(PLANTS)]}, please." if start % 50 == 0 else ""
    return f"{opening}{words} ({number}.{place})?{planted}"


def measured(path: Path, steps: str) -> dict[str, Any]:
    """What a process of its own tells of its work."""
    run = subprocess.run([sys.executable, "-m", "benchmarks.chatlogs", steps, str(path)], check=True,
                         capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    told: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return told


def work(steps: str, path: str) -> None:
    """Read the log, with all steps or without, and tell what it took."""
    from feedback.chatlogs.cues import cues
    from feedback.chatlogs.gather import stream
    from feedback.chatlogs.siblings import siblings
    from feedback.chatlogs.tally import Tally
    from privacy.people import Salt

    tally = Tally()
    told = {"messages": 0, "structural": 0, "cues": 0, "leaked": 0}
    spent = {"reading": 0.0, "events": 0.0}
    began = at = time.process_time()
    for batch in stream([path], Salt(bytes(32)), tally, scrubbed=steps == "all"):
        spent["reading"] += time.process_time() - at
        told["messages"] += batch.messages.height
        if steps == "all":
            at = time.process_time()
            told["structural"] += siblings(batch.messages).height + batch.signals.height
            found = cues()
            told["cues"] += found.events(batch.messages, found.measure(batch.messages).table).table.height
            spent["events"] += time.process_time() - at
            told["leaked"] += sum(batch.messages.filter(pl.col("text").str.contains(plant, literal=True)).height
                                  for plant in PLANTS)
        at = time.process_time()
    out = [row.count for row in tally.counts if row.unit == "messages" and row.fate in ("out", "dropped", "failed")]
    print(json.dumps({**told, "cpu_s": round(time.process_time() - began, 2), "accounted": sum(out), "peak_mb": peak(),
                      **{name: round(seconds, 2) for name, seconds in spent.items()}}))


def peak() -> int:
    """The most memory this process has held, in MB."""
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(kilobytes / (2**20 if sys.platform == "darwin" else 2**10))


def cue_table() -> list[dict[str, Any]] | None:
    """What cues find in the labelled turns of the real data."""
    from feedback.chatlogs.cue_table import table

    return table(DATA) if DATA.is_dir() else None


if __name__ == "__main__":
    if len(sys.argv) == 3:
        work(*sys.argv[1:])
    else:
        main()
