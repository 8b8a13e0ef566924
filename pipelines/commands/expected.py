"""The answers a build will have, for an estimate: the stored ones, and for others stand-ins at their length limit."""

from collections.abc import Iterator, Mapping
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


def responses(dataset: PreferenceDataset, prompts: pl.DataFrame, engines: Mapping[str, Engine],
              store: ReplyStore) -> pl.DataFrame:
    """RESPONSES of these prompts: what judges will be shown, as far as that is known."""
    if not isinstance(dataset.responses, Sample):
        return dataset.responses().table.filter(pl.col("prompt_id").is_in(prompts["prompt_id"].implode()))
    plan = dataset.responses.plan(prompts, engines)
    rows = list(_completions(iter(plan), engines, store, dataset))
    return dataset.responses.responses(prompts, pl.DataFrame(pl.from_arrow(COMPLETIONS.rows(rows)))).table


def answer_tokens(ask: Ask, engine: Engine) -> int:
    """The most tokens a request can give."""
    params = {**engine.params, **ask.params}
    return int(max((params[name] for name in BOUNDS if params.get(name)), default=ANSWER_TOKENS))


def _completions(plan: Iterator[Ask], engines: Mapping[str, Engine], store: ReplyStore,
                 dataset: PreferenceDataset) -> Iterator[dict[str, Any]]:
    for ask in plan:
        engine = engines[ask.engine]
        request_id = ask.request_id(engine)
        texts = _stored(store, request_id, ask.sample, dataset)
        if len(texts) > dataset.reasks and texts[-1] is None:
            continue  # it was asked as often as it may be, and there is no answer
        text = texts[-1] if texts else None
        if text is None:
            text = f"{request_id} {ask.sample} ".ljust(answer_tokens(ask, engine) * CHARACTERS_PER_TOKEN, "x")
        yield {"request_id": request_id, "sample": ask.sample, "attempt": 0, "prompt_id": ask.prompt_id,
               "engine": ask.engine, "model": engine.model, "revision": engine.revision, "status": "ok", "text": text}


def _stored(store: ReplyStore, request_id: str, sample: int, dataset: PreferenceDataset) -> list[str | None]:
    """The texts of the stored attempts up to the first that parses; None for one that does not."""
    texts: list[str | None] = []
    for attempt in range(dataset.reasks + 1):
        reply = store.get(request_id, sample, attempt)
        if reply is None:
            break
        texts.append(_text(reply.body, dataset))
        if texts[-1] is not None:
            break
    return texts


def _text(body: Any, dataset: PreferenceDataset) -> str | None:
    try:
        text = read_body(body).text
    except Malformed:
        return None
    parses = isinstance(dataset.responses, Sample) and dataset.responses.parse(text) is None
    return text if parses else None
