"""Test programs that people wrote, such as HumanEval's and MBPP's, from a field of the prompts: inputs and cases."""

import ast
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback.testcases.asserts import convert
from feedback.testcases.called import GIVEN, needs, undefined, uses
from feedback.testcases.given import Given, Said, some_source
from feedback.testcases.programs import code_of, entry_of, meta_of, parsed, tested_by
from feedback.testcases.values import PASSED
from feedback.testcases.written import LACKS, lacks, run_by_itself
from schemas.errors import SchemaError
from schemas.messages import Message

UNDEFINED = "says a name that nothing defines"
"""Why a test fails whatever the program does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenTests(Given):
    """Takes test programs from the prompts; see `given_tests`."""

    setup: str | None
    entry: str

    def read(self, prompts: pl.DataFrame, dropped: Counter[str]) -> Iterator[tuple[str, list[Said]]]:
        """Each test program that can say something, as inputs and what is expected of them; why others cannot."""
        for prompt, messages, meta in prompts.select("prompt_id", "messages", "meta").iter_rows():
            fields = meta_of(meta, prompt)
            texts, setup = self._texts(fields, self.field, prompt), self._texts(fields, self.setup, prompt)
            entry = self._entry(messages, meta, texts)
            for text in texts:
                said = _data(text, entry)
                if not said:
                    program, lacking = _program(text, setup, code_of(messages), entry)
                    if lacking:
                        dropped[lacking] += 1
                        continue
                    said = [("tests", program, PASSED)]
                yield prompt, said

    def entries(self, prompts: pl.DataFrame) -> Iterator[tuple[str, str]]:
        """The prompts with tests, and the function that these call, where it has a name."""
        for prompt, messages, meta in prompts.select("prompt_id", "messages", "meta").iter_rows():
            texts = self._texts(meta_of(meta, prompt), self.field, prompt)
            entry = self._entry(messages, meta, texts)
            if texts and entry:
                yield prompt, entry

    def _entry(self, messages: list[Message], meta: str | None, texts: list[str]) -> str | None:
        return entry_of([], meta, self.entry) or tested_by(texts) or entry_of(messages, None, None)

    def _texts(self, fields: Mapping[str, Any], name: str | None, prompt: str) -> list[str]:
        """The field's texts that are not blank."""
        found = (fields.get(name) or []) if name else []
        texts = [found] if isinstance(found, str) else found
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise SchemaError(f"prompts: field '{name}' of {prompt} holds neither a test program nor a list of them; "
                              f"write Python that asserts, as texts; inputs are read by given('{name}')")
        return [text for text in texts if text.strip()]


def given_tests(field: str = "test", setup: str | None = None, entry: str = "entry_point",
                source: str = "human") -> GivenTests:
    """Take test programs from a field of the prompts' meta: HumanEval's `test`, a text, or MBPP's `test_list`, a list.

    Give the same to `test_inputs` and `test_cases`. A program whose assertions are all data (`assert f(1) == 2`)
    becomes calls and what is expected of them; every other is run as it is, and expected to pass. It may use what the
    prompt's own code defines. Programs that do not parse, assert nothing, never call the function, run no assertion by
    themselves or import what the sandbox lacks are dropped. `setup` is a field with code to run before them (MBPP's
    `test_setup_code`), `entry` the field that names the function; where there is none it is the one that the tests
    call, else the last that the prompt begins. Raises ConfigError on what cannot be, SchemaError on a field of another
    form.
    """
    return GivenTests(field=field, kind="tests", source=some_source("given_tests", source), setup=setup, entry=entry)


def _data(text: str, entry: str | None) -> list[Said]:
    """The cases of a test program that says nothing else; none of one that must run."""
    if parsed(text) is None:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a doubtful escape in a test is not ours to report
        found = convert(text, entry or GIVEN)
    if not found.whole or any(case.tolerance for case in found.cases):
        return []
    return [("call", case.input, case.expected) for case in found.cases]


def _program(text: str, setup: list[str], code: str | None, entry: str | None) -> tuple[str, str | None]:
    """A test program with all that it needs to run, and what it lacks to say anything."""
    tree, begun = parsed(text), parsed(code) if code else None
    if tree is None:
        return text, LACKS["parses"]
    helpers = [code] if code and begun and needs(tree, begun, entry) else []
    whole = run_by_itself("\n".join([*helpers, *setup, text]))
    return whole, lacks(whole, None) or _astray(tree, whole, {GIVEN, *([entry] if entry else [])})


def _astray(tree: ast.Module, whole: str, names: set[str]) -> str | None:
    """Why a test program says nothing of the function that goes by these names."""
    if not uses(tree, names):
        return LACKS["calls_focal"]
    made = parsed(whole)
    return UNDEFINED if made is not None and undefined(made, names) else None
