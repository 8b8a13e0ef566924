"""The cascade through the real client and store: a server on loopback labels, another model checks, nothing is lost."""

import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from feedback.chatlogs.asking import between
from feedback.chatlogs.cues import cues
from feedback.chatlogs.detect import detect
from feedback.chatlogs.recall import recall
from feedback.chatlogs.validate import validate
from generators.ask import AnyPlan, Parse
from generators.client import collect
from generators.engines import Engine
from generators.store import ReplyStore
from tests.chatlogs.talk import FINE, counted, messages, talk
from tests.generators.loopback import Loopback, Sent, said

SAID = {"That is wrong.": "rejection", "It was never nine.": "correction", "Thanks, great!": "positive",
        "Nope": "rejection"}
"""What the small model sees in turns."""
LOG = messages(talk("a", "q", "a", "That is wrong.", "b", "Tell me of whales"),
               talk("b", "q", "a", "It was never nine.", "b", "Thanks, great!"), talk("c", "q", "a", "Nope"))


def small(turn: str, before: int) -> str:
    """The small model labels; of one turn its first quote is wrong, of another every one."""
    if turn not in SAID:
        return json.dumps({"events": []})
    quote = "NOPE" if turn == "Nope" else "wrong quote" if turn == "That is wrong." and not before else turn
    event = {"act": SAID[turn], "polarity": "positive" if SAID[turn] == "positive" else "negative", "reasons": [],
             "quote": quote, "ordinal": 3, "standing_directive": False, "confidence": 1}
    return f"<think>I look at it.</think>{json.dumps({'events': [event]})}"


def test_logs_become_validated_events_and_a_second_run_pays_for_nothing(tmp_path: Path) -> None:
    cascade, checker = detect("reader", audit=1.0), validate("checker")
    turn_cues = cues().measure(LOG).table
    times: Counter[str] = Counter()

    async def answers(sent: Sent) -> Any:
        turn = between("turn", sent.text) or ""
        if sent.body["model"] == "large":
            return said(json.dumps({**FINE, "label_holds": turn != "Thanks, great!"}))
        times[turn] += 1
        return said(small(turn, times[turn] - 1))

    with Loopback(answers, models=("small", "large")) as server:
        staff = {"reader": Engine(name="reader", url=server.url, model="small"),
                 "checker": Engine(name="checker", url=server.url, model="large")}

        def asked(plan: AnyPlan, parse: Parse, engines: Mapping[str, Engine]) -> pl.DataFrame:
            with ReplyStore.open(tmp_path / "store") as store:
                return collect(plan, engines, store, parse=parse)

        for _ in range(2):
            told = asked(cascade.plan(LOG, turn_cues, staff), cascade.parse, {"reader": staff["reader"]})
            found = cascade.events(LOG, turn_cues, told, staff)
            verdicts = asked(checker.plan(LOG, found.table, staff), checker.parse, {"checker": staff["checker"]})
            kept = checker.events(LOG, found.table, verdicts, staff)
            paid = len(server.sent)

    assert paid == told.height + verdicts.height, "the second run was answered by the store"
    assert counted(found, "user turns") == {"in": 5, "out": 4, "invalid": 1}
    assert told.filter(pl.col("status") == "invalid").height == 1 + 3, "a wrong quote is asked again, twice at most"
    assert dict(found.table.select("evidence_msg_id", "act").rows()) == {
        "a/2": "rejection", "b/2": "correction", "b/4": "positive"}
    assert counted(kept, "checked events") == {"in": 3, "out": 2, "the label does not hold": 1}
    made = recall(cascade.read(LOG, turn_cues, told, staff), turn_cues, kept.table, [told, verdicts])
    assert (made.turns, made.flagged, made.flagged_read, made.flagged_feedback) == (5, 3, 2, 1)
    assert (made.audited, made.audited_feedback) == (2, 1)
    assert made.calls == paid
    assert made.tokens == 15 * paid


def test_the_code_that_the_page_shows_runs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "chat_feedback.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    assert names["reader"] == detect("small", audit=0.03)
