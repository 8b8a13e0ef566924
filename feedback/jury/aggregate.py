"""AGGREGATE: raw votes, of models and people alike, into each answer's score and rank.

Scores and win values are added exactly, as fractions, so that float noise breaks no tie and row order means nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import groupby
from statistics import median as middle
from typing import Any, Literal

import polars as pl

from feedback.jury.outcomes import SILENT, Verdict, mean_score, verdicts
from feedback.jury.outcomes import mean as average
from generators.made import Made
from schemas.errors import ConfigError
from schemas.funnel import Count, count
from schemas.rankings import RANKINGS

_WIN = {"first": Fraction(1), "tie": Fraction(1, 2), "both_bad": Fraction(1, 2), "second": Fraction(0)}
_INVALID, _UNKNOWN, _OTHER = "invalid", "no answer it is on is ranked here", "another aspect"
_PART = "the judge's other votes it belongs with are not all valid"


@dataclass(slots=True)
class _Standing:
    """What is known of one answer."""

    score: Fraction | None = None
    """None: no quorum."""
    judges: set[str] = field(default_factory=set)
    """Judges that count for it."""
    counted: set[str] = field(default_factory=set)
    """The votes of theirs that count."""
    on_it: set[str] = field(default_factory=set)
    """All votes on it."""
    silent: int = 0
    rank: int | None = None
    agreement: float | None = None


Standings = dict[str, _Standing]
Given = list[tuple[float, str]]
"""Scores with the votes they come from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate:
    """Votes into rankings; made by `mean`, `median` or `majority`."""

    how: Literal["mean", "median", "majority"]
    quorum: int
    aspects: tuple[str, ...] | None

    def __call__(self, responses: pl.DataFrame, judgments: pl.DataFrame) -> Made:
        """One RANKINGS row a response, ranked within its prompt or `no_quorum`.

        `votes` are the valid votes that count, `judges` those who cast them. `agreement` is the share, among the
        outcomes of feedback/jury/outcomes.py on pairs of ranked answers with this one, that say what the ranks say, a
        tie matching only equal ranks. Counts: responses, ranked responses (dropped: no_quorum), and votes.
        """
        used = judgments.filter(pl.col("aspect").is_in(self.aspects)) if self.aspects else judgments
        used = used.sort("judgment_id")
        prompts = _standings(responses, used)
        opinions = list(verdicts(used))
        needed = self._needed(used)
        if self.how != "majority" and _scored(used, self.how):
            self._rate(prompts, used, needed)
        else:
            self._compare(prompts, opinions, needed)
        for standings in prompts.values():
            _rank(standings)
        _agree(prompts, opinions)
        rows = [_row(prompt, name, known) for prompt, standings in prompts.items()
                for name, known in standings.items()]
        table = pl.DataFrame(pl.from_arrow(RANKINGS.rows(rows))).sort("prompt_id", "response_id")
        return Made(table, _counts(table, prompts, used, judgments.height))

    def _needed(self, judgments: pl.DataFrame) -> Mapping[str, set[str]]:
        """The aspects that a judge must have voted on to count, by judge."""
        found: dict[str, set[str]] = defaultdict(set)
        for judge, aspect in judgments.select("judge", "aspect").unique().iter_rows():
            found[judge] = set(self.aspects) if self.aspects else {*found[judge], aspect}
        return found

    def _rate(self, prompts: Mapping[str, Standings], judgments: pl.DataFrame, needed: Mapping[str, set[str]]) -> None:
        """Score answers by the mean or median over judges of each judge's mean over aspects."""
        for (prompt, name), by_judge in _scores(judgments).items():
            known = prompts.get(prompt, {}).get(name)
            if known is None:
                continue
            views = []
            for judge, by_aspect in by_judge.items():
                if by_aspect.keys() >= needed[judge]:
                    views.append(_view(by_aspect.values()))
                    known.judges.add(judge)
                    known.counted |= {vote for given in by_aspect.values() for _, vote in given}
            if len(views) >= self.quorum:
                known.score = self._together(views)

    def _compare(self, prompts: Mapping[str, Standings], opinions: Sequence[Verdict],
                 needed: Mapping[str, set[str]]) -> None:
        """Score answers by the mean, over their opponents, of what the jury says of the two."""
        points: dict[tuple[str, str], list[Fraction]] = defaultdict(list)
        for (prompt, *pair), by_judge in _opinions(opinions).items():
            standings = prompts.get(prompt, {})
            if any(name not in standings for name in pair):
                continue
            values = []
            for judge, by_aspect in by_judge.items():
                if by_aspect.keys() >= needed[judge]:
                    values.append(average([_WIN[one.outcome] for one in by_aspect.values()]))
                    for name in pair:
                        standings[name].judges.add(judge)
                        standings[name].counted |= {vote for one in by_aspect.values() for vote in one.judgment_ids}
            if len(values) >= self.quorum:
                first = self._together(values)
                points[prompt, pair[0]].append(first)
                points[prompt, pair[1]].append(1 - first)
        for (prompt, name), won in points.items():
            prompts[prompt][name].score = average(won)

    def _together(self, values: list[Fraction]) -> Fraction:
        """One value for the jury's: their mean, median, or verdict by majority."""
        if self.how == "mean":
            return average(values)
        return middle(values) if self.how == "median" else _mode(values)


