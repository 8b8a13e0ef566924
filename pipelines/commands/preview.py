"""winnow preview: the first prompts to rankings or outcomes, with what models see and say; the build reuses it."""

import json
from collections.abc import Mapping, Sequence
from string import ascii_uppercase
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from assets import again
from assets.dataset import PreferenceDataset
from assets.home import Home
from assets.recipe import build_stages
from assets.show import last_text
from assets.stage import Means
from feedback.testcases.outcomes import passes
from generators.budget import Purse
from generators.store import ReplyStore
from pipelines import catalog
from pipelines.commands import preview_logs, ready
from pipelines.commands.terminal import TerminalWatcher

HEAD, TAIL = 600, 3000
"""Characters of a prompt or reply that are printed, from its beginning and its end: rules stand first, then a case."""
Row = Mapping[str, Any]
_WALKED = {"messages", "turn_cues", "feedback_events", "prompts", "completions", "responses", "judge_completions",
           "judgments", "rankings", "programs", "test_completions", "test_inputs", "executions", "test_cases",
           "outcomes", *preview_logs.STAGES}
ANSWERED = ("completions", again.ASKED, "test_completions", "judge_completions")
"""The replies about prompts, in the order they are asked for."""


def run(name: str, n: int, console: Console) -> None:
    """Ask for the first n prompts only, and print rendered prompts, raw and parsed replies, scores.

    Where models read chat logs, it asks about the first n conversations, and for the prompts in them.
    """
    dataset = catalog.load(name)
    with ReplyStore.open(Home.find().store) as store:
        tables = _walk(dataset, n, store, console)
        if preview_logs.reads_talk(dataset):
            for conversation in tables["messages"]["conv_id"].unique().sort():
                console.rule(f"conversation {conversation[:8]}")
                _print_conversation(conversation, tables, store, console)
        for prompt in tables["prompts"].iter_rows(named=True):
            console.rule(f"prompt {prompt['prompt_id'][:8]}")
            _print_prompt(prompt["prompt_id"], tables, store, console)
    console.print("Nothing here is paid twice: the build finds these replies in the store.")
    if preview_logs.knows_less(dataset):
        console.print(preview_logs.ANEW)


def _walk(dataset: PreferenceDataset, n: int, store: ReplyStore, console: Console) -> dict[str, pl.DataFrame]:
    """The tables up to the rankings and outcomes, for the first n prompts or conversations."""
    engines, tables = ready.check(dataset), dict[str, pl.DataFrame]()
    talk = preview_logs.reads_talk(dataset)
    with TerminalWatcher(console) as watcher:
        means = Means(engines=engines, store=store, runs=Home.find().runs, budget=Purse(ready.budget_of(dataset)),
                      progress=watcher.update, started=watcher.server)
        for stage in build_stages(dataset):
            if stage.make is not None and stage.name in _WALKED:
                watcher.begin(f"{dataset.slug}/{stage.name}", lambda _: None)
                made = stage.make(means, tables).tables
                tables |= made if talk else {table: _only(rows, tables, n) for table, rows in made.items()}
                if talk and stage.name == preview_logs.before_models(dataset):
                    tables = preview_logs.first_conversations(dataset, tables, n)
    return tables


def _only(rows: pl.DataFrame, tables: Mapping[str, pl.DataFrame], n: int) -> pl.DataFrame:
    """The rows of the first n prompts; all of what comes before prompts, such as messages."""
    if "prompt_id" not in rows.columns:
        return rows
    if "prompts" not in tables:
        return rows.head(n)
    return rows.filter(pl.col("prompt_id").is_in(tables["prompts"]["prompt_id"].implode()))


def _print_conversation(conversation: str, tables: Mapping[str, pl.DataFrame], store: ReplyStore,
                        console: Console) -> None:
    for name in preview_logs.ASKED:
        if name in tables:
            replies = tables[name].filter(pl.col("prompt_id") == conversation).to_dicts()
            for asked, those in _by_request(replies, store).items():
                _print_replies(asked, those, {}, console)
    for line in preview_logs.told(tables, conversation):
        console.print(line, highlight=False, markup=False)


