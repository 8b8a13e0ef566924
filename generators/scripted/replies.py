"""From a chat request to what a scripted model says: reads the judge's wire format, answers as the plant plans."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from generators import plant
from generators.plant import Model, draw

Kind = Literal["answer", "rate", "compare"]

_ANSWER = re.compile(r'<answer name="([A-Z]+)">\n(.*?)\n</answer>', re.DOTALL)
_CONVERSATION = re.compile(r"<conversation>(.*?)</conversation>", re.DOTALL)
_ASPECT = re.compile(r"<aspect>(.*?)</aspect>", re.DOTALL)
_SCALE = re.compile(r"<scale>\s*(-?[\d.]+)\s+to\s+(-?[\d.]+)\s*</scale>")
_DENIES = re.compile(r"\b(?:no|not|nothing|wrong|boring)\b", re.IGNORECASE)
"""What an unkind follow-up says."""
_NATS = 3.0
"""Nats that a word of a prompt costs."""
_NEUTRAL = re.compile(r"&lt;(?=\s*/?\s*(?:conversation|turn|tools|answer|aspect|scale|reference)\b)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for."""

    kind: Kind
    question: str
    """The planted question where there is one, else the last user turn or the conversation."""
    aspect: str = ""
    scale: tuple[float, float] = (1, 10)
    names: tuple[str, ...] = ()
    """The letters of the answers, in the order shown."""
    answers: tuple[str, ...] = ()
    """The answers in the order shown, with tags that were neutralised restored."""
    single: bool = False
    """Whether one score is asked for, not one for each letter."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a scripted model says."""

    text: str
    reasoning: str | None = None
    leanings: Mapping[str, float] | None = None
    """Log-probabilities of the verdicts, where two answers were compared."""


def read_request(body: Mapping[str, Any]) -> Asked:
    """What a chat request asks for: a judge's request has a conversation, an aspect and answers in tags."""
    text = next((_text(turn) for turn in reversed(body["messages"]) if turn.get("role") == "user"), "")
    conversation, aspect, answers = _CONVERSATION.search(text), _ASPECT.search(text), _ANSWER.findall(text)
    if not (conversation and aspect and answers):
        return Asked("answer", plant.find_question(text) or text)
    inside = _restored(conversation.group(1)).strip()
    scale = _SCALE.search(text)
    return Asked(
        kind="rate" if scale else "compare",
        question=plant.find_question(inside) or inside,
        aspect=aspect.group(1).strip(),
        scale=(float(scale.group(1)), float(scale.group(2))) if scale else (1, 10),
        names=tuple(name for name, _ in answers),
        answers=tuple(_restored(shown) for _, shown in answers),
        single=_wants_one_score(body, len(answers)),
    )


def say(seed: int, model: Model, asked: Asked, request_seed: int) -> Said:
    """What the model says, when nothing goes wrong."""
    if asked.kind == "answer":
        thought = "I add the two numbers." if model.reasoning else None
        return Said(plant.answer(seed, model, asked.question, request_seed), thought)
    seen = plant.perceived(seed, model, asked.question, asked.aspect, asked.answers, request_seed)
    views = dict(zip(asked.names, seen, strict=True))
    reply: dict[str, Any] = {"rationale": ", ".join(f"I see {name} at {points:.1f}" for name, points in views.items())}
    leanings = None
    if asked.kind == "rate":
        scores = {name: _whole(plant.score(model, points, *asked.scale)) for name, points in views.items()}
        reply |= {"score": scores[asked.names[0]]} if asked.single else {"scores": scores}
    else:
        verdict = plant.verdict(seed, model, asked.question, asked.aspect, seen, request_seed)
        reply["verdict"] = verdict
        leanings = plant.leanings(model, seen, verdict)
    text = orjson.dumps(reply).decode()
    if model.fenced and draw(seed, "fenced", model.name, asked.question, request_seed) < model.fenced:
        text = f"```json\n{text}\n```"
    return Said(text, "I compare each answer with the sum." if model.reasoning else None, leanings)


