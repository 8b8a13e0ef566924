"""A recipe as Dagster runs it: what stops a build, who may write it, and what a killed run leaves behind."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.errors import DagsterAssetCheckFailedError

from assets.dataset import PreferenceDataset
from assets.graph import assets_of, builds_of, job_of
from assets.home import Home
from assets.recipe import build_stages
from assets.runs import bury_dead_runs, claim_run, open_instance
from assets.stage import Means, Output, Stage, Tables
from assets.watch import Watcher
from feedback.imports.votes import votes
from feedback.jury.aggregate import majority
from preferences.pair import pair
from schemas.errors import HeldError

ROOT = Path(__file__).resolve().parents[2]
VOTED = votes(str(ROOT / "examples" / "votes.jsonl"), prompt=("instruction", "input"),
              answers=("response1", "response2"), models=("{model1}", "{model2}"),
              judges={"human:1": "annotator1", "human:2": "annotator2"},
              coding={1: "first", 2: "second", 0: "tie"}, licence="cc0-1.0", language="en")
RECIPE = PreferenceDataset(name="held", prompts=VOTED.prompts, responses=VOTED.responses, judgments=VOTED.judgments,
                           rankings=majority(), preferences=pair("best-worst"))


def doctor(monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Output], Output]) -> None:
    """Break what the stage `preferences` makes."""

    def stages(dataset: PreferenceDataset) -> list[Stage]:
        return [replace(stage, make=spoilt(stage)) if stage.name == "preferences" else stage
                for stage in build_stages(dataset)]

    def spoilt(stage: Stage) -> Callable[[Means, Tables], Output]:
        assert stage.make is not None
        make = stage.make
        return lambda means, tables: spoil(make(means, tables))

    monkeypatch.setattr("assets.graph.build_stages", stages)


def swapped(output: Output) -> Output:
    """Chosen and rejected change places, as when labels are joined by position."""
    pairs = output.tables["preferences"]
    names = {f"chosen{end}": f"rejected{end}" for end in ("", "_id", "_model")}
    exchange = names | {rejected: chosen for chosen, rejected in names.items()}
    return replace(output, tables={"preferences": pairs.rename(exchange).select(pairs.columns)})


def leaking(output: Output) -> Output:
    """A row vanishes from the funnel."""
    first, *others = output.counts
    return replace(output, counts=[replace(first, count=first.count + 1), *others])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("WINNOW_HOME", str(tmp_path))
    return Home.find()


@pytest.fixture
def instance(home: Home) -> Iterator[dg.DagsterInstance]:
    with open_instance(home.dagster) as opened:
        yield opened


def run(dataset: PreferenceDataset, name: str, instance: dg.DagsterInstance,
        only: str | None = None) -> dg.ExecuteInProcessResult:
    """Run a dataset's job, or one asset, as schedule and UI do: without the tags that the command line gives."""
    instance.add_dynamic_partitions(builds_of(dataset.name).name or "", [name])
    defs = dg.Definitions(assets=assets_of(dataset), jobs=[job_of(dataset)], resources={"watcher": Watcher()},
                          executor=dg.in_process_executor)
    return defs.resolve_job_def(dataset.name).execute_in_process(
        instance=instance, partition_key=name, asset_selection=[dg.AssetKey(["held", only])] if only else None,
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}})


def made(home: Home, name: str) -> set[str]:
    """What a build has so far."""
    return {path.name for path in home.build("held", name).path.iterdir() if path.is_dir()}


def test_a_sound_build_passes_every_blocking_check_and_is_exported(home: Home, instance: dg.DagsterInstance) -> None:
    result = run(RECIPE, "sound", instance)
    evaluated = result.get_asset_check_evaluations()
    assert {"chosen_scores_higher", "few_votes_are_invalid", "most_responses_reach_the_quorum",
            "folder_matches_its_manifest"} <= {found.check_name for found in evaluated}
    assert [found.check_name for found in evaluated if found.blocking and not found.passed] == []
    assert (home.build("held", "sound").folder / "manifest.json").exists()


