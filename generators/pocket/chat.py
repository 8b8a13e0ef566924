"""OpenAI's chat completions: what a request asks for, refused where it cannot be had, and the body of the reply.

What would otherwise be ignored in silence is refused: a client that asks for tools or a stream must learn that there
are none, and a JSON schema that the family was not trained on would only give valid nonsense.
"""

import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from generators.pocket import grammar
from generators.pocket.batch import Order

MOST_CHOICES, MOST_TOPS, MOST_STOPS = 128, 20, 16
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "stream": (False,), "presence_penalty": (0,), "frequency_penalty": (0,), "logit_bias": ({},), "tools": ([],),
    "tool_choice": ("none", "auto"), "parallel_tool_calls": (True, False), "modalities": (["text"],),
}
"""Fields that are understood only where they ask for nothing."""
_UNSEEN = ("user", "metadata", "store", "service_tier", "safety_identifier", "prompt_cache_key")
"""Fields that change no reply."""
_KNOWN = ("model", "messages", "max_tokens", "max_completion_tokens", "temperature", "top_p", "n", "seed", "stop",
          "logprobs", "top_logprobs", "response_format", "continue_final_message", "add_generation_prompt")
_ROLES = ("system", "developer", "user", "assistant")


class Refused(ValueError):
    """A request that is answered with an error."""

    def __init__(self, message: str, param: str | None = None, *, status: int = 400,
                 code: str = "invalid_value") -> None:
        super().__init__(message)
        self.param, self.status, self.code = param, status, code

    def body(self) -> dict[str, Any]:
        """OpenAI's error object."""
        return {"error": {"message": str(self), "type": "invalid_request_error", "param": self.param,
                          "code": self.code}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that can be answered, but for the length of its prompt."""

    model: str
    turns: list[dict[str, Any]]
    continued: bool
    """Whether the last turn is an unfinished one of the assistant, which the reply carries on."""
    most: int | None
    temperature: float
    top_p: float
    n: int
    seed: int
    stop: list[str]
    tops: int | None
    schema: str | None

    def orders(self, name: str, tokens: list[int], context: int) -> list[Order]:
        """One order for each choice; Refused where prompt and reply are longer than the model's context."""
        most = context - len(tokens) if self.most is None else self.most
        if most < 1 or len(tokens) + most > context:
            raise Refused(f"This model's maximum context length is {context} tokens; the messages have {len(tokens)}, "
                          f"and {self.most or 'at least 1'} more are asked for", "messages",
                          code="context_length_exceeded")
        return [Order(number=0, model=name, tokens=tokens, most=most, temperature=self.temperature, top_p=self.top_p,
                      seed=self.seed, choice=choice, stop=self.stop, schema=self.schema, tops=self.tops)
                for choice in range(self.n)]


def read(body: object) -> Asked:
    """What a request's JSON asks for; Refused with the name of the field that is wrong."""
    if not isinstance(body, dict):
        raise Refused("the body is not a JSON object")
    given = {name: value for name, value in body.items() if value is not None}
    for name, value in given.items():
        if name not in (*_KNOWN, *_UNSEEN) and value not in _NEUTRAL.get(name, ()):
            told = f"{name} = {str(value)[:40]!r} is not supported" if name in _NEUTRAL else f"unknown field {name!r}"
            raise Refused(f"{told}: the pocket server writes one whole reply to plain messages", name,
                          code="unsupported_value")
    if not isinstance(given.get("model"), str):
        raise Refused("model must be a text", "model")
    bound = "max_completion_tokens" if "max_completion_tokens" in given else "max_tokens"
    turns = _turns(given.get("messages"))
    return Asked(
        model=given["model"], turns=turns, continued=_continued(given, turns), most=_whole(given, bound, None, 1),
        temperature=_number(given, "temperature", 1.0, 0.0, 2.0), top_p=_number(given, "top_p", 1.0, 0.0, 1.0),
        n=_whole(given, "n", 1, 1, MOST_CHOICES) or 1, seed=_seed(given), stop=_stop(given.get("stop", [])),
        tops=_tops(given), schema=_schema(given.get("response_format", {"type": "text"})),
    )


def completion(asked: Asked, revision: str, prompt_tokens: int, replies: Sequence[Mapping[str, Any]],
               pieces: Sequence[bytes]) -> dict[str, Any]:
    """OpenAI's chat completion object."""
    written = sum(reply["tokens"] for reply in replies)
    return {
        "id": f"chatcmpl-{secrets.token_hex(12)}", "object": "chat.completion", "created": int(time.time()),
        "model": asked.model, "system_fingerprint": revision,
        "choices": [_choice(number, reply, pieces) for number, reply in enumerate(replies)],
        "usage": {"prompt_tokens": prompt_tokens, "completion_tokens": written,
                  "total_tokens": prompt_tokens + written},
    }


def _choice(number: int, reply: Mapping[str, Any], pieces: Sequence[bytes]) -> dict[str, Any]:
    logprobs = None
    if reply["chances"] is not None:
        content = [{**_chance(chosen, pieces), "top_logprobs": [_chance(top, pieces) for top in tops]}
                   for chosen, tops in reply["chances"]]
        logprobs = {"content": content, "refusal": None}
    return {"index": number, "message": {"role": "assistant", "content": reply["text"]},
            "finish_reason": reply["finish"], "logprobs": logprobs}


def _chance(chance: Sequence[Any], pieces: Sequence[bytes]) -> dict[str, Any]:
    token, logprob = chance
    return {"token": pieces[token].decode(errors="replace"), "logprob": logprob, "bytes": list(pieces[token])}


def _turns(messages: object) -> list[dict[str, Any]]:
    if not isinstance(messages, list) or not messages:
        raise Refused("messages must be a list of at least one message", "messages")
    for turn in messages:
        if not isinstance(turn, dict) or turn.get("role") not in _ROLES:
            raise Refused(f"each message must be an object with a role: {', '.join(_ROLES)}", "messages")
    return [{"role": turn["role"], "content": _content(turn.get("content"))} for turn in messages]


def _content(content: object) -> str:
    parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
    texts = [part.get("text") for part in parts if isinstance(part, dict) and part.get("type") == "text"]
    if len(texts) < len(parts) or not all(isinstance(text, str) for text in texts):
        raise Refused("a message's content must be text", "messages")
    return "".join(map(str, texts))


def _continued(given: Mapping[str, Any], turns: Sequence[Mapping[str, Any]]) -> bool:
    """As vLLM has it: an unfinished turn is carried on where no other turn is begun after it."""
    carry, begin = given.get("continue_final_message", False), given.get("add_generation_prompt", True)
    if not isinstance(carry, bool) or not isinstance(begin, bool) or carry is begin:
        raise Refused("the reply either begins a turn or carries on the last one: send continue_final_message = true "
                      "with add_generation_prompt = false, or neither", "continue_final_message")
    if carry and not (turns[-1]["role"] == "assistant" and turns[-1]["content"]):
        raise Refused("continue_final_message carries on what the assistant has begun: the last message must be its, "
                      "and not be empty", "messages")
    return carry


def _number(given: Mapping[str, Any], name: str, default: float, low: float, high: float) -> float:
    value = given.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise Refused(f"{name} must be a number from {low:g} to {high:g}", name)
    return float(value)


def _whole(given: Mapping[str, Any], name: str, default: int | None, low: int, high: int = 1 << 31) -> int | None:
    value = given.get(name, default)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high):
        raise Refused(f"{name} must be a whole number from {low} to {high}", name)
    return value


