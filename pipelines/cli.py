"""The `winnow` command line: only the commands and their arguments; pipelines/commands/ does the work."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    name="winnow",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
store_app = typer.Typer(
    help="The reply store: every model reply, kept once, never paid for twice.", no_args_is_help=True
)
app.add_typer(store_app, name="store")

Dataset = Annotated[str, typer.Argument(help="The dataset: the name of its file in pipelines/.")]
BuildName = Annotated[
    str | None,
    typer.Option("--name", help="The build's name; default: a digest of recipe, inputs and code."),
]
WhichBuild = Annotated[str | None, typer.Option("--name", help="The build; default: the newest.")]


CHECKOUT = Path(__file__).resolve().parent.parent
INTERRUPTED = 130


def main() -> None:
    """Run the command line; what the user has to mend is told on one screen, without a traceback."""
    errors = Console(stderr=True)
    try:
        app()
    except (KeyboardInterrupt, SystemExit) as left:  # typer makes an exit of Ctrl-C
        if isinstance(left, SystemExit) and left.code != INTERRUPTED:
            raise
        errors.print("stopped; every reply so far is stored. The same command goes on from here.")
        sys.exit(INTERRUPTED)
    except Exception as error:
        from pipelines.commands.complaint import complaint  # not at the top: it loads pyarrow; --help must be quick

        told = complaint(error)
        if told is None:
            raise
        errors.print(told, style="red", highlight=False, markup=False, soft_wrap=True)
        sys.exit(1)


@app.callback()
def in_checkout() -> None:
    """Build preference datasets: models answer, a jury votes, answers are ranked, paired, filtered and audited."""
    if Path.cwd().resolve() != CHECKOUT:
        from schemas.errors import ConfigError

        raise ConfigError(f"run winnow in its checkout, where recipes find their files and data/ lies: cd {CHECKOUT}")


@app.command()
def init(
    name: Annotated[str, typer.Argument(help="The new dataset's name.")],
    prompts: Annotated[
        str | None, typer.Option(help="Your prompts: JSONL, Parquet, CSV, a folder, or hf:org/name.")
    ] = None,
) -> None:
    """Write a new recipe, pipelines/NAME.py, and an engines file to fill in."""
    from pipelines.commands import init as command

    command.run(name, prompts, Console())


@app.command()
def validate(
    dataset: Dataset, ping: Annotated[bool, typer.Option(help="Also ask each engine for its models.")] = False
) -> None:
    """Check a recipe, its engines and its prompts, without asking any model for text."""
    from pipelines.commands import validate as command

    command.run(dataset, ping, Console())


@app.command()
def preview(dataset: Dataset, n: Annotated[int, typer.Argument(min=1, help="How many prompts.")] = 3) -> None:
    """Show rendered prompts, raw and parsed replies for the first N prompts; paid once, reused by the build."""
    from pipelines.commands import preview as command

    command.run(dataset, n, Console())


@app.command()
def estimate(dataset: Dataset) -> None:
    """Say how many calls a build makes, how many the store already answers, and what the rest may cost."""
    from pipelines.commands import estimate as command

    command.run(dataset, Console())


@app.command()
def build(dataset: Dataset, name: BuildName = None) -> None:
    """Build a dataset, or go on with a build that was interrupted."""
    from pipelines.commands import build as command

    command.run(dataset, name, Console())


@app.command()
def show(
    dataset: Annotated[str | None, typer.Argument(help="The dataset; default: list all builds.")] = None,
    table: Annotated[str | None, typer.Argument(help="A table; default: the build's report.")] = None,
    name: WhichBuild = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows to show.")] = 10,
    sql: Annotated[str | None, typer.Option(help="A DuckDB query over the build's tables, by their names.")] = None,
) -> None:
    """Show builds, a build's report, the rows of a table, or the answer to a query."""
    from pipelines.commands import show as command

    command.run(dataset, table, name, limit, sql, Console())


@app.command()
def why(
    row: Annotated[str, typer.Argument(help="An id, or its first characters: a pair, vote, response, prompt, …")],
    dataset: Annotated[str | None, typer.Option(help="The dataset; default: look in all.")] = None,
    name: WhichBuild = None,
) -> None:
    """Walk a row, kept or dropped, back to the votes and replies that made it."""
    from pipelines.commands import why as command

    command.run(row, dataset, name, Console())


@app.command()
def export(
    dataset: Dataset,
    to: Annotated[Path, typer.Argument(help="The folder to write; it must not exist, or hold an older export.")],
    name: WhichBuild = None,
) -> None:
    """Copy a build's dataset folder and verify every file against the manifest."""
    from pipelines.commands import export as command

    command.run(dataset, to, name, Console())


@store_app.command("show")
def store_show() -> None:
    """Show what is in the store, by engine and model, and what it cost."""
    from pipelines.commands import store as command

    command.show(Console())


@store_app.command("export")
def store_export(to: Annotated[Path, typer.Argument(help="A .jsonl or .parquet file to write.")]) -> None:
    """Write every reply with its request, one row each."""
    from pipelines.commands import store as command

    command.export(to, Console())


@store_app.command("refresh")
def store_refresh(
    truncated: Annotated[bool, typer.Option(help="Also replies cut off at their length limit.")] = False,
) -> None:
    """Forget failed replies, so that the next build asks again; nothing else is asked again."""
    from pipelines.commands import store as command

    command.refresh(truncated, Console())


@store_app.command("prune")
def store_prune(
    engine: Annotated[str | None, typer.Option(help="Replies of this engine.")] = None,
    prompt: Annotated[list[str] | None, typer.Option(help="Replies made for this prompt_id; repeatable.")] = None,
    older_than_days: Annotated[float | None, typer.Option(help="Replies older than this.")] = None,
) -> None:
    """Remove replies for good; builds that need them again pay again."""
    from pipelines.commands import store as command

    command.prune(engine, prompt or [], older_than_days, Console())


@app.command()
def prune(
    dataset: Dataset,
    keep: Annotated[int, typer.Option(min=0, help="How many of the newest builds to keep.")] = 3,
    yes: Annotated[bool, typer.Option("--yes", help="Remove them; default: only say what would go.")] = False,
) -> None:
    """Remove old builds of a dataset; replies in the store stay."""
    from pipelines.commands import prune as command

    command.run(dataset, keep, yes, Console())


@app.command()
def forget(
    user: Annotated[str | None, typer.Argument(help="The user, as the logs name them.")] = None,
    hashed: Annotated[
        str | None, typer.Option("--hash", help="What stands for them in user_hash, or one conv_id.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it; default: only say what would go.")] = False,
) -> None:
    """Remove one person's rows from every build and the reply store, and leave them out from now on."""
    from pipelines.commands import forget as command

    command.run(user, hashed, os.environ.get("WINNOW_STORE"), yes, Console())


if __name__ == "__main__":
    main()
