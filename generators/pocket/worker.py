"""A worker process: writes the replies that the server orders, on one core; `python -m generators.pocket.worker`.

Orders come as JSON lines on standard input, replies go out as JSON lines on standard output; the end of the input ends
the worker, so that it cannot outlive its server. Threads would wait for each other: most of a pass is small products,
between which Python holds its lock.
"""

import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue

import orjson

from generators.pocket.batch import Batch, Order
from generators.pocket.llama import Llama
from generators.pocket.tensors import read_shape, read_weights
from generators.pocket.vocabulary import Vocabulary

Lines = SimpleQueue[bytes]


def main() -> None:
    """Load the models of the folders named on the command line, say so, and write replies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the server ends us
    batches = {folder.name: open_batch(folder) for folder in map(Path, sys.argv[1:])}
    _tell(orjson.dumps({"steady": all(batch.steady for batch in batches.values())}))
    lines: Lines = SimpleQueue()
    threading.Thread(target=_read, args=(lines,), daemon=True).start()
    while _take(batches, lines):
        for batch in batches.values():
            if batch.busy:
                for written in batch.step():
                    _tell(orjson.dumps(asdict(written)))


def open_batch(folder: Path) -> Batch:
    """The model of a folder, with nothing to do yet."""
    return Batch(Llama(read_shape(folder), read_weights(folder / "model.safetensors")), Vocabulary(folder))


def _take(batches: dict[str, Batch], lines: Lines) -> bool:
    """Hand out the orders that have come, waiting for one where there is nothing else to do; False at the end."""
    while not lines.empty() or not any(batch.busy for batch in batches.values()):
        line = lines.get()
        if not line:
            return False
        order = orjson.loads(line)
        if "cancel" in order:
            for batch in batches.values():
                batch.cancel(order["cancel"])
        else:
            batches[order["model"]].add(Order(**order))
    return True


def _read(lines: Lines) -> None:
    while line := sys.stdin.buffer.readline():
        lines.put(line)
    lines.put(b"")


def _tell(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
