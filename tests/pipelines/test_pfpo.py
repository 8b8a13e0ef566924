"""PFPO: the paper's numbers, rounds over disjoint prompts, builds on planted answers, and kill -9 in the middle."""

import itertools
import json
import re
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from typer.testing import CliRunner

from assets.dataset import PreferenceDataset
from assets.graph import assets_of, job_of
from assets.recipe import build_stages, check_engines
from assets.rounds import rounds, unrolled
from assets.runs import open_instance
from assets.stage import Means
from assets.watch import Watcher
from feedback.testcases.execute import Execute
from feedback.testcases.generate import Generate
from feedback.testcases.sandbox import isolation
from feedback.testcases.vote import Vote
from generators.engines import Engine
from generators.read import read
from generators.sample import Sample, sample
from generators.store import ReplyStore
from pipelines import catalog
from pipelines.cli import app
from preferences.by_tests import PairByTests
from schemas.errors import ConfigError
from tests.generators.loopback import Loopback, Sent, said
from tests.pipelines.conftest import Site

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
confined = pytest.mark.skipif(isolation.strict_misses() is not None, reason=f"sandbox: {isolation.strict_misses()}")


def test_the_recipes_have_the_papers_numbers() -> None:
    code, maths = catalog.load("pfpo_code"), catalog.load("pfpo_maths")
    for dataset in (code, maths):
        assert isinstance(dataset.responses, Sample)
        assert (dataset.responses.n, dataset.responses.params["temperature"]) == (10, 1.0)
        [vote] = dataset.case_sources
        assert isinstance(vote, Vote)
        assert (vote.min_voters, vote.share) == (5, 0.0 if dataset is code else 0.5)
    [inputs] = code.writers
    assert isinstance(inputs, Generate)
    assert (inputs.n, inputs.expected) == (10, False)
    assert isinstance(code.executions, Execute)
    for dataset, numbers in ((code, (0.5, 6)), (maths, (1.0, 1))):
        assert isinstance(dataset.preferences, PairByTests)
        assert (dataset.preferences.floor, dataset.preferences.margin) == numbers
        assert dataset.preferences.cap == 10


@pytest.mark.parametrize("name", ["pfpo_code", "pfpo_maths"])
def test_each_prompt_is_in_one_round(name: str) -> None:
    shares = [set(dataset.prompts().table["prompt_id"]) for dataset in catalog.load_rounds(name)]
    assert len(shares) == 3
    assert sum(map(len, shares)) == len(set.union(*shares)) == 200
    assert min(map(len, shares)) > 30


def test_a_prompt_that_is_added_moves_no_other_between_rounds(tmp_path: Path) -> None:
    lines = (EXAMPLES / "sums.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "prompts.jsonl").write_text("".join(lines[:60]))
    recipe = PreferenceDataset(
        name="grown", prompts=read(tmp_path / "prompts.jsonl"), responses=sample(["one"], n=5), rounds=rounds(4),
        preferences=catalog.load("pfpo_maths").preferences, outcomes=catalog.load("pfpo_maths").outcomes,
        test_inputs=catalog.load("pfpo_maths").test_inputs, executions=catalog.load("pfpo_maths").executions,
        test_cases=catalog.load("pfpo_maths").test_cases)
    before = [set(dataset.prompts().table["prompt_id"]) for dataset in unrolled(recipe)]
    (tmp_path / "prompts.jsonl").write_text("".join(lines))
    after = [set(dataset.prompts().table["prompt_id"]) for dataset in unrolled(recipe)]
    assert all(old <= new for old, new in zip(before, after, strict=True))
    assert [sorted(dataset.responses.engines) for dataset in unrolled(recipe) if isinstance(
        dataset.responses, Sample)] == [["one"], ["one_r1"], ["one_r2"], ["one_r3"]]


def test_the_model_of_a_round_stands_between_its_dataset_and_the_answers_of_the_next(tmp_path: Path) -> None:
    datasets = catalog.load_rounds("pfpo_maths")
    defs = dg.Definitions(assets=list(itertools.chain.from_iterable(map(assets_of, datasets))),
                          jobs=[job_of(dataset) for dataset in datasets], resources={"watcher": Watcher()})
    with open_instance(tmp_path):  # Dagster looks for the instance that was opened last
        graph = defs.resolve_asset_graph()
        model = dg.AssetKey(["pfpo_maths", "r0", "model"])
        assert not graph.get(model).is_executable
        assert graph.get(model).parent_keys == {dg.AssetKey(["pfpo_maths", "r0", "dataset"])}
        assert graph.get(model).child_keys == {dg.AssetKey(["pfpo_maths", "r1", "completions"])}
        assert "[engines.pocket_sloppy_r1]" in (graph.get(model).description or "")
        steps = {node.name for node in defs.resolve_job_def("pfpo_maths_r0").nodes}
        assert {step.partition("__")[0] for step in steps} == {"pfpo_maths_r0"}


def test_a_round_whose_model_is_not_trained_yet_says_so_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "engines.toml").write_text('[engines.pocket_sloppy]\nurl = "http://127.0.0.1:9/v1"\nmodel = "tiny"\n')
    with pytest.raises(ConfigError, match=r"no engine is called pocket_sloppy_r1 .* trained on pfpo_maths_r0"):
        check_engines(replace(catalog.load("pfpo_maths_r1"), engines=tmp_path / "engines.toml"))


