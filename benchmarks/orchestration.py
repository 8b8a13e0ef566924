"""What asking models costs: SAMPLE with four models, then RATE with three judges on four aspects, at one slow server.

    make -s bench NAME=orchestration          32,000 requests: 2,000 prompts, 200 ms, 64 slots
    python -m benchmarks.orchestration --short

The scripted server and each client are processes of their own; a client's CPU seconds and peak memory are what the
kernel counted for its whole process, start and imports included. `wall_ratio` is the time from the first send to the
last reply over requests x latency / slots. The plain client in the same run is aiohttp with a semaphore of as many
places as the server has slots (which our client has to find out), that stores nothing, retries nothing and knows no
plan; its judge prompts are a little longer than ours. The run at twice the prompts, for `peak_mb_double`, uses half
the latency.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
GENERATORS = ("scripted-small", "scripted-medium", "scripted-large", "judge-even")
JUDGES = ("judge-steady", "judge-first", "judge-wordy")
ASPECTS = ("instruction_following", "honesty", "truthfulness", "helpfulness")
PER_PROMPT = len(GENERATORS) + len(JUDGES) * len(ASPECTS)
SLOTS = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What one client's run took."""

    cpu_s: float
    peak_mb: float
    told: dict[str, float]
    """What the client says itself: begun and ended (of its requests), rows (replies that parse)."""
    started: float
    served: dict[str, int]
    """The server's counts."""


def main(arguments: list[str] | None = None) -> None:
    """Run it, or be one of its clients."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.orchestration", description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, default=2000)
    parser.add_argument("--latency-ms", type=float, default=200.0)
    parser.add_argument("--short", action="store_true", help="40 prompts, 50 ms: to see that it works")
    parser.add_argument("--client", choices=("ours", "plain"), help="be a client (internal)")
    parser.add_argument("--url", help="of the client's server (internal)")
    options = parser.parse_args(arguments)
    if options.client:
        client = ours if options.client == "ours" else plain
        print(json.dumps(client(options.prompts, options.url)))
        return
    prompts, latency_ms = (40, 50.0) if options.short else (options.prompts, options.latency_ms)
    print(json.dumps(figure(prompts, latency_ms)))


def figure(prompts: int, latency_ms: float) -> dict[str, float]:
    """The figure's keys and values."""
    requests = prompts * PER_PROMPT
    bare = run("plain", prompts, latency_ms)
    mine = run("ours", prompts, latency_ms)
    double = run("ours", 2 * prompts, latency_ms / 2)
    ideal = requests * latency_ms / 1000 / SLOTS
    for name, ran in (("plain aiohttp", bare), ("ours", mine)):
        print(f"{name}: {ran.cpu_s:.1f} CPU s, wall {_wall(ran) / ideal:.3f} of the bound, {ran.peak_mb:.0f} MB, "
              f"{ran.served['received']} received")
    return {
        "requests": requests,
        "wall_ratio": round(_wall(mine) / ideal, 3),
        "cpu_s_per_1k": round(mine.cpu_s / requests * 1000, 3),
        "start_s": round(mine.told["begun"] - mine.started, 2),
        "peak_mb": round(mine.peak_mb, 1),
        "peak_mb_double": round(double.peak_mb, 1),
        "lost": requests - int(mine.told["rows"]) + 2 * requests - int(double.told["rows"]),
        "cpu_ratio_to_aiohttp": round(mine.cpu_s / bare.cpu_s, 3),
    }


def run(client: str, prompts: int, latency_ms: float) -> Ran:
    """Run a client against a fresh server."""
    with served(latency_ms) as url:
        started = time.time()
        command = [sys.executable, "-m", "benchmarks.orchestration", "--client", client, "--url", url,
                   "--prompts", str(prompts)]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=_usual())
        assert child.stdout is not None
        output = child.stdout.read()
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            raise SystemExit(f"the {client} client failed with {child.returncode}")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{url}/counts") as answer:
            counts = answer.read()
    return Ran(cpu_s=used.ru_utime + used.ru_stime, peak_mb=used.ru_maxrss / _MAXRSS_PER_MB,
               told=json.loads(output.splitlines()[-1]), started=started, served=json.loads(counts))


