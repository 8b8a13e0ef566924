"""winnow validate: checks a recipe, its engines and its prompts before anything is asked or paid."""

import asyncio
from collections.abc import Mapping
from functools import partial

from rich.console import Console

from assets.chatlogs import prompts_of
from assets.given_fields import check_fields
from assets.home import Home
from assets.recipe import build_name, build_stages
from generators.engines import Engine, key_of
from generators.serve import serving
from generators.wire import Wire
from pipelines import catalog
from pipelines.commands import ready
from pipelines.commands.build import told_broken
from schemas.errors import EngineError


def run(name: str, ping: bool, console: Console) -> None:
    """Check everything that can be checked without asking a model for text; the first mistake is an error."""
    dataset = catalog.load(name)
    say = partial(console.print, highlight=False, soft_wrap=True, markup=False)
    stages = [stage.name for stage in build_stages(dataset)]
    say(f"recipe   pipelines/{name}.py makes {', '.join(stages)}")
    engines = ready.check(dataset)
    for engine in engines.values():
        key_of(engine)
    if engines:
        say(f"engines  {', '.join(engines)}; budget: {ready.tell_budget(ready.budget_of(dataset))}")
    made, broken = prompts_of(dataset, Home.find().root)
    check_fields(dataset, made.table)
    licences = sorted(set(made.table["licences"].explode().to_list()))
    say(f"prompts  {made.table.height:,} in {made.table['group'].n_unique():,} groups, "
                  f"licences: {', '.join(licences)}")
    for row in made.counts:
        if row.fate in ("dropped", "failed") and row.count:
            what = "" if row.unit == "prompts" else f" {row.unit}"
            say(f"         {row.fate} {row.count:,}{what}: {row.reason}")
    for line in told_broken(broken):
        say(line)
    say(f"build    the next one is called {build_name(dataset)}")
    if ping:
        _ping(engines, console)
    console.print("[green]valid[/]" if ping or not engines else "[green]valid[/]; --ping also asks the servers")


def _ping(engines: Mapping[str, Engine], console: Console) -> None:
    """Ask each server which models it serves; EngineError where it is down or serves others."""
    with serving(engines, set(engines)) as served:
        for name in sorted(engines):
            engine = served[name]
            offered = asyncio.run(_offered(engine))
            if engine.model not in offered:
                told = f"serves {', '.join(offered[:10])}" if offered else "does not answer GET /models"
                raise EngineError(f"engine '{name}': {engine.url} {told}; it must serve {engine.model!r}. "
                                  "Start the server, or change url or model in the engines file.")
            console.print(f"ping     {name}: {engine.url} serves {engine.model}", highlight=False, soft_wrap=True,
                          markup=False)


async def _offered(engine: Engine) -> list[str]:
    wire = Wire(engine)
    wire.open()
    try:
        return await wire.models()
    finally:
        await wire.close()
