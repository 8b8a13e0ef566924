"""What the UI shows: small, deterministic, and plain text whatever a model wrote."""

from typing import Any

import dagster as dg
import polars as pl
import pytest

from assets import show, views
from assets.graph import as_metadata
from schemas import TABLES
from schemas.funnel import Count
from schemas.messages import Message

HOSTILE = (
    "a | b | c",
    "line one\n\n# a heading\n- [ ] item\r\n```python\nx\n```",
    "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "![pixel](https://example.com/track.png) [click](javascript:alert(1))",
    "\u202eright to left \x1b[31mred",
    "x" * 5_000,
)


def said(text: str) -> list[Message]:
    return [Message(role="user", content=text)]


def table(name: str, rows: list[dict[str, Any]]) -> pl.DataFrame:
    """A table of the schema: what the rows leave out is null or empty."""
    columns = TABLES[name].columns
    empty: dict[str, Any] = {column.name: [] if str(column.type).startswith("list") else None for column in columns}
    return pl.DataFrame(pl.from_arrow(TABLES[name].rows([{**empty, **row} for row in rows])))


def hostile_tables() -> dict[str, pl.DataFrame]:
    """Every table that a view shows, with hostile text wherever text may stand."""
    numbered = list(enumerate(HOSTILE))
    vote = {"subject": "pair", "protocol": "compare", "aspect": "overall", "outcome": "win"}
    reply = {"sample": 0, "attempt": 0, "status": "error"}
    pairs = [{"pair_id": f"d{n}", "prompt_id": f"p{n}", "prompt": said(text), "chosen": said(text),
              "rejected": said(text), "chosen_id": f"r{n}", "rejected_id": f"s{n}", "chosen_model": text,
              "rejected_model": text, "margin": 1.0, "policy": "all", "split": "train",
              "evidence": [{"table": "judgments", "id": f"j{n}"}]} for n, text in numbered]
    replies = [{**reply, "request_id": f"q{n}", "engine": text, "model": text, "error": text, "text": text}
               for n, text in numbered]
    return {
        "prompts": table("prompts", [{"prompt_id": f"p{n}", "messages": said(text), "task": text, "reference": text,
                                      "sources": [text], "licences": [text], "group": text} for n, text in numbered]),
        "criteria": table("criteria", [{"criterion_id": f"c{n}", "kind": "rubric", "name": text, "scope": text,
                                        "text": text} for n, text in numbered]),
        "completions": table("completions", replies), "judge_completions": table("completions", replies),
        "responses": table("responses", [{"response_id": f"{side}{n}", "prompt_id": f"p{n}", "model": text,
                                          "text": text} for n, text in numbered for side in "rs"]),
        "judgments": table("judgments", [{**vote, "judgment_id": f"j{n}", "prompt_id": f"p{n}", "judge": text,
                                          "shown": [f"r{n}", f"s{n}"], "order": [f"r{n}", f"s{n}"], "rationale": text}
                                         for n, text in numbered]),
        "rankings": table("rankings", [{"prompt_id": f"p{n}", "response_id": f"r{n}", "outcome": "ranked", "score": 1.0,
                                        "rank": 1, "votes": 1, "agreement": 1.0} for n, _ in numbered]),
        "preferences": table("preferences", pairs), "kept": table("preferences", pairs),
        "dropped": table("dropped", [{"table": "preferences", "row_id": f"d{n}", "reason": "empty", "evidence": text}
                                     for n, text in numbered]),
        "unpaired": table("unpaired", [{"response_id": f"r{n}", "prompt": said(text), "completion": said(text),
                                        "model": text, "label": True, "score": 1.0} for n, text in numbered]),
        "lists": table("lists", [{"prompt_id": f"p{n}", "prompt": said(text), "completions": [said(text)] * 2,
                                  "models": [text] * 2, "scores": [1.0, 0.5]} for n, text in numbered]),
    }


VIEWS = {
    "prompts": views.prompts, "criteria": views.criteria, "completions": views.replies("completions"),
    "responses": views.responses, "judgments": views.judgments, "rankings": views.rankings,
    "preferences": views.pairs("preferences"), "kept": views.pairs("kept"), "dropped": views.dropped("dropped"),
    "unpaired": views.unpaired, "lists": views.lists,
}


@pytest.mark.parametrize("name", VIEWS)
def test_nothing_that_a_model_wrote_becomes_markup(name: str) -> None:
    shown = as_metadata(VIEWS[name](hostile_tables()))
    assert shown
    markup = [key for key, value in shown.items()
              if not isinstance(value, dg.TableMetadataValue | int | float)]
    assert markup == []


@pytest.mark.parametrize("name", VIEWS)
def test_cells_are_short_lines_and_rows_are_few(name: str) -> None:
    for value in VIEWS[name](hostile_tables()).values():
        if isinstance(value, show.Rows):
            assert len(value.rows) <= show.LIMIT + 1
            texts = [cell for row in value.rows for cell in row if isinstance(cell, str)]
            assert max(map(len, texts), default=0) <= show.CELL
            assert [text for text in texts if "\n" in text or "\r" in text] == []


@pytest.mark.parametrize("name", VIEWS)
def test_a_table_without_rows_can_be_shown(name: str) -> None:
    empty = {other: rows.clear() for other, rows in hostile_tables().items()}
    assert all(isinstance(value, show.Rows) for value in VIEWS[name](empty).values())
    as_metadata(VIEWS[name](empty))


def test_a_pair_stands_beside_the_votes_that_made_it() -> None:
    tables = hostile_tables()
    judges = {"j0": "anna", "j1": "anna", "j2": "ben"}
    vote = tables["judgments"].head(1)
    votes = [vote.with_columns(judgment_id=pl.lit(i), judge=pl.lit(judge)) for i, judge in judges.items()]
    pair = tables["kept"].head(1).to_dicts()[0] | {"evidence": [{"table": "judgments", "id": i} for i in judges]}
    one = {"kept": table("preferences", [pair]), "judgments": pl.concat(votes)}
    shown = views.pairs("kept")(one)["sample pairs"]
    assert shown.columns == ("prompt", "chosen", "rejected", "margin", "votes")
    side = f"{HOSTILE[0]}: {HOSTILE[0]}"
    assert shown.rows == ((HOSTILE[0], side, side, "1", "anna: chosen ×2; ben: chosen"),)


def test_a_vote_for_the_rejected_answer_is_told_as_such() -> None:
    tables = hostile_tables()
    against = tables["judgments"].with_columns(order=pl.col("order").list.reverse(), judge=pl.lit("carl"))
    shown = views.pairs("kept")({"kept": tables["kept"], "judgments": against})["sample pairs"]
    assert {row[-1] for row in shown.rows} == {"carl: rejected"}


def test_outcomes_are_counted_by_judge() -> None:
    votes = pl.DataFrame({"judge": ["a", "a", "b"], "outcome": ["win", "tie", "win"]})
    assert show.crosstab(votes, "judge", "outcome") == show.Rows(("judge", "tie", "win"), (("a", 1, 1), ("b", 0, 1)))


def test_rows_beyond_the_limit_are_counted() -> None:
    shown = show.rows(("n", "m"), [(n, n) for n in range(10)], limit=3)
    assert shown.rows == ((0, 0), (1, 1), (2, 2), ("… 7 more rows", ""))


def test_a_column_without_any_value_is_left_out() -> None:
    shown = show.frame(pl.DataFrame({"a": [1, None], "b": [None, None]}), "a", "b", "no such column")
    assert shown == show.Rows(("a",), ((1,), ("",)))


def test_a_text_is_cut_at_its_limit_and_says_so() -> None:
    assert show.cut("one\n two\tthree", 11) == "one two th…"
    assert show.cut("one\n two", 7) == "one two"


def test_a_funnel_shows_all_its_fates() -> None:
    counts = [Count("kept", "pairs", "in", "", 3), Count("kept", "pairs", "dropped", "empty", 3)]
    assert show.funnel(counts).rows == (("pairs", "in", "", 3), ("pairs", "dropped", "empty", 3))


def test_pictures_come_from_the_build_and_from_nowhere_else() -> None:
    assert show.pictures({"a": b"one", "b": b"more"}) == (
        "![a](data:image/png;base64,b25l)\n\n![b](data:image/png;base64,bW9yZQ==)")
