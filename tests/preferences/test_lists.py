"""Lists: the order, the ranks and the balance."""

from preferences.lists import lists
from schemas import LISTS
from tests.preferences.small import fates, scored, world


def test_a_list_holds_all_ranked_answers_best_first_and_ties_share_a_rank() -> None:
    row = lists()(*world({"p": scored(2.0, 9.0, 7.0, None, 7.0)})).table.to_dicts()[0]
    assert row["response_ids"] == ["p/b", "p/c", "p/e", "p/a"]
    assert row["ranks"] == [1, 2, 2, 4]
    assert row["scores"] == [9.0, 7.0, 7.0, 2.0]
    assert [turns[0]["content"] for turns in row["completions"]] == [
        "Answer b to p.", "Answer c to p.", "Answer e to p.", "Answer a to p."]
    assert all(turns[0]["role"] == "assistant" for turns in row["completions"])


def test_scores_a_rounding_error_apart_share_a_rank() -> None:
    row = lists()(*world({"p": scored(0.3, 0.1 + 0.2, 0.2)})).table.to_dicts()[0]
    assert row["ranks"] == [1, 1, 3]


def test_a_baseline_takes_no_place_and_no_rank() -> None:
    answers = [{"name": "z", "score": 10.0, "role": "baseline"}, *scored(2.0, 9.0)]
    row = lists()(*world({"p": answers})).table.to_dicts()[0]
    assert row["response_ids"] == ["p/b", "p/a"]
    assert row["ranks"] == [1, 2]


def test_every_response_and_every_prompt_is_listed_or_counted() -> None:
    made = lists()(*world({"p": scored(2.0, 9.0, None), "q": scored(5.0, None), "r": []}))
    few = "fewer than two ranked responses"
    assert fates(made.counts, "responses") == {"in": 5, "out": 2, "no_quorum": 2, few: 1}
    assert fates(made.counts, "prompts") == {"in": 3, "out": 1, few: 2}


def test_a_list_names_every_vote_once_and_every_ranking() -> None:
    tables = world({"p": scored(2.0, 9.0, 4.0)})
    evidence = lists()(*tables).table["evidence"].to_list()[0]
    votes = tables[2]["judgment_ids"].explode().unique().sort().to_list()
    assert [one["id"] for one in evidence if one["table"] == "judgments"] == votes
    assert {one["id"] for one in evidence if one["table"] == "rankings"} == {"p/p/a", "p/p/b", "p/p/c"}


def test_lists_do_not_depend_on_row_order_and_keep_the_tables_rules() -> None:
    tables = world({f"p{number}": scored(2.0, 9.0, 2.0) for number in range(20)})
    table = lists(test_share=0.5)(*tables).table
    mixed = lists(test_share=0.5)(*[one.sample(fraction=1.0, shuffle=True, seed=1) for one in tables]).table
    assert mixed.equals(table)
    assert LISTS.check(LISTS.conform(table.to_arrow()))[0] == []
    assert set(table["split"]) == {"train", "test"}
    assert len(lists()(*world({})).table) == 0
