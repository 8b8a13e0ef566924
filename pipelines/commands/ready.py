"""Whether a build may begin: its engines are known, and a budget, if there is one, can hold; nothing is asked yet."""

from typing import Any

from assets.dataset import PreferenceDataset
from assets.recipe import check_engines
from feedback.chatlogs.again import LoggedAgain
from feedback.chatlogs.detect import Detect
from feedback.chatlogs.validate import Validate
from feedback.testcases.execute import Execute
from feedback.testcases.runners import check_runner
from generators.budget import Purse, worst_case
from generators.engines import Budget, Engine, load_budget
from generators.sample import Sample


def check(dataset: PreferenceDataset) -> dict[str, Engine]:
    """The engines a build will call; ConfigError where one is unknown, or could spend more than the budget.

    Raises SandboxError where programs are to run and this machine cannot confine them.

    A budget in usd needs prices, any budget a bound on every reply. Judges come last, when the answers are paid.
    """
    _check_sandbox(dataset)
    engines = check_engines(dataset)
    purse = Purse(budget_of(dataset) if engines else None)
    if purse.limited:
        for engine in engines.values():
            purse.check(engine)
        for name, params in _asked_with(dataset):
            worst_case(engines[name], {**engines[name].params, **params}, 0)
    return engines


def _check_sandbox(dataset: PreferenceDataset) -> None:
    """Say before anything is paid that answers could not be run here."""
    if isinstance(dataset.executions, Execute) and dataset.programs is not None:
        check_runner(dataset.programs.language, dataset.executions)


def budget_of(dataset: PreferenceDataset) -> Budget | None:
    """The engines file's budget."""
    return load_budget(dataset.engines) if dataset.engines.exists() else None


def tell_budget(budget: Budget | None) -> str:
    """A budget in words."""
    limits = budget or Budget()
    usd = None if limits.usd is None else f"{limits.usd:,.2f} USD"
    tokens = None if limits.tokens is None else f"{limits.tokens:,} tokens"
    return " and ".join(told for told in (usd, tokens) if told) or "none"


def _asked_with(dataset: PreferenceDataset) -> list[tuple[str, dict[str, Any]]]:
    """Each engine with the request parameters of the recipe."""
    asked: list[tuple[str, dict[str, Any]]] = [
        (name, {}) for part in (*dataset.juries, *dataset.writers) for name in sorted(part.engines)]
    readers = [part for part in (*dataset.tellers, dataset.responses)
               if isinstance(part, Detect | Validate | LoggedAgain)]
    asked += [(name, {}) for part in readers for name in sorted(part.engines)]
    asked += [(name, dict(part.params)) for loop in dataset.loops
              for part in loop.asks for name in sorted(part.engines)]
    if isinstance(dataset.responses, Sample):
        shared = dict(dataset.responses.params)
        asked += [(member.engine, {**shared, **(member.params or {})}) for member in dataset.responses.pool]
    return asked
