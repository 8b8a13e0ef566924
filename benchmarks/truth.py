"""truth: labels built through faults and shuffled replies equal what an oracle computes that shares no code with us.

    python -m benchmarks.truth [--prompts N] [--seed N]

A scripted server answers N prompts with four models, three judges rate all answers, and compare all pairs of the first
tenth of the prompts, while requests meet 500s, 429s, timeouts, cut connections and replies that do not parse, some for
ever. Winnow's operators make the labels, twice from the same replies: two, then all three judges are a quorum.
benchmarks/oracle.py computes them from the plant and the server's ledger.
Last line: a JSON object.

    prompts         how many were answered and rated
    faults          faults that the server played
    wrong_labels    differences in pairs, ties, votes, invalid votes and no_quorum, as sets, and replies out of plan
    balance_closes  whether in = out + dropped + failed in every step, and out is what the tables hold
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks import oracle
from benchmarks.oracle import Labels
from feedback.jury.aggregate import majority, mean
from feedback.jury.compare import Compare, compare
from feedback.jury.rate import Rate, rate
from generators.client import collect
from generators.engines import Engine
from generators.made import Made
from generators.plant import question
from generators.sample import sample
from generators.store import ReplyStore
from preferences.pair import pair
from schemas import PROMPTS
from schemas.messages import Message, prompt_id

CHECKOUT = Path(__file__).resolve().parent.parent
SCRIPT = CHECKOUT / "benchmarks" / "recipes" / "truth_script.toml"
GENERATORS = ("weak", "middling", "good", "better")
JUDGES = ("steady", "biased", "even")
QUORUMS = (2, 3)
REASKS = 2
TIMEOUT_S = 1.5
"""Planned latency is 40 ms at most: what takes so long hangs."""


@dataclass(slots=True)
class Trial:
    """One protocol's labels, made and expected."""

    protocol: str
    prompts: int
    quorum: int
    found: Labels
    expected: Labels
    made: list[Made]

    @property
    def wrong(self) -> int:
        """All differences."""
        return sum(self.found.differences(self.expected).values()) + len(self.expected.strange)


@dataclass(frozen=True, slots=True)
class Outcome:
    """All trials, and what the server saw."""

    trials: list[Trial]
    counts: dict[str, int]
    ledger: list[dict[str, Any]]


def main() -> None:
    """Run the trials and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=2000)
    outcome = run(parser.parse_args().prompts)
    for trial in outcome.trials:
        sizes = {kind: len(getattr(trial.expected, kind)) for kind in trial.expected.differences(trial.expected)}
        print(f"{trial.protocol}, {trial.prompts} prompts, quorum {trial.quorum}: {sizes}")
        print(f"  differences: {trial.found.differences(trial.expected)}; out of plan: {trial.expected.strange[:3]}")
    print("server:", outcome.counts)
    print(json.dumps(figure(outcome)))


def figure(outcome: Outcome) -> dict[str, int | bool]:
    """The figures of a run."""
    played = sum(n for name, n in outcome.counts.items() if name.startswith("fault_"))
    return {
        "prompts": outcome.trials[0].prompts, "faults": played,
        "wrong_labels": sum(trial.wrong for trial in outcome.trials),
        "balance_closes": all(map(balanced, outcome.trials)),
    }


def run(prompts: int) -> Outcome:
    """All trials on one server and one store."""
    with served() as url, tempfile.TemporaryDirectory(prefix="winnow-truth-") as folder:
        engines = {name: Engine(name=name, model=name, url=f"{url}/v1", timeout_s=TIMEOUT_S, max_concurrency=32)
                   for name in (*GENERATORS, *JUDGES)}
        sizes = {"rate": prompts, "compare": max(10, prompts // 10)}
        plans = [plan(protocol, size, quorum) for protocol, size in sizes.items() for quorum in QUORUMS]
        with ReplyStore.open(Path(folder)) as store:
            made = [build(each, engines, store) for each in plans]
        ledger = [json.loads(line) for line in get(f"{url}/ledger").splitlines()]
        counts: dict[str, int] = json.loads(get(f"{url}/counts"))
    number = {key: at for at, key in enumerate(planted(prompts)["prompt_id"])}
    pairs = zip(plans, made, strict=True)
    return Outcome([Trial(each.protocol, each.prompts, each.quorum, found(number, steps),
                          oracle.expected(ledger, each), steps) for each, steps in pairs], counts, ledger)


def build(planned: oracle.Plan, engines: dict[str, Engine], store: ReplyStore) -> list[Made]:
    """Responses, judgments, rankings and preferences, through Winnow's operators."""
    jury: Rate | Compare = rate(JUDGES) if planned.protocol == "rate" else compare(JUDGES)
    aggregate = (mean if planned.protocol == "rate" else majority)(quorum=planned.quorum)
    prompts = planted(planned.prompts)
    pool = sample(pool=GENERATORS)
    replies = collect(pool.plan(prompts, engines), engines, store, pool.parse, REASKS)
    responses = pool.responses(prompts, replies)
    votes = collect(jury.plan(prompts, responses.table, engines), engines, store, jury.parse, REASKS)
    judgments = jury.judgments(prompts, responses.table, votes, engines)
    rankings = aggregate(responses.table, judgments.table)
    return [responses, judgments, rankings, pair("all")(prompts, responses.table, rankings.table)]


