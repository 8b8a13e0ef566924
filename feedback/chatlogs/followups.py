"""FOLLOW-UPS: an answer is as good as what a user would likely say to it (follow-up likelihood, FLR).

A bank of canned follow-ups, kind and unkind, is put behind each answer; the reward is how likely a model finds the kind
ones, less how likely it finds the others: mean log-likelihood of their tokens. Nothing is generated, the model only
reads. It needs a server that gives the log-probabilities of the prompt (vLLM: prompt_logprobs). Raw differences may
tell more of the follow-ups than of the answers, so each follow-up is also measured against what it gets on average.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from statistics import fmean, pstdev

import polars as pl

from generators.ask import Ask
from generators.engines import Engine, engine_named
from generators.made import Made
from schemas.criteria import CRITERIA, criterion_id
from schemas.errors import ConfigError, EngineError, SchemaError
from schemas.funnel import count, told_as
from schemas.judgments import JUDGMENTS, judgment_id
from schemas.measurements import MEASUREMENTS

BANK = Path(__file__).with_name("followups_en.txt")
KINDS = ("positive", "negative")
PROTOCOL = "follow_ups"
_PARAMS = {"prompt_logprobs": 0, "max_tokens": 1, "temperature": 0.0}

Bank = Mapping[str, tuple[str, ...]]
"""Follow-ups by kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUps:
    """Scores answers by follow-ups, as a judge that reads and says nothing; made by `follow_ups`."""

    engine: str
    positive: tuple[str, ...]
    negative: tuple[str, ...]
    aspect: str = "flr_z"
    """What its votes are on."""

    @property
    def engines(self) -> set[str]:
        """The engines it asks."""
        return {self.engine}

    def plan(self, prompts: pl.DataFrame, responses: pl.DataFrame, engines: Mapping[str, Engine]) -> list[Ask]:
        """The requests to send: one for each answer and follow-up, those of an answer together."""
        engine_named(engines, self.engine, "follow_ups")
        return [ask for _, _, ask in self._asks(prompts, responses)]

    def parse(self, text: str, ask: Ask) -> str | None:
        """Any reply will do: what counts is the prompt's log-probabilities."""
        return None

    def measurements(self, prompts: pl.DataFrame, responses: pl.DataFrame, completions: pl.DataFrame,
                     engines: Mapping[str, Engine]) -> Made:
        """MEASUREMENTS of responses: "flr", the raw difference, and "flr_z", of the follow-ups' z-scores.

        A z-score is taken over all these responses; where a follow-up is equally likely after each, it is 0. Counts:
        responses (failed: `no reply`, `missing`, `follow-up not found`: the server's tokens do not spell it). Raises
        EngineError where the server gives no log-probabilities of the prompt.
        """
        engine = engine_named(engines, self.engine, "follow_ups")
        replies = {(row["request_id"]): row for row in completions.sort("request_id", "attempt", descending=[
            False, True]).select("request_id", "attempt", "status", "logprobs").iter_rows(named=True)}
        told: defaultdict[str, dict[str, float]] = defaultdict(dict)
        failed: dict[str, str] = {}
        for response, follow_up, ask in self._asks(prompts, responses):
            reply = replies.get(ask.request_id(engine))
            if reply is None or reply["status"] == "error":
                failed[response] = "missing" if reply is None else "no reply"
                continue
            likely = likelihood(reply["logprobs"], follow_up, self.engine)
            if likely is None:
                failed[response] = "follow-up not found"
            else:
                told[response][follow_up] = likely
        whole = {name: scores for name, scores in sorted(told.items()) if name not in failed}
        rows = [{"subject_id": name, "name": kind, "value": value, "source": self.engine}
                for kind, values in (("flr", self._raw(whole)), ("flr_z", self._raw(_standard(whole))))
                for name, value in values.items()]
        table = pl.DataFrame(pl.from_arrow(MEASUREMENTS.rows(rows))).sort("subject_id", "name")
        return Made(table, count("measurements", "responses", responses.height, out=len(whole),
                                 failed=Counter(failed.values())))

    def judgments(self, prompts: pl.DataFrame, responses: pl.DataFrame, completions: pl.DataFrame,
                  engines: Mapping[str, Engine]) -> Made:
        """The votes, as JUDGMENTS rows: each answer's flr_z as its score, the raw difference beside it in words.

        Counts and errors are those of `measurements`: an answer that cannot be measured has no vote.
        """
        told = self.measurements(prompts, responses, completions, engines)
        scores = {(subject, name): value for subject, name, value in told.table.select(
            "subject_id", "name", "value").iter_rows()}
        engine, bank = engine_named(engines, self.engine, "follow_ups"), self._criterion()
        asked: defaultdict[str, list[str]] = defaultdict(list)
        for response, _, ask in self._asks(prompts, responses):
            asked[response].append(ask.request_id(engine))
        rows = [{"judgment_id": judgment_id(asked[name], PROTOCOL, self.aspect, [name]), "prompt_id": prompt,
                 "subject": "response", "shown": [name], "judge": self.engine, "model": engine.model,
                 "revision": engine.revision, "protocol": PROTOCOL, "aspect": self.aspect, "outcome": "scored",
                 "order": [], "scores": [scores[name, self.aspect]],
                 "rationale": f"kind follow-ups over unkind ones: {scores[name, 'flr']:+.4f} a token",
                 "rubric": bank["criterion_id"]}
                for name, prompt in responses.select("response_id", "prompt_id").iter_rows()
                if (name, self.aspect) in scores]
        table = pl.DataFrame(pl.from_arrow(JUDGMENTS.rows(rows))).sort("judgment_id")
        return Made(table, told_as("judgments", told.counts))

    def scores(self, judgments: pl.DataFrame) -> pl.DataFrame:
        """Its votes, as MEASUREMENTS of responses."""
        own = judgments.filter(pl.col("protocol") == PROTOCOL, pl.col("judge") == self.engine,
                               pl.col("rubric") == self._criterion()["criterion_id"])
        return own.select(subject_id=pl.col("shown").list.first(), name="aspect", value=pl.col("scores").list.first(),
                          source="judge")

    def criteria(self) -> pl.DataFrame:
        """The bank, as a CRITERIA row; `rubric` of a vote is its id."""
        return pl.DataFrame(pl.from_arrow(CRITERIA.rows([self._criterion()])))

    def calls(self, n_responses: int) -> tuple[int, int]:
        """Requests for that many answers; nothing is asked again."""
        asked = n_responses * (len(self.positive) + len(self.negative))
        return asked, asked

    def _criterion(self) -> dict[str, str]:
        text = "\n".join(["[positive]", *self.positive, "[negative]", *self.negative])
        return {"criterion_id": criterion_id("rubric", PROTOCOL, text), "kind": "rubric", "name": PROTOCOL,
                "scope": "judgments", "text": text}

    def _raw(self, scores: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
        return {name: fmean(those[one] for one in self.positive) - fmean(those[one] for one in self.negative)
                for name, those in scores.items()}

    def _asks(self, prompts: pl.DataFrame, responses: pl.DataFrame) -> Iterator[tuple[str, str, Ask]]:
        messages = dict(prompts.select("prompt_id", "messages").iter_rows())
        for response, prompt, text in responses.sort("prompt_id", "response_id").select(
                "response_id", "prompt_id", "text").iter_rows():
            if prompt not in messages:
                raise SchemaError(f"responses: {response} answers a prompt that is not among the prompts given")
            for follow_up in (*self.positive, *self.negative):
                said = [*messages[prompt], {"role": "assistant", "content": text},
                        {"role": "user", "content": follow_up}]
                yield response, follow_up, Ask(engine=self.engine, messages=said, params=_PARAMS, prompt_id=prompt)


def follow_ups(engine: str, bank: Path = BANK) -> FollowUps:
    """Score answers by the follow-ups of a bank: a text file with lines under [positive] and [negative].

    In a recipe `judgments=follow_ups("reader")`, `rankings=mean()` and `preferences=pair(...)`, whose gap and margin
    are then in z-scores. No log is needed. A z-score is among the answers of the build: beside other answers an answer
    gets another. Raises ConfigError for a bank that cannot be read, or that lacks one of the two.
    """
    told = read_bank(bank)
    return FollowUps(engine=engine, positive=told["positive"], negative=told["negative"])


def read_bank(path: Path) -> Bank:
    """The follow-ups of a file, each once."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"follow_ups: cannot read {path} ({error.strerror}); write a bank of follow-ups") from None
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    kind = ""
    for line in (line.strip() for line in lines):
        if line.startswith("[") and line.endswith("]"):
            kind = line[1:-1]
        elif line and not line.startswith("#") and kind in found:
            found[kind].append(line)
    if kind not in KINDS or not all(found.values()) or len({*found["positive"], *found["negative"]}) < sum(
            map(len, found.values())):
        raise ConfigError(f"follow_ups: {path} must hold follow-ups under [positive] and [negative], each once")
    return {kind: tuple(those) for kind, those in found.items()}


def likelihood(logprobs: str | None, follow_up: str, engine: str) -> float | None:
    """The mean log-probability of a follow-up's tokens, the last time it stands in the prompt; None if it does not.

    `logprobs` is JSON whose "prompt" holds what vLLM gives as prompt_logprobs: for each token of the prompt null or an
    object of one {decoded_token, logprob} by token id, the prompt's own token first. Raises EngineError without it.
    """
    told = json.loads(logprobs) if logprobs else None
    tokens = told.get("prompt") if isinstance(told, dict) else None
    if not tokens:
        raise EngineError(f"engine '{engine}' gives no log-probabilities of the prompt, which follow_ups needs; serve "
                          "the model with vLLM, which gives them (prompt_logprobs)")
    own = [next(iter(one.values())) if one else {"decoded_token": "", "logprob": None} for one in tokens]
    pieces = [str(one.get("decoded_token") or "") for one in own]
    start = "".join(pieces).rfind(follow_up)
    if start < 0:
        return None
    end, place, inside = start + len(follow_up), 0, []
    for one, piece in zip(own, pieces, strict=True):
        if piece and place < end and place + len(piece) > start:
            inside.append(one.get("logprob"))
        place += len(piece)
    fine = [float(value) for value in inside if isinstance(value, int | float) and isfinite(value)]
    return fmean(fine) if fine and len(fine) == len(inside) else None


def length_correlation(measurements: pl.DataFrame, responses: pl.DataFrame, name: str = "flr_z") -> float | None:
    """Spearman's correlation of a score with the answers' length in words; None where there is nothing to correlate.

    A score that follows length is none of helpfulness.
    """
    words = responses.select(subject_id="response_id", words=pl.col("text").str.count_matches(r"\S+"))
    met = measurements.filter(pl.col("name") == name).join(words, on="subject_id")
    found = met.select(pl.corr("value", "words", method="spearman")).item() if met.height > 1 else None
    return found if found is not None and isfinite(found) else None


def _standard(scores: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """The z-score of each follow-up of each response among all responses."""
    names = sorted({one for those in scores.values() for one in those})
    spread = {one: (fmean(given), pstdev(given)) for one in names if (given := [those[one] for those in
                                                                               scores.values()])}
    return {name: {one: (value - spread[one][0]) / spread[one][1] if spread[one][1] else 0.0
                   for one, value in those.items()} for name, those in scores.items()}
