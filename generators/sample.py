"""SAMPLE: several models answer each prompt, under principles drawn for each prompt and model if wanted.

Pool, k of m, and a principle for each answer as its system turn follow UltraFeedback (Cui et al. 2023). Adding a model
to a pool without `k` adds that model's requests and no other; adding a prompt adds that prompt's. With `k`, a model
that is new to a pool of m takes its place in k/(m+1) of the prompts, where one other model is asked no more; the rest
stays as it was.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any

import orjson
import polars as pl

from generators.ask import Ask, Plan
from generators.engines import Engine, engine_named
from generators.made import Made
from schemas.criteria import CRITERIA, criterion_id
from schemas.errors import ConfigError
from schemas.funnel import count
from schemas.ids import digest, draw, pick, text_digest
from schemas.messages import Message
from schemas.responses import RESPONSES, response_id

ANY_SOURCE = "*"
_PROMPT = ("prompt_id", "messages", "tools", "sources")
_REPLY = ("prompt_id", "engine", "sample", "attempt", "status", "request_id", "model", "revision", "text", "tool_calls",
          "finish_reason", "completion_tokens", "error")


@dataclass(frozen=True, slots=True)
class Principle:
    """What an answer should be like, in one or more wordings, of which each answer gets one."""

    name: str
    texts: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse what could not be shown."""
        if isinstance(self.texts, str) or not self.texts or not all(text.strip() for text in self.texts):
            raise ConfigError(f"principle '{self.name}': texts must be a tuple of wordings that are not empty")


