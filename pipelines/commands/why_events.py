"""winnow why, for labels by events: a row back to events, messages and their places, and from these on to the rows."""

from collections.abc import Callable, Sequence
from typing import Any

import polars as pl
from rich.markup import escape
from rich.tree import Tree

from assets import again, cascade
from assets.show import cut
from feedback.chatlogs.answers import edited_id, logged_id
from feedback.chatlogs.summaries import BETWEEN

Find = Callable[[str, pl.Expr], Sequence[Any]]
"""The rows of a table of the build that meet a condition; none where there is no such table."""
LABELS = {"preferences": "pair_id", "unpaired": "response_id"}
"""The tables of labels and their keys."""
ASKED = (cascade.FOUND, cascade.CHECKED, *again.READ.values(), again.ASKED)
"""The tables of what models say of logs, and answer again."""
SHOWN = 20
"""Messages of a conversation, and rows of a label table, that are shown."""


class Events:
    """Tells what users did and said of an answer, where that stands, and what came of it."""

    def __init__(self, find: Find) -> None:
        self._find = find

    def evidence(self, tree: Tree, row: Any) -> None:
        """The events that a label came from."""
        ids = [item["id"] for item in row["evidence"] if item["table"] == "feedback_events"]
        for event in self._find("feedback_events", pl.col("event_id").is_in(ids)) if ids else ():
            self._event(tree, event)

    def response(self, tree: Tree, row: Any) -> None:
        """The message, the edit or the wishes that an answer is made of; and what came of it as a single label."""
        for message in self._of(row):
            self._place(tree, message)
        for event in self._find("feedback_events", pl.col("text") == row["text"]):
            if edited_id(row["prompt_id"], event["event_id"]) == row["response_id"]:
                self._event(tree, event)
        wishes = pl.col("criterion_id").is_in(row["criteria"])
        for wish in self._find(again.WISHES, wishes) if row["criteria"] else ():
            self._wish(tree, wish)
        for label in self._find("unpaired", pl.col("response_id") == row["response_id"]):
            self.evidence(tree.add(f"labelled {'good' if label['label'] else 'bad'}, {label['split']}"), label)

    def event(self, tree: Tree, row: Any) -> None:
        """An event: back to its messages, and on to the rows it is evidence of."""
        self._event(tree, row)
        self._onward(tree, "feedback_events", row["event_id"])
        for wish in self._find(again.WISHES, pl.col("evidence").str.split(BETWEEN).list.contains(row["event_id"])):
            self._answered(tree.add(f"[bold]became[/] wish {wish['criterion_id'][:8]}: {_say(wish['text'])}"), wish)

    def wish(self, tree: Tree, row: Any) -> None:
        """What a user wants of an answer: back to the events it was read from, and on to the rows it became."""
        self._wish(tree, row)
        self._answered(tree, row)

    def message(self, tree: Tree, row: Any) -> None:
        """A message: where it stands, what users did with it, and the rows it became."""
        self._place(tree, row)
        about = (pl.col("target_msg_id") == row["msg_id"]) | (pl.col("evidence_msg_id") == row["msg_id"]) | pl.col(
            "compared").list.contains(row["msg_id"])
        for event in self._find("feedback_events", about):
            self._event(tree, event)
        self._onward(tree, "messages", row["msg_id"])
        for wish in self._find(again.WISHES, pl.col("name") == row["msg_id"]):
            self._answered(tree.add(f"[bold]became[/] wish {wish['criterion_id'][:8]}: {_say(wish['text'])}"), wish)

    def conversation(self, tree: Tree, rows: Sequence[Any]) -> None:
        """A conversation: its messages, each with what came of it."""
        for row in sorted(rows, key=lambda row: (row["depth"], row["branch"], row["msg_id"]))[:SHOWN]:
            self.message(tree.add(f"{row['role']} {row['msg_id'][:8]}"), row)
        if len(rows) > SHOWN:
            tree.add(f"… {len(rows) - SHOWN} more messages; `winnow why MSG_ID` tells of each")

    def _of(self, row: Any) -> list[Any]:
        """The messages that a logged answer is: equal texts are told apart by what the id is made of."""
        alike = self._find("messages", (pl.col("text") == row["text"]) & (pl.col("role") == "assistant"))
        return [one for one in alike if logged_id(row["prompt_id"], one["msg_id"]) == row["response_id"]]

    def _event(self, tree: Tree, row: Any) -> None:
        said = ", ".join(str(part) for part in (row["act"], row["polarity"], row["value"]) if part is not None)
        who = f"{row['actor_kind']} {row['actor_hash'][:8]}" if row["actor_hash"] else row["actor_kind"]
        node = tree.add(f"event {row['event_id'][:8]}: {row['kind']}{f' ({said})' if said else ''} by {who}, found by "
                        f"{escape(row['detector'])} [dim]{escape(row['place'])}[/]")
        for name, text in (("quote", row["quote"]), ("text", row["text"])):
            if text:
                node.add(f"{name}: {_say(text)}")
        for name, ids in (("of", [row["target_msg_id"]]), ("compared with", row["compared"]),
                          ("said in", [row["evidence_msg_id"]] if row["evidence_msg_id"] else [])):
            for message in self._find("messages", pl.col("msg_id").is_in(ids)) if ids else ():
                self._place(node.add(name), message)

    def _wish(self, tree: Tree, row: Any) -> None:
        """A wish, and the events it was read from."""
        node = tree.add(f"wish {row['criterion_id'][:8]}: {_say(row['text'])}")
        for event in self._find("feedback_events", pl.col("event_id").is_in((row["evidence"] or "").split(BETWEEN))):
            self._event(node, event)

    def _answered(self, tree: Tree, wish: Any) -> None:
        """The answers given again under a wish, and the pairs they are in."""
        for answer in self._find("responses", pl.col("criteria").list.contains(wish["criterion_id"])):
            name = answer["response_id"]
            node = tree.add(f"answered again, {answer['arm']}: response {name[:8]} by {escape(answer['model'])}: "
                            f"{_say(answer['text'])}")
            self._became(node, "preferences", (pl.col("chosen_id") == name) | (pl.col("rejected_id") == name))

    def _place(self, tree: Tree, row: Any) -> None:
        at = f", {row['created_at']:%Y-%m-%d %H:%M} UTC" if row["created_at"] else ""
        who = escape(row["model"] or row["role"])
        tree.add(f"message {row['msg_id'][:8]} of {who} in conversation {row['conv_id'][:8]}"
                 f"{at}: {_say(row['text'])} [dim]{escape(row['place'])}[/]")

    def _onward(self, tree: Tree, table: str, name: str) -> None:
        """The rows of labels that something is evidence of."""
        here = pl.col("evidence").list.eval(
            (pl.element().struct.field("table") == table) & (pl.element().struct.field("id") == name)).list.any()
        for labels in LABELS:
            self._became(tree, labels, here)

    def _became(self, tree: Tree, labels: str, condition: pl.Expr) -> None:
        """The rows of a label table that meet a condition, each with its fate."""
        rows, key = self._find(labels, condition), LABELS[labels]
        gone = {row["row_id"]: row["reason"] for row in self._find("dropped", pl.col("table") == labels)}
        for row in rows[:SHOWN]:
            fate = f"dropped: {escape(gone[row[key]])}" if row[key] in gone else row["split"]
            tree.add(f"[bold]became[/] {labels} row {row[key]} ({fate})")
        if len(rows) > SHOWN:
            tree.add(f"… {len(rows) - SHOWN} more rows of {labels}")


def _say(text: str) -> str:
    return escape(cut(text, 160))
