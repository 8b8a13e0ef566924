"""The pocket server as a process: what it serves, what it refuses, and that it is certainly gone afterwards."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from feedback.jury.logprobs import p_first
from feedback.jury.parse import read_verdict, verdict_schema
from generators.engines import Engine
from generators.pocket.vocabulary import Vocabulary
from generators.serve import serving
from generators.weights import weights_digest
from tests.pocket.folders import write_folder

ROOT = Path(__file__).parents[2]
TURNS = [{"role": "user", "content": "Ada has 34 apples and gets 27 more."}]
CARRY_ON = {"continue_final_message": True, "add_generation_prompt": False}


def schema(body: Any, kind: str = "json_schema") -> dict[str, Any]:
    return {"type": kind, "json_schema": {"name": "any", "strict": True, "schema": body}}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    write_folder(folder / "one", hidden=32, heads=1, gated=64, layers=1, context=256, spread=0.3)
    write_folder(folder / "two", seed=1, hidden=64, heads=2, gated=96, layers=1, spread=0.3)
    return folder


def started(models: Path, *more: str) -> tuple[subprocess.Popen[str], str]:
    """A server and its URL."""
    command = [sys.executable, "-m", "generators.pocket", "--models", str(models), "--stop-with-parent", *more]
    server = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True)
    assert server.stdout is not None
    return server, server.stdout.readline().split()[-1]


def ended(server: subprocess.Popen[str]) -> int:
    """Close what a server was given, and wait for its end."""
    for pipe in (server.stdin, server.stdout, server.stderr):
        assert pipe is not None
        pipe.close()
    return server.wait(60)


@pytest.fixture(scope="module")
def url(models: Path) -> Iterator[str]:
    server, url = started(models, "--workers", "2")
    yield url
    assert ended(server) == 0


def call(url: str, body: Any = None) -> tuple[int, Any]:
    """Status and JSON of a GET, or of a POST where there is a body."""
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as reply:
            return reply.status, json.loads(reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@pytest.fixture(scope="module")
def ask(url: str) -> Callable[..., tuple[int, Any]]:
    return lambda **body: call(f"{url}/v1/chat/completions", {"model": "one", "messages": TURNS} | body)


def texts(reply: Any) -> list[str]:
    return [choice["message"]["content"] for choice in reply["choices"]]


def test_models_are_named_alone_and_with_the_digest_of_their_weights(url: str, models: Path) -> None:
    status, listed = call(f"{url}/v1/models")
    one, two = (weights_digest(models / name) for name in ("one", "two"))
    assert status == 200
    assert {model["id"]: model["revision"] for model in listed["data"]} == {
        "one": one, f"one@{one}": one, "two": two, f"two@{two}": two}
    assert call(f"{url}/health")[1] | {"steady": True} == {"status": "ok", "workers": 2, "steady": True}


def test_a_request_gets_the_same_reply_alone_among_others_and_by_any_worker(ask: Callable[..., Any]) -> None:
    bodies = [{"seed": seed, "max_tokens": 5 + seed % 20, "model": ("one", "two")[seed % 2],
               "messages": [{"role": "user", "content": TURNS[0]["content"] * (1 + seed % 5)}]} for seed in range(60)]
    with ThreadPoolExecutor(30) as pool:
        crowd = list(pool.map(lambda body: texts(ask(**body)[1]), bodies))
    assert crowd == [texts(ask(**body)[1]) for body in bodies]
    assert len({text for [text] in crowd}) > 40


def test_several_choices_differ_and_the_first_is_that_of_a_single_one(ask: Callable[..., Any]) -> None:
    _, several = ask(n=4, seed=3, max_tokens=12, temperature=2)
    assert len(set(texts(several))) == 4
    assert [choice["index"] for choice in several["choices"]] == [0, 1, 2, 3]
    assert texts(ask(seed=3, max_tokens=12, temperature=2)[1]) == texts(several)[:1]
    assert several["usage"]["completion_tokens"] == 48


def test_without_a_seed_replies_differ(ask: Callable[..., Any]) -> None:
    assert len({texts(ask(max_tokens=20, temperature=1.5)[1])[0] for _ in range(4)}) > 1


def test_usage_and_finish_reason_are_told(ask: Callable[..., Any], models: Path) -> None:
    _, reply = ask(max_tokens=4, temperature=0)
    prompt = len(Vocabulary(models / "one").encode(TURNS))
    assert reply["usage"] == {"prompt_tokens": prompt, "completion_tokens": 4, "total_tokens": prompt + 4}
    assert reply["choices"][0]["finish_reason"] == "length"
    assert reply["model"] == "one"
    assert reply["system_fingerprint"] == weights_digest(models / "one")


def test_without_a_bound_a_reply_may_fill_the_context(ask: Callable[..., Any]) -> None:
    totals = [ask(temperature=0, seed=0)[1]["usage"]["total_tokens"], ask(n=8, seed=1)[1]["usage"]["total_tokens"]]
    assert totals[0] <= 256
    assert totals[1] > 256


def test_stop_texts_cut_a_reply(ask: Callable[..., Any]) -> None:
    [whole] = texts(ask(seed=1, max_tokens=30)[1])
    sign = next(sign for sign in whole if sign.isascii())
    for stop in (sign, [sign]):
        _, reply = ask(seed=1, max_tokens=30, stop=stop)
        assert (texts(reply), reply["choices"][0]["finish_reason"]) == ([whole[:whole.index(sign)]], "stop")


def test_a_verdict_is_one_under_its_schema_and_its_probability_can_be_read(ask: Callable[..., Any]) -> None:
    for seed in range(40):
        _, reply = ask(seed=seed, max_tokens=160, response_format=schema(verdict_schema()), logprobs=True,
                       top_logprobs=20)
        [choice] = reply["choices"]
        if choice["finish_reason"] == "stop":
            break
    else:
        pytest.fail("no reply came to its end")
    verdict, _ = read_verdict(choice["message"]["content"])
    content = choice["logprobs"]["content"]
    assert b"".join(bytes(token["bytes"]) for token in content).decode() == choice["message"]["content"]
    assert all(len(token["top_logprobs"]) == 20 for token in content)
    if verdict in "AB":
        assert p_first(json.dumps(choice["logprobs"])) is not None


def test_an_unfinished_turn_is_carried_on_as_if_the_server_had_written_its_beginning(
        ask: Callable[..., Any], models: Path) -> None:
    vocabulary = Vocabulary(models / "one")
    _, whole = ask(temperature=0, max_tokens=20, logprobs=True)
    written = [bytes(token["bytes"]) for token in whole["choices"][0]["logprobs"]["content"]]
    tried = 0
    for cut in range(1, len(written)):
        turns = [*TURNS, {"role": "assistant", "content": b"".join(written[:cut]).decode(errors="ignore")}]
        begun = vocabulary.encode(turns, continued=True)
        if [vocabulary.pieces[token] for token in begun[len(vocabulary.encode(TURNS)):]] == written[:cut]:
            _, rest = ask(temperature=0, max_tokens=20 - cut, messages=turns, **CARRY_ON)
            assert texts(rest) == [b"".join(written[cut:]).decode(errors="replace")]
            assert rest["usage"]["prompt_tokens"] == len(begun)
            tried += 1
    assert tried


@pytest.mark.parametrize(("wrong", "status", "code", "says"), [
    ({"model": "three"}, 404, "model_not_found", "does not exist; there are one"),
    ({"model": "one@sha256-0000000000000000"}, 404, "model_not_found", "does not exist"),
    ({"messages": [{"role": "user", "content": "word " * 400}]}, 400, "context_length_exceeded", "256 tokens"),
    ({"max_tokens": 250}, 400, "context_length_exceeded", "250 more"),
    ({"response_format": schema({"type": "object"})}, 400, "unsupported_value", "verdict, inputs and on no other"),
    ({"response_format": {"type": "json_object"}}, 400, "unsupported_value", "trained"),
    ({"stream": True}, 400, "unsupported_value", "stream"),
    ({"tools": [{"type": "function"}]}, 400, "unsupported_value", "tools"),
    ({"presence_penalty": 0.5}, 400, "unsupported_value", "presence_penalty"),
    ({"guided_json": {}}, 400, "unsupported_value", "unknown field 'guided_json'"),
    ({"messages": []}, 400, "invalid_value", "messages"),
    ({"messages": [{"role": "robot", "content": "x"}]}, 400, "invalid_value", "role"),
    ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, 400, "invalid_value", "must be text"),
    ({"temperature": -1}, 400, "invalid_value", "temperature"),
    ({"top_p": 2}, 400, "invalid_value", "top_p"),
    ({"n": 0}, 400, "invalid_value", "n must be"),
    ({"max_tokens": 0}, 400, "invalid_value", "max_tokens"),
    ({"seed": "x"}, 400, "invalid_value", "seed"),
    ({"stop": ""}, 400, "invalid_value", "stop"),
    ({"top_logprobs": 3}, 400, "invalid_value", "logprobs"),
    ({"continue_final_message": True}, 400, "invalid_value", "either begins a turn or carries on the last one"),
    ({"add_generation_prompt": False}, 400, "invalid_value", "either begins a turn or carries on the last one"),
    ({**CARRY_ON, "continue_final_message": "yes"}, 400, "invalid_value", "continue_final_message = true"),
    (CARRY_ON, 400, "invalid_value", "what the assistant has begun"),
    ({**CARRY_ON, "messages": [*TURNS, {"role": "assistant", "content": ""}]}, 400, "invalid_value", "not be empty"),
])
def test_what_cannot_be_had_is_refused_in_openais_form(
    wrong: dict[str, Any], status: int, code: str, says: str, ask: Callable[..., Any]
) -> None:
    found, reply = ask(**wrong)
    assert (found, reply["error"]["code"], reply["error"]["type"]) == (status, code, "invalid_request_error")
    assert says in reply["error"]["message"]


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"messages": []}'])
def test_a_body_that_is_no_chat_request_is_refused(body: bytes, url: str) -> None:
    assert call(f"{url}/v1/chat/completions", body)[0] == 400
    assert call(f"{url}/v1/nothing")[0] == 404


def test_fields_that_ask_for_nothing_are_taken(ask: Callable[..., Any]) -> None:
    status, _ = ask(max_tokens=2, stream=False, presence_penalty=0, user="me", tools=[], logit_bias=None, top_p=None)
    assert status == 200


def children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children")
    if not found.exists():
        pytest.skip("this system does not list a process's children")
    return [int(child) for child in found.read_text().split()]


def wait_for_the_end_of(pids: list[int]) -> None:
    patience = time.monotonic() + 60
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < patience, f"still running: {pids}"
        time.sleep(0.05)


def test_no_worker_outlives_a_server_that_is_killed(models: Path) -> None:
    server, _ = started(models, "--workers", "2")
    workers = children(server.pid)
    assert len(workers) == 2
    server.kill()
    ended(server)
    wait_for_the_end_of(workers)


def test_a_server_whose_worker_dies_ends_and_says_so(models: Path) -> None:
    server, _ = started(models, "--workers", "2")
    os.kill(children(server.pid)[0], signal.SIGKILL)
    assert server.stderr is not None
    assert "a worker has ended" in server.stderr.read()
    assert ended(server) == 1


def test_a_build_starts_and_stops_it_like_any_server(models: Path) -> None:
    command = ("{python}", "-m", "generators.pocket", "--port", "{port}", "--models", str(models), "--workers", "1")
    digest = weights_digest(models / "two")
    engines = {name: Engine(name=name, model=model, command=command)
               for name, model in (("plain", "one"), ("exact", f"two@{digest}"))}
    with serving(engines, {"plain", "exact"}) as running:
        assert running["plain"].url == running["exact"].url
        reply = call(f"{running['plain'].url}/chat/completions",
                     {"model": f"two@{digest}", "messages": TURNS, "max_tokens": 3})[1]
    assert reply["model"] == f"two@{digest}"
    with pytest.raises(OSError, match="refused"):
        call(f"{running['plain'].url}/models")


def test_a_folder_without_models_is_told(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "generators.pocket", "--models", str(tmp_path)]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 1
    assert "no folder in it holds a model.safetensors" in ran.stderr


def test_a_prompt_is_the_templates_text_and_tokens_are_their_bytes(models: Path) -> None:
    vocabulary = Vocabulary(models / "one")
    tokens = vocabulary.encode([{"role": "system", "content": "é"}, {"role": "user", "content": "34 \n"}])
    assert tokens[0] == 2
    assert tokens[-1] == 4
    assert tokens.count(1) == 2
    assert b"".join(vocabulary.pieces[token] for token in tokens) == "é34 \n".encode()


def test_a_conversation_that_is_carried_on_ends_in_its_last_words_where_others_end_in_a_new_turn(models: Path) -> None:
    vocabulary = Vocabulary(models / "one")
    turns = [{"role": "user", "content": "34"}, {"role": "assistant", "content": "4 34"}]
    assert vocabulary.encode(turns, continued=True) == [*vocabulary.encode(turns[:1]),
                                                        *vocabulary.encode(turns)[-6:-2]]
    assert vocabulary.encode(turns)[-2:] == [1, 4]


def test_a_template_that_changes_words_lets_no_reply_carry_them_on(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "loud", hidden=32, heads=1, gated=64, layers=1)
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] | upper }}")
    with pytest.raises(ValueError, match="changes the words"):
        Vocabulary(folder).encode([{"role": "assistant", "content": "a"}], continued=True)
