"""Ctrl-C, and what Dagster makes of it, end a run at once and keep what came."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from generators.store import ReplyStore
from tests.generators.loopback import Loopback, Sent, asks, engine, said

Start = Callable[..., Loopback]
ROOT = Path(__file__).parents[2]
RUN = """
import asyncio, signal, sys
from pathlib import Path
from generators.client import collect
from generators.engines import Engine
from generators.store import ReplyStore
from tests.generators.loopback import any_text, asks
engines = {"e": Engine(name="e", model="tiny", url=sys.argv[1], max_concurrency=8)}
class Interrupted(BaseException):
    pass
def interrupt(*_):
    raise Interrupted
async def inside(store):
    return collect(asks(500), engines, store, any_text)
if sys.argv[3] == "dagster":
    signal.signal(signal.SIGINT, interrupt)
try:
    with ReplyStore.open(Path(sys.argv[2])) as store:
        if sys.argv[3] == "in a loop":
            asyncio.run(inside(store))
        else:
            collect(asks(500), engines, store, any_text)
except BaseException as error:
    print(type(error).__name__, flush=True)
"""


@pytest.mark.parametrize(("how", "raised"), [
    ("plain", "KeyboardInterrupt"), ("in a loop", "KeyboardInterrupt"), ("dagster", "Interrupted"),
])
def test_an_interrupt_ends_the_run_at_once_and_keeps_what_came(
    how: str, raised: str, loopback: Start, tmp_path: Path
) -> None:
    async def answer(sent: Sent) -> Any:
        """The first eight are answered; once eight others are asked, so that those eight came, the interrupt comes."""
        if sent.number < 8:
            return said("x")
        if sent.number == 15:
            running.send_signal(signal.SIGINT)
        await asyncio.sleep(600.0)

    server = loopback(answer)
    command = [sys.executable, "-c", RUN, server.url, str(tmp_path / "store"), how]
    running = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)
    try:
        told, _ = running.communicate(timeout=300)
    finally:
        running.kill()
    assert told.split() == [raised]
    assert len(server.sent) == 16
    with ReplyStore.open(tmp_path / "store") as store:
        ids = [ask.request_id(engine(server)["e"]) for ask in asks(8)]
        assert all(store.has(request_id, 0, 0) for request_id in ids)