def test_swapped_labels_stop_the_build_before_anything_is_exported(
        home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    doctor(monkeypatch, swapped)
    with pytest.raises(DagsterAssetCheckFailedError, match="chosen_scores_higher"):
        run(RECIPE, "swapped", instance)
    assert made(home, "swapped") == {"prompts", "responses", "judgments", "rankings", "preferences"}


def test_a_row_that_nobody_accounts_for_stops_the_build(
        home: Home, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    doctor(monkeypatch, leaking)
    with pytest.raises(DagsterAssetCheckFailedError, match="every_row_is_accounted_for"):
        run(RECIPE, "leaking", instance)
    assert "dataset" not in made(home, "leaking")


def test_a_run_says_in_its_tags_which_process_executes_it(instance: dg.DagsterInstance) -> None:
    result = run(RECIPE, "tagged", instance, only="prompts")
    tags = instance.get_runs(dg.RunsFilter(run_ids=[result.run_id]))[0].tags
    assert f":{os.getpid()}@" in tags["winnow/process"]


def test_a_build_that_another_process_writes_is_refused_with_its_name(instance: dg.DagsterInstance) -> None:
    code = "from assets.home import Home; Home.find().build('held', 'taken').hold(); print('held', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(HeldError, match=f"process {other.pid} "):
            run(RECIPE, "taken", instance, only="prompts")
        assert run(RECIPE, "beside", instance, only="prompts").success
        other.kill()
    assert run(RECIPE, "taken", instance, only="prompts").success


KILLED = """
import sys
from pathlib import Path
import dagster as dg
from assets.dataset import PreferenceDataset
from assets.graph import assets_of, builds_of, job_of
from assets.home import Home
from assets.runs import open_instance
from assets.watch import Watcher
from feedback.jury.aggregate import majority
from feedback.jury.compare import compare
from generators.read import read
from generators.sample import sample
from preferences.pair import pair

dataset = PreferenceDataset(name="slow", engines=Path(sys.argv[1]), prompts=read("examples/sums.jsonl", limit=2),
                            responses=sample(pool=("deaf", "mute")), judgments=compare(("judge",)),
                            rankings=majority(), preferences=pair("best-worst"))
defs = dg.Definitions(assets=assets_of(dataset), jobs=[job_of(dataset)], resources={"watcher": Watcher()},
                      executor=dg.in_process_executor)
with open_instance(Home.find().dagster) as instance:
    instance.add_dynamic_partitions(builds_of("slow").name, ["b"])
    defs.resolve_job_def("slow").execute_in_process(instance=instance, partition_key="b")
"""


def test_a_killed_run_is_buried_and_its_gpu_slot_is_free_again(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:  # takes the request and never answers
        deaf.settimeout(300)
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}/v1"
        (tmp_path / "engines.toml").write_text("".join(
            f'[engines.{name}]\nurl = "{url}"\nmodel = "{name}"\ngpu = true\n' for name in ("deaf", "mute", "judge")))
        with subprocess.Popen([sys.executable, "-W", "ignore", "-c", KILLED, tmp_path / "engines.toml"], cwd=ROOT,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            asked, _ = deaf.accept()
            with asked:
                assert taken(instance) == 1
                assert bury_dead_runs(instance) == []
                process.send_signal(signal.SIGKILL)
    buried = bury_dead_runs(instance)
    assert [instance.get_runs(dg.RunsFilter(run_ids=buried))[0].status] == [dg.DagsterRunStatus.FAILURE]
    assert taken(instance) == 0
    assert bury_dead_runs(instance) == []


def taken(instance: dg.DagsterInstance) -> int:
    """How many slots of the gpu pool are taken."""
    return instance.event_log_storage.get_concurrency_info("gpu").active_slot_count


def test_a_run_executed_again_is_not_taken_for_its_dead_parent(instance: dg.DagsterInstance) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    tags = {"winnow/process": f"{socket.gethostname()}:{dead.pid}@1"}

    @dg.job
    def nothing() -> None:
        """Does nothing."""

    parent = instance.create_run_for_job(nothing, tags=tags, status=dg.DagsterRunStatus.FAILURE)
    child = instance.create_run_for_job(nothing, tags=tags, status=dg.DagsterRunStatus.STARTED,
                                        parent_run_id=parent.run_id, root_run_id=parent.run_id)
    assert bury_dead_runs(instance) == []
    claim_run(instance, child.run_id)
    assert f":{os.getpid()}@" in instance.get_runs(dg.RunsFilter(run_ids=[child.run_id]))[0].tags["winnow/process"]


def test_a_table_stands_behind_the_last_tables_it_reads_and_no_others(instance: dg.DagsterInstance) -> None:
    graph = dg.Definitions(assets=assets_of(RECIPE), resources={"watcher": Watcher()}).resolve_asset_graph()
    behind = {key.path[-1]: {parent.path[-1] for parent in graph.get(key).parent_keys}
              for key in graph.get_all_asset_keys()}
    assert behind == {"prompts": set(), "responses": {"prompts"}, "judgments": {"responses"}, "rankings": {"judgments"},
                      "preferences": {"rankings"}, "kept": {"preferences"}, "dropped": {"preferences"},
                      "audit": {"kept", "dropped"}, "dataset": {"audit"}}
