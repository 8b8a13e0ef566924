"""Runs a stage: in this thread until told to stop, or in a thread of its own for tests."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from types import TracebackType
from typing import Self

import uvloop
from aiohttp import web

from generators.scripted.script import DEMO, Script
from generators.scripted.stage import Stage
from generators.scripted.tally import Served


async def serve(script: Script, port: int, ready: Callable[[Stage, int], None], stop: asyncio.Event) -> None:
    """Play the script on 127.0.0.1 until told to stop; `ready` gets the stage and the port once it listens."""
    stage = Stage(script)
    server = web.Server(stage.handle, handler_cancellation=True, access_log=None)
    listening = await asyncio.get_running_loop().create_server(server, "127.0.0.1", port, backlog=4096)
    try:
        ready(stage, listening.sockets[0].getsockname()[1])
        await stop.wait()
    finally:
        listening.close()
        await server.shutdown(0.0)


class ScriptedServer:
    """A scripted server in a thread of this process, on a free port."""

    def __init__(self, script: Script = DEMO) -> None:
        self.script = script
        self._begun: Future[tuple[Stage, int, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
        self._thread = threading.Thread(target=self._run, name="scripted-server", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._stage, self.port, self._loop, self._stop = self._begun.result()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def url(self) -> str:
        """What an engine's url should be."""
        return f"http://127.0.0.1:{self.port}/v1"

    def counts(self) -> dict[str, int]:
        """What GET /counts gives."""
        return self._stage.tally.counts()

    def ledger(self) -> list[Served]:
        """What GET /ledger gives, in order of arrival."""
        return list(self._stage.tally.ledger)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            try:
                runner.run(self._play())
            except BaseException as error:
                if self._begun.done():
                    raise
                self._begun.set_exception(error)

    async def _play(self) -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        await serve(self.script, 0, lambda stage, port: self._begun.set_result((stage, port, loop, stop)), stop)
