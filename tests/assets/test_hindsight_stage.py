"""Hindsight in a recipe: praise goes back to a turn that a model read as neutral, and so becomes a label."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets.dataset import PreferenceDataset
from assets.recipe import build_stages
from assets.stage import Means
from feedback.chatlogs.asking import between
from feedback.chatlogs.cues import cues
from feedback.chatlogs.detect import detect
from feedback.chatlogs.hindsight import in_hindsight
from generators.engines import Engine
from generators.store import ReplyStore
from preferences.unpaired_by_events import unpaired_by_events
from schemas.errors import ConfigError
from schemas.funnel import check_balance
from tests.assets.test_chatlog_stages import MONDAY, at, chat, dataset, write
from tests.generators.loopback import Loopback, Sent, said

LONG = "Call sorted on the list of names and keep what it gives back to you."
TALK = chat("one", "ann", ("u1", "please sort my list of names", None, at(MONDAY, 0), {}),
            ("a1", LONG, "u1", at(MONDAY, 1), {}),
            ("u2", "please sort my list of names by age", "a1", at(MONDAY, 2), {}),
            ("a2", LONG + " Age goes first.", "u2", at(MONDAY, 3), {}),
            ("u3", "Thanks, that works!", "a2", at(MONDAY, 4), {}))


async def answers(sent: Sent) -> Any:
    """A reader that sees praise in thanks, and nothing in anything else."""
    turn = between("turn", sent.text) or ""
    return said(json.dumps({"events": [{
        "act": "positive", "polarity": "positive", "reasons": [], "quote": turn, "ordinal": 5,
        "standing_directive": False, "confidence": 1}] if "Thanks" in turn else []}))


def labels(folder: Path, *parts: Any) -> tuple[dict[str, pl.DataFrame], set[tuple[str, bool]]]:
    """The tables of a recipe with these parts after the reader, and its labels."""
    (folder / "logs").mkdir()
    write(folder / "logs" / "chats.json", TALK)
    recipe: PreferenceDataset = dataset(folder, feedback_events=(detect("reader", audit=1.0), *parts),
                                        unpaired=unpaired_by_events("ordinal"))
    tables: dict[str, pl.DataFrame] = {}
    with Loopback(answers, models=("small",)) as server, ReplyStore.open(folder / "store") as store:
        staff = {"reader": Engine(name="reader", url=server.url, model="small")}
        means = Means(engines=staff, store=store, runs=folder / "runs", home=folder / "home")
        for stage in build_stages(recipe):
            if stage.make is not None:
                output = stage.make(means, {name: tables[name] for name in stage.needs})
                check_balance(output.counts)
                tables |= output.tables
                if stage.name == "feedback_events" and stage.check:
                    assert all(one.passed for one in stage.check(tables))
    return tables, {(row["completion"][0]["content"], row["label"]) for row in tables["unpaired"].to_dicts()}


def test_the_answer_before_a_neutral_turn_is_good_in_hindsight(tmp_path: Path) -> None:
    tables, found = labels(tmp_path, in_hindsight(alike=0.3))
    assert found == {(LONG, True), (LONG + " Age goes first.", True)}
    inherited = tables["feedback_events"].filter(pl.col("detector") == "hindsight")
    assert inherited.select("act", "ordinal", "explicitness").rows() == [("continue", 5, "text_implicit")]


def test_without_it_a_neutral_turn_is_no_label_and_recall_is_the_same(tmp_path: Path) -> None:
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    with_it, _ = labels(tmp_path / "with", in_hindsight(alike=0.3))
    without, found = labels(tmp_path / "without")
    assert found == {(LONG + " Age goes first.", True)}
    assert with_it["recall"].equals(without["recall"])


def test_what_is_inherited_names_the_likeness_that_was_asked_for(tmp_path: Path) -> None:
    versions = set()
    for number, alike in enumerate((0.2, 0.3)):
        (tmp_path / str(number)).mkdir()
        tables, _ = labels(tmp_path / str(number), in_hindsight(alike=alike))
        versions |= {*tables["feedback_events"].filter(pl.col("detector") == "hindsight")["detector_version"]}
    assert len(versions) == 2


def test_hindsight_without_a_model_that_looked_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="add detect"):
        dataset(tmp_path, feedback_events=(cues(), in_hindsight()))
    with pytest.raises(ConfigError, match="alike is 2"):
        in_hindsight(2)
