"""What a release from answers given again says of itself: who was asked what, what it cost, what feedback changed."""

import json
from collections.abc import Iterator
from typing import Any

import polars as pl
import pytest

from assets.home import Build, Home
from tests.pipelines import cascade


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Build]:
    """A build of the recipe in which every part asks a model."""
    folder = tmp_path_factory.mktemp("card")
    with pytest.MonkeyPatch.context() as patch, cascade.server() as server:
        patch.setenv("WINNOW_HOME", str(folder / "home"))
        recipe = cascade.recipe(folder, server.url)
        cascade.built(recipe, "dataset")
        yield Home.find().build(recipe.slug, "all")


def told(made: Build) -> dict[str, Any]:
    """The report of the audit."""
    report: dict[str, Any] = json.loads((made.path / "audit" / "report.json").read_text())
    return report


def test_the_card_names_the_models_that_answered_again_and_made_the_wishes(made: Build) -> None:
    card = (made.folder / "README.md").read_text()
    assert "| answered again | answeragain(engine='teacher', control=0.5" in card
    assert "| answered again, summaries | summarise(engine='reader')" in card
    assert "| answered again, edits | infer(engine='reader', past=3" in card


def test_the_cost_is_that_of_every_reply(made: Build) -> None:
    replies = {name: made.read(f"{name}_completions") for name in (
        "detect", "validate", "summary", "inference", "again", "judge")}
    asked = pl.concat(list(replies.values())).group_by("engine").len()
    assert {row["engine"]: row["requests"] for row in told(made)["cost"]} == dict(asked.iter_rows())
    assert {row["engine"] for row in told(made)["cost"]} == set(cascade.ENGINES)


def test_the_record_of_feedback_counts_the_pairs_that_complaints_and_edits_changed(made: Build) -> None:
    kept, responses, wishes = (made.read(name) for name in ("kept", "responses", "summaries"))
    events = made.read("feedback_events")
    card = (made.folder / "README.md").read_text()
    for kind in ("edit", "follow_up"):
        read = set(events.filter(pl.col("kind") == kind)["event_id"])
        named = {row["criterion_id"] for row in wishes.to_dicts() if read & set(row["evidence"].split(", "))}
        answers = {row["response_id"] for row in responses.to_dicts() if named & set(row["criteria"])}
        pairs = sum(bool({row["chosen_id"], row["rejected_id"]} & answers) for row in kept.to_dicts())
        assert pairs
        rows = [line.split("|") for line in card.splitlines() if line.startswith(f"| {kind} ")]
        assert max(int(row[-2]) for row in rows) == pairs


def test_the_card_tells_how_far_each_arm_is_from_what_people_made_of_the_logged_answers(made: Build) -> None:
    card = (made.folder / "README.md").read_text()
    lines = card.partition("what a person made of the logged answer**")[2].splitlines()[:8]
    assert any(line.startswith("| with summary | 3 |") for line in lines)
    assert any(line.startswith("| with past edits | 1 |") for line in lines)
