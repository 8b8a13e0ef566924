"""The answers a build will have, for an estimate: the stored ones, and for others stand-ins at their length limit."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import polars as pl

from assets.dataset import PreferenceDataset
from generators.ask import Ask
from generators.engines import BOUNDS, Engine
from generators.replies import Malformed, read_body
from generators.sample import Sample
from generators.store import ReplyStore
from schemas import COMPLETIONS

CHARACTERS_PER_TOKEN = 4
"""A rule of thumb for English; the estimate of cost says that it is one."""
ANSWER_TOKENS = 1024
"""Assumed for a request that sets no max_tokens."""
Reads = Callable[[str, Ask], str | None]
"""Why a reply to an ask does not parse; None where it does."""
StandIn = Callable[[Ask, Engine], str | None]
"""What stands for a reply that is not stored; None: nothing does."""


def responses(dataset: PreferenceDataset, prompts: pl.DataFrame, engines: Mapping[str, Engine],
              store: ReplyStore) -> pl.DataFrame:
    """RESPONSES of these prompts: what judges will be shown, as far as that is known."""
    operator = dataset.responses
    if not isinstance(operator, Sample):
        return operator().table.filter(pl.col("prompt_id").is_in(prompts["prompt_id"].implode()))
    replies = completions(operator.plan(prompts, engines), lambda text, _: operator.parse(text), long_text, engines,
                          store, dataset.reasks)
    return operator.responses(prompts, replies).table


def completions(plan: Iterable[Ask], parse: Reads, stand_in: StandIn, engines: Mapping[str, Engine], store: ReplyStore,
                reasks: int) -> pl.DataFrame:
    """COMPLETIONS of a plan: of each ask the stored reply that parses, else its stand-in, where it has one."""
    return pl.DataFrame(pl.from_arrow(COMPLETIONS.rows(_rows(plan, parse, stand_in, engines, store, reasks))))


def long_text(ask: Ask, engine: Engine) -> str:
    """A text of its own for each ask, at the length limit."""
    own = f"{ask.request_id(engine)} {ask.sample} "
    return own.ljust(answer_tokens(ask, engine) * CHARACTERS_PER_TOKEN, "x")


def answer_tokens(ask: Ask, engine: Engine) -> int:
    """The most tokens a request can give."""
    params = {**engine.params, **ask.params}
    return int(max((params[name] for name in BOUNDS if params.get(name)), default=ANSWER_TOKENS))


def _rows(plan: Iterable[Ask], parse: Reads, stand_in: StandIn, engines: Mapping[str, Engine], store: ReplyStore,
          reasks: int) -> Iterator[dict[str, Any]]:
    for ask in plan:
        engine = engines[ask.engine]
        request_id = ask.request_id(engine)
        texts = _stored(store, request_id, ask, parse, reasks)
        if len(texts) > reasks and texts[-1] is None:
            continue  # it was asked as often as it may be, and there is no answer
        text = texts[-1] if texts else None
        text = stand_in(ask, engine) if text is None else text
        if text is not None:
            yield {"request_id": request_id, "sample": ask.sample, "attempt": 0, "prompt_id": ask.prompt_id,
                   "engine": ask.engine, "model": engine.model, "revision": engine.revision, "status": "ok",
                   "text": text}


def _stored(store: ReplyStore, request_id: str, ask: Ask, parse: Reads, reasks: int) -> list[str | None]:
    """The texts of the stored attempts up to the first that parses; None for one that does not."""
    texts: list[str | None] = []
    for attempt in range(reasks + 1):
        reply = store.get(request_id, ask.sample, attempt)
        if reply is None:
            break
        texts.append(_text(reply.body, ask, parse))
        if texts[-1] is not None:
            break
    return texts


def _text(body: Any, ask: Ask, parse: Reads) -> str | None:
    try:
        text = read_body(body).text
    except Malformed:
        return None
    return text if parse(text, ask) is None else None
