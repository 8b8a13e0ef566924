"""winnow store: what the reply store holds and cost; export, refresh, prune."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

from assets.dataset import known_engines
from assets.home import Home
from generators import keeping, pruning
from generators.engines import Engine
from generators.store import ReplyStore
from pipelines import catalog
from schemas.errors import ConfigError

_DAY_S = 86_400.0


def show(console: Console) -> None:
    """One row an engine and model, with what its replies cost by today's prices."""
    with _open() as store:
        rows = keeping.with_cost(keeping.summary(store), _all_engines())
        notes = store.notes
    shown = Table(Column("engine\nmodel", overflow="fold"), "replies", "failed", "cut", "tokens in\ntokens out", "cost",
                  "last reply", box=SIMPLE_HEAD)
    for row in rows.iter_rows(named=True):
        cost = "unknown" if row["cost"] is None else f"{row['cost']:.4f} {row['currency']}"
        shown.add_row(f"{escape(row['engine'])}\n[dim]{escape(_model(row['model'], row['revision']))}[/]",
                      f"{row['replies']:,}",
                      f"{row['error']:,}", f"{row['truncated']:,}",
                      f"{row['prompt_tokens']:,}\n{row['completion_tokens']:,}", cost,
                      datetime.fromtimestamp(row["last"], UTC).strftime("%Y-%m-%d %H:%M"))
    if rows.height:
        console.print(shown)
    console.print(f"{Home.find().store} holds {rows['replies'].sum():,} replies", highlight=False, soft_wrap=True,
                  markup=False)
    for note in notes:
        console.print(f"note: {note}", highlight=False, markup=False)


def export(to: Path, console: Console) -> None:
    """Write every reply with its request, one row each."""
    with _open() as store:
        count = keeping.export(store, to)
    console.print(f"{count:,} replies are in {to}", highlight=False, soft_wrap=True, markup=False)


def refresh(truncated: bool, console: Console) -> None:
    """Forget failed (and truncated) replies, so that the next build asks again."""
    with _open() as store:
        count = keeping.refresh_failed(store, truncated)
    console.print(f"{count:,} replies are forgotten; the next build asks for them again, and for nothing else")


def prune(engine: str | None, prompts: list[str], older_than_days: float | None, console: Console) -> None:
    """Remove replies for good."""
    if engine is None and not prompts and older_than_days is None:
        raise ConfigError("say what to remove: --engine NAME, --prompt PROMPT_ID or --older-than-days N")
    older = None if older_than_days is None else older_than_days * _DAY_S
    with _open() as store:
        gone = pruning.prune(store, older_than_s=older, engine=engine, prompt_ids=prompts or None)
    console.print(f"removed {gone.replies:,} replies, {gone.requests:,} requests, {gone.links:,} links to prompts; "
                  f"{gone.bytes:,} bytes are free")


def _open() -> ReplyStore:
    return ReplyStore.open(Home.find().store)


def _model(model: str, revision: str | None) -> str:
    return model if revision is None else f"{model} @ {revision}"


def _all_engines() -> dict[str, Engine]:
    """The engines of all recipes, for their prices; a recipe that does not load must not hide the store."""
    engines: dict[str, Engine] = {}
    for name in catalog.names():
        with suppress(ConfigError):
            engines |= known_engines(catalog.load(name))
    return engines
