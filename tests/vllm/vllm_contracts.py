"""Winnow with a real vLLM: what the engine client and the managed servers rely on. Run by tests/vllm/run.sh.

Nothing here fails because the machine is slow: tests wait for what happens, and what takes too long is run.sh's to end.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from benchmarks.crash import Site, identical, prepare
from generators.ask import Ask
from generators.client import collect
from generators.engines import Engine, load_engines
from generators.plant import question
from generators.pocket.grammar import TRAINED
from generators.pocket.server import MODELS
from generators.serve import Start, serving
from generators.store import ReplyStore
from trainers.pocket.corpus import judge_ask

PYTHON = os.environ.get("WINNOW_VLLM", "")
pytestmark = pytest.mark.skipif(not Path(PYTHON).exists(), reason="no vLLM at WINNOW_VLLM; run tests/vllm/run.sh")

ROOT = Path(__file__).parents[2]
WEIGHTS = MODELS / "pocket-judge-a"
"""Of the shipped models; it learnt all tasks, judging too."""
PATIENCE_S = 3600.0
"""Longer than run.sh lets all of this take."""
VLLM = """
[engines.NAME]
model = "NAME"
weights = "WEIGHTS"
gpu = false
price_in = 0
price_out = 0
max_concurrency = 32
timeout_s = 300

[engines.NAME.vllm]
python = "PYTHON"
dtype = "float32"
max_model_len = 512
max_num_seqs = 32
kv_cache_memory_bytes = 268435456
enforce_eager = true
"""
PROMPTS, ASKED = 150, 600
"""Of the build that is killed: enough that the moment to kill is not missed."""
RECIPE = '''"""A build that asks a real vLLM, to be killed."""

from pathlib import Path

from assets.dataset import PreferenceDataset
from generators.read import read
from generators.sample import sample
from preferences.pair import pair

dataset = PreferenceDataset(
    name="crash", engines=Path("engines.toml"), prompts=read("prompts.jsonl", licence="cc0-1.0"),
    responses=sample(["one", "two"], n=2, temperature=1.0, max_tokens=32),
    preferences=pair("by-model-order", models=["one", "two"]),
)
'''


def table(name: str) -> str:
    """The engines file's table of the model that vLLM serves."""
    return VLLM.replace("NAME", name).replace("WEIGHTS", str(WEIGHTS)).replace("PYTHON", PYTHON)


@pytest.fixture(scope="module")
def starts() -> list[Start]:
    """What was told while the module's server started."""
    return []


@pytest.fixture(scope="module")
def engine(starts: list[Start], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """The pocket model, served by vLLM for all tests of this module that only ask."""
    file = tmp_path_factory.mktemp("engines") / "engines.toml"
    file.write_text(table("one"))
    with serving(load_engines(file), {"one"}, start_timeout_s=PATIENCE_S, progress=starts.append) as running:
        yield running["one"]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ReplyStore]:
    with ReplyStore.open(tmp_path / "store") as opened:
        yield opened


def asks(texts: Sequence[str], samples: int = 1, schema: Any = None, **params: Any) -> list[Ask]:
    return [Ask(engine="one", messages=({"role": "user", "content": text},), params=params, schema=schema,
                sample=number, prompt_id=text) for text in texts for number in range(samples)]


def replies(plan: list[Ask], engine: Engine, store: ReplyStore) -> pl.DataFrame:
    found = collect(plan, {"one": engine}, store, parse=lambda text: None)
    assert set(found["status"]) == {"ok"}, found.select("status", "error").unique()
    return found


def questions(count: int) -> list[str]:
    return [question(number) for number in range(count)]


def problems(task: str, count: int) -> list[str]:
    """Held-out problems of a task that the models were trained on."""
    lines = (ROOT / "examples" / f"{task}.jsonl").read_text(encoding="utf-8").splitlines()[:count]
    return [json.loads(line)["prompt"] for line in lines]


def judge_asks(count: int) -> list[str]:
    """Requests for a verdict: of each problem, which of two sums is right."""
    return [judge_ask(problem, f"\\boxed{{{number}}}", f"\\boxed{{{number + 9}}}")
            for number, problem in enumerate(problems("arithmetic", count), start=20)]


def test_the_start_says_which_version_serves_with_which_settings(engine: Engine, starts: list[Start]) -> None:
    ready = starts[-1]
    assert ready.url == engine.url
    assert re.match(r"\d+\.\d+", ready.version or "")
    told = " ".join(ready.command)
    assert f"serve {WEIGHTS}" in told
    assert "--dtype float32 --max-model-len 512" in told
    assert "--enable-prefix-caching" in told
    assert engine.revision is not None
    assert engine.revision.startswith("sha256-")


def test_eight_samples_are_eight_replies_of_seeds_of_their_own(engine: Engine, store: ReplyStore) -> None:
    hot = {"temperature": 2.0, "max_tokens": 16}  # it is sure of some sums
    found = replies(asks(problems("arithmetic", 4), samples=8, **hot), engine, store)
    assert found.height == 32
    assert found["completion_tokens"].min() > 0  # type: ignore[operator]
    for _, part in found.group_by("request_id"):
        assert part["text"].n_unique() > 1


def test_a_seed_draws_the_same_reply_again(engine: Engine, store: ReplyStore, tmp_path: Path) -> None:
    plan = asks(problems("arithmetic", 1), temperature=2.0, max_tokens=16)
    first = replies(plan, engine, store)
    with ReplyStore.open(tmp_path / "other") as other:
        assert replies(plan, engine, other)["text"].equals(first["text"])


