"""The checks of a build and the recipe's own: each sees the fault it is named after."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets.card import in_words
from assets.checks import check_rankings, check_votes
from assets.dataset import CHECKOUT, PreferenceDataset
from assets.home import Build
from assets.jury import judge_completions
from assets.publishing import _audited
from assets.stage import Means
from feedback.imports.votes import votes
from feedback.jury.aggregate import majority, mean, median
from feedback.jury.compare import compare
from feedback.jury.rate import rate
from generators.read import read
from generators.sample import sample
from generators.store import ReplyStore
from preferences.lists import lists
from preferences.pair import pair
from preferences.unpaired import unpaired
from schemas import COMPLETIONS, FUNNEL, JUDGMENTS
from schemas.errors import ConfigError
from schemas.funnel import Count, funnel_table
from tests.feedback.court import answer, engines, frame, judgments, responses, scored


def reply(request: str, status: str, attempt: int = 0) -> dict[str, object]:
    """A judge's reply."""
    return {"request_id": request, "sample": 0, "attempt": attempt, "status": status,
            "text": None if status == "error" else "?", "prompt_id": "p", "engine": "j", "model": "j"}


def test_votes_that_never_came_count_against_the_jury() -> None:
    cast = judgments([scored("j", {name: 5}) for name in "abcd"])
    came = [reply(name, "ok") for name in "abcd"]
    lost = [*came, reply("e", "error"), reply("f", "invalid"), reply("f", "error", attempt=1)]
    assert check_votes({"judgments": cast})[0].passed
    assert check_votes({"judgments": cast, "judge_completions": frame(COMPLETIONS, came)})[0].passed
    found = check_votes({"judgments": cast, "judge_completions": frame(COMPLETIONS, lost)})[0]
    assert not found.passed
    assert found.figures["bad"] == 1
    assert found.figures["of"] == 5


def test_an_answer_scored_by_fewer_judges_than_another_is_seen() -> None:
    answers = responses(answer("p", "a"), answer("p", "b"))
    both = [scored("strict", {"a": 3}), scored("strict", {"b": 2}), scored("kind", {"a": 9}), scored("kind", {"b": 8})]
    for cast, passed in ((both, True), (both[1:], False)):
        table = judgments(cast)
        found = check_rankings({"rankings": mean()(answers, table).table, "judgments": table})
        assert [check.passed for check in found] == [True, passed]


def test_a_request_that_two_juries_share_names_one_prompt_whichever_jury_comes_first(
        monkeypatch: pytest.MonkeyPatch) -> None:
    jury = compare(["one"], allow_self=True)
    made = PreferenceDataset(name="two", prompts=read("p.jsonl"), responses=sample(["one"]), rankings=majority(),
                             judgments=[jury, replace(jury, aspect="helpfulness")], preferences=pair("all"))
    found = []
    for prompts in (["p", "q"], ["q", "p"]):
        given = [frame(COMPLETIONS, [{**reply("r", "ok"), "prompt_id": name}]) for name in prompts]
        monkeypatch.setattr("assets.generation.collect_served", lambda *_, given=given, **__: given)
        stage = judge_completions(made)
        assert stage.make is not None
        means = Means(engines=engines("one"), store=ReplyStore.__new__(ReplyStore), runs=Path("runs"))
        tables = stage.make(means, {"prompts": pl.DataFrame(), "responses": pl.DataFrame()}).tables
        found.append(tables["judge_completions"]["prompt_id"].to_list())
    assert found == [["p"], ["p"]]


def test_parts_that_split_train_and_test_in_different_ways_are_refused_before_anything_is_paid() -> None:
    made = PreferenceDataset(name="parts", prompts=read("p.jsonl"), responses=sample(["one"]),
                             judgments=compare(["one"]), rankings=majority(),
                             preferences=pair("all", test_share=0.1), lists=lists(test_share=0.1))
    for other in (unpaired("halves"), unpaired("halves", test_share=0.1, seed=1)):
        with pytest.raises(ConfigError, match="same seed and test_share"):
            replace(made, unpaired=other)
    replace(made, unpaired=unpaired("halves", test_share=0.1))
    replace(made, preferences=pair("all", seed=3), lists=lists())


@pytest.mark.parametrize(("judgments", "rankings", "others", "told"), [
    ([compare(["j"], order="fixed"), compare(["i", "j"])], majority(), {}, "two juries ask j the same"),
    ([rate(["j"], aspects=("honesty", "overall")), rate(["j"])], mean(), {}, "two juries ask j the same"),
    ([rate(["j"]), compare(["j"])], mean(), {}, "no common mean"),
    ([rate(["j"]), compare(["j"])], median(aspects=["overall"]), {}, "no common median"),
    (None, mean(), {}, "rankings need votes"),
    (None, None, {}, "only pair"),
    (None, None, {"preferences": pair("by-model-order", models=["a", "b"]), "lists": lists()}, "only pair"),
])
def test_a_recipe_that_could_not_be_finished_is_refused_before_anything_is_paid(
        judgments: Any, rankings: Any, others: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        PreferenceDataset(**{"name": "parts", "prompts": read("p.jsonl"), "responses": sample(["one"]),
                             "preferences": pair("all"), "judgments": judgments, "rankings": rankings, **others})


def test_juries_that_ask_in_different_words_or_of_different_aspects_may_share_judges() -> None:
    made = PreferenceDataset(name="parts", prompts=read("p.jsonl"), responses=sample(["one"]), rankings=majority(),
                             judgments=[compare(["j"]), compare(["j"], rubric="Shorter is better."), rate(["j"])],
                             preferences=pair("all"))
    replace(made, judgments=[compare(["j"]), rate(["j"], aspects=["honesty"])], rankings=mean(aspects=["honesty"]))


def test_the_card_names_no_folder_of_this_machine() -> None:
    made = votes(CHECKOUT / "examples" / "votes.jsonl", prompt="p", answers=("a", "b"), judges={"j": "v"})
    told = in_words(made.judgments)
    assert "path='examples/votes.jsonl'" in told
    assert str(CHECKOUT) not in told


def test_a_stage_that_an_older_recipe_left_under_the_same_name_is_not_in_the_report(tmp_path: Path) -> None:
    build = Build(tmp_path)
    for step in ("judgments", "lists"):
        FUNNEL.write(funnel_table([Count(step, "rows", fate, "", 3) for fate in ("in", "out")]),
                     tmp_path / step / "funnel.parquet")
    tables = {"judgments": frame(JUDGMENTS, []), "dropped": pl.DataFrame()}
    assert set(_audited(build, tables)["funnel"]["step"]) == {"judgments"}
