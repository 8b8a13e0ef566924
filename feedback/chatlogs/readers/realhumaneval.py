"""Requests of a programming assistant in an editor, as RealHumanEval logs them: rows repeat the history, copies count.

A row is one request: `programmer_id`, `task_name`, the `messages` sent, the
`response`, and the `copy_events` in which the programmer took text from it. Who begins anew in a task begins another
conversation. `timestamp_s` counts seconds since the programmer's first request, so no message has a date; `logprobs`
summarise the answer's log-probabilities and are not read.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from feedback.chatlogs.parts import Conversation, Format, Signal
from feedback.chatlogs.said import exchange, word
from generators.records import Broken, Record
from schemas.ids import digest


def _fits(fields: Mapping[str, Any]) -> bool:
    return "programmer_id" in fields and "task_name" in fields and isinstance(fields.get("messages"), list)


def _read(record: Record) -> Iterator[Conversation]:
    fields = record.fields
    programmer, messages, response = word(fields.get("programmer_id")), fields.get("messages"), fields.get("response")
    if programmer is None or not isinstance(messages, list) or not isinstance(response, str):
        raise Broken(record.place, "no request",
                     "holds no request: write programmer_id, messages as a list and response as a text")
    dropped: Counter[str] = Counter()
    answer = {"role": "assistant", "content": response}
    turns = exchange(messages, [answer], dropped, model=word(fields.get("model")))
    signals, unusable = _copies(record, turns[-1].key)
    yield Conversation(key=digest(programmer, word(fields.get("task_name")), turns[0].key), user=programmer,
                       turns=turns, signals=signals, dropped=dropped, dropped_signals=unusable)


def _copies(record: Record, target: str) -> tuple[list[Signal], Counter[str]]:
    """The copies of an answer; a row's number tells those of a request that was sent twice apart."""
    signals: list[Signal] = []
    dropped: Counter[str] = Counter()
    events = record.fields.get("copy_events")
    row = word(record.fields.get("row")) or ""
    for place, event in enumerate(events if isinstance(events, list) else ()):
        text = event.get("copied") if isinstance(event, Mapping) else None
        if not isinstance(text, str):
            dropped["no copied text"] += 1
            continue
        how = word(event.get("type"))
        signals.append(Signal(kind="copy", target=target, text=text, labels=() if how is None else (how,),
                              what=f"row {row} copy {place}"))
    return signals, dropped


FORMAT = Format(name="realhumaneval", fits=_fits, read=_read)
