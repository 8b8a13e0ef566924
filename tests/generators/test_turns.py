"""Turns: which servers are up together, and who is asked when; the servers are real processes that note their lives."""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from generators.ask import AnyPlan, Ask
from generators.client import collect
from generators.engines import Engine
from generators.serve import Start
from generators.store import ReplyStore
from generators.turns import Errand, collect_served, turns
from schemas.errors import ConfigError

# Answers every chat with its own name; notes when it begins, and when it is asked to end.
NOTING = textwrap.dedent("""
    import http.server, json, signal, sys
    port, name, notes = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    def note(what):
        with open(notes, "a") as file:
            file.write(f"{name} {what}\\n")
    def end(*_):
        note("ends")
        sys.exit(0)
    signal.signal(signal.SIGTERM, end)
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        def send(self, value):
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        def do_GET(self):
            self.send({"data": [{"id": name}], "version": "7"})
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            with open(notes + ".asked", "a") as file:
                file.write("asked\\n")
            self.send({"choices": [{"message": {"content": name}, "finish_reason": "stop"}],
                       "usage": {"prompt_tokens": 1, "completion_tokens": 1}})
        def log_message(self, *_):
            pass
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    note("begins")
    server.serve_forever()
""")


def gpu(name: str, share: float | None = None, command: str = "") -> Engine:
    return Engine(name=name, model=name, command=(command or name,), gpu=True, gpu_share=share)


def noting(name: str, notes: Path, share: float | None = None) -> Engine:
    command = ("{python}", "-c", NOTING, "{port}", name, str(notes))
    return Engine(name=name, model=name, command=command, gpu=True, gpu_share=share, max_concurrency=4)


def plan(*names: str, prompts: int = 2) -> list[Ask]:
    """Every prompt asked of every engine, prompt by prompt."""
    return [Ask(engine=name, messages=({"role": "user", "content": f"question {number}"},), prompt_id=f"p{number}")
            for number in range(prompts) for name in names]


def errand(*names: str) -> Errand:
    def made(_: Mapping[str, Engine]) -> AnyPlan:
        return plan(*names)

    return Errand(plan=made, parse=lambda text: None)


def told(table: pl.DataFrame) -> list[tuple[Any, ...]]:
    return sorted(table.select("engine", "prompt_id", "text").iter_rows())


@pytest.mark.parametrize(("shares", "expected"), [
    ((None, None, None), [["a"], ["b"], ["c"]]),
    ((0.5, 0.5, 0.5), [["a", "b"], ["c"]]),
    ((0.6, 0.5, 0.4), [["a", "c"], ["b"]]),
    ((0.3, None, 0.7), [["a", "c"], ["b"]]),
    ((0.1, 0.2, 0.7), [["a", "b", "c"]]),
])
def test_gpu_servers_are_up_together_only_where_their_shares_fit(shares: tuple[float | None, ...],
                                                                expected: list[list[str]]) -> None:
    engines = {name: gpu(name, share) for name, share in zip("abc", shares, strict=True)}
    assert turns(engines, {"a", "b", "c"}) == expected


def test_engines_of_one_command_share_a_turn_and_those_without_a_gpu_server_come_first() -> None:
    engines = {
        "a": gpu("a", command="one"), "b": gpu("b", command="two"), "c": gpu("c", command="one"),
        "cpu": Engine(name="cpu", model="m", command=("cpu",)),
        "far": Engine(name="far", model="m", url="http://far.example/v1", gpu=True),
    }
    assert turns(engines, set(engines)) == [["a", "c", "cpu", "far"], ["b"]]
    assert turns(engines, {"far", "cpu"}) == [["cpu", "far"]]
    assert turns(engines, set()) == []
    with pytest.raises(ConfigError, match="'nobody'"):
        turns(engines, {"nobody"})


def test_gpu_servers_take_turns_and_every_ask_of_every_errand_is_answered_by_its_own(tmp_path: Path,
                                                                                    replies: ReplyStore) -> None:
    notes = tmp_path / "notes"
    engines = {name: noting(name, notes) for name in ("a", "b", "c")}
    starts: list[Start] = []
    first, second = collect_served([errand("a", "b"), errand("b", "c")], engines, {"a", "b", "c"}, replies,
                                   started=starts.append)
    assert notes.read_text().splitlines() == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]
    assert told(first) == [(name, f"p{number}", name) for name in "ab" for number in range(2)]
    assert told(second) == [(name, f"p{number}", name) for name in "bc" for number in range(2)]
    assert first["request_id"].is_sorted()
    assert [(start.engines, start.version) for start in starts if start.url] == [
        (("a",), "7"), (("b",), "7"), (("c",), "7")]


def test_servers_that_fit_are_up_at_the_same_time(tmp_path: Path, replies: ReplyStore) -> None:
    notes = tmp_path / "notes"
    engines = {name: noting(name, notes, 0.5) for name in ("a", "b")}
    collect_served([errand("a", "b")], engines, {"a", "b"}, replies)
    assert [line.split()[1] for line in notes.read_text().splitlines()] == ["begins", "begins", "ends", "ends"]


def test_a_server_whose_replies_are_all_stored_is_not_started(tmp_path: Path, replies: ReplyStore) -> None:
    notes = tmp_path / "notes"
    engines = {name: noting(name, notes) for name in ("a", "b")}
    [alone] = collect_served([errand("a")], engines, {"a"}, replies)
    [again] = collect_served([errand("a")], engines, {"a"}, replies)
    assert again.equals(alone)
    assert notes.read_text().splitlines() == ["a begins", "a ends"]
    [both] = collect_served([errand("a", "b")], engines, {"a", "b"}, replies)
    assert notes.read_text().splitlines() == ["a begins", "a ends", "b begins", "b ends"]
    assert told(both) == [(name, f"p{number}", name) for name in "ab" for number in range(2)]


def test_one_missing_reply_starts_the_server_and_only_it_is_asked(tmp_path: Path, replies: ReplyStore) -> None:
    notes = tmp_path / "notes"
    engines = {"a": noting("a", notes)}
    collect_served([errand("a")], engines, {"a"}, replies)
    more = Errand(plan=lambda _: plan("a", prompts=3), parse=lambda text: None)
    [table] = collect_served([more], engines, {"a"}, replies)
    assert notes.read_text().splitlines() == ["a begins", "a ends"] * 2
    assert table.height == 3
    assert len(Path(f"{notes}.asked").read_text().split()) == 3


def test_a_mistake_in_the_configuration_is_told_and_not_taken_for_a_missing_server(
        tmp_path: Path, replies: ReplyStore) -> None:
    engines = {"a": noting("a", tmp_path / "notes")}
    wrong = Errand(plan=lambda _: [Ask(engine="a", messages=(), params={"model": "b"}, prompt_id="p")],
                   parse=lambda text: None)
    with pytest.raises(ConfigError, match="must not hold 'model'"):
        collect_served([wrong], engines, {"a"}, replies)


def test_turns_give_what_asking_everybody_at_once_gives(tmp_path: Path, replies: ReplyStore) -> None:
    engines = {name: noting(name, tmp_path / "notes") for name in ("a", "b")}
    [table] = collect_served([errand("a", "b")], engines, {"a", "b"}, replies)
    urls = {name: Engine(name=name, model=name, url="http://127.0.0.1:9/v1") for name in engines}
    assert collect(plan("a", "b"), urls, replies, parse=lambda text: None).equals(table)  # all from the store
