"""Open-Assistant message trees: people wrote the answers, and others ranked those that follow one message.

Köpf et al. 2023, OpenAssistant Conversations. A record is a tree: `message_tree_id` and `prompt`, whose `replies` hold
messages in messages. A deleted message is dropped, and what was said after it goes with it: its prompt is gone. Ranks
begin with 0 in the log and with 1 here. Nobody went on with one answer: the main path is that of the best rank.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from feedback.chatlogs.parts import Conversation, Format, Signal, Turn
from feedback.chatlogs.times import moment
from generators.records import Broken, Record

_ROLES = {"prompter": "user", "assistant": "assistant"}


def _fits(fields: Mapping[str, Any]) -> bool:
    prompt = fields.get("prompt")
    return "message_tree_id" in fields and isinstance(prompt, dict) and "replies" in prompt


def _read(record: Record) -> Iterator[Conversation]:
    key, root = record.fields.get("message_tree_id"), record.fields.get("prompt")
    if not isinstance(key, str) or not isinstance(root, dict):
        raise Broken(record.place, "no tree", "holds no message tree: message_tree_id is a text, prompt an object")
    tree = _Tree()
    waiting: list[tuple[Any, str | None, bool, str]] = [(root, None, True, "")]
    while waiting:
        message, parent, on_main_path, gone = waiting.pop()
        replies = _replies(message)
        reason = gone or _unusable(message)
        if reason:
            tree.leave_out(message, reason)
            below = [(reply, None, False, "said after a message that is gone") for reply in replies]
        else:
            tree.take(message, parent, on_main_path)
            best = min(replies, key=_place, default=None)
            below = [(reply, message["message_id"], on_main_path and reply is best, "") for reply in replies]
            tree.signals += _ranks([reply for reply in replies if not _unusable(reply)])
        waiting += reversed(below)
    user = root.get("user_id")
    yield Conversation(key=key, user=user if isinstance(user, str) else None, turns=tree.turns, signals=tree.signals,
                       dropped=tree.dropped, dropped_signals=tree.dropped_signals)


class _Tree:
    """What is found in a tree."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.signals: list[Signal] = []
        self.dropped: Counter[str] = Counter()
        self.dropped_signals: Counter[str] = Counter()

    def take(self, message: Mapping[str, Any], parent: str | None, on_main_path: bool) -> None:
        self.turns.append(_turn(message, parent, on_main_path))
        said = list(_said(message))
        if message["role"] == "assistant":
            self.signals += said
        elif told := len(said) + (_rank(message) is not None):
            self.dropped_signals["about a user's message"] += told

    def leave_out(self, message: Any, reason: str) -> None:
        self.dropped[reason] += 1
        if isinstance(message, dict) and (told := len(list(_said(message))) + (_rank(message) is not None)):
            self.dropped_signals[reason] += told


def _unusable(message: Any) -> str:
    """Why a message cannot be used; empty where it can."""
    if not isinstance(message, dict) or not isinstance(message.get("message_id"), str):
        return "no message_id"
    if message.get("deleted"):
        return "deleted"
    if message.get("role") not in ("prompter", "assistant"):
        return "unknown role"
    return "" if isinstance(message.get("text"), str) else "no text"


def _turn(message: Mapping[str, Any], parent: str | None, on_main_path: bool) -> Turn:
    reviewed = message.get("review_result")
    flags = () if reviewed is True else ("rejected",) if reviewed is False else ("unreviewed",)
    model = message.get("model_name")
    language = message.get("lang")
    return Turn(key=message["message_id"], parent=parent, role=_ROLES[message["role"]], text=message["text"],
                model=model if isinstance(model, str) else None, created_at=moment(message.get("created_date")),
                language=language if isinstance(language, str) else None, synthetic=bool(message.get("synthetic")),
                flags=flags, on_main_path=on_main_path)


def _ranks(siblings: list[dict[str, Any]]) -> Iterator[Signal]:
    """One signal for each ranked answer; the answers it was ranked with are `compared`."""
    ranked = [reply for reply in siblings if _rank(reply) is not None and reply["role"] == "assistant"]
    keys = [reply["message_id"] for reply in ranked]
    for reply in ranked:
        key = reply["message_id"]
        yield Signal(kind="rank", target=key, value=float(_rank(reply) or 0) + 1, scale_min=1.0,
                     scale_max=float(len(siblings)), compared=tuple(other for other in keys if other != key))


def _said(message: Mapping[str, Any]) -> Iterator[Signal]:
    """What raters said of a message: labels with a mean between 0 and 1, emojis with a count."""
    key = message.get("message_id", "")
    labels, emojis = message.get("labels"), message.get("emojis")
    for name, label in labels.items() if isinstance(labels, dict) else ():
        value = label.get("value") if isinstance(label, dict) else None
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield Signal(kind="score", target=key, value=float(value), scale_min=0.0, scale_max=1.0, labels=(name,),
                         what=f"label {name}")
    for name, number in emojis.items() if isinstance(emojis, dict) else ():
        steers = name.startswith("_")  # _skip_reply and its like tell the collecting program what to do
        if not steers and type(number) is int and abs(number) < 1 << 53:
            yield Signal(kind="flag", target=key, value=float(number), labels=(name,), what=f"emoji {name}")


def _replies(message: Any) -> list[Any]:
    replies = message.get("replies") if isinstance(message, dict) else None
    return replies if isinstance(replies, list) else []


def _place(reply: Any) -> float:
    """Where an answer stands among its siblings: ranked ones first."""
    rank = _rank(reply)
    return float("inf") if rank is None or _unusable(reply) else rank


def _rank(message: Any) -> int | None:
    rank = message.get("rank") if isinstance(message, dict) else None
    return rank if type(rank) is int and 0 <= rank < 1 << 31 else None


FORMAT = Format(name="oasst", fits=_fits, read=_read)
