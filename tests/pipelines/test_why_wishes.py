"""winnow why, for answers given again: from a pair to the wish, the complaint or edit and its place, and back on."""

from collections.abc import Iterator
from io import StringIO
from typing import Any

import polars as pl
import pytest
from rich.console import Console

from assets.home import Home
from pipelines.commands import why
from tests.pipelines import cascade

Tables = dict[str, pl.DataFrame]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tables]:
    """The tables of a build in the home of the environment."""
    folder = tmp_path_factory.mktemp("wishes")
    with pytest.MonkeyPatch.context() as patch, cascade.server() as server:
        patch.setenv("WINNOW_HOME", str(folder / "home"))
        yield cascade.built(cascade.recipe(folder, server.url), "kept")


def told(row: str) -> str:
    """What `winnow why` prints, on long lines."""
    out = StringIO()
    why.run(row, None, None, Console(file=out, width=400))
    return out.getvalue()


def only(table: pl.DataFrame, condition: pl.Expr) -> dict[str, Any]:
    """The one row that meets a condition."""
    return table.filter(condition).row(0, named=True)


def test_a_pair_of_an_answer_given_again_is_walked_back_to_the_complaint_and_its_line(tables: Tables) -> None:
    wish = only(tables["summaries"], pl.col("text") == "- The answer is right.")
    new = only(tables["responses"], pl.col("criteria").list.contains(wish["criterion_id"]))
    pair = only(tables["preferences"], (pl.col("chosen_id") == new["response_id"])
                | (pl.col("rejected_id") == new["response_id"]))
    text = told(pair["pair_id"])
    assert f"wish {wish['criterion_id'][:8]}: - The answer is right." in text
    assert "quote: That is wrong." in text
    assert "chats.json, record 1" in text


def test_a_complaint_and_the_answer_it_is_about_are_walked_on_to_the_pairs_of_the_answer_given_again(
        tables: Tables) -> None:
    event = only(tables["feedback_events"], pl.col("act") == "rejection")
    wish = only(tables["summaries"], pl.col("evidence") == event["event_id"])
    news = tables["responses"].filter(pl.col("criteria").list.contains(wish["criterion_id"]))["response_id"].implode()
    pairs = tables["preferences"].filter(pl.col("chosen_id").is_in(news) | pl.col("rejected_id").is_in(news))["pair_id"]
    assert pairs.len()
    for start in (event["event_id"], event["target_msg_id"], wish["criterion_id"]):
        assert all(f"became preferences row {pair}" in told(start) for pair in pairs)


def test_an_edit_is_walked_on_to_the_later_answer_that_it_taught(tables: Tables) -> None:
    past = only(tables["responses"], pl.col("arm") == "with past edits")
    wish = only(tables["summaries"], pl.col("criterion_id").is_in(past["criteria"]))
    text = told(wish["evidence"])
    assert f"became wish {wish['criterion_id'][:8]}: - The answer is a list." in text
    assert f"answered again, with past edits: response {past['response_id'][:8]}" in text
    assert "answered again, with summary: response " in text
    assert "- Wrens" in told(past["response_id"])


def test_the_replies_of_the_cascade_are_found_by_their_requests(tables: Tables) -> None:
    for name in ("detect", "validate", "summary", "inference", "again"):
        request = tables[f"{name}_completions"]["request_id"][0]
        assert f"{name}_completions in logs/all" in told(request)
    assert [build.name for build in Home.find().builds()] == ["all"]
