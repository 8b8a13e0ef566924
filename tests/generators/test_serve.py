"""Managed servers: real child processes that start, are checked, and never outlive us."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from generators.engines import Engine
from generators.serve import QUIET, Start, serving
from schemas.errors import ConfigError, EngineError

ROOT = Path(__file__).parents[2]
DEMO = ("{python}", "-m", "generators.scripted", "--port", "{port}")
# A server that starts a grandchild in a session of its own, ignores SIGTERM if told so, and notes its pids.
STUBBORN = textwrap.dedent("""
    import http.server, json, os, signal, subprocess, sys
    port, notes, deaf = int(sys.argv[1]), sys.argv[2], sys.argv[3]
    if deaf == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    grandchild = subprocess.Popen(["sleep", "600"], start_new_session=True)
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({"data": [{"id": "m"}], "environment": dict(os.environ)}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
    server = http.server.HTTPServer(("127.0.0.1", port), Handler)
    open(notes, "w").write(json.dumps([os.getpid(), grandchild.pid]))
    server.serve_forever()
""")
PARENT = textwrap.dedent("""
    import sys, time
    from pathlib import Path
    from generators.engines import Engine
    from generators.serve import serving
    notes, server, fork = sys.argv[1:]
    command = ("{python}", "-c", server, "{port}", notes, "hears")
    with serving({"m": Engine(name="m", model="m", command=command)}, {"m"}) as running:
        if fork == "fork":
            import os
            if os.fork() == 0:
                time.sleep(600)  # holds a copy of the pipe's end
                os._exit(0)
        print(running["m"].url, flush=True)
        time.sleep(600)
""")


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def gone(pids: list[int], within: float = 60.0) -> bool:
    """Whether all these processes end in time."""
    patience = time.monotonic() + within
    while time.monotonic() < patience:
        if not any(map(alive, pids)):
            return True
        time.sleep(0.02)
    return False


def engine(name: str, model: str, command: tuple[str, ...], key_env: str | None = None) -> Engine:
    return Engine(name=name, model=model, command=command, key_env=key_env)


def stubborn(notes: Path, deaf: str = "hears") -> dict[str, Engine]:
    return {"m": engine("m", "m", ("{python}", "-c", STUBBORN, "{port}", str(notes), deaf))}


@contextmanager
def parent(notes: Path, fork: str = "") -> Iterator[subprocess.Popen[str]]:
    """A process that serves, until it is killed."""
    command = [sys.executable, "-c", PARENT, str(notes), STUBBORN, fork]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline().startswith("http://127.0.0.1:")
        try:
            yield child
        finally:
            os.killpg(child.pid, signal.SIGKILL)


def models(url: str) -> list[str]:
    with urllib.request.urlopen(f"{url}/models", timeout=60) as reply:
        return [model["id"] for model in json.loads(reply.read())["data"]]


def ask_in_vain(url: str) -> None:
    with contextlib.suppress(OSError, http.client.HTTPException):
        urllib.request.urlopen(url, data=b"{}", timeout=60)
    raise EngineError("nobody answers")


def test_engines_of_one_command_share_a_server_and_get_its_url() -> None:
    engines = {
        "small": engine("small", "scripted-small", DEMO), "judge": engine("judge", "judge-steady", DEMO),
        "idle": engine("idle", "scripted-large", (*DEMO, "--seed", "1")),
        "far": Engine(name="far", model="m", url="https://example.org/v1"),
    }
    said: list[Start] = []
    with serving(engines, {"small", "judge", "far"}, progress=said.append) as running:
        assert running["small"].url == running["judge"].url
        assert running["small"].url is not None
        assert "judge-steady" in models(running["small"].url)
        assert running["idle"].url is None
        assert running["far"] == engines["far"]
        url = running["small"].url
    assert "engines judge, small: ready at" in str(said[-1])
    assert said[-1].url == url
    with pytest.raises(OSError, match="refused"):
        models(url)


def test_a_server_takes_its_grandchildren_with_it_even_those_with_their_own_session(tmp_path: Path) -> None:
    with serving(stubborn(tmp_path / "pids"), {"m"}):
        pids = json.loads((tmp_path / "pids").read_text())
        assert all(map(alive, pids))
    assert not any(map(alive, pids))


def test_a_failing_build_takes_its_servers_down(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), serving(stubborn(tmp_path / "pids"), {"m"}):
        raise ZeroDivisionError
    assert not any(map(alive, json.loads((tmp_path / "pids").read_text())))


def test_kill_9_of_the_parent_leaves_no_orphan(tmp_path: Path) -> None:
    with parent(tmp_path / "pids") as process:
        pids = json.loads((tmp_path / "pids").read_text())
        assert all(map(alive, pids))
        process.kill()
        assert gone(pids)


def test_kill_9_leaves_no_orphan_even_while_a_fork_of_the_parent_lives(tmp_path: Path) -> None:
    with parent(tmp_path / "pids", "fork") as process:
        pids = json.loads((tmp_path / "pids").read_text())
        process.kill()
        assert gone(pids)


def test_kill_9_of_the_supervisor_takes_the_server_down(tmp_path: Path) -> None:
    with serving(stubborn(tmp_path / "pids"), {"m"}):
        server, grandchild = json.loads((tmp_path / "pids").read_text())
        supervisor = int(Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(supervisor, signal.SIGKILL)
        assert gone([server])
        os.kill(grandchild, signal.SIGKILL)


def test_a_server_that_will_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    impatient = tmp_path / "supervise.py"
    source = (ROOT / "generators" / "supervise.py").read_text()
    assert "GRACE_S = 10.0" in source
    impatient.write_text(source.replace("GRACE_S = 10.0", "GRACE_S = 0.3"))
    monkeypatch.setattr("generators.serve.SUPERVISOR", impatient)
    with serving(stubborn(tmp_path / "pids", "deaf"), {"m"}):
        pids = json.loads((tmp_path / "pids").read_text())
    assert not any(map(alive, pids))


def test_a_model_that_the_server_does_not_offer_is_an_error_that_lists_what_it_offers() -> None:
    with pytest.raises(EngineError, match=r"engine 'x'.*'gpt-9'.*judge-even.*scripted-small"):
        serving({"x": engine("x", "gpt-9", DEMO)}, {"x"}).__enter__()


def test_an_early_end_shows_the_status_and_the_last_twenty_lines_of_the_log() -> None:
    code = "import sys\nfor n in range(30): print('line', n)\nsys.exit(3)"
    with pytest.raises(EngineError) as caught, serving({"x": engine("x", "m", ("{python}", "-c", code))}, {"x"}):
        pass
    assert "engine x: the server ended with status 3 before it was ready" in str(caught.value)
    assert "line 29" in str(caught.value)
    assert "line 10\n" in str(caught.value)
    assert "line 9\n" not in str(caught.value)


def test_the_error_that_counts_is_shown_however_much_follows_it() -> None:
    code = ("import sys\nprint('ValueError: memory is too small')\n"
            "for n in range(30): print('RuntimeError: it failed')\nsys.exit(3)")
    with pytest.raises(EngineError) as caught, serving({"x": engine("x", "m", ("{python}", "-c", code))}, {"x"}):
        pass
    assert "the first errors in it:\nValueError: memory is too small\nRuntimeError: it failed" in str(caught.value)


def test_a_command_that_does_not_exist_is_named() -> None:
    with pytest.raises(EngineError, match="cannot run no-such-program"):
        serving({"x": engine("x", "m", ("no-such-program",))}, {"x"}).__enter__()


def test_a_server_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock jumps as soon as the server has said what it is at."""
    code = "print('loading', flush=True)\nimport time; time.sleep(600)"

    def jumping() -> float:
        return time.monotonic() + 3600.0 * any("loading" in log.read_text() for log in tmp_path.glob("*.log"))

    monkeypatch.setattr("generators.serve.time", SimpleNamespace(monotonic=jumping, sleep=time.sleep))
    with pytest.raises(EngineError, match=r"not ready after 1800 s[^$]*loading"):
        serving({"x": engine("x", "m", ("{python}", "-c", code))}, {"x"}, start_timeout_s=1800.0,
                logs=tmp_path).__enter__()


def test_a_server_that_dies_while_it_is_asked_shows_the_end_of_its_log(tmp_path: Path) -> None:
    dying = STUBBORN.replace("def do_GET(self):", "def do_POST(self): print('out of memory', flush=True); os._exit(9)\n"
                             "    def do_GET(self):")
    engines = {"m": engine("m", "m", ("{python}", "-c", dying, "{port}", str(tmp_path / "pids"), "hears"))}
    with pytest.raises(EngineError, match=r"ended with status 9 while it was asked[^$]*out of memory"), \
            serving(engines, {"m"}) as running:
        ask_in_vain(f"{running['m'].url}/chat")


def test_servers_on_the_gpu_start_one_after_the_other(tmp_path: Path) -> None:
    # each server notes when it begins, and answers a second later
    slow = "import sys, time; open(sys.argv[2], 'a').write('begins\\n'); time.sleep(1)\n" + STUBBORN.replace(
        "server.serve_forever()", "open(notes[:-5], 'a').write('listens\\n')\nserver.serve_forever()").replace(
        "open(notes, \"w\")", "open(os.devnull, \"w\")")
    noted = tmp_path / "noted"
    for gpu, expected in ((True, ["begins", "listens"] * 2), (False, ["begins"] * 2 + ["listens"] * 2)):
        noted.unlink(missing_ok=True)
        engines = {name: Engine(name=name, model="m", gpu=gpu, gpu_share=0.5, command=(
            "{python}", "-c", slow.replace("sys.argv[2], 'a'", "sys.argv[2][:-5], 'a'"), "{port}", f"{noted}-pids",
            "hears", name)) for name in ("a", "b")}
        with serving(engines, {"a", "b"}):
            assert noted.read_text().split() == expected


def test_a_key_never_shows_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "sk-very-secret")
    code = "import os, sys; sys.exit('started with ' + os.environ['SECRET'])"
    with pytest.raises(EngineError) as caught:
        serving({"x": engine("x", "m", ("{python}", "-c", code), "SECRET")}, {"x"}).__enter__()
    assert "started with (key)" in str(caught.value)


