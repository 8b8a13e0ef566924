"""Inputs and cases that need no model: from the prompts' own fields and references, from people, from references."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback.testcases.programs import meta_of
from feedback.testcases.sandbox.codec import encode
from feedback.testcases.values import FAILED, vote_key
from generators.made import Made
from schemas import RESPONSES, TEST_CASES, TEST_INPUTS
from schemas.errors import ConfigError, SchemaError
from schemas.funnel import Count, count
from schemas.ids import text_digest
from schemas.responses import response_id
from schemas.test_cases import CASE_SOURCES, case_id
from schemas.test_inputs import input_id

REFERENCE = "reference"
"""The model of responses that are the prompts' reference solutions."""


Said = tuple[str, str, str | None]
"""An input, its kind first, and what is expected of it, if that is said; both encoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """Takes inputs and cases from the prompts; see `given`, and `given_tests` for test programs."""

    field: str
    kind: str
    source: str

    def test_inputs(self, prompts: pl.DataFrame) -> Made:
        """The inputs as TEST_INPUTS rows; prompts without are dropped as "no inputs".

        Counts inputs too, dropped as "duplicate", and test programs, dropped by what they lack.
        """
        dropped = Counter[str]()
        tests = [*self.read(prompts, dropped)]
        found = [(prompt, kind, value) for prompt, said in tests for kind, value, _ in said]
        table = input_rows((*one, [self.source]) for one in set(found))
        again = +Counter({"duplicate": len(found) - table.height})
        return Made(table, [*self._counts("test_inputs", prompts, table, len(tests), dropped),
                            *count("test_inputs", "inputs", len(found), out=table.height, dropped=again)])

    def test_cases(self, prompts: pl.DataFrame) -> Made:
        """The cases as TEST_CASES rows; prompts without are dropped as "no cases".

        Counts inputs of which something is expected too, dropped as "contradiction" where two things are expected, and
        test programs, dropped by what they lack.
        """
        dropped, expected = Counter[str](), defaultdict[tuple[str, str, str], set[str]](set)
        tests = [*self.read(prompts, dropped)]
        for prompt, kind, value, output in ((prompt, *one) for prompt, said in tests for one in said):
            if output is not None:
                expected[prompt, kind, value].add(output)
        agreed = {one: min(outputs) for one, outputs in expected.items()
                  if len({vote_key(one[1], output) for output in outputs}) == 1}
        table = case_rows((*one, self.source, output, None, None) for one, output in agreed.items())
        differ = +Counter({"contradiction": len(expected) - table.height})
        return Made(table, [*self._counts("test_cases", prompts, table, len(tests), dropped),
                            *count("test_cases", "inputs", len(expected), out=table.height, dropped=differ)])

    def read(self, prompts: pl.DataFrame, dropped: Counter[str]) -> Iterator[tuple[str, list[Said]]]:
        """Each item of the field with its prompt, as inputs and what is expected of them."""
        for prompt, meta in prompts.select("prompt_id", "meta").iter_rows():
            items = meta_of(meta, prompt).get(self.field) or []
            if not isinstance(items, list):
                raise SchemaError(f"prompts: field '{self.field}' of {prompt} is no list; write a list of inputs, or "
                                  f'of {{"input": ..., "expected": ...}}; test programs are read by '
                                  f"given_tests('{self.field}')")
            for item in items:
                try:
                    said = self._case(item, prompt)
                except ValueError as error:
                    raise SchemaError(f"prompts: no program can be given what field '{self.field}' of {prompt} holds: "
                                      f"{error}; take that input out") from None
                yield prompt, [said]

    def _case(self, item: Any, prompt: str) -> Said:
        value, expected = (item["input"], item.get("expected")) if isinstance(item, dict) and "input" in item else (
            item, None)
        has = isinstance(item, dict) and "expected" in item
        if self.kind == "call":
            if not isinstance(value, list):
                raise SchemaError(f"prompts: an input of {prompt} is no list; write the list of positional arguments; "
                                  f"tests such as 'assert f(1) == 2' are read by given_tests('{self.field}')")
            return "call", encode(value, ordered=True), encode(expected) if has else None
        if not isinstance(value, str) or (has and not isinstance(expected, str)):
            raise SchemaError(f"prompts: an input or output of {prompt} is no text; in field "
                              f"'{self.field}' write texts, or read calls by given('{self.field}', kind='call')")
        for text in (value, expected or ""):
            text.encode()       # a lone surrogate is a ValueError
        return self.kind, value, expected

    def _counts(self, step: str, prompts: pl.DataFrame, table: pl.DataFrame, read: int,
                dropped: Counter[str]) -> list[Count]:
        out = table["prompt_id"].n_unique()
        without = Counter({f"no {step.removeprefix('test_')}": prompts.height - out} if prompts.height > out else {})
        told = count(step, "tests", read + dropped.total(), out=read, dropped=dropped) if self.kind == "tests" else []
        return [*count(step, "prompts", prompts.height, out=out, dropped=without), *told]


def given(field: str = "tests", kind: str = "call", source: str = "human") -> Given:
    """Take test inputs, and cases where outputs are given, from a field of the prompts' meta.

    The field holds a list of inputs (kind call: lists of positional arguments; kind stdin: texts), or of objects with
    `input` and `expected`. `source` says who wrote them. Raises ConfigError on what cannot be, SchemaError on a field
    of another form.
    """
    if kind not in ("call", "stdin"):
        raise ConfigError(f"given: kind={kind!r} must be 'call' or 'stdin'; given_tests({field!r}) reads test programs")
    return Given(field=field, kind=kind, source=some_source("given", source))


def some_source(step: str, source: str) -> str:
    """The source; ConfigError where nobody can have given cases as such."""
    if source not in CASE_SOURCES or source == "vote":
        raise ConfigError(f"{step}: source={source!r} must be human, reference or model")
    return source


def answer_inputs(prompts: pl.DataFrame) -> Made:
    """One input of kind answer a prompt: the response states its answer, which is the one test (PFPO, maths)."""
    table = input_rows((prompt, "answer", "", ["prompt"]) for prompt in prompts["prompt_id"])
    return Made(table, count("test_inputs", "prompts", prompts.height, out=table.height))


def reference_responses(prompts: pl.DataFrame) -> Made:
    """The prompts' reference solutions as RESPONSES rows of origin human and role baseline, to be run like others."""
    rows = [{
        "response_id": response_id(prompt, "human", REFERENCE, 0), "prompt_id": prompt, "origin": "human",
        "role": "baseline", "model": REFERENCE, "strategy": REFERENCE, "round": 0, "parents": [], "criteria": [],
        "critiques": [], "sample": 0, "text": text, "text_digest": text_digest(text),
    } for prompt, text in prompts.select("prompt_id", "reference").iter_rows() if text is not None]
    table = pl.DataFrame(pl.from_arrow(RESPONSES.rows(rows))).sort("response_id")
    without = Counter({"no reference": prompts.height - len(rows)} if prompts.height > len(rows) else {})
    return Made(table, count("references", "prompts", prompts.height, out=len(rows), dropped=without))


