"""Managed model servers: started as child processes where an engine has a command, checked, always torn down.

    with serving(engines, needed={"small", "judge"}) as running:
        ...  # running has the same engines, those with a command now with their url

Winnow starts servers, it never loads models into its own process: a server can need an interpreter of its own, and its
GPU memory goes with it. A supervisor (generators/supervise.py) stands between, so that no server outlives a kill -9.
"""

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from generators.engines import Engine, engine_named, key_of
from schemas.errors import EngineError

ROOT = Path(__file__).parent.parent
SUPERVISOR = Path(__file__).with_name("supervise.py")
LOG_LINES = 20
QUIET = {
    "DO_NOT_TRACK": "1",
    "VLLM_DO_NOT_TRACK": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "OLLAMA_NO_ANALYTICS": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
    "GRADIO_ANALYTICS_ENABLED": "False",
}
"""Environment that switches off what servers report about their use."""
_POLL_S = 0.1
_ERROR = re.compile(r"\b(?:[A-Z]\w*)?(?:Error|Exception): \S.*")
_TELL_S = 10.0
_PORT_TRIES = 3
_LAST_WORDS_S = 5.0
"""How long a server that seems to have died may take to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """How far a server is on its way up; the last one told of a server is the one with its url."""

    engines: tuple[str, ...]
    seconds: float
    command: tuple[str, ...]
    """As it runs, without keys."""
    doing: str = ""
    """The last line of its log."""
    url: str | None = None
    """Where it answers, once it does."""
    version: str | None = None
    """What it says its version is, as vLLM does."""

    def __str__(self) -> str:
        """In words, for a log or a terminal."""
        who = f"engine{'s' if len(self.engines) > 1 else ''} {', '.join(self.engines)}"
        if self.url is None:
            return f"{who}: starting, {self.seconds:.0f} s" + (f"; its log says: {self.doing}" if self.doing else "")
        version = f", version {self.version}" if self.version else ""
        return f"{who}: ready at {self.url} after {self.seconds:.1f} s{version}"


Progress = Callable[[Start], None]


@dataclass(slots=True)
class _Server:
    """One running command and the engines it serves."""

    command: tuple[str, ...]
    engines: list[Engine]
    log: Path
    url: str = ""
    running: tuple[str, ...] = ()
    """The command with port and interpreter filled in."""
    supervisor: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def who(self) -> str:
        return f"engine{'s' if len(self.engines) > 1 else ''} {', '.join(engine.name for engine in self.engines)}"

    @property
    def gpu(self) -> bool:
        return any(engine.gpu for engine in self.engines)

    def told(self, began: float, url: str | None = None) -> Start:
        """How far it is, `began` being when it was started on the monotonic clock."""
        return Start(engines=tuple(engine.name for engine in self.engines), seconds=time.monotonic() - began, url=url,
                     command=tuple(self.hide(part) for part in self.running or self.command),
                     doing=self.hide(log_tail(self.log, 1))[:160] if self.log.stat().st_size else "",
                     version=_version(url) if url else None)

    def hide(self, text: str) -> str:
        """The text without the engines' keys: servers like to print their arguments."""
        for engine in self.engines:
            if key := os.environ.get(engine.key_env or "", "").strip():
                text = text.replace(key, "(key)")
        return text


@contextmanager
def serving(
    engines: Mapping[str, Engine],
    needed: set[str],
    *,
    start_timeout_s: float = 900.0,
    logs: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[dict[str, Engine]]:
    """Start the servers of the needed engines that have a command; gives all engines, theirs with `url` filled.

    In a command, {port} becomes a free port of 127.0.0.1 and {python} this interpreter; engines of one command share
    one server. A server counts as started when GET <url>/models lists every model of its engines. Their output goes to
    files in `logs` (default: a folder that goes with them). `progress` hears of every server now and then while it
    starts, and when it is ready. All start at once, but those that need the GPU one after the other, since each sees
    how much memory there is.

    Raises EngineError when a command cannot be run, ends early, is not ready after `start_timeout_s` seconds (with the
    end of its log), or serves other models (with what it offers); an EngineError of the body gets the end of the log of
    a server that died. Servers are down, children included, on leaving.
    """
    with contextlib.ExitStack() as stack:
        folder = logs or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="winnow-serve-")))
        folder.mkdir(parents=True, exist_ok=True)
        servers = _servers(engines, needed, folder)
        stack.callback(_stop, servers)
        for server in servers:
            if not server.gpu:  # these start before the first is waited for: loading weights takes minutes
                _start(server)
        for server in sorted(servers, key=lambda server: server.gpu):
            if server.supervisor is None:
                _start(server)
            _wait(server, start_timeout_s, progress or (lambda _: None))
        urls = {engine.name: server.url for server in servers for engine in server.engines}
        try:
            yield {name: replace(engine, url=urls.get(name, engine.url)) for name, engine in engines.items()}
        except EngineError as error:
            raise (_died(servers) or error) from error


