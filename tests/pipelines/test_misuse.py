"""Misuse: each gets a message of one screen that names the place and the remedy, and no traceback."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from generators.scripted import DEMO, Script, ScriptedServer
from tests.pipelines.conftest import Site

SCREEN = 24


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    """What the command complains of, on one line; it must have failed with a message of one screen."""
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= SCREEN
    return " ".join(done.stderr.split())


def test_a_broken_line_of_the_prompts_is_named(site: Site, sums: Callable[[int], str]) -> None:
    lines = sums(20).splitlines(keepends=True)
    lines[16] = '{"prompt": "Question 0017: what is\n'
    site.recipe("mine", "http://127.0.0.1:9/v1", "".join(lines))
    told = complaint(site.winnow("build", "mine"))
    assert "prompts.jsonl" in told
    assert re.search(r"\b17\b", told)
    assert "InputError" in told


def test_an_unknown_model_is_named_with_those_the_server_has(site: Site, sums: Callable[[int], str]) -> None:
    with ScriptedServer() as server:
        site.recipe("mine", server.url, sums(3), model="no-such-model")
        told = complaint(site.winnow("build", "mine"))
    assert "'large'" in told
    assert "no-such-model" in told
    assert "scripted-large" in told


def test_a_dead_endpoint_is_named(site: Site, sums: Callable[[int], str]) -> None:
    site.recipe("mine", "http://127.0.0.1:9/v1", sums(3))
    told = complaint(site.winnow("build", "mine"))
    assert "http://127.0.0.1:9/v1" in told


def test_a_wrong_key_names_the_variable_and_never_the_key(site: Site, sums: Callable[[int], str]) -> None:
    with ScriptedServer(replace(DEMO, key="right-key")) as server:
        site.recipe("mine", server.url, sums(3), more='key_env = "MINE_KEY"')
        done = site.winnow("build", "mine", MINE_KEY="wrong-key-73")
    assert "MINE_KEY" in complaint(done)
    assert "wrong-key-73" not in done.stdout + done.stderr
    stored = [path for path in site.home.rglob("*") if path.is_file() and b"wrong-key-73" in path.read_bytes()]
    assert not stored


def test_an_engine_that_is_not_in_the_file_is_named_before_anything_is_asked(
    site: Site, sums: Callable[[int], str]
) -> None:
    with ScriptedServer() as server:
        site.recipe("mine", server.url, sums(3))
        text = (site.root / "engines.toml").read_text()
        (site.root / "engines.toml").write_text(text.replace("[engines.judge]", "[engines.jugde]"))
        told = complaint(site.winnow("build", "mine"))
        assert server.counts()["received"] == 0
    assert "engines.toml" in told
    assert "judge" in told


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_full_disk_is_named_and_the_build_goes_on_once_there_is_room(site: Site, sums: Callable[[int], str]) -> None:
    site.home.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1400k", "tmpfs", str(site.home)], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount a small disk")
    try:
        with ScriptedServer() as server:
            site.recipe("mine", server.url, sums(60))
            told = complaint(site.winnow("build", "mine", "--name", "full"))
            assert "full" in told
            assert str(site.home) in told
            subprocess.run(["mount", "-o", "remount,size=200m", str(site.home)], check=True)
            done = site.winnow("build", "mine", "--name", "full")
            assert done.returncode == 0, done.stderr
            assert server.counts()["asked_again"] <= server.counts()["max_in_flight"]
    finally:
        subprocess.run(["umount", str(site.home)], check=False)


def test_a_second_build_of_the_same_build_is_refused_and_names_the_holder(
    site: Site, sums: Callable[[int], str]
) -> None:
    with ScriptedServer(replace(DEMO, latency_ms=600_000)) as server:
        site.recipe("mine", server.url, sums(30))
        first = site.start("build", "mine", "--name", "same")
        try:
            _wait(lambda: server.counts()["received"] > 0)
            told = complaint(site.winnow("build", "mine", "--name", "same"))
        finally:
            first.send_signal(signal.SIGKILL)
            first.wait()
    assert f"process {first.pid}" in told
    assert "--name" in told


def test_an_unknown_dataset_is_answered_with_those_there_are(site: Site) -> None:
    told = complaint(site.winnow("build", "dmeo"))
    assert "demo" in told
    assert "votes" in told


def test_two_builds_that_begin_at_once_in_a_new_home_both_finish_and_share_replies(
    site: Site, sums: Callable[[int], str]
) -> None:
    with ScriptedServer(replace(DEMO, latency_ms=20)) as server:
        site.recipe("mine", server.url, sums(5))
        both = [site.start("build", "mine", "--name", name) for name in ("one", "two")]
        assert [build.wait(timeout=300) for build in both] == [0, 0]
        assert server.counts()["asked_again"] == 0
    one, two = (site.home / "builds" / "mine" / name / "kept" / "kept.parquet" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_builds_name_cannot_lead_out_of_the_home(site: Site, sums: Callable[[int], str]) -> None:
    site.recipe("mine", "http://127.0.0.1:9/v1", sums(3))
    assert "'../../evil' cannot name a build" in complaint(site.winnow("build", "mine", "--name", "../../evil"))
    assert not list(site.home.rglob("evil"))
    assert "cannot name a build or dataset" in complaint(site.winnow("prune", "../..", "--keep", "0", "--yes"))


def test_pruning_an_unknown_dataset_is_an_error(site: Site) -> None:
    assert "no build of 'dmeo'" in complaint(site.winnow("prune", "dmeo"))


@pytest.mark.parametrize(("more", "missing"), [("", "price_in"), ("price_in = 1\nprice_out = 1", "max_tokens")])
def test_a_budget_that_cannot_hold_is_told_before_any_answer_is_paid(
    site: Site, sums: Callable[[int], str], more: str, missing: str
) -> None:
    with ScriptedServer() as server:
        site.recipe("mine", server.url, sums(3), more=more)
        with (site.root / "engines.toml").open("a") as file:
            file.write("[budget]\nusd = 1.0\n")
        for command in ("validate", "estimate", "preview", "build"):
            assert missing in complaint(site.winnow(command, "mine"))
        assert server.counts()["received"] == 0


def test_a_recipe_that_does_not_load_hides_neither_the_store_nor_the_others(
    site: Site, sums: Callable[[int], str]
) -> None:
    site.recipe("mine", "http://127.0.0.1:9/v1", sums(3))
    (site.root / "pipelines" / "broken.py").write_text("dataset = PreferenceDataset()\n")
    assert "holds 0 replies" in site.winnow("store", "show").stdout
    assert site.winnow("validate", "mine").returncode == 0
    told = complaint(site.winnow("validate", "broken"))
    assert "pipelines/broken.py, line 1: NameError: name 'PreferenceDataset' is not defined" in told


def test_a_broken_engines_file_does_not_stop_a_dataset_that_calls_no_model(site: Site) -> None:
    (site.root / "engines.toml").write_text("[engines.one]\n")
    valid = site.winnow("validate", "votes")
    assert valid.returncode == 0, valid.stderr


def test_ctrl_c_in_a_build_says_how_to_go_on_and_nothing_is_paid_twice(
    site: Site, sums: Callable[[int], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server answers a dozen requests, then leaves the others waiting until the interrupt has come."""
    seen = count()
    monkeypatch.setattr(Script, "pace_s", lambda *_: 0.0 if next(seen) < 12 else 600.0)
    with ScriptedServer() as server:
        site.recipe("mine", server.url, sums(20), more="max_concurrency = 2")
        first = subprocess.Popen(site.command("build", "mine"), cwd=site.root, env=site.environment(),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        _wait(lambda: server.counts()["received"] == 16)
        first.send_signal(signal.SIGINT)
        told = first.communicate(timeout=300)[1]
        assert first.returncode == 130
        assert "The same command goes on from here" in told
        assert "Traceback" not in told
        monkeypatch.undo()
        done = site.winnow("build", "mine")
        assert done.returncode == 0, done.stderr
        assert server.counts()["asked_again"] == 0


def test_another_folder_than_the_checkout_is_refused_so_that_no_second_home_begins(site: Site) -> None:
    elsewhere = site.root.parent / "elsewhere"
    elsewhere.mkdir()
    environment = {**site.environment(PYTHONPATH=str(site.root))}
    del environment["WINNOW_HOME"]
    done = subprocess.run(site.command("show"), cwd=elsewhere, env=environment, capture_output=True, text=True,
                          check=False)
    assert f"cd {site.root}" in complaint(done)
    assert not list(elsewhere.iterdir())


def test_init_takes_any_path_and_leaves_out_names_that_python_or_dagster_would_refuse(site: Site) -> None:
    folder = site.root / 'we"ird'
    folder.mkdir()
    (folder / "asked.jsonl").write_text('{"question": "Why is the sky blue?"}\n')
    assert site.winnow("init", "odd", "--prompts", 'we"ird/asked.jsonl').returncode == 0
    told = complaint(site.winnow("validate", "odd", EXAMPLE_API_KEY="a-key"))
    assert 'the columns are question; name one of these, as in read(..., text="question")' in told
    assert site.winnow("init", "hub", "--prompts", "hf:org/name").returncode == 0
    assert 'read("hf:org/name")' in (site.root / "pipelines" / "hub.py").read_text()
    for name in ("class", "donn\u00e9es", "My-Set"):
        assert "lower-case letters" in complaint(site.winnow("init", name))


def _wait(until: Callable[[], bool], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.05)
