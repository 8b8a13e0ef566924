"""The worker processes of a server, and which of them gets which order."""

import asyncio
import os
import sys
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from generators.pocket.batch import Order, chunk_keys

ROOT = Path(__file__).resolve().parent.parent.parent
MOST_WORKERS = 4
_AHEAD = 12
"""How many orders more than the idlest a worker may have, to get one whose beginning it knows."""
_REMEMBERED = 20_000
_LINE = 1 << 24
_ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


class Ended(Exception):
    """A worker has ended, which none does by itself."""


class Pool:
    """Worker processes: one for each core, up to a few."""

    def __init__(self, folders: Sequence[Path], workers: int | None = None) -> None:
        self._folders = folders
        self.count = workers or min(MOST_WORKERS, len(os.sched_getaffinity(0)) if sys.platform == "linux"
                                     else os.cpu_count() or 1)
        self._workers: list[asyncio.subprocess.Process] = []
        self._open: list[dict[int, asyncio.Future[Mapping[str, Any]]]] = []
        self._readers: list[asyncio.Task[None]] = []
        self._knowing: OrderedDict[bytes, int] = OrderedDict()
        self._numbers = 0
        self.steady = False
        """Whether replies are the same bit for bit in any company, on this machine."""
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when a worker has ended."""

    async def start(self) -> None:
        """Start the workers; Ended where one cannot load the models, with its words on standard error."""
        environment = {**os.environ, **dict.fromkeys(_ONE_THREAD, "1")}
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        command = [sys.executable, "-m", "generators.pocket.worker", *map(str, self._folders)]
        for _ in range(self.count):
            self._workers.append(await asyncio.create_subprocess_exec(
                *command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, limit=_LINE, env=environment))
        for place, worker in enumerate(self._workers):
            assert worker.stdout is not None, "made with a pipe"
            if not (line := await worker.stdout.readline()):
                raise Ended(f"a worker ended with status {await worker.wait()} before it was ready")
            self.steady = orjson.loads(line)["steady"]
            self._open.append({})
            self._readers.append(asyncio.create_task(self._read(place, worker.stdout)))

    async def write(self, order: Order) -> Mapping[str, Any]:
        """The reply to an order, as a dictionary of `Written`; its number is set here. Cancelling it frees its slot."""
        place = self._place(chunk_keys(order.tokens), order.model.encode())
        self._numbers += 1
        number = self._numbers
        self._tell(place, {**asdict(order), "number": number})
        self._open[place][number] = asyncio.get_running_loop().create_future()
        try:
            return await self._open[place][number]
        except asyncio.CancelledError:
            self._tell(place, {"cancel": number})
            raise
        finally:
            self._open[place].pop(number, None)

    async def stop(self) -> None:
        """End the workers."""
        for worker in self._workers:
            assert worker.stdin is not None, "made with a pipe"
            worker.stdin.close()
            if worker.returncode is None:
                worker.terminate()
        await asyncio.gather(*(worker.wait() for worker in self._workers), *self._readers, return_exceptions=True)

    def _tell(self, place: int, line: Mapping[str, Any]) -> None:
        stdin = self._workers[place].stdin
        assert stdin is not None, "made with a pipe"
        stdin.write(orjson.dumps(line) + b"\n")

    def _place(self, keys: Sequence[bytes], model: bytes) -> int:
        """The worker that knows most of the prompt's beginning, unless it is far behind; else the idlest."""
        loads = [len(opened) for opened in self._open]
        idlest = loads.index(min(loads))
        known = next((self._knowing[model + key] for key in reversed(keys) if model + key in self._knowing), idlest)
        place = known if loads[known] <= loads[idlest] + _AHEAD else idlest
        for key in keys:
            self._knowing[model + key] = place
            self._knowing.move_to_end(model + key)
        while len(self._knowing) > _REMEMBERED:
            self._knowing.popitem(last=False)
        return place

    async def _read(self, place: int, lines: asyncio.StreamReader) -> None:
        while line := await lines.readline():
            written = orjson.loads(line)
            waiting = self._open[place].get(written["number"])
            if waiting is not None and not waiting.done():
                waiting.set_result(written)
        for waiting in self._open[place].values():
            if not waiting.done():
                waiting.set_exception(Ended("the worker that wrote this reply has ended"))
        if not self.failed.done():
            self.failed.set_result(None)