def planted(number: int) -> pl.DataFrame:
    """The first planted questions, as a prompts table, in their order."""
    rows, seed = [], plant()["seed"]
    for at in range(number):
        messages: list[Message] = [{"role": "user", "content": question(at, seed)}]
        key = prompt_id(messages)
        rows.append({"prompt_id": key, "messages": messages, "sources": ["plant"], "licences": ["cc0-1.0"],
                     "group": key})
    return pl.DataFrame(pl.from_arrow(PROMPTS.rows(rows)))


def found(number: dict[str, int], made: list[Made]) -> Labels:
    """What the tables say, by what is written in them: question numbers, models, texts."""
    responses, judgments, rankings, preferences = (step.table for step in made)
    labels = Labels()
    known = {row["response_id"]: row for row in responses.to_dicts()}
    labels.answers = {(number[row["prompt_id"]], row["model"], row["text"]) for row in known.values()}
    for row in preferences.to_dicts():
        asked = int(re.findall(r"Question (\d+)", row["prompt"][-1]["content"])[0])
        labels.pairs.add((asked, row["chosen"][0]["content"], row["rejected"][0]["content"]))
    for row in judgments.to_dicts():
        vote = (number[row["prompt_id"]], row["judge"], *(known[name]["model"] for name in row["shown"]))
        (labels.invalid if row["outcome"] == "invalid" else labels.valid).add(vote)
    for (prompt,), group in rankings.group_by("prompt_id"):
        ranked = group.filter(pl.col("outcome") == "ranked").select("response_id", "rank").rows()
        labels.no_quorum |= {(number[prompt], known[name]["model"])
                             for name in group.filter(pl.col("outcome") == "no_quorum")["response_id"]}
        labels.ties |= {(number[prompt], *sorted((known[one]["text"], known[other]["text"])))
                        for (one, place), (other, same) in combinations(ranked, 2) if place == same}
    return labels


def balanced(trial: Trial) -> bool:
    """Whether every unit of every step is accounted for, in and out being what the plan and the tables hold."""
    responses, judgments, rankings, preferences = trial.made
    sizes = responses.table.group_by("prompt_id").len()["len"].to_list()
    each = len(JUDGES)
    votes = len(sizes) * each if trial.protocol == "rate" else sum(n * (n - 1) for n in sizes) * each
    flows = {
        "answers": (responses, trial.prompts * len(GENERATORS)), "votes": (judgments, votes),
        "responses": (rankings, sum(sizes)), "pairs": (preferences, sum(n * (n - 1) // 2 for n in sizes)),
    }
    sums: Counter[tuple[str, str]] = Counter()
    for row in (row for step in trial.made for row in step.counts):
        sums[row.step, row.unit] += row.count if row.fate == "in" else -row.count
    ends = [[row.count for row in step.counts if row.unit == unit and row.fate in ("in", "out")]
            for unit, (step, _) in flows.items()]
    return not any(sums.values()) and ends == [[planned, step.table.height] for step, planned in flows.values()]


def plan(protocol: str, prompts: int, quorum: int) -> oracle.Plan:
    """What the oracle must know, from the script's file."""
    models = plant()["models"]
    return oracle.Plan(
        prompts=prompts, protocol=protocol, generators={name: models[name] for name in GENERATORS},
        judges={name: models[name] for name in JUDGES}, seed=plant()["seed"], quorum=quorum, reasks=REASKS,
        scale=(1, 10), aspect="overall",
    )


def plant() -> dict[str, Any]:
    """The script's file."""
    return tomllib.loads(SCRIPT.read_text())


def get(url: str) -> bytes:
    """The body of a GET."""
    with urllib.request.urlopen(url) as reply:
        body: bytes = reply.read()
        return body


@contextmanager
def served() -> Iterator[str]:
    """A scripted server in a process of its own; gives where it listens."""
    command = [sys.executable, "-m", "generators.scripted", "--script", str(SCRIPT), "--stop-with-parent"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


if __name__ == "__main__":
    main()
