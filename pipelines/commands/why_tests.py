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
LATER = {"responses": ("repairs", "rollouts", "hint_repairs"), "programs": ("repair_programs", "hint_programs"),
         "executions": ("repair_executions", "rollout_executions", "hint_executions"),
         "outcomes": ("repair_outcomes", "rollout_outcomes", "hint_outcomes")}
"""Where rows stand of answers that were made later: repairs, and completions of beginnings."""


class Tests:
    """Tells what tests say of a response."""

    def __init__(self, find: Find, reply: Tell) -> None:
        self._find, self._reply = find, reply

    def every(self, table: str, condition: pl.Expr) -> list[Any]:
        """The rows of a table, and of those that hold the same of answers made later."""
        return [row for name in (table, *LATER[table]) for row in self._find(name, condition)]

    def response(self, tree: Tree, response_id: str, evidence: Sequence[str] | None = None) -> None:
        """What a response passed; of a pair's side only the outcomes that are evidence."""
        told = self.every("outcomes", pl.col("response_id") == response_id)
        if evidence is not None:
            told = [row for row in told if f"{row['response_id']}/{row['test_id']}" in set(evidence)]
        for program in self.every("programs", pl.col("response_id") == response_id):
            tree.add(f"program {program['program_id'][:8]} ({program['found']}): {_say(program['source'])}")
        if not told:
            return
        passed = sum(row["outcome"] == "pass" for row in told)
        node = tree.add(f"passes {passed} of {len(told)} test(s)")
        for row in sorted(told, key=lambda row: (row["outcome"] == "pass", row["test_id"]))[:SHOWN]:
            self.outcome(node, row)
        if len(told) > SHOWN:
            node.add(f"… {len(told) - SHOWN} more")

    def step(self, tree: Tree, row: Any) -> Sequence[Any]:
        """A beginning: its text and what it is worth; gives the completions that say so."""
        response = self.every("responses", pl.col("response_id") == row["response_id"])[0]
        text = response["text"][: row["end"]]
        worth = "no completion has a label" if row["value"] is None else (
            f"worth {row['value']:g} of {row['tests']}, by {row['rollouts']} completion(s)")
        tree.add(f"beginning {row['step_id'][:8]}, up to character {row['end']}, {worth}: {_say(text)}")
        made = self._find("rollouts", pl.col("parents").list.contains(row["response_id"]))
        return [one for one in made if any(
            text + reply["text"] == one["text"] for reply in self._find("step_completions", _reply_of(one)))]

    def repaired(self, tree: Tree, row: Any) -> list[Any]:
        """What a repair was told; gives the answers it was made from."""
        for table, worth in (("critiques", "repairs pass {:.0%} of the tests"), ("tutored", "{:+.0%} repairs pass")):
            for critique in self._find(table, pl.col("critique_id").is_in(row["critiques"])):
                told = "" if critique["score"] is None else f", {worth.format(critique['score'])}"
                tree.add(f"told by {escape(critique['critic'])}{told}: {_say(critique['text'])}")
        return self.every("responses", pl.col("response_id").is_in(row["parents"]))

    def outcome(self, tree: Tree, row: Any) -> None:
        """An outcome: its test case, and the run it is read from."""
        why = f" ({_say(row['reason'])})" if row["reason"] else ""
        node = tree.add(f"[bold]{row['outcome']}[/]{why}, test {row['test_id'][:8]} by {row['source']}")
        for case in self._find("test_cases", pl.col("test_id") == row["test_id"]):
            self.case(node, case)
        mine = (pl.col("response_id") == row["response_id"]) & (pl.col("input_id") == row["input_id"])
        for run in self.every("executions", mine):
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
        node = tree.add(f"input {row['input_id'][:8]} ({row['kind']}) by {escape(', '.join(row['makers']))}: "
                        f"{_say(readable(row['kind'], row['value']))}")
        made = (pl.col("prompt_id") == row["prompt_id"]) & pl.col("engine").is_in(row["makers"])
        for reply in self._find("test_completions", made & (pl.col("status") == "ok")):
            self._reply(node, reply)


def _reply_of(row: Any) -> pl.Expr:
    return pl.all_horizontal(pl.col(name) == row[name] for name in ("request_id", "sample", "attempt"))


def _say(text: str) -> str:
    return escape(cut(text, 200))
