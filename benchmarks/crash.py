"""crash: kill -9 of the whole build at random moments; the same command goes on and gives the same bytes.

    python -m benchmarks.crash [--short] [--seed N]

Builds one dataset twice against a scripted server on this machine: once undisturbed, once killed again and again, each
time resumed by the same command. Last line: a JSON object.

    kills       how often the build's process group got SIGKILL
    slots       requests the server works on at once, and the most that the engines have in flight together
    repeated    requests that the server got more than once, over all kills
    asked_again requests sent although their reply was in the store when the build was killed
    lost        rows of the exported dataset that the undisturbed build has and the killed one has not
    identical   whether shards, manifest and card are equal byte for byte
    pool_held   kills while a step held the `gpu` pool's slot
    stuck_slots slots of the pool still taken at the end
    orphans     processes of the builds still alive at the end
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from generators.store import ReplyStore

CHECKOUT = Path(__file__).resolve().parent.parent
RECIPE = CHECKOUT / "benchmarks" / "recipes" / "crash.py.txt"
ENGINES = CHECKOUT / "benchmarks" / "recipes" / "crash_engines.toml.txt"
ROOMS = ("schemas", "privacy", "generators", "filters", "feedback", "preferences", "audits", "exports", "assets",
         "pipelines", "examples")
SLOTS = 16
LATENCY_MS = 60


@dataclass(slots=True)
class Server:
    """A scripted server in its own process."""

    url: str
    process: subprocess.Popen[str]

    def counts(self) -> dict[str, int]:
        """What it saw so far."""
        with urllib.request.urlopen(f"{self.url}/counts") as reply:
            return dict(json.load(reply))

    def seeds(self) -> list[int]:
        """The seeds of the requests, in order of arrival."""
        with urllib.request.urlopen(f"{self.url}/ledger") as reply:
            return [json.loads(line)["seed"] for line in reply.read().splitlines()]


@dataclass(slots=True)
class Site:
    """A copy of the checkout with the recipe under test, and a WINNOW_HOME."""

    checkout: Path
    home: Path

    def build(self) -> subprocess.Popen[bytes]:
        """Start the build in a process group of its own."""
        log = (self.home.parent / f"{self.home.name}.log").open("ab")
        environment = {**os.environ, "WINNOW_HOME": str(self.home)}
        return subprocess.Popen([sys.executable, "-m", "pipelines.cli", "build", "crash"], cwd=self.checkout,
                                env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                                start_new_session=True)

    def finish(self) -> float:
        """Build to the end; gives the seconds it took, raises with the log's tail when it fails."""
        started = time.monotonic()
        if self.build().wait(timeout=300):
            log = (self.home.parent / f"{self.home.name}.log").read_text()
            raise RuntimeError(f"the build failed:\n{log[-3000:]}")
        return time.monotonic() - started

    def folder(self) -> Path:
        """The exported dataset."""
        return next(self.home.glob("builds/crash/*/dataset"))

    def processes(self) -> list[int]:
        """Living processes that were started for this home."""
        marker = f"WINNOW_HOME={self.home}".encode()
        return [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/environ") if marker in _read(path)]


def main() -> None:
    """Run the trial and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="three kills and few prompts")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    prompts, kills = (30, 3) if options.short else (120, 10)
    with tempfile.TemporaryDirectory(prefix="winnow-crash-") as folder:
        figures = trial(Path(folder), prompts, kills, random.Random(options.seed))
    print(json.dumps(figures))


def trial(folder: Path, prompts: int, kills: int, chance: random.Random) -> dict[str, object]:
    """Build once undisturbed and once with kills, and compare."""
    with serving() as server:
        quiet = prepare(folder, "quiet", prompts, server.url)
        seconds = quiet.finish()
        total = server.counts()["received"]
    print(f"undisturbed: {total} requests, {seconds:.1f} s", flush=True)
    with serving() as server:
        shaken = prepare(folder, "shaken", prompts, server.url)
        pool_held, written = 0, []
        for number, moment in enumerate(moments(kills, total, chance), start=1):
            arrived = kill(shaken, server, moment)
            held, stored = slots_taken(shaken) > 0, stored_seeds(shaken)
            pool_held += held
            written.append((arrived, stored))
            print(f"kill {number}: {arrived} requests had arrived, {len(stored)} replies were stored, "
                  f"the pool was {'held' if held else 'free'}", flush=True)
        shaken.finish()
        seeds, repeated = server.seeds(), server.counts()["repeated"]
    asked_again = sum(len(stored & set(seeds[arrived:])) for arrived, stored in written)
    return {"kills": kills, "slots": SLOTS, "repeated": repeated, "asked_again": asked_again,
            "lost": lost_rows(quiet.folder(), shaken.folder()), "identical": identical(quiet.folder(), shaken.folder()),
            "pool_held": pool_held, "stuck_slots": slots_taken(shaken), "orphans": len(shaken.processes())}


@dataclass(frozen=True, slots=True)
class Moment:
    """When to kill: so many requests have arrived, then so many seconds later."""

    arrived: int
    later_s: float


def moments(kills: int, total: int, chance: random.Random) -> list[Moment]:
    """One during the start, one after the last request, the others while requests are under way; in order.

    At least one falls among the judges' requests, which hold the `gpu` pool: they begin with the second fifth.
    """
    between = sorted([chance.randrange(2 * total // 5, total), *(chance.randrange(1, total) for _ in range(kills - 3))])
    return [Moment(0, chance.uniform(0.2, 4.0)), *(Moment(at, 0.0) for at in between),
            Moment(total, chance.uniform(0.0, 1.5))]


def kill(site: Site, server: Server, moment: Moment) -> int:
    """Start the build, kill it -9 with all it started at the moment; gives how many requests had arrived by then."""
    process = site.build()
    while server.counts()["delivered"] < moment.arrived and process.poll() is None:
        time.sleep(0.01)
    time.sleep(moment.later_s)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    time.sleep(0.3)  # the server sees the closed connections
    return server.counts()["received"]


def stored_seeds(site: Site) -> set[int]:
    """The seed of every reply in the store: it stands for request, sample and attempt."""
    with ReplyStore.open(site.home / "store") as store:
        return {stored.record["seed"] for stored in store.records() if stored.record["kind"] == "reply"}


def slots_taken(site: Site) -> int:
    """Slots of the `gpu` pool that Dagster counts as taken."""
    from assets.runs import open_instance

    with open_instance(site.home / "dagster") as instance:
        return instance.event_log_storage.get_concurrency_info("gpu").active_slot_count


def lost_rows(quiet: Path, shaken: Path) -> int:
    """Rows of the undisturbed dataset that the other lacks."""
    lost = 0
    for path in sorted(quiet.rglob("*.parquet")):
        other = shaken / path.relative_to(quiet)
        there = {repr(row) for row in pq.read_table(other).to_pylist()} if other.exists() else set()
        lost += sum(repr(row) not in there for row in pq.read_table(path).to_pylist())
    return lost


def identical(quiet: Path, shaken: Path) -> bool:
    """Whether both folders hold the same files with the same bytes."""
    contents = [{path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
                for folder in (quiet, shaken)]
    return contents[0] == contents[1]


def prepare(folder: Path, name: str, prompts: int, url: str) -> Site:
    """A site whose recipe asks the server at `url`."""
    checkout = folder / "checkout"
    if not checkout.exists():
        checkout.mkdir()
        for room in ROOMS:
            if (CHECKOUT / room).exists():
                shutil.copytree(CHECKOUT / room, checkout / room, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(CHECKOUT / "dagster.yaml", checkout)
        (checkout / "pipelines" / "crash.py").write_text(RECIPE.read_text())
    lines = (checkout / "examples" / "sums.jsonl").read_text().splitlines(keepends=True)[:prompts]
    (checkout / "prompts.jsonl").write_text("".join(lines))
    (checkout / "engines.toml").write_text(ENGINES.read_text().replace("URL", f"{url}/v1"))
    return Site(checkout, folder / name)


@contextmanager
def serving() -> Iterator[Server]:
    """A scripted server in a process of its own, on a free port."""
    command = [sys.executable, "-m", "generators.scripted", "--slots", str(SLOTS), "--latency-ms", str(LATENCY_MS),
               "--jitter-ms", "30", "--stop-with-parent"]
    process = subprocess.Popen(command, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield Server(process.stdout.readline().split()[-1], process)
    finally:
        process.kill()  # it may have inherited that it does not hear SIGTERM
        process.wait()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


if __name__ == "__main__":
    main()