def spoil(seed: int, said: Said, asked: Asked, digest: str, request_seed: int) -> Said:
    """The same reply, but not in the asked format: one of six ways, by draw(seed, "spoil", digest, request seed)."""
    if asked.kind == "answer":
        return Said("")
    reply = orjson.loads(said.text.removeprefix("```json\n").removesuffix("\n```"))
    field = next(name for name in reply if name != "rationale")
    way = int(6 * draw(seed, "spoil", digest, request_seed))
    if way == 0:
        return Said(f"I would rather not decide, though {asked.names[0]} reads well.")
    if way == 1:
        return Said(said.text[: len(said.text) // 2])
    if way == 2:
        return Said("")
    reply[field] = [_outside(reply[field], asked), _lacking(reply[field]), None][way - 3]
    return Said(orjson.dumps(reply).decode())


def logprobs(said: Said) -> dict[str, Any] | None:
    """OpenAI's logprobs object, the verdict being one token with its alternatives; None where none was given."""
    if said.leanings is None or not (found := re.search(r'"verdict":"(\w+)"', said.text)):
        return None
    best = sorted(said.leanings.items(), key=lambda item: -item[1])
    tops = [_token(name, value) for name, value in best]
    tokens = [
        {**_token(said.text[: found.start(1)], 0.0), "top_logprobs": []},
        {**_token(found.group(1), said.leanings[found.group(1)]), "top_logprobs": tops},
        {**_token(said.text[found.end(1) :], 0.0), "top_logprobs": []},
    ]
    return {"content": tokens, "refusal": None}


def prompt_logprobs(seed: int, model: Model, body: Mapping[str, Any]) -> list[dict[str, dict[str, Any]] | None]:
    """What vLLM gives as prompt_logprobs: each word of the conversation with its log-probability, the first one null.

    The words of the last user turn are the likelier the better the model thinks the answer before it is, or the worse
    where the turn denies something; all others are equally likely.
    """
    turns = body["messages"]
    answer = next((_text(turn) for turn in reversed(turns) if turn.get("role") == "assistant"), "")
    asked = plant.find_question(" ".join(_text(turn) for turn in turns if turn.get("role") == "user")) or ""
    [points] = plant.perceived(seed, model, asked, "follow_up", [answer], 0)
    last = -_NATS + (points - 5) / 5 * (-1 if _DENIES.search(_text(turns[-1])) else 1)
    told: list[dict[str, dict[str, Any]] | None] = [None]
    for turn in turns:
        pieces = [f"<{turn.get('role')}>", *re.findall(r"\s*\S+", _text(turn)), "\n"]
        likely = last if turn is turns[-1] else -_NATS
        told += [{"0": {"logprob": likely, "rank": 1, "decoded_token": piece}} for piece in pieces]
    return told


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode())}


def _outside(value: Any, asked: Asked) -> Any:
    """A score beyond the scale, a verdict nobody offered."""
    if isinstance(value, dict):
        return {**value, asked.names[-1]: asked.scale[1] + 7}
    return "C" if isinstance(value, str) else asked.scale[1] + 7


def _lacking(value: Any) -> Any:
    """One letter too few; where there are no letters, words instead of the value."""
    return dict(list(value.items())[:-1]) if isinstance(value, dict) else "rather good"


def _text(turn: Mapping[str, Any]) -> str:
    content = turn.get("content") or ""
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)


def _restored(text: str) -> str:
    return _NEUTRAL.sub("<", text)


def _whole(score: float) -> float:
    return int(score) if score == int(score) else score


def _wants_one_score(body: Mapping[str, Any], shown: int) -> bool:
    schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema") or {}
    properties: Sequence[str] = schema.get("properties") or ()
    return "score" in properties if properties else shown == 1
