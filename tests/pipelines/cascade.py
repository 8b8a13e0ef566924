"""A recipe from chat logs with every part that asks a model, and a server that answers them all by plan."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl

from assets.dataset import PreferenceDataset
from assets.home import Home
from assets.recipe import build_stages
from assets.stage import Means
from feedback.chatlogs.again import answer_again
from feedback.chatlogs.answers import logged
from feedback.chatlogs.asking import between
from feedback.chatlogs.cues import cues
from feedback.chatlogs.detect import detect
from feedback.chatlogs.inferences import infer
from feedback.chatlogs.validate import validate
from feedback.jury.aggregate import majority
from feedback.jury.compare import compare
from generators.engines import load_engines
from generators.store import ReplyStore
from preferences.pair import pair
from tests.assets.test_chatlog_stages import CONTENT, REGENERATED, dataset, write
from tests.assets.test_edit_stages import FIRST, LATER, OTHERS
from tests.chatlogs.talk import FINE
from tests.generators.loopback import Loopback, Sent, said

ENGINES = ("finder", "checker", "reader", "teacher", "judge")
ENGINE = '[engines.{0}]\nurl = "{1}"\nmodel = "{0}"\nprice_in = 0\nprice_out = 10\nparams = {{ max_tokens = 1000 }}\n'
ACTS = {"That is wrong.": ("rejection", "negative"), "Thanks, that works!": ("positive", "positive"),
        "And a fish?": ("rejection", "negative"), "Go on with a fish.": ("continue", "neutral")}

NEW = "An answer to"
"""What every answer given again begins with."""


async def answers(sent: Sent) -> Any:
    """What is seen in turns holds but for the fish; complaints and edits hold one wish; a new answer is better."""
    model, turn = sent.body["model"], between("turn", sent.text) or ""
    if model == "finder":
        act, polarity = ACTS[turn]
        event = {"act": act, "polarity": polarity, "reasons": [], "quote": turn, "ordinal": 3,
                 "standing_directive": False, "confidence": 1}
        return said(json.dumps({"events": [event]}))
    if model == "checker":
        return said(json.dumps({**FINE, "label_holds": turn != "And a fish?"}))
    if model == "reader":
        return said(json.dumps({"wishes": ["The answer is right." if turn else "The answer is a list."]}))
    if model == "teacher":
        return said(f"{NEW} {sent.text} of {len(sent.body['messages'])} turns, number {sent.number}")
    first, second = (NEW in part for part in sent.text.split('<answer name="B">'))
    verdict = "tie" if first == second else "A" if first else "B"
    return said(json.dumps({"rationale": "the new one", "verdict": verdict}))


def server() -> Loopback:
    """The server of all five models."""
    return Loopback(answers, models=ENGINES)


def recipe(folder: Path, url: str, **more: Any) -> PreferenceDataset:
    """The recipe, its logs and its engines file, all in a folder; an engine's reply costs 0.01 USD at most."""
    (folder / "logs").mkdir(exist_ok=True)
    write(folder / "logs" / "chats.json", CONTENT, REGENERATED, FIRST, LATER, OTHERS)
    (folder / "engines.toml").write_text("".join(ENGINE.format(name, url) for name in ENGINES))
    parts: dict[str, Any] = {
        "engines": folder / "engines.toml", "feedback_events": (detect("finder", audit=1.0), validate("checker")),
        "responses": logged() | answer_again("teacher", summaries="reader", edits=infer("reader"), control=0.5),
        "judgments": compare(("judge",), reference="checklist"), "rankings": majority(), "preferences": pair("all"),
        "unpaired": None, "kept": []}
    return dataset(folder, **{**parts, **more})


def built(made: PreferenceDataset, last: str = "rankings") -> dict[str, pl.DataFrame]:
    """The tables of the recipe up to one of them, in the home and the store of the environment; written as a build."""
    tables: dict[str, pl.DataFrame] = {}
    home = Home.find()
    place = home.build(made.slug, "all")
    with ReplyStore.open(home.store) as store:
        means = Means(engines=load_engines(made.engines), store=store, runs=home.runs, home=home.root)
        for stage in build_stages(made):
            inputs = {name: tables[name] for name in stage.needs if last not in tables}
            if stage.make is not None and last not in tables:
                tables |= stage.make(means, inputs).tables
                for name, schema in stage.writes.items():
                    place.write(name, schema, tables[name])
            elif stage.write_folder is not None and last == "dataset":
                stage.write_folder(place, inputs)
    return tables


def calls(of: Loopback) -> dict[str, int]:
    """How many requests each model got, those that were asked again counted once."""
    return dict(Counter(sent.body["model"] for sent in of.sent if not sent.times))


CUED = {"feedback_events": (cues(), validate("checker"))}
"""The same with cues in the place of the model that finds events."""
