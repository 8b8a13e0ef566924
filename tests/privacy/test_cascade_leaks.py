"""Models are asked about planted logs and say again all they were told: no plant is in a request, none comes back."""

import json
from pathlib import Path
from typing import Any

import polars as pl
from aiohttp import web

from benchmarks.plants import plants
from feedback.chatlogs.asking import CUT, between
from feedback.chatlogs.cues import cues
from feedback.chatlogs.induce import induce, rubric_score
from schemas import CRITERIA
from tests.chatlogs.talk import FINE, frame, staff
from tests.generators.loopback import Loopback, Sent, said
from tests.pipelines.conftest import ENGINE, Site, site
from tests.privacy.planted_logs import everything, left, write_complaints

__all__ = ["site"]
RECIPE = '''"""A recipe for a test."""

from pathlib import Path

from assets.dataset import PreferenceDataset
from feedback.chatlogs.again import answer_again
from feedback.chatlogs.answers import logged
from feedback.chatlogs.detect import detect
from feedback.chatlogs.logs import chat_logs
from feedback.chatlogs.validate import validate
from feedback.jury.aggregate import majority
from feedback.jury.compare import compare
from preferences.pair import pair

dataset = PreferenceDataset(
    name="mined",
    engines=Path("engines.toml"),
    messages=chat_logs("logs"),
    feedback_events=(detect("reader", turns="all"), validate("checker")),
    prompts=logged(),
    responses=logged() | answer_again("teacher", summaries="writer", control=0.1),
    judgments=compare(("judge",), order="fixed", reference=True),
    rankings=majority(),
    preferences=pair("all"),
    reasks=0,
)
'''
MODELS = ("reader", "checker", "writer", "teacher", "judge")
PLANTS = plants()
FEWEST = len(PLANTS) // 3
"""Complaints, and so requests to each model."""


async def parrot(sent: Sent) -> Any:
    """Each model does its work, and repeats all it was told wherever it can, its refusals too."""
    asked = json.dumps(sent.body["messages"], ensure_ascii=False)
    if sent.body["model"] == "reader":
        turn = (between("turn", sent.text) or "").split(CUT)[0]
        return said(json.dumps({"events": [{"act": "rejection", "polarity": "negative", "reasons": [], "quote": turn,
                                            "ordinal": 1, "standing_directive": False, "confidence": 1}]}))
    if sent.body["model"] == "checker":
        return said(json.dumps({**FINE, "reason": asked}))
    if sent.body["model"] == "writer":
        return said(json.dumps({"wishes": [f"The answer minds this: {sent.text}"]}))
    if sent.body["model"] == "teacher":
        if sent.number % 20 == 0:
            return web.json_response({"error": {"message": f"cannot answer {asked}", "code": "bad"}}, status=400)
        return said(f"BETTER {asked}", reasoning_content=asked)
    first = sent.text.find("BETTER") < sent.text.find("</answer>")
    return said(json.dumps({"rationale": asked, "verdict": "A" if first else "B"}))


def engines(url: str) -> str:
    """The engines file: all models are at one server."""
    return "".join(ENGINE.format(name=name, url=url, model=name, more="") for name in MODELS)


def rubric_requests(build: Path) -> str:
    """What a model would be asked to make rubrics of the events, and to score turns by them."""
    events, messages = (pl.read_parquet(build / name / f"{name}.parquet") for name in ("feedback_events", "messages"))
    asked = [ask.messages for ask in induce("reader", cases=len(PLANTS)).plan(events, staff("reader"))]
    assert str(asked).count("- rejection") >= FEWEST  # every complaint is a case
    rubric = frame(CRITERIA, [{"criterion_id": "c", "kind": "rubric", "name": "negative: wrong", "scope": "turns",
                               "text": "It is wrong.", "evidence": ""}])
    scored = rubric_score("reader").plan(messages, cues().measure(messages).table, rubric, staff("reader"))
    return str(asked) + str([ask.messages for ask in scored])


def test_nothing_planted_reaches_a_model_or_comes_back_from_one(site: Site) -> None:
    write_complaints(site.root / "logs", PLANTS)
    (site.root / "pipelines" / "mined.py").write_text(RECIPE)
    with Loopback(parrot, models=MODELS) as server:
        (site.root / "engines.toml").write_text(engines(server.url))
        told = ""
        for command in (("build", "mined", "--name", "one"), ("show", "mined", "judgments"),
                        ("export", "mined", "out")):
            done = site.winnow(*command)
            assert done.returncode == 0, done.stderr
            told += done.stdout + done.stderr
    requests = {model: [sent for sent in server.sent if sent.body["model"] == model] for model in MODELS}
    assert min(len(sent) for sent in requests.values()) >= FEWEST
    assert sum("<EMAIL_1>" in str(sent.body) for sent in requests["teacher"]) > 5
    build = site.home / "builds" / "mined" / "one"
    assert pl.read_parquet(build / "kept" / "kept.parquet").height >= FEWEST * 0.8
    assert left(PLANTS, "".join(f"{sent.body} {sent.headers}" for sent in server.sent)) == []
    assert left(PLANTS, rubric_requests(build)) == []
    assert left(PLANTS, told) == []
    assert left(PLANTS, everything(site.home)) == []
    assert left(PLANTS, everything(site.root / "out")) == []