def test_a_recipe_in_rounds_is_named_with_and_without_its_round() -> None:
    assert catalog.load("pfpo_code").slug == catalog.load("pfpo_code_r0").slug == "pfpo_code_r0"
    assert catalog.load("pfpo_code_r2").key == ["pfpo_code", "r2"]
    with pytest.raises(ConfigError, match="pfpo_code has no round 3; it is built as pfpo_code_r0, pfpo_code_r1"):
        catalog.load("pfpo_code_r3")
    with pytest.raises(ConfigError, match="demo has no round 0"):
        catalog.load("demo_r0")


@pytest.mark.parametrize(("change", "told"), [
    ({"schedule": "0 3 * * *"}, "no clock can start it"),
    ({"rounds": rounds(2, policy=("other", "next"))}, "rounds begin with engine 'other', which responses= does not"),
])
def test_rounds_that_cannot_be_gone_through_are_refused(change: dict[str, Any], told: str) -> None:
    from pipelines.pfpo_maths import dataset

    with pytest.raises(ConfigError, match=told):
        replace(dataset, **change)


def walked(dataset: PreferenceDataset, engines: dict[str, Engine], folder: Path) -> dict[str, pl.DataFrame]:
    """The tables of a build, made as the assets make them, without Dagster."""
    tables: dict[str, pl.DataFrame] = {}
    with ReplyStore.open(folder / "store") as store:
        for stage in build_stages(dataset):
            if stage.make is not None:
                means = Means(engines=engines, store=store, runs=folder / "runs")
                tables |= stage.make(means, {name: tables[name] for name in stage.needs}).tables
    return tables


def coder(prompts: pl.DataFrame) -> Callable[[Sent], Any]:
    """A policy that writes the reference for so many of ten samples, else a constant; and inputs for each function."""
    known = {turns[-1]["content"]: (reference, json.loads(meta)["tests"])
             for turns, reference, meta in prompts.select("messages", "reference", "meta").iter_rows()}
    counts: dict[str, int] = {}

    async def answer(sent: Sent) -> Any:
        task = next(prompt for prompt in known if prompt in sent.text)
        reference, tests = known[task]
        if "response_format" in sent.body:
            return said(json.dumps({"inputs": tests}))
        number = counts[task] = counts.get(task, -1) + 1
        head = reference.partition("\n")[0]
        return said(f"```python\n{reference if number < 7 else head + f'{chr(10)}    return {number!r}'}\n```")

    return answer


@confined
def test_a_policy_that_is_right_as_a_rule_gets_right_pairs_from_its_own_votes(tmp_path: Path) -> None:
    from pipelines.pfpo_code import EXAMPLES as SOURCE
    from pipelines.pfpo_code import dataset

    assert isinstance(dataset.preferences, PairByTests)
    few = replace(dataset, rounds=None, prompts=read(SOURCE / "functions.jsonl", reference="reference", limit=2),
                  preferences=replace(dataset.preferences, margin=3))
    with Loopback(coder(few.prompts().table)) as server:
        engines = {name: Engine(name=name, url=server.url, model="tiny") for name in ("pocket_sloppy", "pocket_large")}
        made = walked(few, engines, tmp_path)
    assert made["responses"].height == 20
    assert made["test_inputs"]["makers"].explode().unique().to_list() == ["pocket_large"]
    assert set(made["test_cases"]["share"]) == {0.7} or min(made["test_cases"]["share"]) >= 0.7
    truth = made["true_outcomes"].group_by("response_id").agg(right=(pl.col("outcome") == "pass").all())
    right = dict(truth.iter_rows())
    pairs = made["preferences"].select("chosen_id", "rejected_id").rows()
    assert len(pairs) == 2 * 10
    assert all(right[chosen] and not right[rejected] for chosen, rejected in pairs)


