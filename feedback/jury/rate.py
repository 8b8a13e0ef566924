"""RATE: judges score answers on a scale, aspect by aspect, one answer or all of a prompt's answers at a time.

Rating all answers together, in an order shuffled for each judge, prompt and aspect, one aspect a request, with the
reasons before the number, follows UltraFeedback (Cui et al. 2023); its scale is (1, 5) and its aspects are
instruction_following, honesty, truthfulness and helpfulness. Fellowship of the LLMs (2024) found that scores given
together agree better with people than scores given alone, which tie on a third of the pairs.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from feedback.jury import parse, render
from feedback.jury.ballots import Answer, Ballot, Case, Poll, Reply, Vote, cases, check_names, own
from feedback.jury.parse import Scale
from feedback.jury.render import Reference, Wording
from generators.ask import Ask
from generators.engines import Engine, engine_named
from generators.made import Made
from schemas.errors import ConfigError
from schemas.ids import shuffled

MOST_SHOWN = 26
"""Answers in one request are named A to Z."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Score answers; made by `rate`."""

    judges: tuple[str, ...]
    aspects: tuple[str, ...]
    scale: Scale
    shown: Literal["together", "alone"]
    rubrics: tuple[str, ...]
    """The rubric's text of each aspect."""
    reference: Reference
    allow_self: bool
    seed: int

    @property
    def engines(self) -> set[str]:
        """The engines it asks."""
        return set(self.judges)

    def plan(self, prompts: pl.DataFrame, responses: pl.DataFrame, engines: Mapping[str, Engine]) -> Poll:
        """The requests to send, as often as they are wanted."""
        for judge in self.judges:
            engine_named(engines, judge, "rate")
        wordings = self._wordings()

        def wording(ballot: Ballot) -> Wording:
            return wordings[ballot.aspect, bool(self.reference) and ballot.case.reference is not None]

        return Poll(
            cases=cases(prompts, responses), engines=engines, wording=wording, schema=self._schema,
            ballots=lambda case: self._ballots(case, engines), arrange=self._arranged, read=self._read,
            unjudged="no answers",
            protocol=f"rate_{self.shown}", subject="list" if self.shown == "together" else "response",
            order_policy=None,
        )

    def judgments(self, prompts: pl.DataFrame, responses: pl.DataFrame, completions: pl.DataFrame,
                  engines: Mapping[str, Engine]) -> Made:
        """The votes, as JUDGMENTS rows: one a request, scored or invalid.

        Counts: prompts that have answers, votes (dropped: `own answer`; failed: no reply came) and valid votes. In
        a request that shows all answers together, one own answer among them drops the judge's whole request.
        """
        return self.plan(prompts, responses, engines).judgments(completions)

    def parse(self, text: str, ask: Ask | None = None) -> str | None:
        """None where the reply is a vote, else why not; only its Ask tells how many letters there must be."""
        if self.shown == "alone":
            return parse.why_not(lambda: parse.read_score(text, self.scale))
        letters = len(ask.schema["properties"]["scores"]["required"]) if ask and ask.schema else None
        return parse.why_not(lambda: parse.read_scores(text, self.scale, letters))

    def criteria(self) -> pl.DataFrame:
        """The wordings that judges see, as CRITERIA rows; `rubric` of a vote is the id of one."""
        return render.criteria(self._wordings().values())

    def calls(self, n_prompts: int, n_responses: int, reasks: int = 2) -> tuple[int, int]:
        """Requests for that many prompts of that many answers each: without re-asks, and if every reply is re-asked.

        The first is exact where no answer is a judge's own and, alone, no two answers of a prompt are equal.
        """
        each = 1 if self.shown == "together" else n_responses
        low = n_prompts * each * len(self.judges) * len(self.aspects) if n_responses else 0
        return low, low * (1 + reasks)

    def _ballots(self, case: Case, engines: Mapping[str, Engine]) -> Iterator[Ballot]:
        showings = self._showings(case)
        for judge in self.judges:
            skips = ["own answer" if not self.allow_self and own(engines[judge], shown) else "" for shown in showings]
            for aspect in self.aspects:
                for shown, skipped in zip(showings, skips, strict=True):
                    yield Ballot(case, judge, aspect, shown, skipped)

    def _showings(self, case: Case) -> list[tuple[Answer, ...]]:
        """The answers of each request, in response_id order."""
        if self.shown == "alone" or not case.answers:
            return [(answer,) for answer in case.answers]
        if len(case.answers) > MOST_SHOWN:
            raise ConfigError(f"rate: prompt {case.prompt_id} has {len(case.answers)} answers, one request can show "
                              f"{MOST_SHOWN}; sample fewer, or use shown=\"alone\"")
        return [case.answers]

    def _arranged(self, ballot: Ballot) -> Ballot:
        """The ballot with its answers shuffled for this judge, prompt and aspect."""
        if self.shown == "alone":
            return ballot
        answers = {answer.response_id: answer for answer in ballot.shown}
        order = shuffled(answers, self.seed, "together", ballot.judge, ballot.case.prompt_id, ballot.aspect)
        shown = tuple(answers[name] for name in order)
        return Ballot(ballot.case, ballot.judge, ballot.aspect, shown, ballot.skipped)

    def _schema(self, ballot: Ballot) -> Mapping[str, Any]:
        if self.shown == "alone":
            return parse.score_schema(self.scale)
        return parse.scores_schema(self.scale, len(ballot.shown))

    def _read(self, ballot: Ballot, reply: Reply) -> Vote:
        if self.shown == "alone":
            scores, rationale = parse.read_score(reply.text, self.scale)
        else:
            scores, rationale = parse.read_scores(reply.text, self.scale, len(ballot.shown))
        return Vote("scored", [], scores, rationale)

    def _wordings(self) -> dict[tuple[str, bool], Wording]:
        """By aspect and by whether a reference is shown."""
        grounded = (False, True) if self.reference else (False,)
        return {(aspect, shown): render.wording(f"rate_{self.shown}", aspect, rubric, self.scale,
                                                shown and self.reference)
                for aspect, rubric in zip(self.aspects, self.rubrics, strict=True) for shown in grounded}


