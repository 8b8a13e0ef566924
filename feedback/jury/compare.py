"""COMPARE: judges say which of two answers is better, with the order of the two under control.

Order policies: `fixed` shows the pair in response_id order, `random` in an order drawn for each judge and pair, and the
two `both-` policies ask in both orders, which is two votes. Whether the two then average (as in On-policy
Self-Judgment, 2024, and PairS, 2024) or must agree, else tie (as in Peering Through Preferences, 2023), is decided
when votes are folded, in feedback/jury/outcomes.py; the votes stay raw.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import polars as pl

from feedback.jury import parse, render
from feedback.jury.ballots import Answer, Ballot, Case, Poll, Reply, Vote, cases, check_names, own
from feedback.jury.logprobs import p_first
from feedback.jury.render import Reference, Wording
from generators.ask import Ask
from generators.engines import Engine, engine_named
from generators.made import Made
from schemas.errors import ConfigError
from schemas.ids import draw
from schemas.judgments import ORDER_POLICIES

Order = Literal["fixed", "random", "both-average", "both-else-tie"]
Prompt = Literal["full", "brief"]
"""The wording of a request; `brief` is a few lines, for judges too small to read more."""
_TEMPLATES = {"full": "compare", "brief": "compare_brief"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """Compare answers two by two; made by `compare`."""

    judges: tuple[str, ...]
    aspect: str
    order: Order
    pairs: Literal["all", "baseline"]
    rubric: str
    """The rubric's text; empty where the prompt has no room for one."""
    prompt: Prompt
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
            engine_named(engines, judge, "compare")
        wordings = self._wordings()

        def wording(ballot: Ballot) -> Wording:
            return wordings[bool(self.reference) and ballot.case.reference is not None]

        return Poll(
            cases=cases(prompts, responses), engines=engines, wording=wording, schema=self._schema,
            ballots=lambda case: self._ballots(case, engines), arrange=lambda ballot: ballot, read=self._read,
            unjudged="no pair of answers" if self.pairs == "all" else "no answer beside a baseline",
            protocol="compare", subject="pair", order_policy=self.order,
        )

    def judgments(self, prompts: pl.DataFrame, responses: pl.DataFrame, completions: pl.DataFrame,
                  engines: Mapping[str, Engine]) -> Made:
        """The votes, as JUDGMENTS rows: one a request, two a pair where both orders are asked.

        Counts: prompts that have pairs, votes (dropped: `identical texts`, `own answer`; failed: no reply came) and
        valid votes.
        """
        return self.plan(prompts, responses, engines).judgments(completions)

    def parse(self, text: str, ask: Ask | None = None) -> str | None:
        """None where the reply is a verdict, else why not."""
        return parse.why_not(lambda: parse.read_verdict(text))

    def criteria(self) -> pl.DataFrame:
        """The wordings that judges see, as CRITERIA rows; `rubric` of a vote is the id of one."""
        return render.criteria(self._wordings().values())

    def calls(self, n_prompts: int, n_responses: int, reasks: int = 2) -> tuple[int, int]:
        """Requests for that many prompts of that many answers each: without re-asks, and if every reply is re-asked.

        Against a baseline, one of the answers is the baseline. The first is exact where no answer is a judge's own
        and no two answers of a prompt are equal.
        """
        pairs = n_responses * (n_responses - 1) // 2 if self.pairs == "all" else max(0, n_responses - 1)
        low = n_prompts * pairs * len(self.judges) * (2 if self.order.startswith("both-") else 1)
        return low, low * (1 + reasks)

    def _ballots(self, case: Case, engines: Mapping[str, Engine]) -> Iterator[Ballot]:
        for pair in combinations(case.answers, 2):
            if self.pairs == "baseline" and {answer.role for answer in pair} != {"candidate", "baseline"}:
                continue
            for judge in self.judges:
                skipped = self._skipped(engines[judge], pair)
                for shown in self._showings(judge, pair):
                    yield Ballot(case, judge, self.aspect, shown, skipped)

    def _skipped(self, judge: Engine, pair: tuple[Answer, Answer]) -> str:
        if pair[0].text_digest == pair[1].text_digest:
            return "identical texts"
        return "own answer" if not self.allow_self and own(judge, pair) else ""

    def _showings(self, judge: str, pair: tuple[Answer, Answer]) -> list[tuple[Answer, Answer]]:
        """The orders in which a judge sees a pair; the pair comes in response_id order."""
        first, second = pair
        if self.order.startswith("both-"):
            return [(first, second), (second, first)]
        turned = self.order == "random" and draw(self.seed, "order", judge, first.response_id, second.response_id) < 0.5
        return [(second, first) if turned else (first, second)]

    def _schema(self, _: Ballot) -> Mapping[str, Any]:
        return parse.verdict_schema()

    def _read(self, ballot: Ballot, reply: Reply) -> Vote:
        verdict, rationale = parse.read_verdict(reply.text)
        first, second = (answer.response_id for answer in ballot.shown)
        order = {"A": [first, second], "B": [second, first]}.get(verdict, [])
        return Vote("win" if order else verdict, order, [], rationale, p_first(reply.logprobs))

    def _wordings(self) -> dict[bool, Wording]:
        """By whether a reference is shown."""
        template = _TEMPLATES[self.prompt]
        return {shown: render.wording(template, self.aspect, self.rubric, None, shown and self.reference)
                for shown in ((False, True) if self.reference else (False,))}


def compare(
    judges: Sequence[str],
    aspect: str = "overall",
    order: Order = "both-else-tie",
    reference: Reference = False,
    allow_self: bool = False,
    seed: int = 0,
    pairs: Literal["all", "baseline"] = "all",
    rubric: str | Path | Mapping[str, str | Path] | None = None,
    prompt: Prompt = "full",
) -> Compare:
    """Every judge compares the answers of a prompt two by two: A, B, tie or both_bad.

    `pairs`: all pairs, or each candidate with each answer of role baseline. Identical texts are not compared. With
    `reference`, a prompt's reference answer is shown to the judge; a prompt that has none is judged without, and its
    votes' rubric digest says so; "checklist" says that it is no answer but a list of what the user wants. `rubric`:
    None for the one we ship, else its text or file. `prompt`: "brief" asks in a few lines, without a rubric, as small
    judges need it (the pocket judges know no other). A judge does not vote where an answer of its own model is shown,
    unless `allow_self`. Where the engine's params ask for logprobs, votes carry p_first. Raises ConfigError on what
    cannot be.
    """
    check_names("judge", judges)
    render.check_reference("compare", reference)
    check_names("aspect", (aspect,))
    if order not in ORDER_POLICIES:
        raise ConfigError(f"compare: order={order!r} must be one of {', '.join(ORDER_POLICIES)}")
    if pairs not in ("all", "baseline"):
        raise ConfigError(f"compare: pairs={pairs!r} must be 'all' or 'baseline'")
    if prompt not in _TEMPLATES:
        raise ConfigError(f"compare: prompt={prompt!r} must be 'full' or 'brief'")
    if prompt == "brief" and rubric is not None:
        raise ConfigError("compare: a brief prompt has no room for a rubric; leave rubric out, or write prompt='full'")
    return Compare(judges=tuple(judges), aspect=aspect, order=order, pairs=pairs, prompt=prompt,
                   rubric="" if prompt == "brief" else render.rubric_text(aspect, rubric), reference=reference,
                   allow_self=allow_self, seed=seed)
