"""What chat logs gave: events counted by act and by model, and drawn; arms of an experiment against each other."""

import polars as pl
import pytest

from audits import chatlog_figures
from audits.chatlogs import deciles, edit_costs, events_by_act, events_by_model

EVENTS = pl.DataFrame(
    [("e1", "follow_up", "correction", "negative", "c1", "a"), ("e2", "follow_up", "correction", "negative", "c1", "b"),
     ("e3", "thumb", None, "positive", "c2", "a"), ("e4", "rank", None, None, "c3", "lost")],
    ["event_id", "kind", "act", "polarity", "conv_id", "target_msg_id"], orient="row")
MESSAGES = pl.DataFrame({"msg_id": ["a", "b"], "model": ["bot", None]})


def test_events_are_counted_by_kind_act_and_polarity_the_most_frequent_first() -> None:
    assert events_by_act(EVENTS).rows() == [
        ("follow_up", "correction", "negative", 2, 1), ("rank", None, None, 1, 1), ("thumb", None, "positive", 1, 1)]


def test_events_of_an_unnamed_or_unknown_answer_are_of_an_unknown_model_and_none_is_lost() -> None:
    assert events_by_model(EVENTS, MESSAGES).rows() == [
        ("bot", 2, 2, 1, 1, "correction, thumb"), ("unknown", 2, 2, 0, 1, "correction, rank")]


@pytest.mark.parametrize("rows", [1, 4])
def test_events_are_drawn_the_same_in_any_order_of_rows(rows: int) -> None:
    some = EVENTS.head(rows)
    drawn = chatlog_figures.events(events_by_act(some))
    assert drawn.startswith(b"\x89PNG")
    assert drawn == chatlog_figures.events(events_by_act(some.reverse()))


def test_the_busiest_tenth_of_users_comes_first_and_the_shares_are_all() -> None:
    prompts = pl.DataFrame({"prompt_id": [f"p{n}" for n in range(20)], "group": [f"g{n}" for n in range(20)]})
    pairs = pl.DataFrame({"prompt_id": ["p7"] * 60 + [f"p{n}" for n in range(20) if n != 7] + ["p3"]})
    found = deciles(pairs, prompts)
    assert found.rows()[0] == (1, 2, 62, 62 / 80)
    assert found["pairs"].to_list() == [62, *[2] * 9]
    assert chatlog_figures.deciles(found).startswith(b"\x89PNG")


def test_the_cost_of_an_edit_is_told_by_arm_beside_that_of_the_answers_it_would_have_spared() -> None:
    columns = ("response_id", "strategy", "arm", "parents", "text")
    rows = [("l1", "logged", None, [], "a b c x"), ("h1", "edited", None, ["l1"], "a b c d"),
            ("s1", "answer again", "from scratch", ["l1"], "w x y z"),
            ("p1", "answer again", "with past edits", ["l1"], "a b c d"),
            ("l2", "logged", None, [], "a b"), ("h2", "edited", None, ["l2"], "a c"),
            ("s2", "answer again", "from scratch", ["l2"], "a c"),
            ("l3", "logged", None, [], "never edited"), ("s3", "answer again", "from scratch", ["l3"], "q")]
    found = edit_costs(pl.DataFrame(rows, columns, orient="row"))
    assert found.rows() == [("from scratch", 2, 0.5, 0.375), ("with past edits", 1, 0.0, 0.25)]
    assert edit_costs(pl.DataFrame(rows[::-1], columns, orient="row")).equals(found)
    assert edit_costs(pl.DataFrame(rows[:1], {**dict.fromkeys(columns, pl.String), "parents": pl.List(pl.String)},
                                   orient="row")).is_empty()
