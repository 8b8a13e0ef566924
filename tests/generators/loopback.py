"""A real chat server on loopback, in a thread, whose every answer a test decides; it remembers what it was sent."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from generators.ask import Ask
from generators.engines import Engine

Answer = Callable[["Sent"], Awaitable[Any]]


@dataclass
class Sent:
    """One request as the server got it."""

    body: dict[str, Any]
    headers: dict[str, str]
    at: float
    number: int
    """0 for the first request of the server."""
    times: int
    """How often this very body came before."""
    request: web.Request = field(repr=False)

    @property
    def text(self) -> str:
        return str(self.body["messages"][-1]["content"])


def said(text: str, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """A chat completion."""
    turn = {"role": "assistant", "content": text, **message}
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return {"choices": [{"index": 0, "finish_reason": finish, "message": turn}], "usage": usage}


class Loopback:
    """A server whose `answer` gives the JSON, or a whole response, for each chat request."""

    def __init__(self, answer: Answer, models: tuple[str, ...] = ("tiny",), port: int = 0) -> None:
        self.answer, self.models, self._port = answer, models, port
        self.sent: list[Sent] = []
        self.in_flight = self.most_in_flight = 0
        self._times: dict[str, int] = {}
        self._begun: Future[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port, self._loop, self._stop = self._begun.result()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @asynccontextmanager
    async def here(self) -> AsyncIterator[None]:
        """The server in the loop that runs now, instead of in a thread."""
        app = web.Application(client_max_size=1 << 26)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.001)  # 0 waits for whoever hangs
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", self._port, backlog=1024)
        await site.start()
        assert site._server is not None
        self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
        try:
            yield
        finally:
            await runner.cleanup()

    async def _serve(self) -> None:
        stop = asyncio.Event()
        async with self.here():
            self._begun.set_result((self.port, asyncio.get_running_loop(), stop))
            await stop.wait()

    async def _models(self, request: web.Request) -> web.Response:
        return web.json_response({"data": [{"id": name} for name in self.models]})

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        raw = await request.text()
        times = self._times[raw] = self._times.get(raw, -1) + 1
        now = asyncio.get_running_loop().time()
        sent = Sent(await request.json(), dict(request.headers), now, len(self.sent), times, request)
        self.sent.append(sent)
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            reply = await self.answer(sent)
        finally:
            self.in_flight -= 1
        return reply if isinstance(reply, web.StreamResponse) else web.json_response(reply)


def any_text(text: str) -> str | None:
    """Any text parses."""
    return None if text else "empty"


def asks(count: int, engine: str = "e", samples: int = 1, **more: Any) -> list[Ask]:
    """Asks q0, q1, ... of prompts p0, p1, ..."""
    return [Ask(engine=engine, messages=[{"role": "user", "content": f"q{i}"}], sample=s, prompt_id=f"p{i}", **more)
            for i in range(count) for s in range(samples)]


def engine(server: Loopback, name: str = "e", **more: Any) -> dict[str, Engine]:
    """The server as an engine."""
    return {name: Engine(name=name, model="tiny", url=server.url, **more)}
