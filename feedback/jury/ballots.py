"""From prompts and answers to ballots, from ballots to requests, and from the replies back to raw votes.

Plan and judgments derive the same ballots independently and meet by key (request_id, sample), so that a reply that
never came is counted, whatever the order of anything.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import polars as pl

from feedback.jury import render
from feedback.jury.parse import Unparsable
from feedback.jury.render import Wording
from generators.ask import Ask
from generators.engines import Engine
from generators.made import Made
from schemas.errors import ConfigError, SchemaError
from schemas.funnel import Count, count
from schemas.judgments import JUDGMENTS, judgment_id

SAMPLE = 0
"""A judge is asked once; `sample` of every request."""

_ANSWER = ("prompt_id", "response_id", "role", "model", "revision", "text", "text_digest")
_PROMPT = ("prompt_id", "messages", "tools", "reference")
_REPLY = ("request_id", "sample", "attempt", "status", "text", "logprobs")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as a jury sees it."""

    response_id: str
    role: str
    model: str
    revision: str | None
    text: str
    """With imitations of our tags made harmless."""
    text_digest: str


@dataclass(frozen=True, slots=True)
class Case:
    """A prompt and its answers, sorted by response_id."""

    prompt_id: str
    conversation: str
    reference: str | None
    answers: tuple[Answer, ...]


@dataclass(frozen=True, slots=True)
class Cases:
    """Every prompt with its answers, by prompt_id; made by `cases`. Rows are read as they are needed, and again."""

    prompts: pl.DataFrame
    answers: pl.DataFrame

    def __iter__(self) -> Iterator[Case]:
        groups = groupby(self.answers.iter_rows(), key=lambda row: row[0])
        waiting = next(groups, None)
        for prompt, messages, tools, reference in self.prompts.iter_rows():
            mine: list[Answer] = []
            if waiting is not None and waiting[0] == prompt:
                mine = [Answer(row[1], row[2], row[3], row[4], render.neutral(row[5]), row[6]) for row in waiting[1]]
                waiting = next(groups, None)
            yield Case(prompt, render.conversation(messages, tools), render.neutral(reference or "") or None,
                       tuple(mine))


def cases(prompts: pl.DataFrame, responses: pl.DataFrame) -> Cases:
    """The prompts with their answers; SchemaError where one answers a prompt that is not there."""
    orphans = responses.join(prompts, on="prompt_id", how="anti")["response_id"].sort()
    if len(orphans):
        raise SchemaError(f"responses: {len(orphans)} row(s) answer a prompt that is not among the prompts given, "
                          f"for example {', '.join(orphans[:3])}")
    return Cases(prompts.select(_PROMPT).sort("prompt_id"), responses.select(_ANSWER).sort("prompt_id", "response_id"))


