"""winnow estimate: how many calls a build makes, how many of them the store already answers, what the rest may cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import polars as pl
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from assets.dataset import PreferenceDataset
from assets.home import Home
from generators.ask import Ask
from generators.engines import Engine
from generators.sample import Sample
from generators.store import ReplyStore
from pipelines import catalog
from pipelines.commands import expected, expected_logs, ready

SEEN = 200
"""Prompts whose votes are planned in full; more are counted in proportion."""
_BOUNDS = ("Of calls that depend on replies which are not there yet the table tells the fewest (nothing is found) and "
           "the most (every turn that is asked about does everything, and all of it holds); the cost is that of the "
           "most. Judges may be asked of repairs, too, which models have yet to find.")


@dataclass(slots=True)
class Tally:
    """The calls one engine would get for one table."""

    calls: int = 0
    stored: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def times(self, factor: float) -> "Tally":
        """As many for each prompt, of more prompts."""
        counts = (self.calls, self.stored, self.tokens_in, self.tokens_out)
        return Tally(*(round(count * factor) for count in counts))


@dataclass(slots=True)
class Asked:
    """The calls of a build by table and engine."""

    prompts: int
    tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)

    def add(self, table: str, engine: str, tally: Tally) -> None:
        """Count more calls of an engine for a table."""
        here = self.tallies.setdefault((table, engine), Tally())
        here.calls, here.stored = here.calls + tally.calls, here.stored + tally.stored
        here.tokens_in, here.tokens_out = here.tokens_in + tally.tokens_in, here.tokens_out + tally.tokens_out


def run(name: str, console: Console) -> None:
    """Print the estimate."""
    dataset = catalog.load(name)
    engines = ready.check(dataset)
    logs = expected_logs.read(dataset, Home.find().root)
    with ReplyStore.open(Home.find().store) as store:
        asked = [_asked(dataset, logs, engines, store, most) for most in ((False, True) if logs else (True,))]
    least, most = asked[0], asked[-1]
    prompts = _between(least.prompts, most.prompts)
    shown = Table("table", "engine", "calls", "stored", "with every\nre-ask", "cost of the\nrest, at most",
                  title=f"{dataset.slug}: {prompts} prompts", box=SIMPLE_HEAD)
    for (table, engine), tally in most.tallies.items():
        few = least.tallies.get((table, engine), Tally()).calls
        _row(shown, table, engines[engine], few, tally, dataset.reasks)
    console.print(shown if shown.row_count else "no model is called")
    _explain(dataset, most.prompts, console)
    if any(least.tallies.get(key, Tally()).calls != tally.calls for key, tally in most.tallies.items()):
        console.print(_BOUNDS)


def _asked(dataset: PreferenceDataset, logs: Mapping[str, pl.DataFrame], engines: Mapping[str, Engine],
           store: ReplyStore, most: bool) -> Asked:
    """The calls of a build, by table and engine; with `most` as many as there can be, else as few."""
    found = expected_logs.forecast(dataset, logs, engines, store, most) if logs else None
    tables = found.tables if found else {}
    prompts = tables["prompts"] if "prompts" in tables else dataset.prompts().table
    plans: list[tuple[str, Iterable[Ask], float]] = [(name, plan, 1.0) for name, plan in found.plans.items()
                                                     ] if found else []
    if isinstance(dataset.responses, Sample):
        plans.append(("responses", dataset.responses.plan(prompts, engines), 1.0))
    plans += [("test_inputs", writer.plan(prompts, engines), 1.0) for writer in dataset.writers]
    seen = prompts.head(SEEN)
    if dataset.juries:
        answers = tables.get("responses")
        answers = expected.responses(dataset, seen, engines, store) if answers is None else answers
        of_seen = answers.filter(pl.col("prompt_id").is_in(seen["prompt_id"].implode()))
        factor = prompts.height / max(seen.height, 1)
        plans += [("judgments", jury.plan(seen, of_seen, engines), factor) for jury in dataset.juries]
    asked = Asked(prompts=prompts.height)
    for table, plan, factor in plans:
        for engine, tally in sorted(_tally(plan, engines, store).items()):
            asked.add(table, engine, tally.times(factor))
    return asked


def _explain(dataset: PreferenceDataset, prompts: int, console: Console) -> None:
    if not dataset.calls_models:
        return
    console.print(f"Costs are without re-asks, count {expected.CHARACTERS_PER_TOKEN} characters a token, and take "
                  f"replies at their length limit ({expected.ANSWER_TOKENS:,} tokens where none is set).")
    if dataset.juries and isinstance(dataset.responses, Sample):
        console.print("Calls of judges are exact once every answer is stored; until then, equal answers may make them "
                      "fewer.")
    answers = prompts * dataset.responses.calls(1)[1] if isinstance(dataset.responses, Sample) else 0
    for loop in dataset.loops:
        most = loop.calls(prompts, answers) if answers else None
        console.print(f"{type(loop).__name__} ask "
                      f"{'more calls' if most is None else f'at most {most:,} more calls'}, which depend on what "
                      "passes the tests; they and their cost are not in the table.")
    if dataset.juries and prompts > SEEN:
        console.print(f"Calls of judges are those of {SEEN} prompts, in proportion.")


def _tally(plan: Iterable[Ask], engines: Mapping[str, Engine], store: ReplyStore) -> dict[str, Tally]:
    tallies: dict[str, Tally] = {}
    for ask in plan:
        engine = engines[ask.engine]
        tally = tallies.setdefault(ask.engine, Tally())
        tally.calls += 1
        if store.has(ask.request_id(engine), ask.sample, 0):
            tally.stored += 1
            continue
        tally.tokens_in += sum(len(turn["content"]) for turn in ask.messages) // expected.CHARACTERS_PER_TOKEN
        tally.tokens_out += expected.answer_tokens(ask, engine)
    return tallies


def _row(shown: Table, table: str, engine: Engine, few: int, tally: Tally, reasks: int) -> None:
    cost = engine.cost(tally.tokens_in, tally.tokens_out)
    shown.add_row(table, engine.name, _between(few, tally.calls), f"{tally.stored:,}",
                  f"{max(few, tally.calls) * (1 + reasks):,}",
                  "unknown" if cost is None else f"{cost:,.2f} {engine.currency}")


def _between(*numbers: int) -> str:
    """A number, or the two that it lies between."""
    return "-".join(f"{number:,}" for number in sorted(set(numbers)))