def log_tail(log: Path, lines: int = LOG_LINES) -> str:
    """The last lines of a server's log."""
    text = log.read_bytes()[-64_000:].decode(errors="replace") if log.exists() else ""
    return "\n".join(text.splitlines()[-lines:]) or "(the log is empty)"


def _servers(engines: Mapping[str, Engine], needed: set[str], folder: Path) -> list[_Server]:
    by_command: dict[tuple[str, ...], list[Engine]] = {}
    for name in sorted(needed):
        engine = engine_named(engines, name, "the build")
        if engine.command:
            by_command.setdefault(tuple(engine.command), []).append(engine)
    return [_Server(command, users, folder / f"{users[0].name.replace('/', '_')}.log")
            for command, users in by_command.items()]


def _start(server: _Server) -> None:
    port = _free_port()
    server.url = f"http://127.0.0.1:{port}/v1"
    server.running = tuple(part.replace("{port}", str(port)).replace("{python}", sys.executable)
                           for part in server.command)
    with server.log.open("ab") as log:
        server.supervisor = _supervised(server.running, "{python}" in server.command, log)


def _supervised(command: tuple[str, ...], ours: bool, log: IO[bytes]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, **QUIET}
    if ours:  # only for our interpreter: in a server's own one, our rooms' names could hide its packages
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    supervisor = [sys.executable, "-I", "-S", str(SUPERVISOR), str(os.getpid()), *command]
    return subprocess.Popen(
        supervisor, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, env=environment
    )


def _wait(server: _Server, patience_s: float, progress: Progress) -> None:
    began, told, tries = time.monotonic(), 0.0, 1
    while (code := _ended(server)) is not None or (offered := _offered(server)) is None:
        took = time.monotonic() - began
        if code is not None:
            if tries == _PORT_TRIES or "address already in use" not in log_tail(server.log).lower():
                raise _failure(server, f"ended with status {code} before it was ready")
            tries += 1
            _stop([server])
            _start(server)
        if took > patience_s:
            raise _failure(server, f"is not ready after {patience_s:g} s")
        if took - told >= _TELL_S:
            told = took
            progress(server.told(began))
        time.sleep(_POLL_S)
    _check_models(server, offered)
    progress(server.told(began, server.url))


def _ended(server: _Server) -> int | None:
    return server.supervisor.poll() if server.supervisor else None


def _offered(server: _Server) -> list[str] | None:
    """The models the server lists; None while it does not answer."""
    request = urllib.request.Request(f"{server.url}/models")
    if key := next((key_of(engine) for engine in server.engines if engine.key_env), None):
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=5) as reply:
            listed = json.loads(reply.read())
            return [str(model["id"]) for model in listed["data"]]
    except urllib.error.HTTPError as error:
        with error:
            if error.code in (401, 403):
                raise EngineError(f"{server.who}: the server wants another key (status {error.code}); give its command "
                                  "and the engine's key_env the same one") from None
        return None
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _version(url: str) -> str | None:
    """What the server says at /version, where vLLM has that beside the API."""
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
                f"{url.removesuffix('/v1')}/version", timeout=5) as reply:
            return str(json.loads(reply.read())["version"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _check_models(server: _Server, offered: list[str]) -> None:
    for engine in server.engines:
        if engine.model not in offered:
            raise EngineError(
                f"engine '{engine.name}': the server at {server.url} does not offer model '{engine.model}' but "
                f"{', '.join(sorted(offered)) or 'none'}; set the engine's model to one of these, or start another"
            )


def _failure(server: _Server, what: str) -> EngineError:
    first = "".join(f"\n{line}" for line in _errors(server.log))
    told = f"command: {' '.join(server.running or server.command)}\nits log ends:\n{log_tail(server.log)}"
    if first:
        told += f"\nthe first errors in it:{first}"
    return EngineError(f"{server.who}: the server {what}\n{server.hide(told)}")


def _errors(log: Path) -> list[str]:
    """The first errors that a log names: vLLM's processes end with what followed from the one that counts."""
    text = log.read_bytes()[:4_000_000].decode(errors="replace") if log.exists() else ""
    return list(dict.fromkeys(found.group()[:300] for found in _ERROR.finditer(text)))[:3]


def _died(servers: list[_Server]) -> EngineError | None:
    """The error of a server that died while it was asked, if one did."""
    patience = time.monotonic() + _LAST_WORDS_S
    while servers and time.monotonic() < patience:
        for server in servers:
            if (code := _ended(server)) is not None:
                return _failure(server, f"ended with status {code} while it was asked; replies so far are stored")
        time.sleep(_POLL_S)
    return None


def _stop(servers: list[_Server]) -> None:
    """Tell all supervisors to end their server and all that it started; then wait for each, and kill what does not."""
    running = [server.supervisor for server in servers if server.supervisor]
    for supervisor in running:
        assert supervisor.stdin is not None, "made with a pipe"
        supervisor.stdin.close()
        supervisor.terminate()
    for supervisor in running:
        try:
            supervisor.wait(30)
        except subprocess.TimeoutExpired:
            supervisor.kill()  # its death is the server's: see supervise.py
            supervisor.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