def test_the_server_is_asked_with_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "sesame")
    locked = (*DEMO, "--key", "sesame")
    with serving({"x": engine("x", "judge-even", locked, "SECRET")}, {"x"}) as running:
        assert running["x"].url
    monkeypatch.setenv("SECRET", "wrong")
    with pytest.raises(EngineError, match="wants another key"):
        serving({"x": engine("x", "judge-even", locked, "SECRET")}, {"x"}).__enter__()


def test_servers_are_told_not_to_phone_home(tmp_path: Path) -> None:
    with serving(stubborn(tmp_path / "pids"), {"m"}) as running, \
            urllib.request.urlopen(f"{running['m'].url}/models", timeout=60) as reply:
        environment = json.loads(reply.read())["environment"]
    assert environment.items() >= QUIET.items()
    assert QUIET["VLLM_NO_USAGE_STATS"] == QUIET["DO_NOT_TRACK"] == "1"


def test_a_port_taken_in_between_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        free = socket.socket()
        free.bind(("127.0.0.1", 0))
        ports = [taken.getsockname()[1], free.getsockname()[1]]
        free.close()
        monkeypatch.setattr("generators.serve._free_port", lambda: ports.pop(0))
        with serving(stubborn(tmp_path / "pids"), {"m"}):
            assert not ports


def test_an_engine_nobody_knows_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="nobody"):
        serving({}, {"nobody"}).__enter__()
