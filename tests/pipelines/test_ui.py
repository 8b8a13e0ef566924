"""The UI in a real browser, on a real instance with a built demo: what a person must be able to read there.

Needs chromium and playwright, which `.venv` does not hold: `make screenshots` runs it in an environment of its own
(requirements/browser.txt) and renews docs/ui/ with the pictures.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright here: `make screenshots` runs this test")

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
QUIET = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--no-first-run", "--disable-default-apps", "--disable-domain-reliability")
BUILD = "2026-01-05"
TABLES = ("prompts", "criteria", "completions", "responses", "judge_completions", "judgments", "rankings",
          "preferences", "kept", "dropped", "unpaired", "unpaired_dropped", "lists", "lists_dropped", "audit",
          "dataset")
LOG_TABLES = ("messages", "signals", "turn_cues", "feedback_events", "prompts", "responses", "preferences",
              "measurements", "kept", "dropped", "unpaired", "unpaired_dropped", "audit", "dataset")
LOG_BUILD = "everything"
PATIENCE_MS = 90_000
"""Shared machines stall; nothing here waits longer than it must."""

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")


@pytest.fixture(scope="module")
def ours() -> str:
    """The Python that has Winnow: this one, or the checkout's."""
    beside = ROOT / ".venv" / "bin" / "python"
    return str(beside) if beside.exists() else sys.executable


