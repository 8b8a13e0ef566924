"""Answers that responses state: the case of one test, where nothing runs (in PFPO, maths is that special case)."""

from collections import Counter
from dataclasses import dataclass

import polars as pl

from feedback.testcases.given import case_rows
from feedback.testcases.maths.extract import Kind, extract
from feedback.testcases.maths.votes import key
from generators.made import Made
from schemas import EXECUTIONS
from schemas.errors import ConfigError
from schemas.funnel import count
from schemas.test_inputs import input_id

NO_ANSWER = "no answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """Reads answers; see `answers`."""

    kind: Kind

    def __call__(self, responses: pl.DataFrame) -> Made:
        """EXECUTIONS rows of kind answer: the answer of each response, or an error where it states none.

        Counts outputs (failed: `no answer`).
        """
        rows = []
        for response, prompt, text in responses.select("response_id", "prompt_id", "text").iter_rows():
            found = extract(text, self.kind)
            rows.append({
                "response_id": response, "input_id": input_id(prompt, "answer", ""), "prompt_id": prompt,
                "environment": f"{self.kind} answers", "kind": "answer", "status": "ran" if found else "error",
                "output": found.text if found else None, "detail": None if found else NO_ANSWER, "runs": 1,
                "steady": True,
            })
        table = pl.DataFrame(pl.from_arrow(EXECUTIONS.rows(rows))).sort("response_id")
        lost = table["output"].null_count()
        return Made(table, count("executions", "outputs", table.height, out=table.height - lost,
                                 failed=+Counter({NO_ANSWER: lost})))

    def test_cases(self, prompts: pl.DataFrame, source: str = "human") -> Made:
        """The prompts' references as TEST_CASES rows: the answer they end in, or the whole where they name none.

        Counts prompts, dropped as "no reference".
        """
        rows = []
        for prompt, reference in prompts.select("prompt_id", "reference").iter_rows():
            if reference is not None and reference.strip():
                found = extract(reference, self.kind)
                rows.append((prompt, "answer", "", source, found.text if found else reference.strip(), None, None))
        table = case_rows(rows)
        lost = +Counter({"no reference": prompts.height - table.height})
        return Made(table, count("test_cases", "prompts", prompts.height, out=table.height, dropped=lost))


def answers(kind: Kind = "maths") -> Answers:
    """Read the answer that each response states: `maths` (boxed, after ####, after "answer is") or a `choice`'s letter.

    Raises ConfigError for another kind.
    """
    if kind not in ("maths", "choice"):
        raise ConfigError(f"answers: kind={kind!r} must be 'maths' or 'choice'")
    return Answers(kind=kind)


def answer_key(answer: str) -> str:
    """What a stated answer is counted under in a vote."""
    return key(answer)
