"""What Dagster shows of a build is gone with the build's runs, and what it shows of others stays."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.history import forget_builds, runs_of
from assets.runs import open_instance
from tests.privacy.planted_logs import everything

BUILDS = dg.DynamicPartitionsDefinition(name="mined_builds")


@dg.multi_asset(specs=[dg.AssetSpec("messages")], partitions_def=BUILDS,
                check_specs=[dg.AssetCheckSpec("fine", asset="messages")])
def messages(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[Any]]:
    """Shows a sample, as our assets do, and checks it."""
    said = f"words of {context.partition_key}"
    context.log.info(said)
    yield dg.MaterializeResult(asset_key="messages", metadata={"sample": dg.MetadataValue.md(said)}, check_results=[
        dg.AssetCheckResult(passed=True, check_name="fine", metadata={"note": said})])


@pytest.fixture
def instance(tmp_path: Path) -> dg.DagsterInstance:
    """An instance on which two builds were made, the first of them twice."""
    made = open_instance(tmp_path / "dagster")
    made.add_dynamic_partitions("mined_builds", ["medlar", "quince"])
    defs = dg.Definitions(assets=[messages], jobs=[dg.define_asset_job("mined", selection=[messages])],
                          executor=dg.in_process_executor)
    for build in ("quince", "medlar", "medlar"):
        assert defs.resolve_job_def("mined").execute_in_process(instance=made, partition_key=build).success
    return made


def shown(instance: dg.DagsterInstance) -> str:
    """What the UI shows of the asset's latest materialization."""
    event = instance.get_latest_materialization_event(dg.AssetKey("messages"))
    return str(event.asset_materialization.metadata) if event and event.asset_materialization else ""


def test_the_runs_of_a_build_go_whole_and_those_of_another_stay(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with instance:
        assert "words of medlar" in shown(instance)
        assert len(runs_of(instance, {("mined", "medlar")})) == 2
        assert forget_builds(instance, tmp_path / "dagster", {("mined", "medlar")}) == 2
        stored = everything(tmp_path / "dagster")
        assert "words of medlar" not in stored
        assert "words of quince" in stored
        assert "words of quince" in shown(instance)
        assert len(runs_of(instance, {("mined", "quince")})) == 1


def test_an_asset_of_which_no_build_is_left_shows_nothing(tmp_path: Path, instance: dg.DagsterInstance) -> None:
    with instance:
        assert forget_builds(instance, tmp_path / "dagster", {("mined", "medlar"), ("mined", "quince")}) == 3
        assert "words of" not in everything(tmp_path / "dagster")
        assert shown(instance) == ""
