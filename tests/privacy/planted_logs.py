"""Chat logs with a plant at every place a log has, and the search for what is left of them."""

import base64
import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import polars as pl

from benchmarks.plants import Plant

NAMES = ("user-anna-lindqvist-7712", "conversation-of-anna-7713", "Anna.Lindqvist7714@example.com")
"""Names of people and conversations: whatever they look like, they are in no table."""
FILE = "maria.keller7701@example.com"
"""What a log file is called after."""


def write(folder: Path, plants: Sequence[Plant]) -> None:
    """Battles with a plant in every text, chats with them everywhere else, and records that are broken."""
    folder.mkdir(parents=True)
    texts = [plant.text for plant in plants]
    _lines(folder / f"{FILE}.jsonl", [_battle(number, texts) for number in range(0, len(texts) - 2, 3)])
    _lines(folder / "calls.jsonl", [_call(number, plant) for number, plant in enumerate(plants)])
    (folder / "webui.json").write_text(json.dumps([_chat(number, plant) for number, plant in enumerate(plants)]))
    broken = [json.dumps(_battle(0, texts[number:] + texts))[:-9] for number in range(0, len(texts), 40)]
    odd = [json.dumps({**_battle(0, texts), "conversation_a": text, text: 1}) for text in texts[::40]]
    with (folder / "broken.jsonl").open("w") as file:
        file.write("\n".join([json.dumps(_battle(900, ["What is a rope?"] * 3)), *broken, *odd]) + "\n")


def write_complaints(folder: Path, plants: Sequence[Plant]) -> None:
    """Requests with a plant in what the system, the user and the model say, each complained of, for models to read.

    Tokens stand in the addresses of pictures too. The file is called after a person, and so is its folder.
    """
    (folder / f"of {FILE}").mkdir(parents=True)
    texts = [plant.text for plant in plants]
    _lines(folder / f"of {FILE}" / f"{FILE}.jsonl",
           [_complaint(number, texts[number:number + 3]) for number in range(0, len(texts), 3)])


def _complaint(number: int, texts: Sequence[str]) -> dict[str, Any]:
    """What is asked, answered and complained of; the address of the picture has a plant in its query."""
    first, second, third = texts
    address = f"https://pictures.example/{number}.png?{urlencode({'t': first})}"
    picture = {"type": "image_url", "image_url": {"url": address, "detail": first}}
    asked = [{"type": "text", "text": f"{number}: look up {second}"}, picture]
    return {"request": {"model": f"mill {third}", "user": f"{NAMES[0]}-{number}", "metadata": {
                "session_id": f"{NAMES[1]}-{number}"}, "messages": [
                    {"role": "system", "content": f"You serve {first}."}, {"role": "user", "content": asked},
                    {"role": "assistant", "content": f"I found {third}."},
                    {"role": "user", "content": f"No, that is wrong. I meant {first}"}]},
            "response": {"id": f"r{number}", "created": 1772445700 + number, "model": "mill-7b", "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": f"So {second}"}}]}}


def _lines(path: Path, rows: Sequence[Any]) -> None:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def _battle(number: int, texts: Sequence[str]) -> dict[str, Any]:
    asked, one, other = (texts[(number + place) % len(texts)] for place in range(3))
    return {"question_id": f"{NAMES[1]}-{number}", "model_b": "mill-3b",
            "model_a": f"mill {texts[number % len(texts)]}",
            "winner": ("model_a", "model_b")[number % 2], "judge": NAMES[0], "turn": 1, "anony": True,
            "language": "English", "tstamp": 1772445600 + number,
            "conversation_a": [{"role": "user", "content": f"{number} {asked}"}, {"role": "assistant", "content": one}],
            "conversation_b": [{"role": "user", "content": f"{number} {asked}"},
                               {"role": "assistant", "content": f"Well: {other}"}]}