def rate(
    judges: Sequence[str],
    aspects: Sequence[str] = ("overall",),
    scale: Scale = (1, 10),
    shown: Literal["together", "alone"] = "together",
    rubric: str | Path | Mapping[str, str | Path] | None = None,
    reference: Reference = False,
    allow_self: bool = False,
    seed: int = 0,
) -> Rate:
    """Every judge scores every answer on every aspect, from `scale`'s low (worst) to its high (best), halves allowed.

    `shown`: all answers of a prompt in one request, shuffled, or each alone. `rubric`: None for the rubrics we ship,
    else a text or file for all aspects, or one for each aspect named. With `reference`, a prompt's reference answer is
    shown to the judge; a prompt that has none is judged without, and its votes' rubric digest says so; "checklist" says
    that it is no answer but a list of what the user wants. A judge does not score where an answer of its own model is
    shown, unless `allow_self`. Raises ConfigError on what cannot be.
    """
    check_names("judge", judges)
    render.check_reference("rate", reference)
    check_names("aspect", aspects)
    if not (len(scale) == 2 and scale[0] < scale[1] and all(bound * 2 % 1 == 0 for bound in scale)):
        raise ConfigError(f"rate: scale {scale!r} must be (low, high), whole or half points, low below high")
    if shown not in ("together", "alone"):
        raise ConfigError(f"rate: shown={shown!r} must be 'together' or 'alone'")
    rubrics = tuple(render.rubric_text(aspect, rubric) for aspect in aspects)
    return Rate(judges=tuple(judges), aspects=tuple(aspects), scale=(scale[0], scale[1]), shown=shown, rubrics=rubrics,
                reference=reference, allow_self=allow_self, seed=seed)


