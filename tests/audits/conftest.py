"""Rows of the build's tables, made by hand or planted with known biases, for the tests of the audits."""

from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from schemas import COMPLETIONS, FUNNEL, JUDGMENTS, PREFERENCES, RANKINGS, RESPONSES
from schemas.ids import digest, text_digest


def frame(table, rows):
    return pl.DataFrame(pl.from_arrow(table.rows(rows)))


def vote(prompt, judge, shown, says, *, aspect="overall", policy="random", sample=0, model="m", protocol=None):
    """A vote; `says` is a winner's id, "tie", "both_bad", "invalid", "abstain", or a list of scores."""
    scored = isinstance(says, list)
    silent = says if not scored and says not in shown else None
    outcome = "scored" if scored else silent or "win"
    protocol = protocol or ("compare" if not scored else "rate_together" if len(shown) > 1 else "rate_alone")
    return {
        "judgment_id": digest(prompt, judge, list(shown), aspect, sample, protocol), "prompt_id": prompt,
        "subject": "pair" if protocol == "compare" else "list" if len(shown) > 1 else "response", "shown": list(shown),
        "judge": judge, "model": None if judge.startswith("human:") else model, "protocol": protocol,
        "order_policy": policy if protocol == "compare" else None, "aspect": aspect, "outcome": outcome,
        "order": sorted(shown, key=lambda name: name != says) if outcome == "win" else [],
        "scores": says if scored else [], "request_id": "r", "sample": sample, "attempt": 0, "rubric": "x",
        "reason": "it says so" if outcome in ("invalid", "abstain") else None,
    }


def answer(prompt, name, model, text="text", engine=None):
    return {
        "response_id": name, "prompt_id": prompt, "origin": "engine", "role": "candidate", "engine": engine or model,
        "model": model, "strategy": "sample", "round": 0, "parents": [], "criteria": [], "critiques": [], "sample": 0,
        "text": text, "text_digest": text_digest(text), "request_id": "q", "attempt": 0,
    }


def ranked(prompt, *names_and_ranks, votes=3):
    return [
        {"prompt_id": prompt, "response_id": name, "outcome": "ranked" if rank else "no_quorum",
         "score": -float(rank) if rank else None, "rank": rank, "votes": votes, "invalid": 0, "judges": votes,
         "judgment_ids": []}
        for name, rank in names_and_ranks
    ]


def pair(prompt, chosen, rejected, chosen_text="a", rejected_text="b", margin=1.0):
    def turns(text):
        return [{"role": "assistant", "content": text}]
    return {
        "pair_id": digest(prompt, chosen, rejected), "prompt_id": prompt, "prompt": [], "chosen": turns(chosen_text),
        "rejected": turns(rejected_text), "chosen_id": chosen, "rejected_id": rejected, "chosen_model": "m",
        "rejected_model": "n", "score_chosen": margin, "score_rejected": 0.0, "margin": margin, "policy": "all",
        "split": "train", "evidence": [],
    }


@pytest.fixture
def make():
    """The makers above, and frames of them: make.judgments([make.vote(...)])."""
    tables = {
        "judgments": JUDGMENTS, "responses": RESPONSES, "rankings": RANKINGS, "preferences": PREFERENCES,
        "completions": COMPLETIONS, "funnel": FUNNEL,
    }
    frames = {name: (lambda rows, table=table: frame(table, rows)) for name, table in tables.items()}
    return SimpleNamespace(vote=vote, answer=answer, ranked=ranked, pair=pair, **frames)


@pytest.fixture(scope="session")
def planted():
    """400 prompts, three models, three judges of known bias that compare every pair in both orders.

    `fair` sees the truth with 10 % noise; `first` takes the answer shown first in a third of its votes, whatever it
    says; `wordy` takes the longer one in a third of its votes.
    """
    random = np.random.default_rng(11)
    responses, votes, truth, rankings, pairs = [], [], [], [], []
    for number in range(400):
        prompt = f"p{number:04}"
        levels = random.permutation(3) + np.array([0.5, 0.2, 0.0])
        quality = {f"{prompt}-{model}": float(level) for model, level in zip("abc", levels, strict=True)}
        chars = {name: int(random.integers(20, 200)) for name in quality}
        responses += [answer(prompt, name, name[-1], "x" * chars[name]) for name in quality]
        truth += [(prompt, name, q) for name, q in quality.items()]
        best = sorted(quality, key=lambda name: -quality[name])
        rankings += ranked(prompt, *((name, place + 1) for place, name in enumerate(best)))
        pairs.append(pair(prompt, best[0], best[-1], "x" * chars[best[0]], "x" * chars[best[-1]],
                          quality[best[0]] - quality[best[-1]]))
        names = sorted(quality)
        for shown in [(x, y) for x in names for y in names if x != y]:
            better = max(shown, key=quality.__getitem__)
            longer = max(shown, key=chars.__getitem__)
            odd, lot = random.random(3) < 1 / 3, random.random() < 0.1
            worse = min(shown, key=quality.__getitem__)
            says = {"fair": worse if lot else better, "first": shown[0] if odd[0] else better,
                    "wordy": longer if odd[1] else better}
            votes += [vote(prompt, judge, shown, winner, policy="both-else-tie", model=f"{judge}-model")
                      for judge, winner in says.items()]
    return SimpleNamespace(
        responses=frame(RESPONSES, responses), judgments=frame(JUDGMENTS, votes), rankings=frame(RANKINGS, rankings),
        preferences=frame(PREFERENCES, pairs),
        truth=pl.DataFrame(truth, ["prompt_id", "response_id", "quality"], orient="row"))
