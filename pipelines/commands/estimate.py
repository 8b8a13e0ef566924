"""winnow estimate: how many calls a build makes, how many of them the store already answers, what the rest may cost."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from assets.chatlogs import prompts_of
from assets.dataset import PreferenceDataset
from assets.home import Home
from generators.ask import Ask
from generators.engines import Engine
from generators.sample import Sample
from generators.store import ReplyStore
from pipelines import catalog
from pipelines.commands import expected, ready

SEEN = 200
"""Prompts whose votes are planned in full; more are counted in proportion."""


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


def run(name: str, console: Console) -> None:
    """Print the estimate."""
    dataset = catalog.load(name)
    engines = ready.check(dataset)
    prompts = prompts_of(dataset, Home.find().root)[0].table
    seen = prompts.head(SEEN)
    shown = Table("table", "engine", "calls", "stored", "with every\nre-ask", "cost of the\nrest, at most",
                  title=f"{dataset.slug}: {prompts.height:,} prompts", box=SIMPLE_HEAD)
    with ReplyStore.open(Home.find().store) as store:
        if isinstance(dataset.responses, Sample):
            tallies = _tally(dataset.responses.plan(prompts, engines), engines, store)
            _rows(shown, "responses", tallies, engines, dataset)
        for writer in dataset.writers:
            _rows(shown, "test_inputs", _tally(writer.plan(prompts, engines), engines, store), engines, dataset)
        answers = expected.responses(dataset, seen, engines, store) if dataset.juries else seen
        for jury in dataset.juries:
            tallies = _tally(jury.plan(seen, answers, engines), engines, store)
            factor = prompts.height / max(seen.height, 1)
            _rows(shown, "judgments", {name: one.times(factor) for name, one in tallies.items()}, engines, dataset)
    console.print(shown if shown.row_count else "no model is called")
    _explain(dataset, prompts.height, console)


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


def _rows(shown: Table, table: str, tallies: Mapping[str, Tally], engines: Mapping[str, Engine],
          dataset: PreferenceDataset) -> None:
    for name, tally in sorted(tallies.items()):
        cost = engines[name].cost(tally.tokens_in, tally.tokens_out)
        shown.add_row(table, name, f"{tally.calls:,}", f"{tally.stored:,}", f"{tally.calls * (1 + dataset.reasks):,}",
                      "unknown" if cost is None else f"{cost:,.2f} {engines[name].currency}")