def mean(quorum: int = 1, aspects: Iterable[str] | None = None) -> Aggregate:
    """The mean over judges.

    Scored votes (RATE): of each judge's mean over its aspects (UltraFeedback's rule, Cui et al. 2023, for one judge).
    A judge counts for an answer only when it has a valid score on every aspect that it votes on anywhere in the
    table, or on every one of `aspects`, which also leaves the others out. Comparisons and rankings: an answer's score
    is the mean over its opponents of the mean over judges of the win value, 1, 1/2 (tie, both_bad) or 0; a judge's
    aspects are averaged first, and must be complete, in the same way. `quorum`: the least number of judges that count
    for an answer (scores), or on a pair for the pair to count (comparisons); an answer below it, or without a pair that
    counts, is no_quorum. A table that holds both scores and comparisons is a ConfigError: `majority` folds both.
    """
    return _aggregate("mean", quorum, aspects)


def median(quorum: int = 1, aspects: Iterable[str] | None = None) -> Aggregate:
    """As `mean`, with the median over judges in the place of the mean over judges; two in the middle are averaged."""
    return _aggregate("median", quorum, aspects)


def majority(quorum: int = 1, aspects: Iterable[str] | None = None) -> Aggregate:
    """The mode of the judges' verdicts on each pair, where several modes are a tie (Fellowship of the LLMs, 2024).

    Each judge has one verdict a pair, first, second or tie, from its comparisons, ranking or scores; of several
    aspects, the side that wins on average. An answer's score is its Copeland share: (wins + ties / 2) / opponents with
    a verdict. both_bad counts as a tie. Aspects and quorum as in `mean`.
    """
    return _aggregate("majority", quorum, aspects)


def _aggregate(how: Literal["mean", "median", "majority"], quorum: int, aspects: Iterable[str] | None) -> Aggregate:
    if quorum < 1:
        raise ConfigError(f"{how}: quorum={quorum} must be 1 or more: an answer that nobody judged has no rank")
    named = None if aspects is None else tuple(aspects)
    if named == ():
        raise ConfigError(f"{how}: aspects=() leaves no vote; name aspects, or None for all")
    return Aggregate(how=how, quorum=quorum, aspects=named)


def _mode(values: Iterable[Fraction]) -> Fraction:
    """1, 1/2 or 0 for a majority for first, tie or second; 1/2 where there is no single mode."""
    signs = Counter((value > Fraction(1, 2)) - (value < Fraction(1, 2)) for value in values)
    (top, most), *others = signs.most_common(2)
    return Fraction(1, 2) if others and others[0][1] == most else Fraction(1 + top, 2)


def _scored(judgments: pl.DataFrame, how: str) -> bool:
    """Whether the valid votes are scores; a ConfigError where some are and some are not."""
    kinds = {outcome == "scored" for outcome in judgments["outcome"].unique() if outcome not in SILENT}
    if len(kinds) == 2:
        raise ConfigError(f"{how}: the votes are scores and comparisons together, which have no common {how}; use "
                          "majority(), or name the aspects of one kind: aspects=(...)")
    return True in kinds


def _standings(responses: pl.DataFrame, judgments: pl.DataFrame) -> dict[str, Standings]:
    """Every response of every prompt, with the votes on it."""
    prompts: dict[str, Standings] = defaultdict(dict)
    for prompt, name in responses.select("prompt_id", "response_id").sort("prompt_id", "response_id").iter_rows():
        prompts[prompt][name] = _Standing()
    for vote, prompt, shown, outcome in judgments.select("judgment_id", "prompt_id", "shown", "outcome").iter_rows():
        standings = prompts.get(prompt, {})
        for name in shown:
            if name in standings:
                standings[name].on_it.add(vote)
                standings[name].silent += outcome in SILENT
    return dict(prompts)


