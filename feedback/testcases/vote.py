"""VOTE: the output that most programs give on an input becomes its expected output.

Self-consistency over test cases follows PFPO (Jiao et al. 2025): failed programs do not vote, empty printed outputs do
not, an input needs a minimum of voters (5 of 10 in the published runs) and, for maths, a share of the votes (.5). A
tie is no case; PFPO takes the first seen. Stated answers are one vote where they are proved to be one answer.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import polars as pl

from feedback.testcases.answers import answer_key
from feedback.testcases.maths.votes import merge
from feedback.testcases.maths.workers import MathsWorkers
from feedback.testcases.values import FAILED, commonest, vote_key
from generators.made import Made
from schemas import TEST_CASES
from schemas.errors import ConfigError, SchemaError
from schemas.funnel import count
from schemas.test_cases import case_id

Key = Callable[[str, str], str | None]
"""From the input's kind and an output, what it is counted under; None: it does not vote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """Counts outputs; see `vote_outputs`."""

    min_voters: int
    share: float

    def __call__(self, executions: pl.DataFrame, maths: MathsWorkers | None = None) -> Made:
        """TEST_CASES rows of source vote, sorted by test_id.

        `maths` are workers to prove stated answers equal in; by default some are started where any are needed. Counts
        inputs, dropped as "too few voters", "tie", "below share" or (a written test) "fails most", and the different
        answers that are stated, dropped as "merged": they are another one, otherwise written.
        """
        one_environment(executions)
        rows, dropped, total, stated, merged = [], Counter[str](), 0, 0, 0
        with MathsWorkers() if maths is None else nullcontext(maths) as workers:
            for prompt, input_, kind, outputs in ballots(executions):
                total += 1
                votes = _counted(kind, outputs)
                if kind == "answer":
                    stated += len(votes)
                    votes = _merged(votes, workers)
                    merged += len(votes)
                fate, best = self._decided(votes)
                if kind == "tests" and best == FAILED:
                    fate, best = "fails most", None
                if best is None:
                    dropped[fate] += 1
                else:
                    rows.append(_case(prompt, input_, kind, votes, best))
        table = pl.DataFrame(pl.from_arrow(TEST_CASES.rows(rows))).sort("test_id")
        told = count("test_cases", "answers", stated, out=merged, dropped=+Counter({"merged": stated - merged}))
        return Made(table, [*count("test_cases", "inputs", total, out=table.height, dropped=dropped),
                            *(told if stated else [])])

    def _decided(self, votes: dict[str, Counter[str]]) -> tuple[str, str | None]:
        """The key that wins, or why none does."""
        sizes = sorted(((vote.total(), key) for key, vote in votes.items()), reverse=True)
        voters = sum(size for size, _ in sizes)
        if voters < self.min_voters:
            return "too few voters", None
        if len(sizes) > 1 and sizes[0][0] == sizes[1][0]:
            return "tie", None
        if sizes[0][0] < self.share * voters:
            return "below share", None
        return "", sizes[0][1]


def vote_outputs(min_voters: int = 5, share: float = 0.0) -> Vote:
    """Vote on the output of every input among the responses that were run on it, equal programs each for themselves.

    A case needs `min_voters` responses with an output, one output that is more frequent than every other, and at
    least the share `share` of the voters for it. Outputs of failed, flaky and sandbox-failed runs do not vote. Stated
    answers that algebra proves equal, or that differ in a unit nobody contradicts, vote together. Raises ConfigError
    on what cannot be.
    """
    if min_voters < 1:
        raise ConfigError(f"vote_outputs: min_voters is {min_voters}; give 1 or more")
    if not 0.0 <= share <= 1.0:
        raise ConfigError(f"vote_outputs: share is {share}; give a share between 0 and 1, such as 0.5")
    return Vote(min_voters=min_voters, share=share)


