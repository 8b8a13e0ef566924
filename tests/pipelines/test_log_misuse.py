"""Misuse of chat logs: each gets a message of one screen that names the place and the remedy, and no traceback."""

import re

import pytest

from tests.pipelines.conftest import Site
from tests.pipelines.test_misuse import complaint

LOGS = '''"""A recipe from logs, for a test."""

from assets.dataset import PreferenceDataset
from feedback.chatlogs.answers import logged
from feedback.chatlogs.cues import cues
from feedback.chatlogs.logs import chat_logs
from generators.sample import sample
from preferences.by_events import pair_by_events

dataset = PreferenceDataset(
    name="mined",
    messages=chat_logs("logs"),
    feedback_events=cues(),
    prompts=logged(),
    responses=logged(),
    preferences=pair_by_events("vote"),
)
'''


@pytest.fixture
def mined(site: Site) -> Site:
    """A checkout with a recipe that reads the battles in its folder logs/, of which the second line is broken."""
    (site.root / "logs").mkdir()
    lines = (site.root / "examples" / "chat" / "arena.jsonl").read_text().splitlines(keepends=True)
    (site.root / "logs" / "arena.jsonl").write_text("".join([lines[0], '{"question_id": "x", broken\n', *lines[1:]]))
    (site.root / "pipelines" / "mined.py").write_text(LOGS)
    return site


def test_broken_lines_of_logs_are_told_with_their_place_and_the_rest_is_built(mined: Site) -> None:
    checked, built = mined.winnow("validate", "mined"), mined.winnow("build", "mined")
    assert (checked.returncode, built.returncode) == (0, 0), checked.stderr + built.stderr
    assert "failed 1 records: not JSON" in checked.stdout
    for told in (checked.stdout, built.stdout):
        assert re.search(r"^broken +logs/arena\.jsonl, line 2: ", told, re.MULTILINE), told


@pytest.mark.parametrize("day", ["2026-02-30", "2026-1-5", "05-01-2026", "20260105"])
def test_a_name_that_looks_like_a_day_and_is_none_is_refused(mined: Site, day: str) -> None:
    told = complaint(mined.winnow("build", "mined", "--name", day))
    assert repr(day) in told
    assert "write the day as 2026-01-31" in told
    assert not (mined.home / "builds" / "mined").exists()


def test_a_day_of_which_the_logs_hold_nothing_is_named(mined: Site) -> None:
    told = complaint(mined.winnow("build", "mined", "--name", "1999-01-05"))
    assert "mined/1999-01-05: the logs hold nothing that was said or judged on 1999-01-05" in told
    assert "build another day" in told


def test_logs_that_give_no_pair_say_what_became_of_them(mined: Site) -> None:
    recipe = mined.root / "pipelines" / "mined.py"
    recipe.write_text(LOGS.replace('"vote"', '"thumb"'))
    told = complaint(mined.winnow("build", "mined"))
    assert "no pair is kept" in told
    assert "preferences: 9 prompts dropped (no pair)" in told


def test_an_empty_folder_of_logs_and_a_file_of_no_known_format_are_named(mined: Site) -> None:
    path = mined.root / "logs" / "arena.jsonl"
    path.write_text('{"foo": 1}\n')
    assert "logs/arena.jsonl, line 1: no reader of chat logs knows it" in complaint(mined.winnow("validate", "mined"))
    path.unlink()
    assert "logs: the folder is empty; put the files there" in complaint(mined.winnow("validate", "mined"))


def test_answers_sampled_where_events_speak_of_those_of_the_logs_are_refused(mined: Site) -> None:
    recipe = mined.root / "pipelines" / "mined.py"
    recipe.write_text(LOGS.replace("responses=logged()", 'responses=sample(pool=("small", "large"))'))
    told = complaint(mined.winnow("build", "mined"))
    assert "pipelines/mined.py, line" in told
    assert "write responses=logged()" in told