def _scores(judgments: pl.DataFrame) -> dict[tuple[str, str], dict[str, dict[str, Given]]]:
    """(score, judgment_id) of all scored votes, by (prompt, response), judge and aspect."""
    found: dict[tuple[str, str], dict[str, dict[str, Given]]] = {}
    rows = judgments.filter(pl.col("outcome") == "scored")
    columns = ("judgment_id", "prompt_id", "judge", "aspect", "shown", "scores")
    for vote, prompt, judge, aspect, shown, scores in rows.select(columns).iter_rows():
        for name, score in zip(shown, scores, strict=True):
            by_judge = found.setdefault((prompt, name), {})
            by_judge.setdefault(judge, {}).setdefault(aspect, []).append((score, vote))
    return found


def _view(by_aspect: Collection[Given]) -> Fraction:
    """A judge's score of an answer: the mean over aspects of what it gave, each aspect's repetitions averaged first."""
    if all(len(given) == 1 for given in by_aspect):
        return mean_score([score for [(score, _)] in by_aspect])
    return average([mean_score([score for score, _ in given]) for given in by_aspect])


def _opinions(opinions: Iterable[Verdict]) -> dict[tuple[str, str, str], dict[str, dict[str, Verdict]]]:
    """Verdicts by (prompt, first, second), judge and aspect."""
    found: dict[tuple[str, str, str], dict[str, dict[str, Verdict]]] = {}
    for one in opinions:
        by_judge = found.setdefault((one.prompt_id, one.first_id, one.second_id), {})
        by_judge.setdefault(one.judge, {})[one.aspect] = one
    return found


def _rank(standings: Standings) -> None:
    """Competition ranks: equal scores share the smallest."""
    ranked = sorted((known for known in standings.values() if known.score is not None),
                    key=lambda known: -_score(known))
    place = 1
    for _, equals in groupby(ranked, key=_score):
        tied = list(equals)
        for known in tied:
            known.rank = place
        place += len(tied)


def _agree(prompts: Mapping[str, Standings], opinions: Iterable[Verdict]) -> None:
    """Set the agreement of every ranked answer that at least two judges count for."""
    shares: dict[tuple[str, str], list[bool]] = defaultdict(list)
    for one in opinions:
        standings = prompts.get(one.prompt_id, {})
        first, second = standings.get(one.first_id), standings.get(one.second_id)
        if first and second and first.rank is not None and second.rank is not None:
            induced = "first" if first.rank < second.rank else "second" if first.rank > second.rank else "tie"
            agrees = induced == ("tie" if one.outcome == "both_bad" else one.outcome)
            shares[one.prompt_id, one.first_id].append(agrees)
            shares[one.prompt_id, one.second_id].append(agrees)
    for (prompt, name), agreed in shares.items():
        known = prompts[prompt][name]
        if len(known.judges) > 1:
            known.agreement = sum(agreed) / len(agreed)


def _score(known: _Standing) -> float:
    return float(known.score or 0)


def _row(prompt: str, name: str, known: _Standing) -> dict[str, Any]:
    ranked = known.score is not None
    return {
        "prompt_id": prompt, "response_id": name, "outcome": "ranked" if ranked else "no_quorum",
        "score": _score(known) if ranked else None, "rank": known.rank, "votes": len(known.counted),
        "invalid": known.silent, "judges": len(known.judges), "agreement": known.agreement,
        "judgment_ids": sorted(known.on_it),
    }


def _counts(table: pl.DataFrame, prompts: Mapping[str, Standings], used: pl.DataFrame, total: int) -> list[Count]:
    counted = {vote for standings in prompts.values() for known in standings.values() for vote in known.counted}
    seen = {vote for standings in prompts.values() for known in standings.values() for vote in known.on_it}
    left, silent = Counter({_OTHER: total - used.height}), Counter[str]()
    for vote, outcome in used.select("judgment_id", "outcome").iter_rows():
        if outcome in SILENT:
            silent[_INVALID] += 1
        elif vote not in counted:
            left[_PART if vote in seen else _UNKNOWN] += 1
    ranked = int((table["outcome"] == "ranked").sum())
    return [
        *count("rankings", "responses", table.height, out=table.height),
        *count("rankings", "ranked responses", table.height, out=ranked,
               dropped=+Counter({"no_quorum": table.height - ranked})),
        *count("rankings", "votes", total, out=len(counted), dropped=+left, failed=silent),
    ]