def test_a_json_schema_is_kept_by_every_reply(engine: Engine, store: ReplyStore) -> None:
    plan = asks(judge_asks(20), schema=TRAINED["verdict"], temperature=1.0, max_tokens=200)
    ended = replies(plan, engine, store).filter(pl.col("finish_reason") == "stop")
    assert {json.loads(text)["verdict"] for text in ended["text"]} <= {"A", "B", "tie", "both_bad"}
    assert ended.height >= 15  # a small model may go on with its reasons until its bound


def test_seeded_prompts_that_fill_more_than_a_batch_do_not_end_the_engine(engine: Engine, store: ReplyStore) -> None:
    long = [" ".join(questions(number + 20)[number:])[:600] for number in range(24)]
    found = replies(asks(long, temperature=1.0, max_tokens=2), engine, store)
    assert found["prompt_tokens"].sum() > 4096  # of which vLLM reads 4096 at once, or fewer


def test_logprobs_come_with_the_reply(engine: Engine, store: ReplyStore) -> None:
    plan = asks(problems("arithmetic", 1), max_tokens=4, logprobs=True, top_logprobs=2)
    [told] = replies(plan, engine, store)["logprobs"]
    tokens = json.loads(told)
    tokens = tokens["content"] if isinstance(tokens, dict) else tokens
    assert len(tokens) == 4
    assert all(len(token["top_logprobs"]) == 2 and token["logprob"] <= 0 for token in tokens)


def test_greedy_answers_are_those_of_the_pocket_server(engine: Engine, store: ReplyStore, tmp_path: Path) -> None:
    told: Any = {"temperature": 0.0, "max_tokens": 128}
    plan = [*asks([*problems("arithmetic", 80), *problems("functions", 60)], **told),
            *asks(judge_asks(60), schema=TRAINED["verdict"], **told)]
    ours = replies(plan, engine, store)
    command = ("{python}", "-m", "generators.pocket", "--port", "{port}")
    pocket = Engine(name="one", model=WEIGHTS.name, command=command, price_in=0, price_out=0, timeout_s=PATIENCE_S)
    with serving({"one": pocket}, {"one"}, start_timeout_s=PATIENCE_S) as running, \
            ReplyStore.open(tmp_path / "pocket") as other:
        theirs = replies(plan, running["one"], other)
    both = ours.join(theirs, on="prompt_id")
    same = both.filter(pl.col("text") == pl.col("text_right"))
    assert both.height == 200
    assert same.height >= 190, f"{both.join(same, on='prompt_id', how='anti').select('text', 'text_right').rows()}"


def descendants(root: int) -> dict[int, str]:
    """What a process started, and what that started: pids with their command lines."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if state != "Z":
                parents[int(stat.parent.name)] = int(parent)
    found: dict[int, str] = {}
    queue = [root]
    while queue:
        above = queue.pop()
        for pid in (pid for pid, parent in parents.items() if parent == above):
            found[pid] = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            queue.append(pid)
    return found


def living(pids: Iterable[int]) -> list[int]:
    """Those that are still there, zombies apart."""
    found = []
    for pid in pids:
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
                found.append(pid)
    return found


def wait_until(true: Callable[[], bool]) -> None:
    patience = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < patience, "waited in vain"
        time.sleep(0.05)


def finish(made: Site) -> None:
    build = made.build()
    try:
        status = build.wait(PATIENCE_S)
    finally:
        build.kill()  # its servers go with it
    assert status == 0, made.home.with_name(f"{made.home.name}.log").read_text()[-3000:]


def write_engines(made: Site, at_once: int) -> None:
    """Two engines of the same weights, served by one vLLM that gets so many requests of each at once."""
    same = table("pocket").replace("max_concurrency = 32", f"max_concurrency = {at_once}")
    (made.checkout / "engines.toml").write_text("".join(
        same.replace("engines.pocket", f"engines.{name}") for name in ("one", "two")))


def stored(made: Site) -> dict[int, str]:
    """The text of every reply in the store, by its seed."""
    if not (made.home / "store").exists():
        return {}
    with ReplyStore.open(made.home / "store") as opened:
        found = (one.record for one in opened.records() if one.record["kind"] == "reply")
        return {one["seed"]: one["body"]["choices"][0]["message"]["content"] for one in found}


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the log that Site.build leaves open
def test_a_build_killed_with_its_vllm_at_work_goes_on_to_the_same_dataset_and_leaves_no_process(
        tmp_path: Path) -> None:
    made = prepare(tmp_path, "killed", PROMPTS, "unused")
    (made.checkout / "pipelines" / "crash.py").write_text(RECIPE)
    write_engines(made, at_once=1)  # so that there is time to kill it
    build = made.build()
    try:
        wait_until(lambda: len(stored(made)) >= 20 or build.poll() is not None)
    except AssertionError:
        build.kill()
        raise
    assert build.poll() is None, f"the build ended before it could be killed: {made.home}.log"
    processes = descendants(build.pid)
    assert any("VLLM" in title for title in processes.values()), processes  # workers in processes of their own
    os.kill(build.pid, signal.SIGKILL)
    build.wait()
    wait_until(lambda: not living(processes))
    before = stored(made)
    assert 20 <= len(before) < ASKED
    write_engines(made, at_once=32)
    finish(made)
    after = stored(made)
    assert len(after) == ASKED
    assert before.items() <= after.items()
    [asked] = [entry for entry in json.loads((made.folder().parent / "run.json").read_text()) if "servers" in entry]
    assert (asked["from_store"], asked["asked"]) == (len(before), ASKED - len(before))
    assert [server["engines"] for server in asked["servers"]] == [["one", "two"]]
    assert re.match(r"\d+\.\d+", asked["servers"][0]["version"])
    again = Site(made.checkout, tmp_path / "again")
    shutil.copytree(made.home / "store", again.home / "store")
    finish(again)
    assert identical(made.folder(), again.folder())
    assert "servers" not in (again.folder().parent / "run.json").read_text()  # all was in the store
