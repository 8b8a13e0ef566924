"""Test inputs, and test cases with their expected outputs, written by models.

A model that writes inputs alone, to be answered by the vote of the programs, follows PFPO (Jiao et al. 2025): one
request a problem, exactly n inputs, positional arguments or the whole standard input. A model that also writes what
it expects follows CodeT (Chen et al. 2023); models are poor at predicting results (MBPP, Austin et al. 2021), so what
they expect is a source of its own. A model may also write test programs; those that could never say anything are
dropped before anything runs, as by RLSQM (arXiv 2310.02368).
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from feedback.testcases.asking import Question, Questions, filled, said, some_engines, user
from feedback.testcases.expecting import expectations, most_expected
from feedback.testcases.given import case_rows, input_rows
from feedback.testcases.programs import entry_of
from feedback.testcases.sandbox.codec import encode
from feedback.testcases.values import PASSED
from feedback.testcases.written import lacks, run_by_itself
from generators.ask import Ask
from generators.engines import Engine
from generators.made import Made
from schemas.errors import ConfigError
from schemas.funnel import count

Kind = Literal["call", "stdin", "tests"]

_FENCE = re.compile(r"\s*```(?:json)?[ \t\r]*\n(.*)\n[ \t]*```\s*", re.DOTALL)
_ANY: dict[str, Any] = {"call": {"type": "array"}, "stdin": {"type": "string"}, "tests": {"type": "string"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    """Lets models write inputs, cases or tests; see `generate_inputs`, `generate_cases` and `generate_tests`."""

    names: tuple[str, ...]
    n: int
    kind: Kind
    expected: bool
    """Whether the expected output is written too."""
    entry: str

    @property
    def engines(self) -> set[str]:
        """The engines it asks."""
        return set(self.names)

    def plan(self, prompts: pl.DataFrame, engines: Mapping[str, Engine]) -> Questions:
        """The requests to send, one a prompt and engine."""
        return self._questions(prompts).plan(engines, "generate_cases" if self.expected else "generate_inputs")

    def parse(self, text: str, ask: Ask | None = None) -> str | None:
        """None where the reply holds inputs (or cases), else why not."""
        try:
            self._read(text)
        except ValueError as error:
            return str(error)
        return None

    def test_inputs(self, prompts: pl.DataFrame, completions: pl.DataFrame, engines: Mapping[str, Engine]) -> Made:
        """The inputs as TEST_INPUTS rows, equal ones of one reply or several as one.

        Counts: requests (failed by reason) and inputs, every one that was written (dropped: `duplicate`, `more than
        asked`, or what a test lacks).
        """
        makers: dict[tuple[str, str], set[str]] = defaultdict(set)
        failed, asked, total, more = Counter[str](), 0, 0, 0
        for prompt, engine, found in self._found(prompts, completions, engines, failed):
            asked += 1
            told = expectations(self.kind, found)
            total += len(found)
            more += len(told) - len(told[: self.n])
            for value, _ in told[: self.n]:
                makers[prompt, value].add(engine)
        lacking = self._lacking(prompts, makers)
        table = input_rows((prompt, self.kind, value, sorted(names)) for (prompt, value), names in makers.items()
                           if (prompt, value) not in lacking)
        lost = Counter({"duplicate": total - more - len(makers), "more than asked": more})
        dropped = +lost + Counter(lacking.values())
        return Made(table, [*count("test_inputs", "requests", asked + failed.total(), out=asked, failed=failed),
                            *count("test_inputs", "inputs", total, out=table.height, dropped=dropped)])

    def test_cases(self, prompts: pl.DataFrame, completions: pl.DataFrame, engines: Mapping[str, Engine]) -> Made:
        """The cases as TEST_CASES rows of source model: of each input the output that most replies expect.

        A reply that expects two things of one input has no say on it. Counts: requests (failed by reason) and inputs
        (dropped: `tie`, where replies contradict each other evenly, `contradiction`, where each one contradicts
        itself, or what a test lacks).
        """
        if not self.expected:
            raise ConfigError("test_cases: generate_inputs writes no expected outputs; use generate_cases")
        votes: dict[tuple[str, str], list[str]] = defaultdict(list)
        failed, asked = Counter[str](), 0
        for prompt, _, found in self._found(prompts, completions, engines, failed):
            asked += 1
            for value, expected in expectations(self.kind, found)[: self.n]:
                votes[prompt, value] += [] if expected is None else [expected]
        lacking = self._lacking(prompts, votes)
        rows, dropped = [], Counter(lacking.values())
        for (prompt, value), vote in votes.items():
            if (prompt, value) in lacking:
                continue
            fate, best, share = most_expected(self.kind, vote)
            if best is None:
                dropped[fate] += 1
            else:
                rows.append((prompt, self.kind, value, "model", best, len(vote), share))
        table = case_rows(rows)
        return Made(table, [*count("test_cases", "requests", asked + failed.total(), out=asked, failed=failed),
                            *count("test_cases", "inputs", len(votes), out=table.height, dropped=dropped)])

    def calls(self, n_prompts: int, reasks: int = 2) -> tuple[int, int]:
        """Requests for that many prompts: without re-asks, and if every reply is re-asked."""
        low = n_prompts * len(self.names)
        return low, low * (1 + reasks)

    def _questions(self, prompts: pl.DataFrame) -> Questions:
        what = "cases" if self.expected else "inputs"

        def drawn() -> Iterator[Question]:
            rows = prompts.sort("prompt_id").select("prompt_id", "messages", "meta").iter_rows()
            for prompt, messages, meta in rows:
                entry = entry_of(messages, meta, self.entry) or "as the task names it"
                text = filled(f"{what}_{self.kind}", task=said(messages), entry=entry, n=str(self.n))
                yield Question(subject=prompt, prompt_id=prompt, messages=user(text), schema=self._schema())

        return Questions(drawn=drawn, engines=self.names)

    def _found(self, prompts: pl.DataFrame, completions: pl.DataFrame, engines: Mapping[str, Engine],
               failed: Counter[str]) -> Iterator[tuple[str, str, list[tuple[str, str]]]]:
        """Prompt, engine and the (value, expected) of each reply that parses, as it was written."""
        for answer in self._questions(prompts).answers(engines, completions, self.parse):
            if answer.reason:
                failed[answer.reason] += 1
            else:
                yield answer.question.prompt_id, answer.engine.name, self._read(answer.text)

    def _schema(self) -> dict[str, Any]:
        if self.kind == "tests":
            return tests_schema()
        return cases_schema(self.kind) if self.expected else inputs_schema(self.kind)

    def _lacking(self, prompts: pl.DataFrame, found: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
        """The written tests that could never say anything, and what they lack; none of other inputs."""
        if self.kind != "tests":
            return {}
        entries = {prompt: entry_of(messages, meta, self.entry)
                   for prompt, messages, meta in prompts.select("prompt_id", "messages", "meta").iter_rows()}
        told = ((one, lacks(one[1], entries[one[0]])) for one in found)
        return {one: lack for one, lack in told if lack}

    def _read(self, text: str) -> list[tuple[str, str]]:
        """Encoded inputs with their encoded outputs, if asked for; ValueError says what is wrong."""
        key = "tests" if self.kind == "tests" else "cases" if self.expected else "inputs"
        items = _object(text).get(key)
        if not isinstance(items, list) or not items:
            raise ValueError(f"no list of {key}")
        found = []
        for item in items:
            value, expected = self._case(item)
            wanted = list if self.kind == "call" else str
            told = not self.expected or self.kind == "call" or isinstance(expected, str)
            if not isinstance(value, wanted) or not told:
                raise ValueError(f"an input is no {'list of arguments' if self.kind == 'call' else 'text'}")
            found.append((self._text(value, ordered=True), self._text(expected)))
        return found

    def _text(self, value: Any, ordered: bool = False) -> str:
        if self.kind == "call":
            return encode(value, ordered=ordered)
        text = str(value)
        text.encode()  # a lone surrogate is a ValueError: no program can read it
        return text

    def _case(self, item: Any) -> tuple[Any, Any]:
        """What was written of an input, and of what is expected; a test says what it expects by itself."""
        if self.kind == "tests":
            return run_by_itself(item) if isinstance(item, str) else item, PASSED
        if not self.expected:
            return item, None
        if not isinstance(item, dict) or not {"input", "expected"} <= item.keys():
            raise ValueError("a case lacks input or expected")
        return item["input"], item["expected"]


def generate_inputs(engines: Sequence[str], n: int = 10, kind: Kind = "call", entry: str = "entry_point") -> Generate:
    """Each engine writes up to `n` inputs a prompt; `entry` is the field of the prompt's meta that names the function.

    Greedy where the engine does not say otherwise is the engine's own business: give it temperature 0 for PFPO's
    setting. Raises ConfigError on what cannot be.
    """
    return _generate("generate_inputs", engines, n, kind, expected=False, entry=entry)


def generate_cases(engines: Sequence[str], n: int = 10, kind: Kind = "call", entry: str = "entry_point") -> Generate:
    """Each engine writes up to `n` inputs a prompt and what it expects of them; otherwise as `generate_inputs`."""
    return _generate("generate_cases", engines, n, kind, expected=True, entry=entry)


def generate_tests(engines: Sequence[str], n: int = 5, entry: str = "entry_point") -> Generate:
    """Each engine writes up to `n` test programs a prompt, functions that assert what the function gives.

    Give the same to `test_inputs` and `test_cases`, whose cases expect that the test passes. Tests that do not parse,
    assert nothing, never call the function, or run no assertion by themselves are dropped; the style and smells of the
    others are measured. Raises ConfigError on what cannot be.
    """
    return _generate("generate_tests", engines, n, "tests", expected=True, entry=entry)


def inputs_schema(kind: Kind) -> dict[str, Any]:
    """The JSON schema of a reply with inputs; it does not depend on how many are asked for."""
    return _schema({"inputs": {"type": "array", "items": _ANY[kind]}})


def cases_schema(kind: Kind) -> dict[str, Any]:
    """The JSON schema of a reply with inputs and expected outputs."""
    expected = {} if kind == "call" else {"type": "string"}
    return _schema({"cases": {"type": "array", "items": _schema({"input": _ANY[kind], "expected": expected})}})


def tests_schema() -> dict[str, Any]:
    """The JSON schema of a reply with test programs."""
    return _schema({"tests": {"type": "array", "items": _ANY["tests"]}})


def _generate(step: str, engines: Sequence[str], n: int, kind: Kind, expected: bool, entry: str) -> Generate:
    if kind not in _ANY or (kind == "tests") != (step == "generate_tests"):
        raise ConfigError(f"{step}: kind={kind!r} must be 'call' or 'stdin'; generate_tests(...) writes test programs")
    if n < 1:
        raise ConfigError(f"{step}: n must be 1 or more")
    return Generate(names=some_engines(step, engines), n=n, kind=kind, expected=expected, entry=entry)


def _schema(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _object(text: str) -> dict[str, Any]:
    fenced = _FENCE.fullmatch(text)
    try:
        value = json.loads(fenced.group(1) if fenced else text)
    except (ValueError, RecursionError):
        raise ValueError("not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value
