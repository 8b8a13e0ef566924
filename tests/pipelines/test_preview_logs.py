"""winnow preview of a cascade: what each model is asked and says, of few conversations, and nothing is paid twice."""

import re
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from assets.dataset import PreferenceDataset
from pipelines import catalog
from pipelines.commands import preview
from tests.generators.loopback import Loopback
from tests.pipelines import cascade


@pytest.fixture
def server() -> Iterator[Loopback]:
    """The server of the models."""
    with cascade.server() as running:
        yield running


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: Loopback) -> PreferenceDataset:
    """The recipe, which is found by any name."""
    monkeypatch.setenv("WINNOW_HOME", str(tmp_path / "home"))
    recipe = cascade.recipe(tmp_path, server.url)
    monkeypatch.setattr(catalog, "load", lambda _: recipe)
    return recipe


def shown(n: int) -> str:
    """What is printed, lines that a panel broke put together."""
    out = StringIO()
    preview.run("logs", n, Console(file=out, width=200))
    return " ".join(out.getvalue().replace("│", " ").split())


def test_every_part_of_the_cascade_shows_what_it_is_asked_and_what_it_says(
        made: PreferenceDataset, server: Loopback) -> None:
    told = shown(9)
    for engine in cascade.ENGINES:
        assert f"asked of {engine}" in told
    assert told.count("<turn> That is wrong. </turn>") == 3, "of the finder, the checker and the reader"
    assert "The label: <label> rejection (negative)" in told
    assert "<after> - Wrens - and owls are birds. </after>" in told
    assert "wanted: - The answer is a list." in told
    assert "system: The user wants an answer of which all of this holds: - The answer is right." in told
    assert 'kept: rejection (negative) "That is wrong."' in told
    assert "kept: rejection (negative) \"And a fish?\"" not in told
    assert "parsed: " in told
    asked = [sent for sent in server.sent if sent.body["model"] != "judge"]
    assert all(" ".join(sent.text.split())[-300:] in told for sent in asked)


def test_one_conversation_is_asked_about_alone(made: PreferenceDataset, server: Loopback) -> None:
    told = shown(1)
    assert len(re.findall("─ conversation [0-9a-f]{8} ─", told)) == 1
    finder = [sent for sent in server.sent if sent.body["model"] in ("finder", "checker", "reader")]
    assert finder
    conversations = ("Add 2 and 2.", "Name a bird.", "Name two birds.", "Name two more birds.", "Name two large birds.")
    begun = {name for name in conversations for sent in finder if name in sent.text}
    assert len(begun) == 1


def test_the_build_pays_for_nothing_that_was_previewed(made: PreferenceDataset, server: Loopback) -> None:
    told = shown(9)
    paid = len(server.sent)
    cascade.built(made)
    assert len(server.sent) == paid, "nine conversations are more than there are"
    assert "Answers with past edits know those of these conversations alone" in told
