"""winnow why, for labels by events: from a row back to the line of the log, and from the log on to every row."""

from io import StringIO

import polars as pl
import pytest
from rich.console import Console

from assets.home import Build
from generators.store import ReplyStore
from pipelines.commands.why import History
from tests.assets.test_chatlog_stages import CONTENT, REGENERATED, built, dataset, write

Tables = dict[str, pl.DataFrame]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[History, Tables]:
    """A build of the planted logs."""
    folder = tmp_path_factory.mktemp("why")
    (folder / "logs").mkdir()
    write(folder / "logs" / "chats.json", CONTENT, REGENERATED)
    tables = built(dataset(folder), folder)
    return History(Build(folder / "builds" / "all"), ReplyStore.__new__(ReplyStore)), tables


def told(history: History, table: str, row: dict[str, object]) -> str:
    """What is printed of a row, on long lines."""
    console = Console(width=400, record=True, file=StringIO())
    console.print(history.tell(table, row))
    return console.export_text()


def repair(tables: Tables) -> dict[str, object]:
    return tables["kept"].filter(pl.col("policy") == "repair").row(0, named=True)


def test_a_pair_is_walked_back_to_events_messages_and_the_place_in_the_log(made: tuple[History, Tables]) -> None:
    history, tables = made
    text = told(history, "preferences", repair(tables))
    assert "follow_up (rejection, negative)" in text
    assert "quote: That is wrong" in text
    assert "follow_up (positive, positive)" in text
    assert "chats.json, record 1" in text
    assert "message" in text.partition("chosen")[2].partition("rejected")[0]  # which message the chosen answer is
    assert "vote(s)" not in text


def test_an_event_and_a_message_are_walked_on_to_the_rows_they_became(made: tuple[History, Tables]) -> None:
    history, tables = made
    row = repair(tables)
    complaint = tables["feedback_events"].filter(pl.col("act") == "rejection").row(0, named=True)
    assert f"became preferences row {row['pair_id']}" in told(history, "feedback_events", complaint)
    assert "became unpaired row" in told(history, "feedback_events", complaint)
    answer = tables["messages"].filter(pl.col("text") == "5").row(0, named=True)
    text = told(history, "messages", answer)
    assert f"became preferences row {row['pair_id']}" in text
    assert text.count("became") == 2
    silent = tables["messages"].filter(pl.col("text") == "And a fish?").row(0, named=True)
    assert "became" not in told(history, "messages", silent)


def test_a_conversation_is_walked_on_message_by_message(made: tuple[History, Tables]) -> None:
    history, tables = made
    mine = tables["messages"].filter(pl.col("text") == "5")["conv_id"][0]
    rows = tables["messages"].filter(pl.col("conv_id") == mine).to_dicts()
    console = Console(width=400, record=True, file=StringIO())
    console.print(history.conversation(rows))
    text = console.export_text()
    assert text.index("Add 2 and 2.") < text.index("Thanks, that works!")
    assert str(repair(tables)["pair_id"]) in text


def test_a_single_label_tells_the_event_it_came_from(made: tuple[History, Tables]) -> None:
    history, tables = made
    good = tables["unpaired"].filter(pl.col("label")).row(0, named=True)
    response = tables["responses"].filter(pl.col("response_id") == good["response_id"]).row(0, named=True)
    assert "labelled good" in told(history, "responses", response)
