"""What Dagster loads: every recipe's assets, checks, job and schedule, as the README tells them."""

import itertools
import socket
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from assets.runs import open_instance
from pipelines import catalog
from pipelines.definitions import defs
from pipelines.ui import free_port
from schemas.errors import ConfigError

README = (Path(__file__).resolve().parents[2] / "README.md").read_text()


def told_lineage() -> set[tuple[str, str]]:
    """The edges of the README's picture of a build."""
    picture = next(block for block in README.split("```")[1::2] if block.startswith("\nprompts →"))
    edges = set()
    for line in picture.strip().splitlines():
        groups = [[name.strip() for name in group.split(",")] for group in line.split("→")]
        edges |= {(a, b) for left, right in itertools.pairwise(groups) for a in left for b in right}
    return edges


def told_checks() -> set[tuple[str, str, str, bool]]:
    """The rows of the README's table of checks: asset, name, what it says, whether it blocks."""
    rows = [line.strip("| ").split("|") for line in README.splitlines() if line.startswith("| ") and "`" in line]
    cells = [[cell.strip() for cell in row] for row in rows if len(row) >= 3 and "_" in row[1]]
    return {(asset, name.strip("`"), says, "yes" in rest) for asset, name, says, *rest in cells}


def test_everything_loads() -> None:
    dg.Definitions.validate_loadable(defs)
    assert {job.name for job in defs.resolve_all_job_defs() if not job.name.startswith("__")} == {
        dataset.slug for dataset in catalog.load_all()}


def test_the_readme_draws_the_lineage_of_the_demo() -> None:
    graph = defs.resolve_asset_graph()
    edges = {(parent.path[-1], key.path[-1]) for key in graph.get_all_asset_keys() if key.path[0] == "demo"
             for parent in graph.get(key).parent_keys}
    assert edges == told_lineage()


def test_the_readme_lists_every_check_and_says_which_block() -> None:
    told = {(asset, name): (says, blocks) for asset, name, says, blocks in told_checks()}
    graph = defs.resolve_asset_graph()
    standing = {}
    for key in graph.asset_check_keys:
        spec = graph.get_check_spec(key)
        asset = "every table" if key.name == "every_row_is_accounted_for" else key.asset_key.path[-1]
        standing[asset, key.name] = (spec.description, spec.blocking)
    assert standing == told


def test_every_table_of_rows_is_checked_for_its_balance() -> None:
    keys = {key.asset_key.path[-1] for key in defs.resolve_asset_graph().asset_check_keys
            if key.name == "every_row_is_accounted_for" and key.asset_key.path[0] == "demo"}
    assert keys == {"prompts", "completions", "responses", "judge_completions", "judgments", "rankings", "preferences",
                    "kept", "unpaired", "lists"}


@pytest.mark.parametrize(("name", "cron"), [("demo", "0 3 * * *"), ("votes", "0 4 * * 1")])
def test_a_schedule_builds_a_build_named_after_its_date(name: str, cron: str, tmp_path: Path) -> None:
    schedule = defs.resolve_schedule_def(f"{name}_schedule")
    with open_instance(tmp_path) as instance:
        context = dg.build_schedule_context(instance=instance, repository_def=defs.get_repository_def(),
                                            scheduled_execution_time=datetime(2026, 11, 23, 3, tzinfo=UTC))
        requests = schedule.evaluate_tick(context).run_requests
        assert requests is not None
        assert [(request.run_key, request.partition_key) for request in requests] == [("2026-11-23", "2026-11-23")]
        assert instance.get_dynamic_partitions(f"{name}_builds") == ["2026-11-23"]
    assert schedule.cron_schedule == cron
    assert schedule.job_name == name
    assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED


def test_a_port_that_is_taken_is_named_with_another_to_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {taken} .* PORT={taken + 1} make ui"):
            free_port(str(taken))
    assert free_port(str(taken)) == str(taken)
    with pytest.raises(ConfigError, match="PORT=http is no port"):
        free_port("http")