Weights = Mapping[Principle, float]
"""How often each principle is drawn, relative to the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A model of the pool with settings of its own; what it leaves out is the pool's."""

    engine: str
    n: int | None = None
    system: str | None = None
    params: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Let a pool answer; made by `sample`."""

    pool: tuple[Member, ...]
    n: int
    k: int | None
    principles: Mapping[str, Weights]
    """By source; `*` is for all sources that are not named. Empty: no principles."""
    system: str | None
    params: Mapping[str, Any]
    seed: int

    @property
    def engines(self) -> set[str]:
        """The engines it asks."""
        return {member.engine for member in self.pool}

    def plan(self, prompts: pl.DataFrame, engines: Mapping[str, Engine]) -> Plan:
        """The requests to send: prompt by prompt, model by model, sample by sample."""
        for member in self.pool:
            engine_named(engines, member.engine, "sample")

        def asks(engine: str | None = None) -> Iterator[Ask]:
            for prompt in _rows(prompts, _PROMPT):
                for member in self._members(prompt["prompt_id"]):
                    if engine not in (None, member.engine):
                        continue
                    messages, params, _ = self._request(prompt, member)
                    for number in range(member.n or self.n):
                        yield Ask(engine=member.engine, messages=messages, params=params, sample=number,
                                  prompt_id=prompt["prompt_id"])

        low, high = self.calls(prompts.height)
        return Plan(asks=asks, of=asks, count=low if low == high else None)

    def parse(self, text: str) -> str | None:
        """Any text is an answer, except none."""
        return None if text.strip() else "empty answer"

    def responses(self, prompts: pl.DataFrame, completions: pl.DataFrame) -> Made:
        """The answers as RESPONSES rows: of each sample the first attempt that parses.

        Counts answers: failed ones by reason, which is the kind of error, `empty answer`, or `missing` where
        completions hold nothing. The text of an answer that only calls tools is its tool calls as JSON.
        """
        failed = Counter[str]()
        table = pl.DataFrame(pl.from_arrow(RESPONSES.rows(self._answers(prompts, completions, failed))))
        asked = table.height + failed.total()
        return Made(table.sort("response_id"), count("responses", "answers", asked, out=table.height, failed=failed))

    def _answers(self, prompts: pl.DataFrame, completions: pl.DataFrame,
                 failed: Counter[str]) -> Iterator[dict[str, Any]]:
        """RESPONSES rows, one by one; the reasons of those that failed are added to `failed`."""
        replies, owners = _Replies(completions), self._owners(prompts)
        for prompt in _rows(prompts, _PROMPT):
            for member in self._members(prompt["prompt_id"]):
                messages, params, criteria = self._request(prompt, member)
                owner = owners[member.engine, _key(messages, params)]
                for number in range(member.n or self.n):
                    attempts = replies.of(owner, member.engine, number)
                    good = next((reply for reply in attempts if reply["status"] == "ok"), None)
                    if good is not None:
                        yield _response(prompt["prompt_id"], good, criteria)
                    else:
                        failed[_reason(attempts)] += 1

    def criteria(self) -> pl.DataFrame:
        """The principles and system prompts that answers may be made under, as CRITERIA rows."""
        named = [("system", "system", text) for text in {self.system, *(member.system for member in self.pool)} if text]
        for weights in self.principles.values():
            named += [("principle", principle.name, text) for principle in weights for text in principle.texts]
        rows = [{"criterion_id": criterion_id(kind, name, text), "kind": kind, "name": name, "scope": "responses",
                 "text": text} for kind, name, text in sorted(set(named))]
        return pl.DataFrame(pl.from_arrow(CRITERIA.rows(rows))).sort("criterion_id")

    def calls(self, n_prompts: int) -> tuple[int, int]:
        """The fewest and the most requests for that many prompts, re-asks apart; equal where models give as many."""
        each = sorted(member.n or self.n for member in self.pool)
        k = len(each) if self.k is None else self.k
        return n_prompts * sum(each[:k]), n_prompts * sum(each[len(each) - k:])

    @cached_property
    def _by_name(self) -> dict[str, Member]:
        return {member.engine: member for member in self.pool}

    def _members(self, prompt_id: str) -> list[Member]:
        """Who answers the prompt, in the pool's order."""
        if self.k is None:
            return list(self.pool)
        return [self._by_name[name] for name in pick(list(self._by_name), self.k, self.seed, "pool", prompt_id)]

    def _request(self, prompt: Mapping[str, Any], member: Member) -> tuple[list[Message], dict[str, Any], list[str]]:
        """Messages and parameters for one model, and the ids of the criteria in them."""
        said = [("system", "system", text) for text in (member.system or self.system,) if text]
        if self.principles:
            said.append(("principle", *self._principle(prompt, member.engine)))
        messages = _with_system(prompt["messages"], [text for _, _, text in said])
        params = {**self.params, **(member.params or {})}
        if prompt["tools"] is not None:
            params["tools"] = orjson.loads(prompt["tools"])
        return messages, params, sorted(criterion_id(*one) for one in said)

    def _principle(self, prompt: Mapping[str, Any], engine: str) -> tuple[str, str]:
        """Name and wording drawn for one prompt and model."""
        sources = [source for source in prompt["sources"] or () if source in self.principles]
        source = sources[0] if sources else ANY_SOURCE
        if source not in self.principles:
            raise ConfigError(f"sample: no principles are given for source {', '.join(prompt['sources'] or ())!r} of "
                              f"prompt {prompt['prompt_id']}; name it, or '{ANY_SOURCE}' for all other sources")
        weights = sorted(self.principles[source].items(), key=lambda item: item[0].name)
        bounds = list(accumulate(weight for _, weight in weights))
        drawn = draw(self.seed, "principle", prompt["prompt_id"], engine) * bounds[-1]
        principle = next(one for (one, _), bound in zip(weights, bounds, strict=True) if drawn < bound)
        wording = draw(self.seed, "wording", prompt["prompt_id"], engine) * len(principle.texts)
        return principle.name, principle.texts[int(wording)]

    def _owners(self, prompts: pl.DataFrame) -> dict[tuple[str, str], str]:
        """The prompt that completions name for each request: the first of those that lead to the same one."""
        owners: dict[tuple[str, str], str] = {}
        for prompt in _rows(prompts, _PROMPT):
            for member in self._members(prompt["prompt_id"]):
                messages, params, _ = self._request(prompt, member)
                key = (member.engine, _key(messages, params))
                owners[key] = min(owners.get(key, prompt["prompt_id"]), prompt["prompt_id"])
        return owners


