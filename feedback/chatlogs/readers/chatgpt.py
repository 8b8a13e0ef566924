"""A ChatGPT data export: conversations.json, message_feedback.json, model_comparisons.json, alone or in their zip.

A conversation is a tree, `mapping`, and `current_node` its last message on the path that is shown. Nodes without words
(the root, hidden system messages, custom instructions) are left out, and what follows them follows what came before.
A model's thoughts go with its answer. Answers beside each other were asked for again, questions were edited. An export
is one person's: that of the account in its user.json, see feedback.chatlogs.owners.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from feedback.chatlogs.parts import Conversation, Format, Turn
from feedback.chatlogs.readers.chatgpt_feedback import feedback, is_feedback
from feedback.chatlogs.said import content as spoken
from feedback.chatlogs.said import first, mapping, word
from feedback.chatlogs.times import moment
from feedback.chatlogs.tree import lifted, path_to
from generators.records import Broken, Record
from schemas.messages import ROLES

_THOUGHTS = ("thoughts", "reasoning_recap")
_INSTRUCTIONS = ("user_editable_context", "model_editable_context")

Node = Mapping[str, Any]


def _fits(fields: Mapping[str, Any]) -> bool:
    if isinstance(fields.get("mapping"), dict):
        return True
    shared = isinstance(fields.get("conversation_id"), str) and "is_anonymous" in fields
    return shared or "chatgpt_plus_user" in fields or is_feedback(fields)


def _read(record: Record) -> Iterator[Conversation]:
    if "mapping" in record.fields:
        yield _conversation(record)
    elif is_feedback(record.fields):
        yield feedback(record)
    # user.json and shared_conversations.json name the account and links, and hold no message


def _conversation(record: Record) -> Conversation:
    fields, tree = record.fields, record.fields["mapping"]
    key = first(fields.get("conversation_id"), fields.get("id"))
    if key is None or not isinstance(tree, dict):
        raise Broken(record.place, "no conversation", "names no conversation: id is a text, mapping an object")
    nodes = {name: node for name, node in tree.items() if isinstance(node, dict)}
    dropped = Counter({"not an object": len(tree) - len(nodes)})
    parents = {name: word(node.get("parent")) for name, node in nodes.items()}
    left_out = {name: reason for name, node in nodes.items() if (reason := _wordless(node))}
    dropped.update(left_out.values())
    kept = [name for name in nodes if name not in left_out]
    above = lifted(parents, dict.fromkeys(kept))
    main = path_to(_current(fields, nodes), parents)
    default = word(fields.get("default_model_slug"))
    turns = [_turn(name, nodes, parents, above[name], name in main, default) for name in kept]
    return Conversation(key=key, turns=turns, dropped=+dropped)


def _turn(name: str, nodes: Mapping[str, Node], parents: Mapping[str, str | None], above: str | None, main: bool,
          default: str | None) -> Turn:
    message = nodes[name]["message"]
    metadata = mapping(message.get("metadata"))
    role = message["author"]["role"]
    text, parts = _said(_content(nodes[name]))
    return Turn(
        key=name, parent=above, role=role, text=text, parts=[*_thoughts(name, nodes, parents, above), *parts],
        model=(word(metadata.get("model_slug")) or default) if role == "assistant" else None,
        created_at=moment(message.get("create_time")), on_main_path=main, flags=_flags(message),
        finish_reason=word(mapping(metadata.get("finish_details")).get("type")))


def _flags(message: Node) -> tuple[str, ...]:
    told = {"tool call": message.get("recipient") not in (None, "all") and message["author"]["role"] == "assistant",
            "weightless": message.get("weight") == 0,
            "unfinished": message.get("status") in ("in_progress", "finished_partial_completion", "failed")}
    return tuple(flag for flag, holds in told.items() if holds)


def _thoughts(name: str, nodes: Mapping[str, Node], parents: Mapping[str, str | None],
              above: str | None) -> Iterator[dict[str, Any]]:
    """What the model thought between the message before and this one."""
    at, passed = parents.get(name), {name}
    while at is not None and at != above and at in nodes and at not in passed:
        passed.add(at)
        content = _content(nodes[at])
        if content.get("content_type") in _THOUGHTS:
            yield dict(content)
        at = parents[at]


def _wordless(node: Node) -> str:
    """Why a node is no message of the conversation; empty where it is one."""
    message, content = node.get("message"), _content(node)
    if not isinstance(message, dict):
        return "a node without a message"
    metadata = mapping(message.get("metadata"))
    if mapping(message.get("author")).get("role") not in ROLES:
        return "unknown role"
    kind = content.get("content_type")
    if kind in _INSTRUCTIONS or metadata.get("is_user_system_message"):
        return "custom instructions"
    if kind in _THOUGHTS:
        return "thoughts, kept with their answer"
    if metadata.get("is_visually_hidden_from_conversation"):
        return "hidden"
    text, parts = _said(content)
    return "" if text.strip() or parts else "empty"


def _said(content: Node) -> tuple[str, tuple[Mapping[str, Any], ...]]:
    """The text of a message's content, whatever its kind, and its pictures and files."""
    texts: list[Any] = [content.get("text") or content.get("result")]
    parts = content.get("parts")
    for part in parts if isinstance(parts, list) else []:
        spoken_aloud = isinstance(part, dict) and part.get("content_type") == "audio_transcription"
        texts.append(part.get("text") if spoken_aloud else part)
    text, others = spoken([part for part in texts if part])
    return text or "", others


def _content(node: Node) -> Node:
    return mapping(mapping(node.get("message")).get("content"))


def _current(fields: Mapping[str, Any], nodes: Mapping[str, Node]) -> str | None:
    """The last node of the path that is shown; where the export does not say, the newest that ends a path."""
    current = word(fields.get("current_node"))
    if current in nodes:
        return current
    followed = {word(node.get("parent")) for node in nodes.values()}
    return next((name for name in reversed(list(nodes)) if name not in followed), None)


FORMAT = Format(name="chatgpt", fits=_fits, read=_read, siblings=True, one_person=True)
