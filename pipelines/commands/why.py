"""winnow why: walks a row of any table back to the votes and the replies that made it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from assets.home import Build, Home
from assets.show import cut, last_text
from feedback.chatlogs.followups import PROTOCOL, likelihood
from generators.store import ReplyStore
from pipelines.commands.places import newest, scan, tables_of
from pipelines.commands.why_events import ASKED, Events
from pipelines.commands.why_tests import Tests
from schemas.errors import ConfigError

KEYS = {
    "preferences": "pair_id", "dropped": "row_id", "judgments": "judgment_id", "responses": "response_id",
    "prompts": "prompt_id", "completions": "request_id", "judge_completions": "request_id", "criteria": "criterion_id",
    "test_cases": "test_id", "test_inputs": "input_id", "programs": "program_id", "test_completions": "request_id",
    "feedback_events": "event_id", "messages": "msg_id",
    "summaries": "criterion_id", **dict.fromkeys(ASKED, "request_id"),
    "steps": "step_id", "repairs": "response_id", "rollouts": "response_id", "critiques": "critique_id",
    "tutored": "critique_id", "hint_repairs": "response_id", "hint_completions": "request_id",
    "step_completions": "request_id", "repair_completions": "request_id",
}
"""Where an id may be found, in the order we look."""

Row = Mapping[str, Any]


def run(row: str, dataset: str | None, name: str | None, console: Console) -> None:
    """Print the row's history as a tree."""
    for build in _builds(dataset, name):
        for table, key in KEYS.items():
            found = _find(build, table, pl.col(key).str.starts_with(row))
            if len({hit[key] for hit in found}) > 1:
                raise ConfigError(f"{row!r} begins {len(found)} ids of {table} in {build.dataset}/{build.name}; "
                                  f"write more of it, for example {found[0][key]}")
            if found:
                with ReplyStore.open(Home.find().store) as store:
                    console.print(History(build, store).tell(table, found[0]))
                return
        if told := _find(build, "messages", pl.col("conv_id").str.starts_with(row)):
            with ReplyStore.open(Home.find().store) as store:
                console.print(History(build, store).conversation(told))
            return
    raise ConfigError(f"no row of any build has an id that begins with {row!r}; `winnow show DATASET TABLE` shows ids")


