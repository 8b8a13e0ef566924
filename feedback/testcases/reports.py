"""REPORT: what running a response on its tests says of it, in words: the critiques of critic "execution".

The text is LeTI's (Wang et al. 2023, arXiv 2305.10314): a reward token, then, where the program failed, the error with
the offending line. A failed comparison is told by what was called, expected and given; of stated answers the expected
one is not told, so that a repair cannot copy it.
"""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from feedback.testcases.sandbox.codec import Unsupported, decode
from generators.made import Made
from schemas import CRITIQUES
from schemas.critiques import critique_id
from schemas.errors import ConfigError
from schemas.funnel import count
from schemas.outcomes import FAILURES

CRITIC = "execution"
GOOD, BAD = "<|good|>", "<|bad|>"
"""The reward tokens."""

_LINE = re.compile(r"\((?:<program>, )?line (\d+)\)\s*$|^compile_error: program\.\w+:(\d+):")


@dataclass(frozen=True, slots=True)
class Failure:
    """One test that a response failed."""

    kind: str
    """The input's kind."""
    value: str
    """The input, encoded."""
    expected: str
    outcome: str
    """fail, error or timeout."""
    output: str | None = None
    reason: str | None = None
    source: str | None = None
    """The program, where one ran."""
    entry: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Writes reports; see `report`."""

    sources: tuple[str, ...] | None
    most: int

    def __call__(self, responses: pl.DataFrame, outcomes: pl.DataFrame, test_cases: pl.DataFrame,
                 test_inputs: pl.DataFrame, executions: pl.DataFrame, programs: pl.DataFrame) -> Made:
        """One CRITIQUES row a response with a label, sorted by critique_id: of the first failed test, or good.

        Counts responses, dropped as "no outcomes" or "no label": none failed, and one is not known.
        """
        told = outcomes if self.sources is None else outcomes.filter(pl.col("source").is_in(list(self.sources)))
        failures = dict(self._failures(told, test_cases, test_inputs, executions, programs))
        sums = {response: (passed, all_) for response, passed, all_ in told.group_by("response_id").agg(
            passed=(pl.col("outcome") == "pass").sum(), all=pl.len()).iter_rows()}
        rows, dropped = [], Counter[str]()
        for response, prompt, round_ in responses.select("response_id", "prompt_id", "round").iter_rows():
            passed, tests = sums.get(response, (0, 0))
            if response not in failures and (not tests or passed < tests):
                dropped["no label" if tests else "no outcomes"] += 1
                continue
            text = GOOD if response not in failures else f"{BAD}\n{rendered(failures[response], self.most)}"
            rows.append({"critique_id": critique_id(response, CRITIC, round_, text), "response_id": response,
                         "prompt_id": prompt, "critic": CRITIC, "text": text, "round": round_, "parents": []})
        table = pl.DataFrame(pl.from_arrow(CRITIQUES.rows(rows))).sort("critique_id")
        return Made(table, count("critiques", "responses", responses.height, out=table.height, dropped=dropped))

    def _failures(self, outcomes: pl.DataFrame, test_cases: pl.DataFrame, test_inputs: pl.DataFrame,
                  executions: pl.DataFrame, programs: pl.DataFrame) -> Iterator[tuple[str, Failure]]:
        first = outcomes.filter(pl.col("outcome").is_in(FAILURES)).sort("response_id", "test_id").unique(
            "response_id", keep="first", maintain_order=True)
        met = first.join(test_cases.select("test_id", "expected"), on="test_id").join(
            test_inputs.select("input_id", "kind", "value"), on="input_id").join(
            executions.select("response_id", "input_id", "environment", "output"),
            on=["response_id", "input_id", "environment"], how="left").join(
            programs.select("response_id", "entry", program="source"), on="response_id", how="left")
        columns = ("response_id", "kind", "value", "expected", "outcome", "output", "reason", "program", "entry")
        for response, *fields in met.select(columns).iter_rows():
            yield response, Failure(*fields)


def report(sources: tuple[str, ...] | None = None, most: int = 500) -> Report:
    """Report on each response what its tests of `sources` (None: all) say; values are told up to `most` characters.

    Leave the tests out by which labels are made later, or a repair knows them. Raises ConfigError on what cannot be.
    """
    if most < 1:
        raise ConfigError(f"report: most is {most}; give 1 or more")
    return Report(sources=sources, most=most)


def rendered(failure: Failure, most: int = 500) -> str:
    """What went wrong on one test, in words."""
    if failure.kind == "answer":
        return f"The answer {_short(failure.output, most)} is not right." if failure.output else "No answer is stated."
    called = f"Test: {_called(failure, most)}"
    if failure.outcome == "fail":
        if failure.kind == "tests":
            return f"{called}\nIt fails."
        return (f"{called}\nExpected: {_shown(failure.kind, failure.expected, most)}\n"
                f"Got: {_shown(failure.kind, failure.output, most)}")
    what = _short(failure.reason, most) if failure.reason else "no output"
    line = offending(failure.source or "", failure.reason or "")
    return f"{called}\n{failure.outcome.capitalize()}: {what}" + (f"\nLine: {_short(line, most)}" if line else "")


def offending(source: str, reason: str) -> str | None:
    """The line of the program that a reason names, as in "(line 3)" at its end; None where it names none."""
    named = _LINE.search(reason)
    lines, number = source.splitlines(), int(named[1] or named[2]) if named else 0
    return lines[number - 1].strip() or None if 0 < number <= len(lines) else None


def training_text(task: str, answer: str, critique: str) -> str:
    """LeTI's text to train on: the reward token, the task, the answer, and the error where there is one."""
    token, _, error = critique.partition("\n")
    return "\n".join(part for part in (token, task, answer, error) if part)


def _called(failure: Failure, most: int) -> str:
    if failure.kind == "call":
        try:
            arguments = ", ".join(map(repr, decode(failure.value, ordered=True)))
        except (Unsupported, TypeError):
            arguments = failure.value
        return f"{failure.entry or 'the function'}({_short(arguments, most)})"
    return f"the {'input' if failure.kind == 'stdin' else 'test program'}\n{_short(failure.value, most)}"


def _shown(kind: str, text: str | None, most: int) -> str:
    if text is None:
        return "nothing"
    try:
        return _short(repr(decode(text)) if kind == "call" else text, most)
    except Unsupported:
        return _short(text, most)


def _short(text: str | None, most: int) -> str:
    """The text, or its beginning and how much is left out."""
    text = text or ""
    return text if len(text) <= most else f"{text[:most]}... ({len(text) - most} more characters)"
