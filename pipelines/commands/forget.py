"""winnow forget: one person's rows out of every build, the reply store and what Dagster shows; and they stay out."""

import re

from rich.console import Console
from rich.table import Table

from assets.forgetting import Gone, gone, remove
from assets.home import Home
from feedback.chatlogs.induce import REQUESTS
from generators.pruning import Pruned, prune
from generators.store import ReplyStore
from privacy.forgotten import forgotten, remember
from privacy.people import FILE, Salt
from schemas.errors import ConfigError

_NAME = re.compile(r"[0-9a-f]{24}")


def run(user: str | None, hashed: str | None, remote: str | None, yes: bool, console: Console) -> None:
    """Remove everything of a user, or say what would go.

    First they are remembered, so that no build from now on brings them back; then requests and replies go, then tables,
    messages last: when it is interrupted, the same command goes on.
    """
    home = Home.find()
    name = _name(home, user, hashed)
    found = [one for build in home.builds() if (one := gone(build, {name})).rows]
    _show(name, found, name in forgotten(home.root), _runs(home, found, forget=False), console)
    if not yes:
        console.print("nothing was changed; add --yes to remove it and to leave it out of every build from now on")
        return
    remember(home.root, {name}.union(*(one.conversations for one in found)))
    for one in found:
        one.build.hold()
    pruned = _prune(home, remote, {name, *REQUESTS.values()}.union(*(one.ids for one in found)),
                    set[str]().union(*(one.rubrics for one in found)))
    _runs(home, found, forget=True)
    for one in found:
        remove(one)
        one.build.release()
    rows = sum(sum(one.rows.values()) for one in found)
    console.print(f"removed {rows:,} rows of {len(found)} build(s)" + (
        "" if pruned is None else f", {pruned.requests:,} requests and {pruned.replies:,} replies of models"))
    console.print(f"remembered: logs that hold {name} are read without it, and the rows are counted as 'forgotten'")
    for one in found:
        console.print(f"build it again: winnow build {one.build.dataset} --name {one.build.name}", highlight=False)
    console.print("copies made by `winnow export`, and the logs themselves, are where you put them: see to them too")


def _name(home: Home, user: str | None, hashed: str | None) -> str:
    """The salted digest that stands for the person in every table."""
    if (user is None) == (hashed is None):
        raise ConfigError("say who: a user as the log names them, or --hash with what user_hash or conv_id holds")
    if hashed is not None:
        if not _NAME.fullmatch(hashed):
            raise ConfigError(f"--hash {hashed!r} is no digest: 24 digits and letters from a to f, as in user_hash")
        return hashed
    if not (home.root / FILE).exists():
        raise ConfigError(f"{home.root} has no salt, so no log was read here; set WINNOW_HOME to where it was")
    return Salt.find(home.root).name("user", user or "")


def _show(name: str, found: list[Gone], known: bool, runs: int, console: Console) -> None:
    console.print(f"{name}" + (", remembered already" if known else ""), highlight=False)
    if not found:
        console.print("no build holds a row of theirs")
        return
    shown = Table("build", "table", "rows", box=None, header_style="dim")
    for one in found:
        for table, rows in sorted(one.rows.items()):
            shown.add_row(f"{one.build.dataset}/{one.build.name}", table, f"{rows:,}")
        shown.add_row(f"{one.build.dataset}/{one.build.name}", "dataset folder, audit", "all")
    console.print(shown)
    if runs:
        console.print(f"{runs:,} run(s) of Dagster that made these builds go whole, with what the UI shows of them: "
                      "their samples of rows do not say whose they are. Runs of other builds stay.")


def _prune(home: Home, remote: str | None, ids: set[str], rubrics: set[str]) -> Pruned | None:
    """Requests and replies that the person's rows led to, here and at the remote; those with rubrics of them too."""
    if not home.store.exists():
        return None
    with ReplyStore.open(home.store, remote) as store:
        return prune(store, prompt_ids=ids, saying=rubrics)


def _runs(home: Home, found: list[Gone], forget: bool) -> int:
    """How many runs Dagster knows of the builds, whose events hold samples of rows; with `forget` they are deleted."""
    if not found or not home.dagster.exists():
        return 0
    from assets.history import forget_builds, runs_of  # not at the top: Dagster takes seconds
    from assets.runs import open_instance

    builds = {(one.build.dataset, one.build.name) for one in found}
    with open_instance(home.dagster) as instance:
        return forget_builds(instance, home.dagster, builds) if forget else len(runs_of(instance, builds))