BUSY = '''"""Busy: programs that compute a while, so that a build can be killed in the middle."""

import os
import signal
from pathlib import Path

from assets.dataset import PreferenceDataset
from feedback.imports.samples import samples
from feedback.testcases.execute import execute
from feedback.testcases.given import given
from feedback.testcases.outcomes import check
from feedback.testcases.programs import programs
from feedback.testcases.references import by_reference
from feedback.testcases.runs import Runs
from feedback.testcases.vote import vote_outputs
from filters.pairs import identical
from preferences.by_tests import pair_by_tests

source = samples("problems.jsonl", answers="completions", reference="reference", licence="cc0-1.0", language="en")
dataset = PreferenceDataset(
    name="busy", prompts=source.prompts, responses=source.responses, programs=programs(), test_inputs=given("inputs"),
    executions=execute(workers=2), test_cases=vote_outputs(min_voters=2), outcomes=check(),
    preferences=pair_by_tests(floor=0.5, margin=2), kept=[identical], truth=by_reference(),
)


def offspring(pid):
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [one for child in found for one in (child, *offspring(child))]


if os.environ.get("DIE_AFTER"):
    keep, left = Runs.keep, [int(os.environ["DIE_AFTER"])]

    def dying(self, keys, rans):
        made = keep(self, keys, rans)
        left[0] -= 1
        if not left[0]:
            Path("offspring.txt").write_text(" ".join(offspring(os.getpid())))
            os.kill(os.getpid(), signal.SIGKILL)
        return made

    Runs.keep = dying
'''


def kept_keys(home: Path) -> list[list[str]]:
    """The keys of the runs that each process kept, oldest process first."""
    files = sorted((path for path in (home / "runs").rglob("*") if path.is_file()),
                   key=lambda path: path.stat().st_mtime)
    return [re.findall(r'"key":\s*"(\w+)"', path.read_text()) for path in files]


def alive(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "XZ"
    except FileNotFoundError:
        return False


@confined
def test_a_build_killed_in_the_middle_of_its_runs_leaves_nothing_and_runs_nothing_twice(
        site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [f"```python\ndef f(x):\n    for _ in range(20000):\n        pass\n    return x + {number % 3 // 2}\n"
               f"# {number}\n```" for number in range(12)]
    problem = {"prompt": "Write f(x) that returns x.", "reference": "def f(x):\n    return x", "completions": answers,
               "inputs": [[1], [2], [3]]}
    (site.root / "problems.jsonl").write_text(json.dumps(problem) + "\n")
    (site.root / "pipelines" / "busy.py").write_text(BUSY)
    killed = site.winnow("build", "busy", DIE_AFTER="4")
    assert killed.returncode == -signal.SIGKILL
    offspring = (site.root / "offspring.txt").read_text().split()
    assert len(offspring) >= 2
    until = time.monotonic() + 60
    while any(map(alive, offspring)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not [pid for pid in offspring if alive(pid)]
    resumed = site.winnow("build", "busy")
    assert resumed.returncode == 0, resumed.stderr[-2000:]
    first, *others = kept_keys(site.home)
    later = [key for keys in others for key in keys]
    assert len(first) == 4 * 3
    assert len(later) == len(set(later))
    assert not set(first) & set(later)
    assert len(first) + len(later) == (12 + 1) * 3
    monkeypatch.setenv("WINNOW_HOME", str(site.home))
    kept = pl.read_parquet(next(site.home.glob("builds/busy/*/kept/kept.parquet")))
    assert kept.height == 8 * 4  # eight programs are right, four are off by one
    told = CliRunner().invoke(app, ["why", kept["pair_id"][0]]).output
    for words in ("passes 3 of 3 test(s)", "passes 0 of 3 test(s)", "expected by vote", "program ", "by human"):
        assert words in told