def _usual() -> dict[str, str]:
    """The environment, with byte code kept between starts as Python does it where nobody forbids it."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@contextmanager
def served(latency_ms: float) -> Iterator[str]:
    """The URL of a scripted server in a process of its own."""
    command = [sys.executable, "-m", "generators.scripted", "--latency-ms", str(latency_ms), "--slots", str(SLOTS),
               "--jitter-ms", "0", "--no-ledger", "--stop-with-parent"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        assert server.stdin is not None
        yield server.stdout.readline().split()[-1] + "/v1"
        server.stdin.close()


def ours(prompts: int, url: str) -> dict[str, float]:
    """SAMPLE and RATE as a dataset's assets run them."""
    from feedback.jury.rate import rate
    from generators.client import collect
    from generators.engines import Engine
    from generators.sample import sample
    from generators.store import ReplyStore

    engines = {name: Engine(name=name, model=name, url=url) for name in (*GENERATORS, *JUDGES)}
    table = prompts_table(prompts)
    answering, judging = sample(GENERATORS, max_tokens=256), rate(JUDGES, aspects=ASPECTS, scale=(1, 10))
    with tempfile.TemporaryDirectory() as folder, ReplyStore.open(Path(folder)) as store:
        clock = store.put = Clock(store.put)  # type: ignore[method-assign, assignment]
        completions = collect(answering.plan(table, engines), engines, store, answering.parse)
        responses = answering.responses(table, completions).table
        del completions  # each stage of a build holds what it reads, no more
        votes = collect(judging.plan(table, responses, engines), engines, store, judging.parse)
    answered = responses.height + int((votes["status"] == "ok").sum())
    return {"begun": clock.begun, "ended": clock.ended, "rows": answered}


class Clock:
    """First send and last reply, of the replies that a store is given."""

    def __init__(self, put: Any) -> None:
        self._put, self.begun, self.ended = put, float("inf"), 0.0

    def __call__(self, reply: Any, *request: Any) -> None:
        """Store a reply."""
        self.begun = min(self.begun, reply.at - reply.latency_ms / 1000)
        self.ended = reply.at
        self._put(reply, *request)


def prompts_table(count: int) -> Any:
    """Sums to work out, as PROMPTS rows."""
    import polars as pl

    from schemas.messages import prompt_id
    from schemas.prompts import PROMPTS

    rows = []
    for number in range(count):
        turns: Any = [{"role": "user", "content": question(number)}]
        rows.append({"prompt_id": prompt_id(turns), "messages": turns, "sources": ["sums"], "licences": ["CC0-1.0"],
                     "group": str(number)})
    return pl.DataFrame(pl.from_arrow(PROMPTS.rows(rows)))


def question(number: int) -> str:
    """A question that scripted models know."""
    return f"Question {number:04d}: what is {number % 900 + 100} + {number * 7 % 900 + 100}?"


def plain(prompts: int, url: str) -> dict[str, float]:
    """The same requests by aiohttp, orjson, uvloop and a semaphore alone."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_plain(prompts, url))


async def _plain(prompts: int, url: str) -> dict[str, float]:
    import aiohttp
    import orjson

    places, rows, ended = asyncio.Semaphore(SLOTS), 0, 0.0
    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(model: str, text: str) -> str:
            nonlocal rows, ended
            body = orjson.dumps({"model": model, "messages": [{"role": "user", "content": text}], "seed": 1})
            async with places, session.post(f"{url}/chat/completions", data=body, headers=headers) as response:
                reply = orjson.loads(await response.read())
            rows, ended = rows + 1, time.time()
            return str(reply["choices"][0]["message"]["content"])

        async def prompt(number: int) -> None:
            answers = await asyncio.gather(*(ask(model, question(number)) for model in GENERATORS))
            texts = [judge_prompt(question(number), answers, aspect) for aspect in ASPECTS]
            await asyncio.gather(*(ask(judge, text) for judge in JUDGES for text in texts))

        begun = time.time()
        waiting = iter(range(prompts))
        await asyncio.gather(*(_one_by_one(waiting, prompt) for _ in range(2 * SLOTS)))
    return {"begun": begun, "ended": ended, "rows": rows}


async def _one_by_one(waiting: Iterator[int], work: Any) -> None:
    for number in waiting:
        await work(number)


def judge_prompt(asked: str, answers: list[str], aspect: str) -> str:
    """A judge's prompt in the wire format, made the cheapest way."""
    shown = "\n".join(f'<answer name="{name}">\n{text}\n</answer>' for name, text in zip("ABCD", answers, strict=True))
    return (f"<conversation>\nuser: {asked}\n</conversation>\n{shown}\n<aspect>{aspect}</aspect>\n"
            f"<scale>1 to 10</scale>\n{_RUBRIC}")


def _wall(ran: Ran) -> float:
    return ran.told["ended"] - ran.told["begun"]


_MAXRSS_PER_MB = 1 << 20 if sys.platform == "darwin" else 1 << 10
_RUBRIC = "Read the answers carefully, give your reasons first, then a score for each of them. " * 17

if __name__ == "__main__":
    main()
