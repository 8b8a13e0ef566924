"""PRELUDE as a recipe: edits in real logs tell planted preferences, which steer and judge the answers given again."""

import json
from typing import Any

import polars as pl
import pytest

from assets.recipe import used_engines
from assets.stage import Means
from feedback.chatlogs.again import answer_again
from feedback.chatlogs.answers import logged
from feedback.chatlogs.asking import between
from feedback.chatlogs.inferences import infer
from feedback.jury.aggregate import majority
from feedback.jury.compare import compare
from generators.engines import Engine
from generators.store import ReplyStore
from preferences.pair import pair
from tests.assets.stages import made_by
from tests.assets.test_chatlog_stages import MONDAY, TUESDAY, at, chat, dataset, write
from tests.generators.loopback import Loopback, Sent, said

ENGINES = ("reader", "teacher", "judge")
WISH = "The answer is a list."
PLAIN, LIST, NEW = "Wrens and owls are birds.", "- Wrens\n- and owls are birds.", "- Larks\n- Storks"
EDITED = {"originalContent": PLAIN}
FIRST = chat("first", "ann", ("u1", "Name two birds.", None, at(MONDAY, 0), {}),
             ("a1", LIST, "u1", at(MONDAY, 1), EDITED),
             ("u2", "Go on with a fish.", "a1", at(MONDAY, 2), {}), ("a2", "A cod.", "u2", at(MONDAY, 3), {}))
LATER = chat("later", "ann", ("u1", "Name two more birds.", None, at(TUESDAY, 0), {}),
             ("a1", LIST, "u1", at(TUESDAY, 1), EDITED))
OTHERS = chat("others", "bob", ("u1", "Name two large birds.", None, at(TUESDAY, 2), {}),
              ("a1", LIST, "u1", at(TUESDAY, 3), EDITED))


async def answers(sent: Sent) -> Any:
    """The reader sees lists, the teacher makes them when told to, the judge likes what the checklist asks for."""
    if sent.body["model"] == "reader":
        after = between("after", sent.text) or ""
        return said(json.dumps({"wishes": [WISH] if after.startswith("- ") else []}))
    if sent.body["model"] == "teacher":
        return said(NEW if WISH in str(sent.body["messages"][0]) else "Larks, storks.")
    assert WISH in sent.text  # the checklist is before the judge
    lists = [place for text in (LIST, NEW) if (place := sent.text.find(text)) >= 0]
    others = [place for text in (PLAIN, "Larks, storks.") if (place := sent.text.find(text)) >= 0]
    verdict = "tie" if not (lists and others) else "A" if min(lists) < min(others) else "B"
    return said(json.dumps({"rationale": "by the list", "verdict": verdict}))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, pl.DataFrame]:
    """The tables of the recipe."""
    folder = tmp_path_factory.mktemp("edits")
    (folder / "logs").mkdir()
    write(folder / "logs" / "chats.json", FIRST, LATER, OTHERS)
    recipe = dataset(
        folder, responses=logged() | answer_again("teacher", edits=infer("reader"), control=1.0),
        judgments=compare(("judge",), reference="checklist"), rankings=majority(), preferences=pair("all"),
        unpaired=None)
    assert used_engines(recipe) == set(ENGINES)
    with Loopback(answers, models=ENGINES) as server, ReplyStore.open(folder / "store") as store:
        means = Means(engines={name: Engine(name=name, url=server.url, model=name) for name in ENGINES}, store=store,
                      runs=folder / "runs", home=folder / "home")
        return made_by(recipe, means)


def test_each_edit_becomes_a_wish_and_the_checklist_of_its_prompt(tables: dict[str, pl.DataFrame]) -> None:
    edits = tables["feedback_events"].filter(pl.col("kind") == "edit")
    assert sorted(tables["summaries"]["evidence"]) == sorted(edits["event_id"])
    references = {row["messages"][-1]["content"]: row["reference"] for row in tables["prompts"].to_dicts()}
    assert references == dict.fromkeys(("Name two birds.", "Name two more birds.", "Name two large birds."),
                                       f"- {WISH}")


def test_only_the_later_answer_of_the_person_who_edited_is_given_under_the_past(
        tables: dict[str, pl.DataFrame]) -> None:
    asked = {row["prompt_id"]: row["messages"][-1]["content"] for row in tables["prompts"].to_dicts()}
    past = tables["responses"].filter(pl.col("arm") == "with past edits")
    assert [asked[name] for name in past["prompt_id"]] == ["Name two more birds."]
    [birds] = [row for row in tables["summaries"].to_dicts() if row["criterion_id"] in past["criteria"][0]]
    [event] = tables["feedback_events"].filter(pl.col("event_id") == birds["evidence"]).to_dicts()
    [first] = tables["messages"].filter(pl.col("msg_id") == event["target_msg_id"]).to_dicts()
    assert (first["text"], first["created_at"].day) == (PLAIN, MONDAY.day)


def test_answers_under_the_preference_and_the_edit_itself_beat_the_logged_answer_and_that_from_scratch(
        tables: dict[str, pl.DataFrame]) -> None:
    found = {(row["chosen"][0]["content"], row["rejected"][0]["content"]) for row in tables["kept"].to_dicts()}
    assert found >= {(good, bad) for good in (LIST, NEW) for bad in (PLAIN, "Larks, storks.")}
    assert {good for good, _ in found} == {LIST, NEW}
