"""WildFeedback as a recipe: a complaint is summed up, answered again, and judged by its wishes."""

import json
from typing import Any

import polars as pl
import pytest

from assets.recipe import used_engines
from assets.stage import Means
from audits.report import report
from feedback.chatlogs.again import answer_again
from feedback.chatlogs.answers import logged
from feedback.jury.aggregate import majority
from feedback.jury.compare import compare
from generators.engines import Engine
from generators.store import ReplyStore
from preferences.pair import pair
from tests.assets.stages import made_by
from tests.assets.test_chatlog_stages import COMPLAINT, dataset, write
from tests.generators.loopback import Loopback, Sent, said


async def answers(sent: Sent) -> Any:
    """The reader writes a wish down, the teacher knows sums under it, the judge prefers what is right by the wish."""
    if sent.body["model"] == "reader":
        return said(json.dumps({"wishes": ["The answer is the right sum."]}))
    if sent.body["model"] == "teacher":
        return said("2 and 2 make 4." if "right sum" in str(sent.body["messages"][0]) else "22")
    assert "The answer is the right sum." in sent.text  # the checklist is before the judge
    good, bad = sent.text.find("2 and 2 make 4."), max(sent.text.rfind("22"), sent.text.rfind("\n5\n"))
    verdict = "tie" if good < 0 else "A" if good < bad else "B"
    return said(json.dumps({"rationale": "by the list", "verdict": verdict}))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """The tables of the recipe."""
    folder = tmp_path_factory.mktemp("again")
    (folder / "logs").mkdir()
    write(folder / "logs" / "chats.json", COMPLAINT)
    recipe = dataset(folder, responses=logged() | answer_again("teacher", summaries="reader", control=1.0),
                     judgments=compare(("judge",), reference="checklist"), rankings=majority(), preferences=pair("all"),
                     unpaired=None)
    assert used_engines(recipe) == {"reader", "teacher", "judge"}
    with (Loopback(answers, models=("reader", "teacher", "judge")) as server,
          ReplyStore.open(folder / "store") as store):
        staff = {name: Engine(name=name, url=server.url, model=name) for name in ("reader", "teacher", "judge")}
        means = Means(engines=staff, store=store, runs=folder / "runs", home=folder / "home")
        return made_by(recipe, means)


def test_the_answer_under_the_wishes_beats_the_logged_one_and_that_from_scratch(
        tables: dict[str, pl.DataFrame]) -> None:
    found = {(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in tables["kept"].to_dicts()}
    assert ("2 and 2 make 4.", "5") in found
    assert ("2 and 2 make 4.", "22") in found
    assert all(chosen == "2 and 2 make 4." for chosen, _ in found)


def test_the_audit_compares_the_arms_with_each_other_and_with_the_logged_answer(
        tables: dict[str, pl.DataFrame]) -> None:
    found = {(row["arm"], row["other"]): (row["wins"], row["ties"], row["losses"])
             for row in report(tables, draws=20).facts["arms"]}
    assert found == {("with summary", "from scratch"): (1, 0, 0), ("with summary", "logged"): (1, 0, 0),
                     ("logged", "from scratch"): (0, 1, 0)}


def test_the_wishes_are_a_table_and_the_checklist_of_their_prompt_alone(tables: dict[str, pl.DataFrame]) -> None:
    assert tables["summaries"]["text"].to_list() == ["- The answer is the right sum."]
    references = {row["messages"][-1]["content"]: row["reference"] for row in tables["prompts"].to_dicts()}
    assert references["Add 2 and 2."] == "- The answer is the right sum."
    assert all("wrong" not in turn["content"] for row in tables["prompts"].to_dicts() for turn in row["messages"])
