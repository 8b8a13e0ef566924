"""Maths answers: the labelled battery's confusion table, and what real problems say where they are present.

Every pair of tests/testcases/maths_battery.jsonl is compared both ways. On real data (WINNOW_SHARED_DATA, or
../shared/data): the labels of four models' solutions of GSM8K, the gold answers of MATH found in their solutions, and
every two differently written golds that are called equal, for a person to read. Last line: a JSON object.

    pairs             labelled pairs
    false_equal       pairs called equal that are labelled different
    false_different   pairs called different that are labelled the same
    unknown           pairs called unknown
    asymmetric        pairs with another verdict the other way round
    gsm8k_disagreements   labels that are not "equal", of how many (gsm8k)
    math_not_found    solutions of MATH in which no answer is found, of how many (math)
    math_not_itself   golds that do not equal their own other spelling
    math_called_equal pairs of different golds called equal
"""

import gzip
import json
import os
from collections import Counter
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

from feedback.testcases.maths.extract import extract
from feedback.testcases.maths.votes import key
from feedback.testcases.maths.workers import MathsWorkers

ROOT = Path(__file__).resolve().parent.parent
BATTERY = ROOT / "tests" / "testcases" / "maths_battery.jsonl"
DATA = Path(os.environ.get("WINNOW_SHARED_DATA", ROOT.parent / "shared" / "data")) / "code_math"


def main() -> None:
    """Print the tables and the figures."""
    with MathsWorkers() as maths:
        figures = battery(maths)
        if DATA.is_dir():
            figures |= gsm8k(maths) | golds(maths)
        else:
            print(f"no real data at {DATA}")
    print(json.dumps(figures))


def battery(maths: MathsWorkers) -> dict[str, int]:
    """The confusion table of the labelled pairs, by kind, and every pair that is not labelled as it is called."""
    rows = [json.loads(line) for line in BATTERY.read_text(encoding="utf-8").splitlines()]
    there = list(maths.compare((row["one"], row["other"]) for row in rows))
    back = list(maths.compare((row["other"], row["one"]) for row in rows))
    table = Counter((row["kind"], row["same"], verdict) for row, verdict in zip(rows, there, strict=True))
    print(f"{'':14}{'labelled the same':>30}{'labelled different':>30}")
    print(f"{'':14}" + f"{'equal':>10}{'different':>10}{'unknown':>10}" * 2)
    for kind in [*dict.fromkeys(row["kind"] for row in rows), "all"]:
        cells = [sum(n for (of, label, called), n in table.items()
                     if kind in (of, "all") and label == same and called == verdict)
                 for same in (True, False) for verdict in ("equal", "different", "unknown")]
        print(f"{kind:14}" + "".join(f"{cell:>10}" for cell in cells))
    for row, verdict in zip(rows, there, strict=True):
        if verdict != ("equal" if row["same"] else "different"):
            label = "the same" if row["same"] else "different"
            print(f"{verdict}, labelled {label}: {row['one']!r} and {row['other']!r}")
    wrong = Counter((row["same"], verdict) for row, verdict in zip(rows, there, strict=True))
    return {"pairs": len(rows), "false_equal": wrong[False, "equal"], "false_different": wrong[True, "different"],
            "unknown": wrong[True, "unknown"] + wrong[False, "unknown"],
            "asymmetric": sum(one != other for one, other in zip(there, back, strict=True))}


def gsm8k(maths: MathsWorkers) -> dict[str, int]:
    """The stored labels of the model solutions against ours: right where the answer equals the reference's."""
    rows = [(row["ground_truth"], solution) for row in read("gsm8k_model_solutions")
            for solution in row.values() if isinstance(solution, dict)]
    verdicts = list(maths.compare((extract(truth), extract(row["solution"])) for truth, row in rows))
    labels = [row["is_correct"] for _, row in rows]
    print("GSM8K, label and verdict:", dict(Counter(zip(labels, verdicts, strict=True))))
    wrong = sum(label != (verdict == "equal") for label, verdict in zip(labels, verdicts, strict=True))
    return {"gsm8k": len(rows), "gsm8k_disagreements": wrong}


def golds(maths: MathsWorkers) -> dict[str, int]:
    """The golds of MATH: found, equal to themselves, and which are called equal to another."""
    found = [extract(row["solution"]) for row in read("math_test")]
    texts = sorted({answer.text for answer in found if answer})
    itself = list(maths.compare((text, respelled(text)) for text in texts))
    for text, verdict in zip(texts, itself, strict=True):
        if verdict != "equal":
            print(f"{verdict} to itself: {text!r}")
    pairs = list(combinations(texts, 2))
    equal = [pair for pair, verdict in zip(pairs, maths.compare(pairs), strict=True) if verdict == "equal"]
    for one, other in equal:
        print(f"called equal: {one!r} and {other!r}")
    return {"math": len(found), "math_not_found": found.count(None), "math_golds": len(texts),
            "math_not_itself": len(itself) - itself.count("equal"), "math_called_equal": len(equal)}


def respelled(text: str) -> str:
    r"""Another spelling of an answer: its key, between \left and \right where it is whole in brackets."""
    return f"$\\displaystyle {key(text)} $."


def read(name: str) -> Iterator[dict[str, Any]]:
    """The rows of a file of real data."""
    with gzip.open(DATA / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


if __name__ == "__main__":
    main()
