"""From logs with a plant at every place to a dataset: nothing planted is anywhere, and one user can be forgotten."""

import json
import shutil
from pathlib import Path

import polars as pl
import pytest
from rich.console import Console

from benchmarks.plants import plants
from pipelines.commands import forget
from privacy.people import Salt
from schemas.errors import ConfigError
from tests.pipelines.conftest import Site, site
from tests.privacy.planted_logs import everything, left, write

__all__ = ["site"]
RECIPE = '''"""A recipe for a test."""

from assets.dataset import PreferenceDataset
from feedback.chatlogs.answers import logged
from feedback.chatlogs.cues import cues
from feedback.chatlogs.logs import chat_logs
from preferences.by_events import pair_by_events
from preferences.unpaired_by_events import unpaired_by_events

dataset = PreferenceDataset(
    name="mined",
    messages=chat_logs("logs"),
    feedback_events=cues(),
    prompts=logged(),
    responses=logged(),
    preferences=pair_by_events("vote", "thumb", "edit", "repair"),
    unpaired=unpaired_by_events("thumb", "vote"),
)
'''
PLANTS = plants()


def mined(site: Site, *arguments: str) -> str:
    """What a command prints, once it went well."""
    done = site.winnow(*arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def table(site: Site, name: str) -> pl.DataFrame:
    """A table of the build."""
    return pl.read_parquet(site.home / "builds" / "mined" / "one" / name / f"{name}.parquet")


def test_nothing_planted_is_in_any_file_or_output(site: Site) -> None:
    write(site.root / "logs", PLANTS)
    (site.root / "pipelines" / "mined.py").write_text(RECIPE)
    told = mined(site, "build", "mined", "--name", "one")
    pair = table(site, "preferences")["pair_id"][0]
    for command in (("show", "mined", "messages", "--limit", "500"), ("show", "mined"), ("why", pair),
                    ("preview", "mined", "3"), ("estimate", "mined"), ("export", "mined", "out"), ("forget", "nobody")):
        told += mined(site, *command)
    assert table(site, "messages").height > 2 * len(PLANTS)
    assert table(site, "preferences").height > 100
    assert table(site, "messages")["placeholders"].explode().n_unique() > 14
    broken = table_of_run(site)
    assert "broken.jsonl, line 2" in broken
    assert left(PLANTS, told) == []
    assert left(PLANTS, everything(site.home)) == []
    assert left(PLANTS, everything(site.root / "out")) == []


def table_of_run(site: Site) -> str:
    """What run.json tells."""
    return (site.home / "builds" / "mined" / "one" / "run.json").read_text()


def test_a_log_that_cannot_be_read_is_told_without_what_it_holds(site: Site) -> None:
    (site.root / "logs").mkdir()
    (site.root / "logs" / f"{PLANTS[0].secret}.jsonl").write_text(json.dumps({PLANTS[1].secret: PLANTS[2].text}))
    (site.root / "pipelines" / "mined.py").write_text(RECIPE)
    done = site.winnow("build", "mined", "--name", "one")
    assert done.returncode == 1
    assert "no reader of chat logs knows it" in done.stderr
    assert left(PLANTS, done.stdout + done.stderr + everything(site.home)) == []


def test_the_search_finds_what_is_there(tmp_path: Path) -> None:
    write(tmp_path / "logs", PLANTS)
    found = left(PLANTS, everything(tmp_path))
    assert len(found) > len(PLANTS) * 0.9
    pl.DataFrame({"text": [PLANTS[0].secret]}).write_parquet(tmp_path / "table.parquet")
    shutil.rmtree(tmp_path / "logs")
    assert left(PLANTS, everything(tmp_path)) == [f"EMAIL: {PLANTS[0].secret}"]


MINE, OTHER = "user-one-4711", "user-two-4712"
LONG = ", with a few words more about trees and fruit that nobody would change when they mend one word of it"


def battle(number: int, judge: str, words: str) -> str:
    """A line of a log: one person's battle."""
    sides = {f"conversation_{side}": [{"role": "user", "content": f"{words} {number}?"},
                                      {"role": "assistant", "content": f"{words} answer {number} {side}{LONG}"}]
             for side in "ab"}
    return json.dumps({"question_id": f"{judge}-{number}", "model_a": "x", "model_b": "y", "winner": "model_a",
                       "judge": judge, "turn": 1, "anony": True, "language": "English", "tstamp": 1772445600,
                       **sides}) + "\n"


def logs_of(folder: Path, mine: bool) -> None:
    """Logs of one person, or of two."""
    folder.mkdir(exist_ok=True)
    (folder / "a.jsonl").write_text("".join(battle(number, OTHER, "quince") for number in range(12)))
    if mine:
        (folder / "b.jsonl").write_text("".join(battle(number, MINE, "medlar") for number in range(9)))


def test_a_user_who_is_forgotten_is_nowhere_and_the_rest_is_as_if_they_had_never_been(site: Site) -> None:
    (site.root / "pipelines" / "mined.py").write_text(RECIPE)
    logs_of(site.root / "logs", mine=True)
    mined(site, "build", "mined", "--name", "one")
    hashed = Salt.find(site.home).name("user", MINE)
    assert "medlar" in everything(site.home)
    assert "nothing was changed" in mined(site, "forget", MINE)
    assert "medlar" in everything(site.home)
    told = mined(site, "forget", MINE, "--yes")
    assert "winnow build mined --name one" in told
    stored = everything(site.home)
    assert "medlar" not in stored
    assert "quince" in stored
    assert hashed not in stored.replace((site.home / "forgotten").read_text().strip(), "", 1)
    again = mined(site, "build", "mined", "--name", "one")
    assert "forgotten" in again
    assert "medlar" not in everything(site.home)
    other = Site(site.root, site.home.with_name("other"))
    other.home.mkdir()
    shutil.copy(site.home / "salt", other.home)
    (site.root / "logs" / "b.jsonl").unlink()
    mined(other, "build", "mined", "--name", "one")
    for path in sorted((other.home / "builds").rglob("*.parquet")):
        if path.name != "funnel.parquet":
            mine = pl.read_parquet(site.home / path.relative_to(other.home))
            assert mine.equals(pl.read_parquet(path)), path


LEAKING = RECIPE.replace("dataset = ", '''
def edited(messages: pl.DataFrame, signals: pl.DataFrame) -> Made:
    texts = messages.select(target_msg_id="msg_id", said="text")
    votes = signals.join(texts, on="target_msg_id").head(1)
    rows = votes.select(signals.columns).with_columns(
        event_id=pl.lit("e" * 24), kind=pl.lit("edit"), text=votes["said"] + " SECRET",
        value=pl.lit(None, pl.Float64), polarity=pl.lit(None, pl.String))
    return Made(rows, count("feedback_events", "edits", 1, out=1))


dataset = ''').replace("cues()", "edited").replace("from assets", """import polars as pl

from generators.made import Made
from schemas.funnel import count
from assets""", 1)
"""A recipe with an operator that puts an address into an answer, after the first scan."""


def test_what_an_operator_adds_to_logs_is_stopped_at_the_door(site: Site) -> None:
    secret = PLANTS[0].secret
    (site.root / "pipelines" / "mined.py").write_text(LEAKING.replace("SECRET", secret))
    logs_of(site.root / "logs", mine=False)
    done = site.winnow("build", "mined", "--name", "one")
    assert done.returncode == 1
    assert "the second scan found personal data or secrets" in done.stderr
    assert "EMAIL (chosen of preference/" in done.stderr
    assert secret not in done.stdout + done.stderr
    assert not (site.home / "builds" / "mined" / "one" / "dataset").exists()


@pytest.mark.parametrize(("user", "hashed"), [(None, None), ("anna", "a" * 24), (None, "anna"), ("anna", None)])
def test_whom_to_forget_must_be_said_in_one_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str | None,
                                                hashed: str | None) -> None:
    monkeypatch.setenv("WINNOW_HOME", str(tmp_path))
    with pytest.raises(ConfigError):
        forget.run(user, hashed, None, True, Console(quiet=True))
    assert list(tmp_path.iterdir()) == []
