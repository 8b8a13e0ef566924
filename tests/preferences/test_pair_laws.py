"""PAIR: laws that hold of any ranked responses and every policy."""

from itertools import combinations
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from preferences.pair import Pair, pair
from preferences.policies import POLICIES
from tests.preferences.small import Answer, fates, world

SCORES = [None, 0.0, 1.0, 1.5, 2.0, 4.0]
MODELS = ["one", "two", "three"]

answer = st.fixed_dictionaries(
    {"score": st.sampled_from(SCORES), "engine": st.sampled_from([*MODELS, "unnamed"]),
     "role": st.sampled_from(["candidate"] * 6 + ["baseline"])},
    optional={"text": st.sampled_from(["same", "alike"])},
)
answers = st.lists(answer, max_size=6).map(lambda those: [{"name": "abcdef"[n], **one} for n, one in enumerate(those)])
worlds = st.lists(answers, max_size=4).map(lambda those: {f"p{n}": one for n, one in enumerate(those)})


@st.composite
def operators(draw: st.DrawFn, policies: list[str] = list(POLICIES)) -> Pair:  # noqa: B006
    policy = draw(st.sampled_from(policies))
    return pair(policy, gap=draw(st.sampled_from([0.0, 1.0, 2.0])), cap=draw(st.sampled_from([None, 1, 2])),
                models=MODELS if policy == "by-model-order" else None, seed=draw(st.integers(0, 3)), test_share=0.5)


SCORED = [policy for policy in POLICIES if policy != "by-model-order"]


@settings(max_examples=50, deadline=None)
@given(worlds, operators())
def test_every_pair_that_could_be_is_a_row_or_is_counted(those: dict[str, list[Answer]], make: Pair) -> None:
    made = make(*world(those))
    found = fates(made.counts)
    assert found["in"] == sum(len(some) * (len(some) - 1) // 2 for some in those.values())
    assert found["out"] == len(made.table)
    assert found["in"] == sum(found.values()) - found["in"]


@settings(max_examples=50, deadline=None)
@given(worlds, operators(SCORED))
def test_ties_identical_texts_and_missing_quorums_are_counted_exactly(
        those: dict[str, list[Answer]], make: Pair) -> None:
    expected = {"baseline": 0, "no_quorum": 0, "identical": 0, "tie": 0, "below gap": 0}
    for some in those.values():
        for a, b in combinations(some, 2):
            expected[_fate(a, b, make.gap)] = expected.get(_fate(a, b, make.gap), 0) + 1
    found = fates(make(*world(those)).counts)
    for fate in ("baseline", "no_quorum", "identical", "tie", "below gap"):
        assert found[fate] == expected[fate]


def _fate(a: Answer, b: Answer, gap: float) -> str:
    if "baseline" in (a["role"], b["role"]):
        return "baseline"
    if a["score"] is None or b["score"] is None:
        return "no_quorum"
    if "text" in a and a.get("text") == b.get("text"):
        return "identical"
    if a["score"] == b["score"]:
        return "tie"
    return "below gap" if abs(a["score"] - b["score"]) < gap else "good"


@settings(max_examples=50, deadline=None)
@given(worlds, operators(SCORED))
def test_a_chosen_answer_is_ranked_above_the_rejected_one_and_reads_differently(
        those: dict[str, list[Answer]], make: Pair) -> None:
    by_id = {f"{name}/{one['name']}": one for name, some in those.items() for one in some}
    for row in make(*world(those)).table.iter_rows(named=True):
        chosen, rejected = by_id[row["chosen_id"]], by_id[row["rejected_id"]]
        assert chosen["score"] > rejected["score"]
        assert row["margin"] == chosen["score"] - rejected["score"] >= make.gap
        assert row["chosen"] != row["rejected"]
        assert "baseline" not in (chosen["role"], rejected["role"])


@settings(max_examples=30, deadline=None)
@given(worlds, operators(), st.integers(0, 1000))
def test_row_order_decides_nothing(those: dict[str, list[Answer]], make: Pair, seed: int) -> None:
    tables = world(those)
    mixed = [table.sample(fraction=1.0, shuffle=True, seed=seed) for table in tables]
    assert make(*mixed).table.equals(make(*tables).table)
    assert make(*mixed).counts == make(*tables).counts


@settings(max_examples=30, deadline=None)
@given(worlds, operators(SCORED), st.data())
def test_a_better_score_never_turns_a_chosen_answer_into_the_rejected_one(
        those: dict[str, list[Answer]], make: Pair, data: st.DataObject) -> None:
    names = [(name, n) for name, some in those.items() for n, one in enumerate(some) if one["score"] is not None]
    if not names:
        return
    name, number = data.draw(st.sampled_from(names))
    better: dict[str, Any] = dict(those)
    old = those[name][number]
    raised = {**old, "score": old["score"] + data.draw(st.sampled_from([0.5, 1.0, 9.0]))}
    better[name] = [*those[name][:number], raised, *those[name][number + 1:]]
    mine = f"{name}/{raised['name']}"
    before, after = make(*world(those)).table, make(*world(better)).table
    beaten = set(before.filter(pl.col("chosen_id") == mine)["rejected_id"])
    assert beaten.isdisjoint(after.filter(pl.col("rejected_id") == mine)["chosen_id"])


@settings(max_examples=30, deadline=None)
@given(worlds, operators())
def test_pairs_made_shard_by_shard_are_the_pairs_of_the_whole(those: dict[str, list[Answer]], make: Pair) -> None:
    shards = [make(*world({name: some})).table for name, some in those.items()]
    whole = make(*world(those)).table
    assert pl.concat([whole.clear(), *shards]).sort("pair_id").equals(whole)


@settings(max_examples=30, deadline=None)
@given(worlds, operators())
def test_every_row_of_evidence_exists(those: dict[str, list[Answer]], make: Pair) -> None:
    _, responses, rankings = tables = world(those)
    known = {"responses": set(responses["response_id"]),
             "rankings": {f"{row[0]}/{row[1]}" for row in rankings.select("prompt_id", "response_id").iter_rows()},
             "judgments": set(rankings["judgment_ids"].explode())}
    for evidence in make(*tables).table["evidence"].to_list():
        assert evidence
        assert all(one["id"] in known[one["table"]] for one in evidence)


@settings(max_examples=30, deadline=None)
@given(worlds, operators(["by-model-order"]))
def test_by_model_order_every_pair_is_of_two_rungs_with_the_larger_chosen(
        those: dict[str, list[Answer]], make: Pair) -> None:
    for row in make(*world(those)[:2]).table.iter_rows(named=True):
        assert MODELS.index(row["chosen_model"]) - MODELS.index(row["rejected_model"]) >= max(1, make.gap)


@settings(max_examples=30, deadline=None)
@given(worlds, operators(), answers)
def test_one_more_prompt_changes_no_other_pair_and_no_other_split(
        those: dict[str, list[Answer]], make: Pair, more: list[Answer]) -> None:
    before = make(*world(those)).table
    after = make(*world({**those, "new": more})).table
    assert after.filter(pl.col("prompt_id") != "new").equals(before)