@dataclass(frozen=True, slots=True)
class Ballot:
    """One vote to be cast: who judges which answers of a case on what, in the order shown once it is arranged."""

    case: Case
    judge: str
    aspect: str
    shown: tuple[Answer, ...]
    skipped: str = ""
    """Why the vote is not asked for; empty: it is."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What a reply that parses says."""

    outcome: str
    order: list[str]
    scores: list[float]
    rationale: str | None
    p_first: float | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """One attempt of a request that came back."""

    attempt: int
    text: str
    logprobs: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Poll:
    """All the ballots of one operator over some prompts and responses. Iterate it, as often as wanted, for its Asks."""

    cases: Cases
    engines: Mapping[str, Engine]
    ballots: Callable[[Case], Iterator[Ballot]]
    arrange: Callable[[Ballot], Ballot]
    """The ballot with its answers in the order they are shown."""
    wording: Callable[[Ballot], Wording]
    schema: Callable[[Ballot], Mapping[str, Any]]
    read: Callable[[Ballot, Reply], Vote]
    """The vote that a reply is, or Unparsable."""
    protocol: str
    subject: str
    order_policy: str | None
    unjudged: str
    """Why a prompt may have no ballot, for the funnel."""

    def __iter__(self) -> Iterator[Ask]:
        """Every request once, prompt by prompt; votes on equal texts share theirs."""
        return (self.ask(self.arrange(ballot)) for ballot in self._asked())

    def of(self, judge: str) -> Iterator[Ask]:
        """The requests to one judge."""
        return (self.ask(self.arrange(ballot)) for ballot in self._asked() if ballot.judge == judge)

    def __len__(self) -> int:
        """How many requests there are."""
        return sum(1 for _ in self._asked())

    def ask(self, ballot: Ballot) -> Ask:
        """The request of a ballot; judges answer at temperature 0 where their engine does not say otherwise."""
        said = self.wording(ballot).fill(
            conversation=ballot.case.conversation,
            reference=ballot.case.reference or "",
            answers=render.answers([answer.text for answer in ballot.shown]),
        )
        params = {} if "temperature" in self.engines[ballot.judge].params else {"temperature": 0.0}
        return Ask(engine=ballot.judge, messages=({"role": "user", "content": said},), params=params,
                   schema=self.schema(ballot), sample=SAMPLE, prompt_id=ballot.case.prompt_id)

    def judgments(self, completions: pl.DataFrame) -> Made:
        """One JUDGMENTS row a ballot that was answered, and what became of the others."""
        replies, failures = _by_key(completions)
        rows: list[dict[str, Any]] = []
        fates, lost, prompts = Counter[str](), Counter[str](), Counter[bool]()
        for case in self.cases:
            ballots = list(self.ballots(case))
            prompts[bool(ballots)] += 1
            for drawn in ballots:
                if drawn.skipped:
                    fates[drawn.skipped] += 1
                    continue
                ballot = self.arrange(drawn)
                key = (self.ask(ballot).request_id(self.engines[ballot.judge]), SAMPLE)
                if key in replies:
                    rows.append(self._row(ballot, key[0], replies[key]))
                else:
                    lost["the request failed" if key in failures else "no completion"] += 1
        table = pl.DataFrame(pl.from_arrow(JUDGMENTS.rows(rows))).sort("judgment_id")
        return Made(table, self._counts(rows, fates, lost, prompts))

    def _asked(self) -> Iterator[Ballot]:
        for case in self.cases:
            seen = set()
            for ballot in self.ballots(case):
                what = (ballot.judge, ballot.aspect, *(answer.text_digest for answer in ballot.shown))
                if not ballot.skipped and what not in seen:
                    seen.add(what)
                    yield ballot

    def _row(self, ballot: Ballot, request: str, replies: list[Reply]) -> dict[str, Any]:
        reply, vote, reason = self._vote(ballot, replies)
        engine, shown = self.engines[ballot.judge], [answer.response_id for answer in ballot.shown]
        return {
            "judgment_id": judgment_id((request, SAMPLE, reply.attempt), self.protocol, ballot.aspect, shown),
            "prompt_id": ballot.case.prompt_id, "subject": self.subject, "shown": shown, "judge": ballot.judge,
            "model": engine.model, "revision": engine.revision, "protocol": self.protocol,
            "order_policy": self.order_policy, "aspect": ballot.aspect, "outcome": vote.outcome, "order": vote.order,
            "scores": vote.scores, "p_first": vote.p_first, "rationale": vote.rationale, "request_id": request,
            "sample": SAMPLE, "attempt": reply.attempt, "rubric": self.wording(ballot).rubric, "reason": reason,
        }

    def _vote(self, ballot: Ballot, replies: list[Reply]) -> tuple[Reply, Vote, str | None]:
        """The first attempt that parses; where none does, the last one and why it does not."""
        reason = ""
        for reply in replies:
            try:
                return reply, self.read(ballot, reply), None
            except Unparsable as error:
                reason = str(error)
        return replies[-1], Vote("invalid", [], [], None), reason

    def _counts(self, rows: list[dict[str, Any]], fates: Counter[str], lost: Counter[str],
                prompts: Counter[bool]) -> list[Count]:
        total, invalid = len(rows) + fates.total() + lost.total(), sum(row["outcome"] == "invalid" for row in rows)
        return [
            *count("judgments", "prompts", prompts.total(), out=prompts[True],
                   dropped=Counter({self.unjudged: prompts[False]} if prompts[False] else {})),
            *count("judgments", "votes", total, out=len(rows), dropped=fates, failed=lost),
            *count("judgments", "valid votes", len(rows), out=len(rows) - invalid,
                   failed=Counter({"invalid": invalid} if invalid else {})),
        ]


def own(judge: Engine, answers: tuple[Answer, ...]) -> bool:
    """Whether one of the answers is the judge's own: the same model, of the same or of an unknown revision."""
    return any(answer.model == judge.model
               and (answer.revision == judge.revision or answer.revision is None or judge.revision is None)
               for answer in answers)


def check_names(what: str, names: Sequence[str]) -> None:
    """Raise ConfigError where there is no name, one comes twice, or one would break the wire format."""
    if isinstance(names, str):
        raise ConfigError(f"{what}s are given as the text {names!r}; write a list, [{names!r}]")
    if not names:
        raise ConfigError(f"a jury needs at least one {what}")
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{what} {name!r} is given twice")
        if not name or any(sign in name for sign in "<>\n"):
            raise ConfigError(f"{what} {name!r} must be a word or two without <, > and line breaks")


def _by_key(completions: pl.DataFrame) -> tuple[dict[tuple[str, int], list[Reply]], set[tuple[str, int]]]:
    """The replies of each request, by attempt, and the keys of requests that failed."""
    replies: dict[tuple[str, int], list[Reply]] = defaultdict(list)
    failures = set()
    rows = completions.select(_REPLY).sort("request_id", "sample", "attempt").iter_rows()
    for request, sample, attempt, status, text, logprobs in rows:
        if status == "error":
            failures.add((request, sample))
        else:
            replies[request, sample].append(Reply(attempt, text, logprobs))
    return dict(replies), failures