def reference_cases(executions: pl.DataFrame, source: str = "reference") -> Made:
    """What reference solutions gave, as TEST_CASES rows: differential testing (EvalPlus, Liu et al. 2023).

    `executions` are those of the references alone; where two references of a prompt differ, there is no case.
    Counts inputs, dropped as "no output", "flaky", "references differ" or (a written test) "reference fails".
    """
    rows, dropped = [], Counter[str]()
    for (prompt, input_, kind), runs in executions.group_by("prompt_id", "input_id", "kind"):
        outputs = set(runs.filter(pl.col("status") == "ran")["output"])
        if runs.filter(pl.col("status") != "ran").height:
            dropped["no output"] += 1
        elif not runs["steady"].all():
            dropped["flaky"] += 1
        elif len(outputs) > 1:
            dropped["references differ"] += 1
        elif kind == "tests" and outputs == {FAILED}:
            dropped["reference fails"] += 1
        else:
            rows.append({"test_id": case_id(str(input_), source, min(outputs)), "prompt_id": prompt,
                         "input_id": input_, "kind": kind, "source": source, "expected": min(outputs)})
    table = pl.DataFrame(pl.from_arrow(TEST_CASES.rows(rows))).sort("test_id")
    return Made(table, count("test_cases", "inputs", len(rows) + dropped.total(), out=len(rows), dropped=dropped))


def input_rows(found: Iterable[tuple[str, str, str, Sequence[str]]]) -> pl.DataFrame:
    """TEST_INPUTS rows from (prompt_id, kind, value, makers), sorted by input_id."""
    rows = [{"input_id": input_id(prompt, kind, value), "prompt_id": prompt, "kind": kind, "value": value,
             "makers": list(makers)} for prompt, kind, value, makers in found]
    return pl.DataFrame(pl.from_arrow(TEST_INPUTS.rows(rows))).sort("input_id")


def case_rows(found: Iterable[tuple[str, str, str, str, str, int | None, float | None]]) -> pl.DataFrame:
    """TEST_CASES rows from (prompt_id, kind, value, source, expected, voters, share), sorted by test_id."""
    rows = []
    for prompt, kind, value, source, expected, voters, share in found:
        input_ = input_id(prompt, kind, value)
        rows.append({"test_id": case_id(input_, source, expected), "prompt_id": prompt, "input_id": input_,
                     "kind": kind, "source": source, "expected": expected, "voters": voters, "share": share})
    return pl.DataFrame(pl.from_arrow(TEST_CASES.rows(rows))).sort("test_id")


def merged_inputs(tables: Iterable[pl.DataFrame]) -> Made:
    """TEST_INPUTS rows of several makers as one table, equal inputs as one row with all its makers."""
    rows = pl.concat(tables)
    table = rows.group_by("input_id", "prompt_id", "kind", "value").agg(
        pl.col("makers").explode().unique().sort()).select(rows.columns).sort("input_id")
    dropped = Counter({"duplicate": rows.height - table.height} if rows.height > table.height else {})
    return Made(table, count("test_inputs", "inputs", rows.height, out=table.height, dropped=dropped))


