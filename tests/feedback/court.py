"""Small courts for the tests: prompts, answers, judges that follow a plan, and votes written by hand."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from generators.ask import Ask
from generators.engines import Engine
from schemas import COMPLETIONS, JUDGMENTS, PROMPTS, RESPONSES
from schemas.ids import digest, text_digest
from schemas.table import Table

Judge = Callable[[Ask], str | Sequence[str] | None]
"""What a judge replies to a request: a text, one text an attempt, or None where the request failed for good."""


def frame(table: Table, rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Rows as a DataFrame of the table's types."""
    return pl.DataFrame(pl.from_arrow(table.rows(rows)))


def obeys(table: Table, rows: pl.DataFrame) -> bool:
    """Whether the rows keep the table's rules."""
    return not table.check(table.conform(rows.to_arrow()))[0]


def engines(*names: str, **params: Any) -> dict[str, Engine]:
    """Engines of these names; the model is called after the engine."""
    return {name: Engine(name=name, url="http://127.0.0.1:9/v1", model=f"model-{name}", revision="r1", params=params)
            for name in names}


def prompts(*names: str, reference: str | None = None) -> pl.DataFrame:
    """A prompt of one turn for each name."""
    return frame(PROMPTS, [
        {"prompt_id": name, "messages": [{"role": "user", "content": f"What is {name}?"}], "reference": reference,
         "sources": ["test"], "licences": ["CC0-1.0"], "group": name} for name in names])


def answer(prompt: str, name: str, text: str | None = None, model: str = "writer", **more: Any) -> dict[str, Any]:
    """A responses row; its text is its name unless one is given."""
    said = name if text is None else text
    return {"response_id": name, "prompt_id": prompt, "origin": "import", "role": "candidate", "model": model,
            "strategy": "import", "round": 0, "parents": [], "criteria": [], "critiques": [], "sample": 0, "text": said,
            "text_digest": text_digest(said)} | more


def responses(*rows: Mapping[str, Any]) -> pl.DataFrame:
    return frame(RESPONSES, rows)


def replies(plan: Iterable[Ask], staff: Mapping[str, Engine], judge: Judge) -> pl.DataFrame:
    """The completions of a plan: every attempt up to the last text a judge gives."""
    rows = []
    for ask in plan:
        said = judge(ask)
        engine = staff[ask.engine]
        base = {"request_id": ask.request_id(engine), "sample": ask.sample, "prompt_id": ask.prompt_id,
                "engine": engine.name, "model": engine.model, "revision": engine.revision}
        if said is None:
            rows.append({**base, "attempt": 0, "status": "error", "error": "400 context too long"})
        for attempt, text in enumerate([said] if isinstance(said, str) else said or []):
            rows.append({**base, "attempt": attempt, "status": "ok", "text": text})
    return frame(COMPLETIONS, rows)


def shown(ask: Ask) -> dict[str, str]:
    """The answers of a judge's request by letter, read as a judge would read them."""
    return dict(re.findall(r'<answer name="([A-Z])">\n(.*?)\n</answer>', ask.messages[-1]["content"], re.DOTALL))


def tag(ask: Ask, name: str) -> str:
    """What stands in the request's one tag of that name."""
    found = re.findall(rf"<{name}>(.*?)</{name}>", ask.messages[-1]["content"], re.DOTALL)
    assert len(found) == 1, f"{len(found)} tags {name}"
    return str(found[0])


def rater(worth: Mapping[str, float]) -> Judge:
    """A judge that scores every text at what it is worth."""
    def say(ask: Ask) -> str:
        texts = shown(ask)
        if "score" in (ask.schema or {})["properties"]:
            return json.dumps({"rationale": "I looked.", "score": worth[texts["A"]]})
        return json.dumps({"rationale": "I looked.", "scores": {name: worth[text] for name, text in texts.items()}})

    return say


def comparer(worth: Mapping[str, float]) -> Judge:
    """A judge that prefers the text that is worth more and calls equals a tie."""
    def say(ask: Ask) -> str:
        texts = shown(ask)
        gap = worth[texts["A"]] - worth[texts["B"]]
        return json.dumps({"rationale": "I looked.", "verdict": "A" if gap > 0 else "B" if gap < 0 else "tie"})

    return say


def vote(judge: str, shown_ids: Sequence[str], outcome: str, *, scores: Sequence[float] = (), order: Sequence[str] = (),
         aspect: str = "overall", policy: str | None = None, prompt: str = "p", p_first: float | None = None,
         number: int = 0) -> dict[str, Any]:
    """A judgments row, as if imported."""
    subject = "response" if len(shown_ids) == 1 else "pair" if policy or len(shown_ids) == 2 else "list"
    key = digest(judge, list(shown_ids), aspect, policy, prompt, number)
    return {"judgment_id": key, "prompt_id": prompt, "subject": subject, "shown": list(shown_ids), "judge": judge,
            "protocol": "import", "order_policy": policy, "aspect": aspect, "outcome": outcome, "order": list(order),
            "scores": [float(score) for score in scores], "p_first": p_first}


def scored(judge: str, scores: Mapping[str, float], **more: Any) -> dict[str, Any]:
    """A vote that scores answers."""
    return vote(judge, list(scores), "scored", scores=list(scores.values()), **more)


def duel(judge: str, first: str, second: str, verdict: str, **more: Any) -> dict[str, Any]:
    """A vote on a pair in the order shown: A, B, tie, both_bad or invalid."""
    order = {"A": [first, second], "B": [second, first]}.get(verdict, [])
    return vote(judge, [first, second], "win" if order else verdict, order=order, **more)


def judgments(rows: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    return frame(JUDGMENTS, rows)


def silenced(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same vote, unparsed."""
    return {**row, "outcome": "invalid", "scores": [], "order": [], "p_first": None, "reason": "not one JSON object"}