def sample(
    pool: Sequence[str | Member],
    n: int = 1,
    k: int | None = None,
    principles: Sequence[Principle] | Weights | Mapping[str, Weights | Sequence[Principle]] | None = None,
    system: str | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    max_tokens: int | None = None,
    stop: str | Sequence[str] | None = None,
    params: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Sample:
    """The pool's models answer every prompt, `n` samples each; with `k`, a hash picks k of them for each prompt.

    `principles`: drawn for each prompt and model, evenly from a list, by weight from a mapping, or from a list or
    mapping for each source (`*`: all others); they and `system` are added to the prompt's own system turn. Settings
    that are None are the engine's. To sample one model in two ways, name it twice in the engines file. Raises
    ConfigError on what cannot be.
    """
    if isinstance(pool, str):
        raise ConfigError(f"sample: pool is the text {pool!r}; write a list, [{pool!r}]")
    members = tuple(Member(engine=one) if isinstance(one, str) else one for one in pool)
    twice = sorted(name for name, times in Counter(member.engine for member in members).items() if times > 1)
    if not members or twice:
        raise ConfigError(f"sample: engine '{twice[0]}' is in the pool twice; give it a second name in the engines file"
                          if twice else "sample: the pool is empty; name at least one engine")
    if k is not None and not 1 <= k <= len(members):
        raise ConfigError(f"sample: k={k} of a pool of {len(members)}; write a k from 1 to {len(members)}")
    if n < 1 or any(member.n is not None and member.n < 1 for member in members):
        raise ConfigError("sample: n must be 1 or more")
    given = {"temperature": temperature, "top_p": top_p, "max_tokens": max_tokens,
             "stop": stop if stop is None or isinstance(stop, str) else list(stop)}
    settings = {**(params or {}), **{name: value for name, value in given.items() if value is not None}}
    return Sample(pool=members, n=n, k=k, principles=_by_source(principles), system=system, params=settings, seed=seed)


def _by_source(principles: Any) -> dict[str, Weights]:
    """Principles in their full form: by source, with weights."""
    if not principles:
        return {}
    if isinstance(principles, Mapping) and all(isinstance(name, str) for name in principles):
        return {source: _weights(source, given) for source, given in principles.items()}
    return {ANY_SOURCE: _weights(ANY_SOURCE, principles)}


def _weights(source: str, given: Any) -> Weights:
    weights = dict(given) if isinstance(given, Mapping) else dict.fromkeys(given, 1.0)
    if not all(isinstance(one, Principle) for one in weights) or not all(weight >= 0 for weight in weights.values()):
        raise ConfigError(f"sample: principles of source '{source}' must be Principle(name, texts), with weights >= 0")
    names = Counter(one.name for one in weights)
    if len(names) < len(weights) or not sum(weights.values()) > 0:
        raise ConfigError(f"sample: principles of source '{source}' must have names of their own and a weight above 0")
    return weights


def _with_system(messages: Sequence[Message], texts: Sequence[str]) -> list[Message]:
    """The messages with the texts at the end of their system turn, which is made where there is none."""
    turns: list[Message] = [{"role": turn["role"], "content": turn["content"]} for turn in messages]
    if not texts:
        return turns
    own = [turns.pop(0)] if turns[0]["role"] in ("system", "developer") else []
    role = own[0]["role"] if own else "system"
    return [{"role": role, "content": "\n\n".join([*(turn["content"] for turn in own), *texts])}, *turns]


class _Replies:
    """The attempts of each ask, taken out of the table prompt by prompt, for Python values take ten times the room."""

    def __init__(self, completions: pl.DataFrame) -> None:
        self._rows = completions.select(_REPLY).sort("prompt_id", "request_id", "sample", "attempt")
        runs = self._rows.select(pl.col("prompt_id").rle()).unnest("prompt_id")
        ends = runs["len"].cum_sum()
        self._spans = {prompt: (end - n, n) for prompt, n, end in zip(runs["value"], runs["len"], ends, strict=True)}
        self._prompt: str | None = None
        self._asks: dict[tuple[str, int], list[dict[str, Any]]] = {}

    def of(self, prompt_id: str, engine: str, sample: int) -> list[dict[str, Any]]:
        """The attempts of one ask, the first one first; fields as in _REPLY."""
        if prompt_id != self._prompt:
            self._prompt, self._asks = prompt_id, defaultdict(list)
            for reply in self._rows.slice(*self._spans.get(prompt_id, (0, 0))).iter_rows(named=True):
                self._asks[reply["engine"], reply["sample"]].append(reply)
        return self._asks.get((engine, sample), [])


def _rows(table: pl.DataFrame, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    return table.select(columns).iter_rows(named=True)


def _key(messages: Sequence[Message], params: Mapping[str, Any]) -> str:
    """What makes two requests to one engine the same."""
    return digest(list(messages), dict(params))


def _reason(attempts: Sequence[Mapping[str, Any]]) -> str:
    """Why there is no answer; the kind of the last error only, so that equal reasons count together."""
    return str(attempts[-1]["error"]).partition(":")[0] if attempts else "missing"


def _response(prompt_id: str, reply: Mapping[str, Any], criteria: list[str]) -> dict[str, Any]:
    text = reply["text"] or reply["tool_calls"] or ""
    return {
        "response_id": response_id(prompt_id, "engine", reply["request_id"], reply["sample"]), "prompt_id": prompt_id,
        "origin": "engine", "role": "candidate", "engine": reply["engine"], "model": reply["model"],
        "revision": reply["revision"], "strategy": "sample", "round": 0, "parents": [], "criteria": criteria,
        "critiques": [], "sample": reply["sample"], "text": text, "text_digest": text_digest(text),
        "finish_reason": reply["finish_reason"], "tokens": reply["completion_tokens"],
        "request_id": reply["request_id"], "attempt": reply["attempt"],
    }