def agreement(cases: pl.DataFrame, maths: MathsWorkers | None = None) -> pl.DataFrame:
    """TEST_CASES rows of several sources with `agreement` filled: do all sources of the input expect the same?

    Stated answers agree where they are proved equal, as in a vote; `maths` is as there.
    """
    keyed = cases.with_columns(key=pl.Series(_keys(cases, maths), dtype=pl.String))
    several = pl.col("source").n_unique().over("input_id") > 1
    same = pl.col("key").n_unique().over("input_id") == 1
    return keyed.with_columns(agreement=pl.when(several).then(same)).drop("key").sort("test_id")


def agreed(cases: pl.DataFrame, source: str = "vote") -> Made:
    """The cases of a source with which every other source of the input agrees: far fewer inversions at little cost.

    Counts cases of the source, dropped as "no other source" or "sources differ".
    """
    mine = agreement(cases).filter(pl.col("source") == source)
    table = mine.filter(pl.col("agreement").fill_null(False))
    dropped = Counter({"no other source": mine["agreement"].null_count(),
                       "sources differ": mine.filter(~pl.col("agreement")).height})
    return Made(table, count("test_cases", "cases", mine.height, out=table.height, dropped=+dropped))


def ballots(executions: pl.DataFrame) -> Iterator[tuple[str, str, str, list[str]]]:
    """Each input with the outputs that may vote, one a response: prompt_id, input_id, kind, outputs."""
    valid = (pl.col("status") == "ran") & pl.col("steady")
    grouped = executions.group_by("prompt_id", "input_id", "kind").agg(pl.col("output").filter(valid).sort())
    yield from grouped.sort("prompt_id", "input_id").iter_rows()


def one_environment(executions: pl.DataFrame) -> None:
    """Raise SchemaError where a response was run on an input in two environments: it would count twice."""
    twice = executions.filter(pl.struct("response_id", "input_id").is_duplicated())
    if twice.height:
        raise SchemaError(f"executions: responses were run in several environments "
                          f"({', '.join(twice['environment'].unique().sort())}); keep the rows of one of them")


def _counted(kind: str, outputs: list[str]) -> dict[str, Counter[str]]:
    """The outputs of each key, counted as they were written."""
    votes: dict[str, Counter[str]] = defaultdict(Counter)
    for output, times in Counter(outputs).items():
        key = _key(kind, output)
        if key is not None:
            votes[key][output] += times
    return dict(votes)


def _merged(votes: dict[str, Counter[str]], maths: MathsWorkers) -> dict[str, Counter[str]]:
    """The votes of stated answers by what stands for their group; what is not proved equal stays apart."""
    if len(votes) < 2:
        return votes
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for key, group in merge(votes, maths).group.items():
        found[group] += votes[key]
    return dict(found)


def _case(prompt: str, input_: str, kind: str, votes: dict[str, Counter[str]], best: str) -> dict[str, Any]:
    """The row of a case, which expects the winner's commonest spelling."""
    expected = commonest(votes[best])
    voters = sum(vote.total() for vote in votes.values())
    return {"test_id": case_id(input_, "vote", expected), "prompt_id": prompt, "input_id": input_, "kind": kind,
            "source": "vote", "expected": expected, "voters": voters, "share": votes[best].total() / voters}


def _keys(cases: pl.DataFrame, maths: MathsWorkers | None) -> list[str]:
    """What each case expects, counted under; stated answers to one prompt that are proved equal as one of them."""
    named = [(input_, kind, _key(kind, expected) or "")
             for input_, kind, expected in cases.select("input_id", "kind", "expected").iter_rows()]
    stated: dict[str, set[str]] = defaultdict(set)
    for input_, kind, key in named:
        if kind == "answer":
            stated[input_].add(key)
    differ = {input_: sorted(keys) for input_, keys in stated.items() if len(keys) > 1}
    if not differ:
        return [key for *_, key in named]
    with MathsWorkers() if maths is None else nullcontext(maths) as workers:
        groups = {input_: merge(keys, workers).group for input_, keys in differ.items()}
    return [groups.get(input_, {}).get(key, key) for input_, _, key in named]


def _key(kind: str, output: str) -> str | None:
    return answer_key(output) if kind == "answer" else vote_key(kind, output)
