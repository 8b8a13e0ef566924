"""winnow why, for labels by tests: outcomes back to test cases, runs, inputs, programs and who wrote them."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
from rich.markup import escape
from rich.tree import Tree

from assets.show import cut
from assets.tested_views import readable

Find = Callable[[str, pl.Expr], Sequence[Any]]
"""The rows of a table of the build that meet a condition; none where there is no such table."""
Tell = Callable[[Tree, Any], None]
SHOWN = 12
"""Outcomes of a response that are shown."""


class Tests:
    """Tells what tests say of a response."""

    def __init__(self, find: Find, reply: Tell) -> None:
        self._find, self._reply = find, reply

    def response(self, tree: Tree, response_id: str, evidence: Sequence[str] | None = None) -> None:
        """What a response passed; of a pair's side only the outcomes that are evidence."""
        told = self._find("outcomes", pl.col("response_id") == response_id)
        if evidence is not None:
            told = [row for row in told if f"{row['response_id']}/{row['test_id']}" in set(evidence)]
        for program in self._find("programs", pl.col("response_id") == response_id):
            tree.add(f"program {program['program_id'][:8]} ({program['found']}): {_say(program['source'])}")
        if not told:
            return
        passed = sum(row["outcome"] == "pass" for row in told)
        node = tree.add(f"passes {passed} of {len(told)} test(s)")
        for row in sorted(told, key=lambda row: (row["outcome"] == "pass", row["test_id"]))[:SHOWN]:
            self.outcome(node, row)
        if len(told) > SHOWN:
            node.add(f"… {len(told) - SHOWN} more")

    def outcome(self, tree: Tree, row: Any) -> None:
        """An outcome: its test case, and the run it is read from."""
        why = f" ({_say(row['reason'])})" if row["reason"] else ""
        node = tree.add(f"[bold]{row['outcome']}[/]{why}, test {row['test_id'][:8]} by {row['source']}")
        for case in self._find("test_cases", pl.col("test_id") == row["test_id"]):
            self.case(node, case)
        mine = (pl.col("response_id") == row["response_id"]) & (pl.col("input_id") == row["input_id"])
        for run in self._find("executions", mine):
            self.run(node, run)
        for given in self._find("test_inputs", pl.col("input_id") == row["input_id"]):
            self.given(node, given)

    def case(self, tree: Tree, row: Any) -> None:
        """A test case: what is expected, and who says so."""
        votes = f", {row['share']:.0%} of {row['voters']} votes" if row["share"] is not None else ""
        tree.add(f"expected by {row['source']}{votes}: {_say(readable(row['kind'], row['expected']))}")

    def run(self, tree: Tree, row: Any) -> None:
        """An execution: what came out, and where it ran."""
        out = row["detail"] or "no output" if row["output"] is None else readable(row["kind"], row["output"])
        flaky = "" if row["steady"] else ", not the same in every run"
        tree.add(f"{row['status']}{flaky}: {_say(out)} [dim]{escape(row['environment'])}[/]")

    def given(self, tree: Tree, row: Any) -> None:
        """A test input: its value, who made it, and the replies it was read from."""
        node = tree.add(f"input {row['input_id'][:8]} ({row['kind']}) by {', '.join(row['makers'])}: "
                        f"{_say(readable(row['kind'], row['value']))}")
        made = (pl.col("prompt_id") == row["prompt_id"]) & pl.col("engine").is_in(row["makers"])
        for reply in self._find("test_completions", made & (pl.col("status") == "ok")):
            self._reply(node, reply)


def _say(text: str) -> str:
    return escape(cut(text, 200))
