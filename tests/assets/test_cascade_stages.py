"""The cascade in a recipe: one model labels, another checks, and only what holds makes pairs; the audit is shown."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets.cascade import found
from assets.dataset import PreferenceDataset
from assets.recipe import used_engines
from assets.stage import Means
from feedback.chatlogs.asking import between
from feedback.chatlogs.cues import cues
from feedback.chatlogs.detect import detect
from feedback.chatlogs.validate import validate
from generators.engines import Engine
from generators.made import Made
from generators.store import ReplyStore
from schemas.errors import ConfigError
from schemas.funnel import check_balance, count
from tests.assets.stages import made_by
from tests.assets.test_chatlog_stages import CONTENT, LATER, REGENERATED, REPAIR, dataset, pairs, write
from tests.chatlogs.talk import FINE
from tests.generators.loopback import Loopback, Sent, said

ACTS = {"That is wrong.": ("rejection", "negative"), "Thanks, that works!": ("positive", "positive"),
        "And a fish?": ("rejection", "negative")}


async def answers(sent: Sent) -> Any:
    """The small model sees an act in each turn; the large one does not believe that a fish is a complaint."""
    turn = between("turn", sent.text) or ""
    if sent.body["model"] == "large":
        return said(json.dumps({**FINE, "label_holds": turn != "And a fish?"}))
    act, polarity = ACTS[turn]
    return said(json.dumps({"events": [{"act": act, "polarity": polarity, "reasons": [], "quote": turn, "ordinal": 3,
                                        "standing_directive": False, "confidence": 1}]}))


def test_what_a_model_finds_and_another_upholds_makes_the_pairs(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    write(tmp_path / "logs" / "chats.json", CONTENT, REGENERATED)
    recipe = dataset(tmp_path, feedback_events=(detect("reader", audit=1.0), validate("checker")))
    assert used_engines(recipe) == {"reader", "checker"}
    with Loopback(answers, models=("small", "large")) as server, ReplyStore.open(tmp_path / "store") as store:
        staff = {name: Engine(name=name, url=server.url, model=model)
                 for name, model in (("reader", "small"), ("checker", "large"))}
        means = Means(engines=staff, store=store, runs=tmp_path / "runs", home=tmp_path / "home")
        tables = made_by(recipe, means)
    assert REPAIR in pairs(tables)
    read = tables["feedback_events"].filter(pl.col("kind") == "follow_up")
    assert sorted(read["quote"]) == ["Thanks, that works!", "That is wrong."]
    assert set(read["detector"]) == {"reader"}
    told = dict(tables["recall"].select("name", "value").iter_rows())
    assert (told["turns"], told["calls"]) == (3, 6)
    assert told["recall"] == 1.0  # the cues flag both turns that are upheld; the fish is in the audit, and falls


def test_of_events_with_one_id_the_first_stands_and_the_others_are_counted(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    write(tmp_path / "logs" / "chats.json", REGENERATED)

    def doubting(messages: pl.DataFrame, signals: pl.DataFrame) -> Made:
        told = signals.with_columns(value=pl.lit(-1.0))
        return Made(told, count("feedback_events", "doubts", told.height, out=told.height))

    recipe = dataset(tmp_path, feedback_events=doubting)
    read = recipe.messages.read(tmp_path / "home", LATER)
    events, counts = found(recipe, {"messages": read.messages, "signals": read.signals}, {})
    assert events.equals(read.signals.sort("event_id"))
    assert [row.count for row in counts if row.reason == "duplicate"] == [events.height]
    check_balance(counts)


@pytest.mark.parametrize("parts", [(cues(), detect("a")), (detect("a"), detect("b")), (validate("a"),)])
def test_a_cascade_whose_parts_get_in_each_others_way_is_refused(tmp_path: Path, parts: Any) -> None:
    with pytest.raises(ConfigError, match=r"leave the others out|nothing to check"):
        dataset(tmp_path, feedback_events=parts)


def test_a_recipe_that_asks_nobody_calls_no_model(tmp_path: Path) -> None:
    plain: PreferenceDataset = dataset(tmp_path)
    assert not plain.calls_models
    assert dataset(tmp_path, feedback_events=detect("a")).calls_models
