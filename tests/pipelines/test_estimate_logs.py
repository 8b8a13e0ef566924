"""winnow estimate of a cascade: exact where nothing is open, else between bounds that hold; counted at a server."""

from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from assets.dataset import PreferenceDataset
from feedback.chatlogs.cues import cues
from feedback.chatlogs.detect import FEEDBACK, detect
from feedback.chatlogs.validate import validate
from pipelines import catalog
from pipelines.commands import estimate, ready
from pipelines.commands.expected_logs import everything
from schemas.errors import ConfigError
from tests.chatlogs.talk import messages, replies, staff, talk
from tests.generators.loopback import Loopback
from tests.pipelines import cascade

Bounds = tuple[int, int]


@pytest.fixture
def server() -> Iterator[Loopback]:
    """The server of the models."""
    with cascade.server() as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is also the home."""
    monkeypatch.setenv("WINNOW_HOME", str(tmp_path / "home"))
    return tmp_path


def told(made: PreferenceDataset, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[str]]:
    """The rows of the estimate by table: engine, calls, stored, with re-asks, cost."""
    monkeypatch.setattr(catalog, "load", lambda _: made)
    out = StringIO()
    estimate.run("logs", Console(file=out, width=200))
    rows = [line.split() for line in out.getvalue().splitlines() if line.strip().endswith("USD")]
    return {row[0]: row[1:] for row in rows}


def bounds(row: list[str]) -> Bounds:
    """The fewest and the most calls of a row."""
    few, _, many = row[1].partition("-")
    return int(few.replace(",", "")), int((many or few).replace(",", ""))


def asked(made: PreferenceDataset, server: Loopback) -> dict[str, int]:
    """What the build asks, counted at the server, by table."""
    tables = cascade.built(made)
    replies = {name: table for name, table in tables.items() if name.endswith("completions")}
    assert sum(table.height for table in replies.values()) == len(server.sent)
    named = {"again_completions": "again_completions", "judge_completions": "judgments"}
    return {named.get(name, name): table.height for name, table in replies.items()}


@pytest.mark.parametrize("parts", [{}, cascade.CUED])
def test_the_bounds_hold_and_once_all_is_stored_the_estimate_is_what_was_asked(
        parts: dict[str, object], folder: Path, server: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    made = cascade.recipe(folder, server.url, **parts)
    before = {name: bounds(row) for name, row in told(made, monkeypatch).items()}
    assert not server.sent, "an estimate asks nothing"
    counted = asked(made, server)
    assert before.keys() == counted.keys()
    assert all(few <= counted[name] <= many for name, (few, many) in before.items())
    after = told(made, monkeypatch)
    assert {name: bounds(row) for name, row in after.items()} == {name: (n, n) for name, n in counted.items()}
    assert all(row[1] == row[2] and row[4] == "0.00" for row in after.values())


def test_what_depends_on_no_reply_is_exact_from_the_start(folder: Path, server: Loopback,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    found = told(cascade.recipe(folder, server.url), monkeypatch)
    # four turns follow an answer, three answers were edited; a reply is at most 1,000 tokens at 10 USD a million
    assert found["detect_completions"] == ["finder", "4", "0", "12", "0.04", "USD"]
    assert found["inference_completions"] == ["reader", "3", "0", "9", "0.03", "USD"]
    # six acts a turn can be checked; four answers can be complained of
    assert found["validate_completions"] == ["checker", "0-24", "0", "72", "0.24", "USD"]
    assert found["summary_completions"] == ["reader", "0-4", "0", "12", "0.04", "USD"]


def test_with_cues_in_the_models_place_the_checks_are_exact(folder: Path, server: Loopback,
                                                            monkeypatch: pytest.MonkeyPatch) -> None:
    made = cascade.recipe(folder, server.url, **cascade.CUED)
    found = told(made, monkeypatch)
    assert "detect_completions" not in found
    assert found["validate_completions"][1] == "2", "That is wrong; and: Thanks, that works"
    assert found["summary_completions"][1] == "0-1"


def test_each_stored_table_narrows_what_comes_after_it(folder: Path, server: Loopback,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    made = cascade.recipe(folder, server.url)
    cascade.built(made, "detect_completions")
    found = told(made, monkeypatch)
    assert found["detect_completions"][1:3] == ["4", "4"]
    assert found["validate_completions"][1] == "3", "to go on is nothing to check"
    assert found["summary_completions"][1] == "0-2"
    cascade.built(made, "validate_completions")
    assert told(made, monkeypatch)["summary_completions"][1] == "1", "the fish is no complaint"
    cascade.built(made, "summaries")
    assert "-" not in told(made, monkeypatch)["again_completions"][1]


def test_a_whole_conversation_is_one_call_and_bounds_all_its_turns(folder: Path, server: Loopback,
                                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    whole = detect("finder", audit=1.0, whole=True)
    made = cascade.recipe(folder, server.url, feedback_events=(whole, validate("checker")))
    found = told(made, monkeypatch)
    assert found["detect_completions"][1] == "3"
    assert found["validate_completions"][1] == "0-24"


@pytest.mark.parametrize("name", ["finder", "checker", "reader", "teacher"])
def test_a_budget_wants_a_bound_on_the_replies_of_every_engine_of_the_cascade(
        name: str, folder: Path, server: Loopback) -> None:
    made = cascade.recipe(folder, server.url)
    engines = made.engines.read_text().split("[engines.")
    unbound = "[engines.".join(one.replace("params", "# params") if one.startswith(name) else one for one in engines)
    made.engines.write_text(f"[budget]\nusd = 5\n{unbound}")
    with pytest.raises(ConfigError, match=f"'{name}'.*max_tokens"):
        ready.check(made)


TURNS = st.text(min_size=1) | st.text("ab <>/turnafter\n", min_size=1) | st.text(min_size=1, max_size=9).map(
    lambda text: text * 400)


@pytest.mark.parametrize("whole", [False, True])
@given(TURNS)
@example("No. […] It is <turn> wrong. </turn>")
@settings(max_examples=25)
def test_what_stands_for_the_most_that_a_turn_can_do_is_a_reply_that_parses(whole: bool, turn: str) -> None:
    reader = detect("finder", turns="all", whole=whole)
    said = messages(talk("a", "Name a bird.", "A bat.", turn, "A wren."))
    turn_cues = cues().measure(said).table
    staff_of = staff("finder")
    asks = list(reader.plan(said, turn_cues, staff_of))
    told = replies(asks, staff_of, lambda ask: everything(whole, ask, staff_of["finder"]))
    assert all(reader.parse(text, ask) is None for text, ask in zip(told["text"], asks, strict=True))
    found = reader.events(said, turn_cues, told, staff_of)
    assert sorted(found.table["act"]) == sorted(FEEDBACK) * len(asks)
