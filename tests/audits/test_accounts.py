"""The funnel and the costs: every row accounted for, unknown money is never nothing."""

from audits.cost import cost, total
from audits.funnel import funnel, lost


def fates(*rows):
    return [dict(zip(("step", "unit", "fate", "reason", "count"), row, strict=True)) for row in rows]


STEPS = fates(
    ("kept", "pairs", "in", "", 10), ("kept", "pairs", "out", "", 6), ("kept", "pairs", "dropped", "empty", 1),
    ("kept", "pairs", "dropped", "too long", 3), ("judgments", "votes", "in", "", 9),
    ("judgments", "votes", "out", "", 7), ("judgments", "votes", "failed", "invalid", 2),
)


def test_the_funnel_has_one_row_a_step_in_the_order_of_the_flow(make):
    rows = funnel(make.funnel(STEPS)).rows()
    assert rows == [
        ("judgments", "votes", 9, 7, 0, 2, "invalid: 2", True),
        ("kept", "pairs", 10, 6, 4, 0, "too long: 3; empty: 1", True),
    ]


def test_a_row_that_is_not_accounted_for_unbalances_its_step_only(make):
    changed = [{**row, "count": 5} if row["fate"] == "out" and row["step"] == "kept" else row for row in STEPS]
    assert funnel(make.funnel(changed))["balanced"].to_list() == [True, False]


def test_lost_rows_are_listed_with_fate_and_reason(make):
    assert lost(make.funnel(STEPS)).rows() == [
        ("judgments", "votes", "failed", "invalid", 2), ("kept", "pairs", "dropped", "empty", 1),
        ("kept", "pairs", "dropped", "too long", 3),
    ]


def reply(request, engine, status="ok", tokens=(10, 5), cost=None, attempt=0):
    return {
        "request_id": request, "sample": 0, "attempt": attempt, "prompt_id": "p", "engine": engine,
        "model": f"{engine}-7b", "status": status, "text": None if status == "error" else "hm",
        "prompt_tokens": tokens[0], "completion_tokens": tokens[1], "cost": cost,
    }


def by_engine(make, *replies):
    return {row["engine"]: row for row in cost(make.completions(list(replies))).iter_rows(named=True)}


def test_costs_and_tokens_are_summed_over_all_attempts_of_an_engine(make):
    again = reply("a", "e", cost=0.25, attempt=1)
    row = by_engine(make, reply("a", "e", "invalid", cost=0.5), again, reply("b", "e", cost=0.25))["e"]
    assert (row["requests"], row["replies"], row["invalid"], row["errors"]) == (2, 3, 1, 0)
    assert (row["prompt_tokens"], row["completion_tokens"], row["cost"]) == (30, 15, 1.0)
    assert (row["cost_unknown"], row["tokens_unknown"]) == (0, 0)


def test_one_unknown_cost_makes_the_cost_null_and_is_counted(make):
    row = by_engine(make, reply("a", "e", cost=0.5), reply("b", "e", tokens=(None, None)))["e"]
    assert (row["cost"], row["cost_known"], row["cost_unknown"]) == (None, 0.5, 1)
    assert (row["prompt_tokens"], row["tokens_unknown"]) == (None, 1)


def test_a_reply_that_never_came_costs_nothing(make):
    row = by_engine(make, reply("a", "e", cost=0.5), reply("b", "e", "error", tokens=(None, None)))["e"]
    assert (row["cost"], row["errors"], row["replies"], row["cost_unknown"]) == (0.5, 1, 1, 0)


def test_an_engine_without_a_price_makes_the_total_null_but_not_the_known_part(make):
    costs = cost(make.completions([reply("a", "paid", cost=0.5), reply("b", "free")]))
    assert costs["engine"].to_list() == ["free", "paid"]
    found = total(costs)
    assert (found["cost"], found["cost_known"], found["cost_unknown"]) == (None, 0.5, 1)
    assert (found["requests"], found["prompt_tokens"]) == (2, 20)


def test_no_reply_at_all_has_no_cost(make):
    assert total(cost(make.completions([])))["cost"] is None


def test_sums_do_not_depend_on_row_order(make):
    table = make.completions([reply(f"r{n}", "e", cost=0.25 * n) for n in range(9)])
    assert cost(table).equals(cost(table.reverse()))
    steps = make.funnel(STEPS)
    assert funnel(steps).equals(funnel(steps.sample(fraction=1.0, shuffle=True, seed=1)))
