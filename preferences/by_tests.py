"""PAIR BY TESTS: outcomes of test cases into preference pairs, by a floor and a margin, with a fate for every pair."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import polars as pl

from feedback.testcases.outcomes import passes
from generators.made import Made
from preferences.evidence import assistant
from preferences.policies import capped, good
from preferences.ranked import check_responses
from preferences.split import check_share, with_split
from schemas import PREFERENCES
from schemas.errors import ConfigError
from schemas.funnel import Count, count
from schemas.preferences import pair_id
from schemas.test_cases import CASE_SOURCES

POLICY = "tests"
FEW = "fewer than two responses with outcomes"
_BATCH = 2_000_000
"""Pairs that are looked at together: bounds the memory."""
_SIDE = ("response_id", "text_digest", "tests", "passed", "unknown", "anchored")


@dataclass(frozen=True, slots=True, kw_only=True)
class PairByTests:
    """Makes pairs from outcomes; see `pair_by_tests`."""

    floor: float
    margin: int
    cap: int | None
    sources: tuple[str, ...] | None
    anchor: tuple[str, ...]
    seed: int
    test_share: float

    def __call__(self, prompts: pl.DataFrame, responses: pl.DataFrame, outcomes: pl.DataFrame) -> Made:
        """The PREFERENCES rows, sorted by pair_id, and what became of every other pair of candidates and every prompt.

        Pairs are dropped as "no outcomes", "identical", "tie", "below margin", "below floor", "no anchor" or "cap".
        """
        check_responses(prompts, responses)
        standing = self._standing(responses, outcomes)
        fates = Counter({"no outcomes": _pairs_of(standing) - _pairs_of(standing.filter(pl.col("tests") > 0))})
        taken = [self._taken(pairs, fates) for pairs in _pairs(standing.filter(pl.col("tests") > 0))]
        table = self._rows(pl.concat(taken), standing, prompts, outcomes)
        return Made(table, self._counts(prompts, standing, table, +fates))

    def _standing(self, responses: pl.DataFrame, outcomes: pl.DataFrame) -> pl.DataFrame:
        """Every candidate with its sums over the sources that count, and whether it passes all tests of the anchor.

        A test that other responses to the prompt were run on, and this one was not, is unknown.
        """
        counted = passes(outcomes, self.sources).drop("prompt_id")
        anchored = passes(outcomes, self.anchor).select(
            "response_id", anchored=(pl.col("tests") > 0) & (pl.col("passed") == pl.col("tests")))
        sums = responses.filter(pl.col("role") == "candidate").select(
            "prompt_id", "response_id", "model", "text", "text_digest").join(
            counted, on="response_id", how="left").join(anchored, on="response_id", how="left")
        known = pl.col("tests", "passed", "failed", "unknown").fill_null(0)
        all_tests = pl.when(pl.col("tests") > 0).then(pl.col("tests").max().over("prompt_id")).otherwise(0)
        return sums.with_columns(known, anchored=pl.col("anchored").fill_null(False) | (not self.anchor)).with_columns(
            unknown=pl.col("unknown") + all_tests - pl.col("tests"), tests=all_tests).sort("prompt_id", "response_id")

    def _taken(self, pairs: pl.DataFrame, fates: Counter[str]) -> pl.DataFrame:
        """The pairs that are good; the fates of the others are added up."""
        return good(capped(pairs.with_columns(fate=self._fate()), self.cap, self.seed), fates)

    def _fate(self) -> pl.Expr:
        """Why a pair is none; unknown outcomes count as not passed for chosen and as passed for rejected."""
        distance = pl.col("passed") - pl.col("passed_rejected") - pl.col("unknown_rejected")
        same = pl.col("text_digest") == pl.col("text_digest_rejected")
        return (pl.when(same).then(pl.lit("identical"))
                .when(pl.col("passed") == pl.col("passed_rejected")).then(pl.lit("tie"))
                .when(distance < self.margin).then(pl.lit("below margin"))
                .when(pl.col("passed") < self.floor * pl.col("tests") - 1e-9).then(pl.lit("below floor"))
                .when(~pl.col("anchored")).then(pl.lit("no anchor")))

    def _rows(self, taken: pl.DataFrame, standing: pl.DataFrame, prompts: pl.DataFrame,
              outcomes: pl.DataFrame) -> pl.DataFrame:
        tested = tested_by(outcomes, None if self.sources is None else {*self.sources, *self.anchor})
        side = standing.select("response_id", "model", "text", score=pl.col("passed") / pl.col("tests")).join(
            tested, on="response_id", how="left")
        named = taken.join(side, on="response_id").join(
            side.select(pl.all().name.suffix("_rejected")), on="response_id_rejected").join(
            with_split(prompts, self.seed, self.test_share), on="prompt_id")
        ids = [pair_id(*row) for row in named.select("prompt_id", "response_id", "response_id_rejected").iter_rows()]
        rows = named.select(
            "prompt_id", "prompt", "split", chosen=assistant("text"), rejected=assistant("text_rejected"),
            chosen_id="response_id", rejected_id="response_id_rejected",
            chosen_model="model", rejected_model="model_rejected",
            score_chosen="score", score_rejected="score_rejected", margin=pl.col("score") - pl.col("score_rejected"),
            policy=pl.lit(POLICY), evidence=pl.concat_list("evidence", "evidence_rejected"),
            pair_id=pl.Series(ids, dtype=pl.String),
        ).sort("pair_id")
        return pl.DataFrame(pl.from_arrow(PREFERENCES.conform(rows.to_arrow())))

    def _counts(self, prompts: pl.DataFrame, standing: pl.DataFrame, table: pl.DataFrame,
                fates: Counter[str]) -> list[Count]:
        able = standing.filter(pl.col("tests") > 0).group_by("prompt_id").len().filter(pl.col("len") > 1).height
        paired = table["prompt_id"].n_unique()
        without = Counter({FEW: prompts.height - able, "no pair": able - paired})
        return [*count("preferences", "pairs", _pairs_of(standing), out=table.height, dropped=fates),
                *count("preferences", "prompts", prompts.height, out=paired, dropped=+without)]


def pair_by_tests(floor: float = 0.5, margin: int = 6, cap: int | None = None, sources: Sequence[str] | None = None,
                  anchor: Sequence[str] = (), seed: int = 0, test_share: float = 0.0) -> PairByTests:
    """Pair responses by the tests they pass, as PFPO does (Jiao et al. 2025; floor .5, margin 6 of about 10 tests).

    Chosen passes at least the share `floor` of its tests and at least `margin` tests more than rejected; `cap` pairs a
    prompt are kept, drawn by hash, so that easy prompts do not dominate. `sources` are those whose cases count (None:
    all); with `anchor`, chosen must also pass every case of these sources, of which there must be one: a human test
    keeps "wrong against worse" out. A margin alone buys no precision: floor 1.0 and confident votes do. Score is the
    share of tests passed. An outcome that is no label never makes a pair: it counts as not passed for chosen and as
    passed for rejected. `seed` and `test_share` are the split's. Raises ConfigError on what cannot be.
    """
    if not 0.0 <= floor <= 1.0:
        raise ConfigError(f"pair_by_tests: floor is {floor}; give a share between 0 and 1")
    if margin < 1 or (cap is not None and cap < 1):
        raise ConfigError(f"pair_by_tests: margin is {margin} and cap is {cap}; give 1 or more (cap: or None)")
    for name, named in (("sources", sources), ("anchor", anchor)):
        if isinstance(named, str):
            raise ConfigError(f"pair_by_tests: {name} is the text {named!r}; write {name}=[{named!r}]")
    for source in (*(sources or ()), *anchor):
        if source not in CASE_SOURCES:
            raise ConfigError(f"pair_by_tests: no source is called {source!r}; use {', '.join(CASE_SOURCES)}")
    check_share(test_share)
    return PairByTests(floor=floor, margin=margin, cap=cap, sources=None if sources is None else tuple(sources),
                       anchor=tuple(anchor), seed=seed, test_share=test_share)


def tested_by(outcomes: pl.DataFrame, sources: set[str] | None) -> pl.DataFrame:
    """The outcomes of each response, named as "<response_id>/<test_id>"."""
    rows = outcomes if sources is None else outcomes.filter(pl.col("source").is_in(list(sources)))
    named = rows.sort("response_id", "test_id").select("response_id", evidence=pl.struct(
        table=pl.lit("outcomes"), id=pl.format("{}/{}", "response_id", "test_id")))
    return named.group_by("response_id", maintain_order=True).agg("evidence")


def _pairs_of(standing: pl.DataFrame) -> int:
    sizes = standing.group_by("prompt_id").len()["len"].cast(pl.Int64)
    return int((sizes * (sizes - 1) // 2).sum())


def _pairs(standing: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """All pairs of one prompt's responses, the one that passes more first, some prompts at a time."""
    slim = standing.select("prompt_id", *_SIDE)
    size = pl.len().over("prompt_id").cast(pl.Int64)
    batched = slim.with_columns(batch=size.cum_sum() * size.max() // _BATCH).with_columns(
        pl.col("batch").first().over("prompt_id"))
    for part in batched.partition_by("batch", maintain_order=True) or [batched]:
        one = part.drop("batch")
        other = one.select("prompt_id", pl.exclude("prompt_id").name.suffix("_rejected"))
        both = one.join(other, on="prompt_id")
        better = (pl.col("passed") > pl.col("passed_rejected")) | (
            (pl.col("passed") == pl.col("passed_rejected")) & (pl.col("response_id") < pl.col("response_id_rejected")))
        yield both.filter(better)