def _seed(given: Mapping[str, Any]) -> int:
    seed = given.get("seed", secrets.randbits(62))
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise Refused("seed must be a whole number", "seed")
    return seed


def _stop(stop: object) -> list[str]:
    texts = [stop] if isinstance(stop, str) else stop
    if not isinstance(texts, list) or len(texts) > MOST_STOPS or not all(isinstance(one, str) and one for one in texts):
        raise Refused(f"stop must be a text or a list of up to {MOST_STOPS} texts, none of them empty", "stop")
    return texts


def _tops(given: Mapping[str, Any]) -> int | None:
    wanted, tops = given.get("logprobs", False), _whole(given, "top_logprobs", 0, 0, MOST_TOPS) or 0
    if not isinstance(wanted, bool) or (tops and not wanted):
        raise Refused("logprobs must be true or false, and true where top_logprobs is given", "logprobs")
    return tops if wanted else None


def _schema(format: object) -> str | None:
    kind = format.get("type") if isinstance(format, dict) else None
    if kind == "text":
        return None
    inner = format.get("json_schema") if isinstance(format, dict) else None
    name = grammar.name_of(inner.get("schema")) if kind == "json_schema" and isinstance(inner, dict) else None
    if name is None:
        raise Refused("response_format: the pocket models were trained on the JSON schemas "
                      f"{', '.join(grammar.TRAINED)} and on no other (docs/pocket_server.md shows them)",
                      "response_format", code="unsupported_value")
    return name