def _call(number: int, plant: Plant) -> dict[str, Any]:
    tool = {"id": "call-1", "type": "function", "function": {
        "name": "look_up", "arguments": json.dumps({"query": plant.text, plant.text: number})}}
    return {"request": {"model": "mill-7b", "user": NAMES[0] if number % 2 else plant.text,
                        "metadata": {"session_id": f"{NAMES[1]}-{number}", plant.text: plant.text},
                        "messages": [{"role": "system", "content": f"You serve {plant.text}."},
                                     {"role": "user", "content": [{"type": "text", "text": f"Look up {plant.text}"}]}]},
            "response": {"id": f"r{number}", "created": 1772445700 + number, "model": "mill-7b", "choices": [
                {"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": "Looking.",
                                                                        "tool_calls": [tool]}}]}}


def _chat(number: int, plant: Plant) -> dict[str, Any]:
    answer = {"id": "a1", "parentId": "u1", "childrenIds": ["u2"], "role": "assistant", "model": f"m {plant.text}",
              "content": f"I know {plant.text}.", "timestamp": 1772445630, "done": True,
              "annotation": {"rating": (1, -1)[number % 2], "comment": f"Because of {plant.text}",
                             "reason": plant.text, "tags": [plant.text]},
              "files": [{"name": plant.text, "url": f"data:{plant.text}"}]}
    asked = {"id": "u1", "parentId": None, "childrenIds": ["a1"], "role": "user", "timestamp": 1772445600,
             "content": f"{number}: what do you know of {plant.text}?"}
    said = {"id": "u2", "parentId": "a1", "childrenIds": [], "role": "user", "timestamp": 1772445660,
            "content": f"No, that is wrong. I meant {plant.text}."}
    chat = {"id": f"{NAMES[1]}-{number}", "title": plant.text, "models": [plant.text],
            "history": {"currentId": "u2", "messages": {"u1": asked, "a1": answer, "u2": said}}}
    return {"id": chat["id"], "user_id": NAMES[number % 3], "title": plant.text, "created_at": 1772445600,
            "updated_at": 1772446200, "chat": chat}


def left(plants: Sequence[Plant], stored: str) -> list[str]:
    """The plants, and names, that stand in what was stored, as they are, escaped, or in base64."""
    marks = {mark: plant.kind for plant in plants for mark in plant.marks} | dict.fromkeys((*NAMES, FILE), "NAME")
    forms = {form: f"{kind}: {mark}" for mark, kind in marks.items() for form in _forms(mark)}
    found = pl.Series([stored]).str.extract_many(list(forms), overlapping=True)[0]
    return sorted({forms[form] for form in found})


def _forms(mark: str) -> Iterator[str]:
    yield mark
    yield json.dumps(mark)[1:-1]
    yield json.dumps(json.dumps(mark)[1:-1])[1:-1]
    for shift in range(3):  # base64 of a longer text that holds it: without the signs that its neighbours share
        coded = base64.b64encode(b"\0" * shift + mark.encode()).decode().rstrip("=")
        if len(coded) > 12:
            yield coded[4:-2]


def everything(home: Path) -> str:
    """All that stands under a folder: files as they are, Parquet decoded, databases table by table, names of files."""
    parts = []
    for path in sorted(home.rglob("*")):
        parts.append(str(path.relative_to(home)))
        if path.is_file():
            parts.append(path.read_bytes().decode("utf-8", "replace"))
            if path.suffix == ".parquet":
                parts += _parquet(path)
            if path.suffix == ".db":
                parts += _database(path)
    return "\n".join(parts)


def _parquet(path: Path) -> Iterator[str]:
    for row in pl.read_parquet(path).iter_rows(named=True):
        yield json.dumps(row, ensure_ascii=False, default=str)
        yield from _texts(row)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(inner)


def _database(path: Path) -> Iterator[str]:
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (name,) in tables:
            for row in connection.execute(f'SELECT * FROM "{name}"'):
                yield "\n".join(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
                                for value in row)