def _print_prompt(prompt_id: str, tables: Mapping[str, pl.DataFrame], store: ReplyStore, console: Console) -> None:
    of_prompt = {name: rows.filter(pl.col("prompt_id") == prompt_id).to_dicts() for name, rows in tables.items()
                 if "prompt_id" in rows.columns}
    models = {row["response_id"]: row["model"] for row in of_prompt["responses"]}
    console.print(Panel(_text(last_text(of_prompt["prompts"][0]["messages"])), title="the prompt"))
    if not of_prompt.get("completions"):
        for response in (one for one in of_prompt["responses"] if one["request_id"] is None):
            console.print(Panel(_text(response["text"]), title=f"imported answer of {escape(response['model'])}"))
    votes = {_key(vote): _vote(vote, models) for vote in of_prompt.get("judgments", [])}
    for table in ANSWERED:
        for asked, replies in _by_request(of_prompt.get(table, []), store).items():
            _print_replies(asked, replies, votes, console)
    for rank in of_prompt.get("rankings", []):
        console.print(f"{rank['outcome']}: {models[rank['response_id']]}, response {rank['response_id'][:8]}, "
                      f"score {rank['score']}, rank {rank['rank']}, {rank['votes']} vote(s)",
                      highlight=False, markup=False)
    if "outcomes" in tables:
        for told in passes(tables["outcomes"].filter(pl.col("prompt_id") == prompt_id)).iter_rows(named=True):
            console.print(f"tested: {models[told['response_id']]}, response {told['response_id'][:8]}, passes "
                          f"{told['passed']} of {told['tests']} test(s), {told['unknown']} unknown",
                          highlight=False, markup=False)


def _by_request(replies: Sequence[Row], store: ReplyStore) -> dict[tuple[str, str], list[Row]]:
    """Replies by the words and parameters they answer: a jury is asked the same words, which are shown once."""
    asked: dict[tuple[str, str], list[Row]] = {}
    for reply in replies:
        request = store.request(reply["request_id"]) or {"messages": [], "params": {}}
        words = "\n\n".join(f"{turn['role']}: {turn['content']}" for turn in request["messages"])
        asked.setdefault((words, json.dumps(request["params"])), []).append(reply)
    return asked


def _print_replies(asked: tuple[str, str], replies: Sequence[Row], votes: Mapping[tuple[Any, ...], str],
                   console: Console) -> None:
    engines = ", ".join(sorted({reply["engine"] for reply in replies}))
    console.print(Panel(_text(asked[0]), title=f"asked of {escape(engines)}", title_align="left",
                        subtitle=escape(asked[1]), border_style="dim"))
    for reply in sorted(replies, key=lambda reply: (reply["engine"], reply["sample"], reply["attempt"])):
        said = reply["text"] if reply["text"] is not None else reply["error"]
        title = f"{reply['engine']}: {reply['status']}, attempt {reply['attempt']}"
        console.print(Panel(_text(said), title=escape(title), title_align="left"))
        if vote := votes.get(_key(reply)):
            console.print(f"  parsed: {vote}\n", highlight=False, markup=False)


def _vote(vote: Row, models: Mapping[str, str]) -> str:
    """A vote in a line: letters as the judge saw them, and whose answers they are."""
    names = {one: f"{letter} ({models[one]})" for letter, one in zip(ascii_uppercase, vote["shown"], strict=False)}
    if vote["outcome"] == "win":
        return f"win for {names[vote['order'][0]]}"
    if vote["outcome"] == "scored":
        return ", ".join(f"{names[one]} {score:g}" for one, score in zip(vote["shown"], vote["scores"], strict=False))
    return f"{vote['outcome']} {vote['reason'] or ''}".rstrip()


def _key(row: Row) -> tuple[Any, ...]:
    return row["request_id"], row["sample"], row["attempt"]


def _text(text: str | None) -> str:
    shown = text or ""
    left = len(shown) - HEAD - TAIL
    return escape(shown if left <= 0 else f"{shown[:HEAD]}\n… ({left:,} characters) …\n{shown[-TAIL:]}")
