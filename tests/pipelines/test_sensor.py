"""The sensor of chat logs: a build for each day that new or changed logs speak of, and for no other."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg
import pytest

from assets.dataset import PreferenceDataset
from assets.graph import assets_of, job_of
from assets.log_days import changed_days
from assets.runs import open_instance
from assets.watch import Watcher
from feedback.chatlogs.answers import logged
from feedback.chatlogs.logs import ChatLogs, chat_logs
from pipelines.sensors import sensor_of
from preferences.by_events import pair_by_events


def call(day: int, session: str, *said: str) -> str:
    """A request to a model and its answer, on a day of March; the history is repeated."""
    turns = [{"role": "assistant" if place % 2 else "user", "content": text} for place, text in enumerate(said)]
    at = datetime(2026, 3, day, 9, tzinfo=UTC).timestamp()
    return json.dumps({"request": {"messages": turns[:-1], "metadata": {"session_id": session}}, "response": {
        "created": at, "model": "bot", "choices": [{"index": 0, "message": turns[-1]}]}}) + "\n"


@pytest.fixture
def logs(tmp_path: Path) -> ChatLogs:
    """A folder with a log of two days."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "a.jsonl").write_text(call(2, "one", "Hi", "Hello") + call(3, "two", "Why?", "So."))
    return chat_logs(tmp_path / "logs")


def test_every_day_of_a_new_log_is_told_once(logs: ChatLogs, tmp_path: Path) -> None:
    days, cursor = changed_days(logs, tmp_path / "home", None)
    assert sorted(days) == ["2026-03-02", "2026-03-03"]
    assert changed_days(logs, tmp_path / "home", cursor) == ({}, cursor)


def test_a_late_turn_changes_its_own_day_alone(logs: ChatLogs, tmp_path: Path) -> None:
    _, cursor = changed_days(logs, tmp_path / "home", None)
    with (tmp_path / "logs" / "a.jsonl").open("a") as file:
        file.write(call(5, "one", "Hi", "Hello", "Bad!", "Sorry."))
    days, _ = changed_days(logs, tmp_path / "home", cursor)
    assert sorted(days) == ["2026-03-05"]


def test_a_file_that_is_touched_moved_or_copied_changes_no_day(logs: ChatLogs, tmp_path: Path) -> None:
    _, cursor = changed_days(logs, tmp_path / "home", None)
    (tmp_path / "logs" / "a.jsonl").touch()
    (tmp_path / "logs" / "a.jsonl").rename(tmp_path / "logs" / "b.jsonl")
    (tmp_path / "logs" / "c.jsonl").write_text((tmp_path / "logs" / "b.jsonl").read_text())
    days, _ = changed_days(logs, tmp_path / "home", cursor)
    assert days == {}


def test_a_file_that_cannot_be_read_is_looked_at_again(logs: ChatLogs, tmp_path: Path) -> None:
    strange = tmp_path / "logs" / "strange.jsonl"
    strange.write_text('{"what": 1}\n')
    days, cursor = changed_days(logs, tmp_path / "home", None)
    assert len(days) == 2
    strange.write_text(call(8, "three", "Yes?", "No."))
    assert sorted(changed_days(logs, tmp_path / "home", cursor)[0]) == ["2026-03-08"]


def test_a_log_without_dates_is_of_the_day_it_is_first_seen(logs: ChatLogs, tmp_path: Path) -> None:
    (tmp_path / "logs" / "undated.jsonl").write_text(json.dumps({"messages": [
        {"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Ho"}]}) + "\n")
    before = datetime.now(UTC).date()
    days, _ = changed_days(logs, tmp_path / "home", None)
    [day] = set(days) - {"2026-03-02", "2026-03-03"}
    assert before <= date.fromisoformat(day) <= datetime.now(UTC).date()


def test_the_sensor_asks_for_a_run_of_each_day_under_a_key_that_runs_once(
        logs: ChatLogs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WINNOW_HOME", str(tmp_path / "home"))
    recipe = PreferenceDataset(name="seen", messages=logs, prompts=logged(), responses=logged(),
                               preferences=pair_by_events())
    defs = dg.Definitions(assets=assets_of(recipe), jobs=[job_of(recipe)], sensors=[sensor_of(recipe, logs)],
                          resources={"watcher": Watcher()})
    sensor = defs.resolve_sensor_def("seen_sensor")
    with open_instance(tmp_path / "dagster") as instance:
        first = sensor(dg.build_sensor_context(instance=instance, repository_def=defs.get_repository_def()))
        assert isinstance(first, dg.SensorResult)
        requests = first.run_requests or []
        assert [request.partition_key for request in requests] == ["2026-03-02", "2026-03-03"]
        assert len({request.run_key for request in requests}) == 2
        [added] = first.dynamic_partitions_requests or []
        assert (added.partitions_def_name, list(added.partition_keys)) == ("seen_builds", ["2026-03-02", "2026-03-03"])
        again = sensor(dg.build_sensor_context(instance=instance, repository_def=defs.get_repository_def(),
                                               cursor=first.cursor))
        assert isinstance(again, dg.SensorResult)
        assert not again.run_requests
    assert sensor.default_status == dg.DefaultSensorStatus.STOPPED