class History:
    """Tells where the rows of one build come from."""

    def __init__(self, build: Build, store: ReplyStore) -> None:
        self.build, self.store = build, store
        self.events = Events(self._find)
        self.tests = Tests(self._find, self.reply)

    def tell(self, table: str, row: Row) -> Tree:
        """The tree of a row."""
        tree = Tree(f"[bold]{table}[/] in {self.build.dataset}/{self.build.name}")
        tellers = {"preferences": self.pair, "dropped": self.dropped, "judgments": self.vote,
                   "responses": self.response, "prompts": self.prompt, "completions": self.reply,
                   "judge_completions": self.reply, "criteria": self.criterion, "test_cases": self.case,
                   "feedback_events": self.events.event, "messages": self.events.message,
                   "test_inputs": self.tests.given, "programs": self.program, "test_completions": self.reply,
                   "summaries": self.events.wish, **dict.fromkeys(ASKED, self.reply),
                   "steps": self.step, "repairs": self.response, "rollouts": self.response,
                   "critiques": self.critique, "step_completions": self.reply, "repair_completions": self.reply,
                   "tutored": self.critique, "hint_repairs": self.response, "hint_completions": self.reply}
        tellers[table](tree, row)
        return tree

    def conversation(self, rows: Sequence[Row]) -> Tree:
        """The tree of a conversation in a log."""
        tree = Tree(f"[bold]conversation {rows[0]['conv_id']}[/] in {self.build.dataset}/{self.build.name}")
        self.events.conversation(tree, rows)
        return tree

    def pair(self, tree: Tree, row: Row) -> None:
        """A pair: what became of it, its prompt, its sides with their scores, its votes."""
        node = tree.add(f"pair {row['pair_id']} by policy {row['policy']}, margin {row['margin']}, {row['split']}")
        gone = self._find("dropped", pl.col("row_id") == row["pair_id"])
        node.add(f"dropped: {escape(gone[0]['reason'])} ({_say(gone[0]['evidence'])})" if gone else "kept")
        self.prompt(node, self._one("prompts", "prompt_id", row["prompt_id"]))
        tested = [item["id"] for item in row["evidence"] if item["table"] == "outcomes"]
        begun = any(item["table"] == "steps" for item in row["evidence"])
        for side in ("chosen", "rejected"):
            part = node.add(f"[bold]{side}[/]")
            if begun:
                self.step(part, self._one("steps", "step_id", row[f"{side}_id"]))
            else:
                self.response(part, self._answer(row[f"{side}_id"]), tested)
        ids = [item["id"] for item in row["evidence"] if item["table"] == "judgments"]
        told = any(item["table"] == "feedback_events" for item in row["evidence"])
        self.events.evidence(node, row)
        if ids or not (tested or begun or told):
            self.votes(node, ids)

    def dropped(self, tree: Tree, row: Row) -> None:
        """A dropped row: the candidate it was."""
        pairs = self._find("preferences", pl.col("pair_id") == row["row_id"])
        if pairs:
            self.pair(tree, pairs[0])
        else:
            tree.add(f"{row['table']} row {row['row_id']}: {escape(row['reason'])} ({_say(row['evidence'])})")

    def votes(self, tree: Tree, ids: list[str]) -> None:
        """The votes of these ids."""
        votes = self._find("judgments", pl.col("judgment_id").is_in(ids)) if ids else []
        votes = sorted(votes, key=lambda vote: (vote["judge"], vote["aspect"], vote["shown"]))
        node = tree.add(f"{len(votes)} vote(s)")
        for vote in votes:
            self.vote(node, vote)

    def vote(self, tree: Tree, row: Row) -> None:
        """A vote: what it says, in the order the judge saw the answers, and the reply it is."""
        scores = ", ".join(f"{score:g} for {self._named(one)}"
                           for one, score in zip(row["shown"], row["scores"] or (), strict=False))
        said = {"win": f"win for {self._named(row['order'][0])}" if row["order"] else "", "scored": scores}
        node = tree.add(f"{escape(row['judge'])} on {escape(row['aspect'])} ({row['protocol']}): "
                        f"{said.get(row['outcome'], row['outcome'])}{_reason(row)}")
        node.add(f"shown in this order: {', '.join(self._named(one) for one in row['shown'])}")
        if row["rationale"]:
            node.add(f"rationale: {_say(row['rationale'])}")
        if row["protocol"] == PROTOCOL:
            self.measured(node, row)
        else:
            self.raw(node, row)

    def measured(self, tree: Tree, row: Row) -> None:
        """The replies that a vote by follow-ups is made of: how likely each follow-up is after the answer."""
        [text] = [one["text"] for one in self._find("responses", pl.col("response_id") == row["shown"][0])]
        asked = (pl.col("prompt_id") == row["prompt_id"]) & (pl.col("engine") == row["judge"])
        for reply in self._find("judge_completions", asked & pl.col("logprobs").is_not_null()):
            said = (self.store.request(reply["request_id"]) or {"messages": []})["messages"]
            if len(said) > 1 and said[-2] == {"role": "assistant", "content": text}:
                likely = likelihood(reply["logprobs"], said[-1]["content"], row["judge"])
                key = f"{reply['request_id']}/{reply['sample']}/{reply['attempt']}"
                tree.add(f"raw reply {key}: {'not found' if likely is None else f'{likely:.4f}'} a token after it for "
                         f"{_say(said[-1]['content'])}")

    def response(self, tree: Tree, row: Row, evidence: Sequence[str] | None = None) -> None:
        """A response: who wrote it, its score, what it passes (of `evidence`), its text and the reply it is."""
        node = tree.add(f"response {row['response_id'][:8]} by {escape(row['model'])}: {_say(row['text'])}")
        for rank in self._find("rankings", pl.col("response_id") == row["response_id"]):
            node.add(f"score {rank['score']}, rank {rank['rank']}, {rank['votes']} vote(s), {rank['outcome']}")
        self.tests.response(node, row["response_id"], evidence)
        self.events.response(node, row)
        self.raw(node, row)
        if row["critiques"]:
            for parent in self.tests.repaired(node, row):
                self.response(node.add("repaired from"), parent)

    def step(self, tree: Tree, row: Row) -> None:
        """A beginning: what it is worth, the completions that say so, and the response it begins."""
        for completion in self.tests.step(tree, row):
            self.response(tree.add("completed as"), completion)
        self.response(tree.add("cut from"), self._answer(row["response_id"]))

    def critique(self, tree: Tree, row: Row) -> None:
        """A report: what it says, and of which response."""
        tree.add(f"{escape(row['critic'])}: {_say(row['text'])}")
        self.response(tree, self._answer(row["response_id"]))

    def prompt(self, tree: Tree, row: Row) -> None:
        """A prompt: its text and where it came from."""
        sources = escape(", ".join(row["sources"]))
        tree.add(f"prompt {row['prompt_id'][:8]} from {sources}: {_say(last_text(row['messages']))}")

    def case(self, tree: Tree, row: Row) -> None:
        """A test case: what is expected, and the input."""
        self.tests.case(tree, row)
        self.tests.given(tree, self._one("test_inputs", "input_id", row["input_id"]))

    def program(self, tree: Tree, row: Row) -> None:
        """A program: the response it was found in."""
        self.response(tree, self._answer(row["response_id"]))

    def criterion(self, tree: Tree, row: Row) -> None:
        """A principle or rubric."""
        tree.add(f"{row['kind']} {escape(row['name'])}: {_say(row['text'])}")

    def reply(self, tree: Tree, row: Row) -> None:
        """A reply: its status and its text."""
        who = escape(f"{row['engine']} ({row['model']})")
        node = tree.add(f"reply of {who}, {row['status']}: {_say(row['text'])}")
        self.raw(node, row)

    def raw(self, tree: Tree, row: Row) -> None:
        """The stored reply, as it came."""
        if row.get("request_id") is None:
            tree.add("imported; there is no reply")
            return
        reply = self.store.get(row["request_id"], row["sample"], row["attempt"])
        key = f"{row['request_id']}/{row['sample']}/{row['attempt']}"
        if reply is None:
            tree.add(f"raw reply {key}: pruned from the store")
        else:
            said = reply.error if reply.body is None else json.dumps(reply.body, ensure_ascii=False)
            tree.add(f"raw reply {key}: {_say(said)}")

    @cached_property
    def _models(self) -> dict[str, str]:
        """Who wrote each response."""
        told = scan(self.build, "responses").select("response_id", "model").collect()
        return dict(told.iter_rows())

    def _named(self, response_id: str) -> str:
        return f"{response_id[:8]} ({escape(self._models.get(response_id, 'unknown'))})"

    def _answer(self, response_id: str) -> Row:
        """An answer, wherever it was made."""
        found: list[Row] = self.tests.every("responses", pl.col("response_id") == response_id)
        return found[0]

    def _one(self, table: str, key: str, value: str) -> Row:
        return self._find(table, pl.col(key) == value)[0]

    def _find(self, table: str, condition: pl.Expr) -> Sequence[Row]:
        return _find(self.build, table, condition)


def _builds(dataset: str | None, name: str | None) -> Iterator[Build]:
    if dataset is not None:
        yield newest(dataset, name)
    else:
        yield from reversed(Home.find().builds())


def _find(build: Build, table: str, condition: pl.Expr) -> Sequence[Row]:
    if table not in tables_of(build):
        return []
    return scan(build, table).filter(condition).collect().to_dicts()


def _say(text: str | None) -> str:
    return escape(cut(text or "", 240))


def _reason(row: Row) -> str:
    return f" ({_say(row['reason'])})" if row["reason"] else ""