@pytest.fixture(scope="module")
def home(ours: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A WINNOW_HOME with a build of the demo and one of the chat logs, made by the command line."""
    folder = tmp_path_factory.mktemp("home")
    for dataset, build in (("demo", BUILD), ("chatlogs", LOG_BUILD)):
        subprocess.run([ours, "-m", "pipelines.cli", "build", dataset, "--name", build], cwd=ROOT, check=True,
                       env={**os.environ, "WINNOW_HOME": str(folder)}, stdout=subprocess.DEVNULL)
    return folder


@pytest.fixture(scope="module")
def address(ours: str, home: Path) -> Iterator[str]:
    """The UI as `make ui` starts it, even from a shell that ignores SIGINT; it must stop on one SIGINT."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "WINNOW_HOME": str(home), "PORT": str(port)}
    process = subprocess.Popen(["/bin/sh", "-c", 'trap "" INT; exec "$0" -m pipelines.ui', ours], cwd=ROOT,
                               env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = f"http://127.0.0.1:{port}"
    try:
        wait_for(found)
        yield found
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    finally:
        process.kill()


@pytest.fixture
def page(address: str) -> Iterator[Any]:
    """A page of the UI, its navigation folded away."""
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        tab = browser.new_page(base_url=address, viewport={"width": 1400, "height": 900})
        tab.set_default_timeout(PATIENCE_MS)
        tab.goto("/automation")
        tab.get_by_text("Hide navigation").click()
        yield tab
        browser.close()


def wait_for(address: str) -> None:
    """Until the UI answers and has loaded the recipes."""
    for _ in range(300):
        try:
            if told(address, "{repositoriesOrError{... on RepositoryConnection{nodes{name}}}}"):
                return
        except (urllib.error.URLError, ConnectionError):
            pass
        time.sleep(0.5)
    raise AssertionError(f"nothing answers at {address}")


def told(address: str, query: str, **variables: Any) -> Any:
    """What GraphQL says, which is what the UI's buttons use."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=120) as reply:
        answer = json.load(reply)
    assert "errors" not in answer, answer["errors"]
    return answer["data"]


def launch(address: str, build: str, job: str, assets: tuple[str, ...] = ()) -> str:
    """Launch a run as the Launchpad does, wait until it ends, and give its status."""
    where = {"repositoryName": "__repository__", "repositoryLocationName": "data"}
    chosen = {"assetSelection": [{"path": ["demo", name]} for name in assets]} if assets else {}
    launched = told(address, """mutation($e: ExecutionParams!) {launchPipelineExecution(executionParams: $e) {
        __typename ... on LaunchRunSuccess {run {runId}} ... on PythonError {message}}}""", e={
        "selector": {**where, "jobName": job, **chosen}, "runConfigData": "{}", "mode": "default",
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": build}]}})["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    for _ in range(400):
        run = told(address, "query($i: ID!) {runOrError(runId: $i) {... on Run {status}}}", i=launched["run"]["runId"])
        if run["runOrError"]["status"] in ("SUCCESS", "FAILURE", "CANCELED"):
            return str(run["runOrError"]["status"])
        time.sleep(0.5)
    raise AssertionError("the run does not end")


def files(folder: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def take(page: Any, name: str, height: int) -> None:
    """A picture of the page, kept where WINNOW_SCREENSHOTS says."""
    page.set_viewport_size({"width": 1400, "height": height})
    before, picture = b"", page.screenshot()
    while before != picture:  # until fonts, fading dialogs and live data have come to rest
        page.wait_for_timeout(5_000)
        before, picture = picture, page.screenshot()
    assert len(picture) < 300_000
    if folder := os.environ.get("WINNOW_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        (Path(folder) / f"{name}.png").write_bytes(picture)


def test_the_lineage_shows_every_table(page: Any) -> None:
    page.set_viewport_size({"width": 1400, "height": 860})  # before loading: the graph is fitted once
    page.goto("/locations/data/asset-groups/demo/lineage")
    for table in TABLES:
        page.get_by_text(table, exact=True).first.wait_for()
    take(page, "lineage", 860)


def test_sample_pairs_stand_side_by_side_with_their_votes(page: Any, ours: str, home: Path) -> None:
    first = "import polars, sys; print(polars.read_parquet(sys.argv[1])['prompt'][0][0]['content'])"
    table = home / "builds" / "demo" / BUILD / "kept" / "kept.parquet"
    prompt = subprocess.run([ours, "-c", first, str(table)], check=True, capture_output=True, text=True).stdout.strip()
    page.goto(f"/assets/demo/kept?partition={BUILD}&view=partitions")
    page.get_by_text("sample pairs").wait_for()
    shown = page.inner_text("body")
    assert prompt in shown
    assert "steady: chosen ×2" in shown
    assert [word for word in ("prompt", "chosen", "rejected", "margin", "votes") if word not in shown] == []
    take(page, "pairs", 1000)


def test_the_audit_shows_its_figures_and_plots(page: Any) -> None:
    page.goto(f"/assets/demo/audit?partition={BUILD}&view=partitions")
    page.get_by_text("agreement of the jury").wait_for()
    assert "krippendorff_nominal" in page.inner_text("body")
    page.get_by_role("row").filter(has_text="plots").get_by_text("[Show Markdown]").first.click()
    plots = page.locator("[role=dialog] img, .dagster-markdown img")
    plots.nth(5).wait_for()
    sizes = plots.evaluate_all("all => all.map(one => one.complete ? one.naturalWidth : 0)")
    assert len(sizes) == 6
    assert min(sizes) > 200
    take(page, "audit", 1290)


def test_checks_are_listed_with_what_they_counted(page: Any) -> None:
    page.goto("/assets/demo/preferences?view=checks&checkDetail=chosen_scores_higher")
    for check in ("chosen_scores_higher", "texts_are_the_responses", "every_row_is_accounted_for"):
        page.get_by_text(check).first.wait_for()
    page.get_by_text("pairs contradict the rankings").first.wait_for()
    assert "blocking" in page.inner_text("body")
    take(page, "checks", 590)


def test_a_daily_and_a_weekly_schedule_are_listed(page: Any) -> None:
    page.goto("/automation")
    page.get_by_text("demo_schedule").first.wait_for()
    page.get_by_text("votes_schedule").first.wait_for()
    page.get_by_text("only on Monday").first.wait_for()
    take(page, "schedules", 310)


def test_the_lineage_of_chat_logs_shows_every_table(page: Any) -> None:
    page.set_viewport_size({"width": 1400, "height": 860})
    page.goto("/locations/data/asset-groups/chatlogs/lineage")
    for table in LOG_TABLES:
        page.get_by_text(table, exact=True).first.wait_for()


def test_events_stand_by_act_and_model_with_the_words_they_stand_on(page: Any, ours: str, home: Path) -> None:
    first = "import polars, sys; print(polars.read_parquet(sys.argv[1])['quote'].drop_nulls()[0])"
    table = home / "builds" / "chatlogs" / LOG_BUILD / "feedback_events" / "feedback_events.parquet"
    quote = subprocess.run([ours, "-c", first, str(table)], check=True, capture_output=True, text=True).stdout.strip()
    page.goto(f"/assets/chatlogs/feedback_events?partition={LOG_BUILD}&view=partitions")
    page.get_by_text("sample evidence").wait_for()
    shown = page.inner_text("body")
    assert quote in shown
    assert [words for words in ("events by act", "events by model", "mill-7b", "found by", "correction", "funnel")
            if words not in shown] == []
    take(page, "chatlogs_events", 1000)
    assert plots_of(page) == 1


def test_pairs_from_chat_logs_show_their_rules_and_whose_they_are(page: Any) -> None:
    page.goto(f"/assets/chatlogs/preferences?partition={LOG_BUILD}&view=partitions")
    page.get_by_text("share of each tenth of the groups").wait_for()
    assert "regenerate" in page.inner_text("body")
    assert plots_of(page) == 1


def plots_of(page: Any) -> int:
    """How many pictures the text named "plots" opens, all of them drawn."""
    page.get_by_role("row").filter(has_text="plots").get_by_text("[Show Markdown]").first.click()
    plots = page.locator("[role=dialog] img")
    plots.first.wait_for()
    sizes = plots.evaluate_all("all => all.map(one => one.complete ? one.naturalWidth : 0)")
    assert min(sizes) > 200
    return len(sizes)


def test_a_run_launched_from_the_ui_makes_the_same_bytes_as_the_command_line(address: str, home: Path) -> None:
    built = files(home / "builds" / "demo" / BUILD / "dataset")
    for kept in ("builds", "store"):  # so that the run finds nothing and asks for every reply again
        (home / kept).rename(home / f"{kept} of the command line")
    assert launch(address, BUILD, "demo") == "SUCCESS"
    again = files(home / "builds" / "demo" / BUILD / "dataset")
    assert again.keys() == built.keys()
    assert [path for path in built if again[path] != built[path]] == []


def test_a_build_named_in_the_ui_can_be_launched_there(address: str, home: Path) -> None:
    added = told(address, """mutation {addDynamicPartition(partitionsDefName: "demo_builds", partitionKey: "another",
        repositorySelector: {repositoryName: "__repository__", repositoryLocationName: "data"}) {__typename}}""")
    assert added["addDynamicPartition"]["__typename"] == "AddDynamicPartitionSuccess"
    assert launch(address, "another", "__ASSET_JOB", ("prompts",)) == "SUCCESS"
    assert (home / "builds" / "demo" / "another" / "prompts" / "prompts.parquet").exists()


def test_one_asset_can_be_made_again_alone(address: str) -> None:
    assert launch(address, BUILD, "__ASSET_JOB", ("rankings",)) == "SUCCESS"
