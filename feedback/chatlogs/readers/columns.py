"""Tables of one's own: say which column holds what, and each row becomes a message, an exchange or a conversation.

    columns(conversation="chat", turn="n", role="who", text="body", user="customer", thumb="helpful")   a message a row
    columns(prompt="question", response="answer", user="customer", score="stars", scale=(1, 5))        an exchange a row
    columns(messages="turns", conversation="chat")                                                 a conversation a row

Such a reader is never found by looking at a file: it is named where the log is read. A column of nested objects is
reached with dots, `meta.user`.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from feedback.chatlogs.languages import language
from feedback.chatlogs.parts import Conversation, Format, Signal, Turn, chained
from feedback.chatlogs.said import listing, number, turn, turns, word
from feedback.chatlogs.times import moment
from generators.records import Broken, Record
from schemas.errors import ConfigError
from schemas.ids import digest

_UP = {"1", "1.0", "up", "true", "yes", "like", "liked", "positive", "good", "thumbs_up", "thumbsup", "👍"}
_DOWN = {"-1", "-1.0", "0", "0.0", "down", "false", "no", "dislike", "disliked", "negative", "bad", "thumbs_down",
         "thumbsdown", "👎"}


@dataclass(frozen=True, slots=True)
class _Map:
    """Which column holds what; None: no column does."""

    conversation: str | None
    turn: str | None
    message: str | None
    parent: str | None
    role: str | None
    text: str | None
    prompt: str | None
    response: str | None
    messages: str | None
    system: str | None
    user: str | None
    model: str | None
    created_at: str | None
    language: str | None
    thumb: str | None
    score: str | None
    scale: tuple[float, float] | None
    comment: str | None

    def of(self, record: Record, name: str) -> Any:
        """What the column for `name` holds; raises Broken where the record has no such column."""
        column = getattr(self, name)
        return None if column is None else record.get(column)

    def fits(self, fields: Mapping[str, Any]) -> bool:
        """Whether a record has a column of the texts; an object around the records has none."""
        said = self.messages or self.prompt or self.text or ""
        return said in fields or said.partition(".")[0] in fields

    def read(self, record: Record) -> Iterator[Conversation]:
        """The conversation of a row, or the part of it that the row holds."""
        yield _conversation(self, record)


def columns(*, conversation: str | None = None, turn: str | None = None, message: str | None = None,
            parent: str | None = None, role: str | None = None, text: str | None = None, prompt: str | None = None,
            response: str | None = None, messages: str | None = None, system: str | None = None,
            user: str | None = None, model: str | None = None, created_at: str | None = None,
            language: str | None = None, thumb: str | None = None, score: str | None = None,
            scale: tuple[float, float] | None = None, comment: str | None = None) -> Format:
    """A reader of a table: each argument names the column that holds it; `scale` is the lowest and highest score.

    Rows of one conversation are ordered by `turn`, a number, or by `message` and `parent`, names. thumb, score and
    comment speak of the row's answer (the last one of `messages`). Raises ConfigError for columns that do not add up.
    """
    held = _Map(conversation, turn, message, parent, role, text, prompt, response, messages, system, user, model,
                created_at, language, thumb, score, scale, comment)
    _check(held)
    return Format(name="columns", fits=held.fits, read=held.read)


def _check(held: _Map) -> None:
    shapes = [bool(held.messages), bool(held.prompt or held.response), bool(held.role or held.text)]
    if sum(shapes) != 1 or bool(held.prompt) != bool(held.response) or bool(held.role) != bool(held.text):
        raise ConfigError("columns(...): name role and text (a message a row), prompt and response (an exchange a "
                          "row), or messages (a conversation a row)")
    if shapes[2] and not (held.conversation and (held.turn or (held.message and held.parent))):
        raise ConfigError("columns(...): messages of their own rows need conversation, and turn or message and parent, "
                          "to be put in order")
    if shapes[1] and held.conversation and not held.turn:
        raise ConfigError("columns(...): exchanges of one conversation need turn, their number, to be put in order; "
                          "without it leave conversation out")
    if held.score and held.scale is None:
        raise ConfigError("columns(...): score needs its scale, as in scale=(1, 5)")


def _conversation(held: _Map, record: Record) -> Conversation:
    dropped: Counter[str] = Counter()
    read = _of_list if held.messages else _of_exchange if held.prompt else _of_message
    key, said = read(held, record, dropped)
    at, spoken = moment(held.of(record, "created_at")), language(held.of(record, "language"))
    model = word(held.of(record, "model"))
    said = [replace(one, created_at=at, language=spoken, model=model if one.role == "assistant" else None)
            for one in said]
    answer = next((one.key for one in reversed(said) if one.role == "assistant"), None)
    signals = list(_signals(held, record))
    useless = Counter({"about no answer": len(signals)} if signals and answer is None else {})
    return Conversation(key=key, user=word(held.of(record, "user")), turns=said, dropped=dropped,
                        signals=[replace(one, target=answer, created_at=at) for one in signals] if answer else (),
                        dropped_signals=useless)


def _of_message(held: _Map, record: Record, dropped: Counter[str]) -> tuple[str, list[Turn]]:
    key = _key(held, record)
    own, before = _names(held, record)
    read = turn({"role": held.of(record, "role"), "content": held.of(record, "text")})
    if isinstance(read, str):
        dropped[read] += 1
        return key, []
    return key, [replace(read, key=own, parent=before)]


def _names(held: _Map, record: Record) -> tuple[str, str | None]:
    """What a message is called, and the one before it; where there is none, gathering finds that it begins a piece."""
    if held.turn:
        place = _place(held, record)
        return str(place), str(place - 1) if place else None
    own = word(held.of(record, "message"))
    if own is None:
        raise Broken(record.place, "no message id", f"column '{held.message}' is empty; give each message a name")
    return own, word(held.of(record, "parent"))


def _of_exchange(held: _Map, record: Record, dropped: Counter[str]) -> tuple[str, list[Turn]]:
    told = [("system", held.of(record, "system"))] if held.system else []
    told += [("user", held.of(record, "prompt")), ("assistant", held.of(record, "response"))]
    read = turns([{"role": role, "content": said} for role, said in told if role != "system" or said], dropped)
    if not held.conversation:
        named = chained(read)
        return digest(word(held.of(record, "user")), [one.key for one in named]), named
    place = _place(held, record)
    keys = [f"{place} {one.role}" for one in read]
    return _key(held, record), [replace(one, key=key, parent=before) for one, key, before in
                                zip(read, keys, [f"{place - 1} assistant", *keys], strict=False)]


def _of_list(held: _Map, record: Record, dropped: Counter[str]) -> tuple[str, list[Turn]]:
    messages = listing(held.of(record, "messages"))
    if not messages:
        raise Broken(record.place, "no messages", f"column '{held.messages}' holds no list of messages")
    named = chained(turns(messages, dropped))
    return _key(held, record) if held.conversation else digest([one.key for one in named]), named


def _key(held: _Map, record: Record) -> str:
    key = word(held.of(record, "conversation"))
    if key is None:
        raise Broken(record.place, "no conversation", f"column '{held.conversation}' is empty; give each row a name")
    return key


def _place(held: _Map, record: Record) -> int:
    value = held.of(record, "turn")
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 12:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if type(value) is not int:
        raise Broken(record.place, "no turn", f"column '{held.turn}' holds no whole number")
    return value


def _signals(held: _Map, record: Record) -> Iterator[Signal]:
    """What the row says of its answer; an empty field says nothing."""
    remark = word(held.of(record, "comment"))
    thumb = str(held.of(record, "thumb")).strip().lower() if held.thumb else ""
    if thumb in _UP | _DOWN:
        yield Signal(kind="thumb", target="", value=1.0 if thumb in _UP else -1.0, scale_min=-1.0, scale_max=1.0,
                     text=remark)
        remark = None
    score = _score(held.of(record, "score"))
    if score is not None and held.scale is not None:
        yield Signal(kind="score", target="", value=score, scale_min=held.scale[0], scale_max=held.scale[1],
                     text=remark)
        remark = None
    if remark is not None:
        yield Signal(kind="comment", target="", text=remark)


def _score(value: Any) -> float | None:
    """A score; texts of CSV are read as numbers."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return number(value)
