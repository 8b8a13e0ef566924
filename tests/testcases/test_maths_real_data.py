"""Real problems: the stored labels of GSM8K, and the golds of MATH in their own solutions."""

import gzip
import json
from pathlib import Path
from typing import Any

from feedback.testcases.maths.equal import quick
from feedback.testcases.maths.extract import extract
from feedback.testcases.maths.votes import key


def rows(shared_data: Path, name: str) -> list[dict[str, Any]]:
    with gzip.open(shared_data / "code_math" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return list(map(json.loads, lines))


def last_box(text: str) -> str:
    """What the last box holds, by counting braces."""
    rest = text[text.rfind(r"\boxed") + len(r"\boxed"):]
    if not rest.startswith("{"):
        return rest.split("$")[0].strip()
    depth = [rest[: at + 1].count("{") - rest[: at + 1].count("}") for at in range(len(rest))]
    return rest[1:depth.index(0)].strip()


def test_every_stored_label_of_gsm8k_is_ours(shared_data: Path) -> None:
    labels = [(solution["is_correct"], quick(extract(row["ground_truth"]), extract(solution["solution"])))
              for row in rows(shared_data, "gsm8k_model_solutions")
              for solution in row.values() if isinstance(solution, dict)]
    assert len(labels) == 660 * 4
    assert [label == (verdict == "equal") for label, verdict in labels] == [True] * len(labels)
    # Seven solutions run on until they are cut off: they give no answer, so that nothing is said of them.
    assert sum(verdict == "unknown" for _, verdict in labels) == 7


def test_every_gold_of_math_is_found_in_its_solution_and_is_itself_in_another_spelling(shared_data: Path) -> None:
    solutions = [row["solution"] for row in rows(shared_data, "math_test")]
    found = [extract(solution) for solution in solutions]
    assert len(found) == 1500
    others = [(answer.text, last_box(text)) for answer, text in zip(found, solutions, strict=True)
              if answer and answer.text != last_box(text)]
    assert others == [("-2, 1", "1")]  # one solution boxes its two answers apart
    assert {quick(answer, f"$\\displaystyle {key(answer)} $.") for answer in found if answer} == {"equal"}
    assert None not in found
