"""PAIR BY STEPS: beginnings of responses into preference pairs, by what their completions came to (PFPO's pDPO)."""

from collections import Counter
from dataclasses import dataclass

import polars as pl

from generators.made import Made
from preferences.evidence import assistant
from preferences.policies import capped
from preferences.ranked import check_responses
from preferences.split import check_share, with_split
from schemas import PREFERENCES, RESPONSES
from schemas.errors import ConfigError
from schemas.funnel import count
from schemas.ids import text_digest
from schemas.preferences import pair_id

POLICY = "steps"


@dataclass(frozen=True, slots=True, kw_only=True)
class PairBySteps:
    """Pairs beginnings; see `pair_by_steps`."""

    floor: float
    margin: float | None
    cap: int | None
    seed: int
    test_share: float

    def __call__(self, prompts: pl.DataFrame, responses: pl.DataFrame, steps: pl.DataFrame) -> Made:
        """PREFERENCES rows whose ids of chosen and rejected are step_ids, sorted by pair_id.

        Pairs are dropped as "no value", "identical", "tie", "other tests", "below floor", "below margin" or "cap".
        """
        check_responses(prompts, responses)
        pairs = _pairs(_sides(responses, steps))
        judged = capped(pairs.with_columns(fate=self._fate()), self.cap, self.seed)
        table = self._rows(judged.filter(pl.col("fate").is_null()), prompts)
        return Made(table, count("preferences", "pairs", judged.height, out=table.height,
                                 dropped=Counter(judged["fate"].drop_nulls())))

    def _fate(self) -> pl.Expr:
        """Why a pair is none; a step without a value sorts last, so that it stands on the rejected side."""
        share, other = pl.col("share"), pl.col("share_rejected")
        apart = (other < self.floor - 1e-9) if self.margin is None else (
            pl.col("value_rejected") < pl.col("value") - self.margin - 1e-9)
        differ = pl.lit(False) if self.margin is None else pl.col("tests") != pl.col("tests_rejected")
        return (pl.when(share.is_null() | other.is_null()).then(pl.lit("no value"))
                .when(pl.col("text") == pl.col("text_rejected")).then(pl.lit("identical"))
                .when(share == other).then(pl.lit("tie")).when(differ).then(pl.lit("other tests"))
                .when(share < self.floor - 1e-9).then(pl.lit("below floor"))
                .when(~apart).then(pl.lit("below margin")))

    def _rows(self, taken: pl.DataFrame, prompts: pl.DataFrame) -> pl.DataFrame:
        ids = [pair_id(*row) for row in taken.select("prompt_id", "response_id", "response_id_rejected").iter_rows()]
        named = taken.with_columns(pair_id=pl.Series(ids, dtype=pl.String)).join(
            with_split(prompts, self.seed, self.test_share), on="prompt_id")
        evidence = [pl.struct(table=pl.lit("steps"), id=pl.format("{}/{}", f"owner{side}", f"start{side}"))
                    for side in ("", "_rejected")]
        rows = named.select(
            "pair_id", "prompt_id", "prompt", "split", chosen=assistant("text"), rejected=assistant("text_rejected"),
            chosen_id="response_id", rejected_id="response_id_rejected", chosen_model="model",
            rejected_model="model_rejected", score_chosen="share", score_rejected="share_rejected",
            margin=pl.col("share") - pl.col("share_rejected"), policy=pl.lit(POLICY), evidence=pl.concat_list(evidence))
        return pl.DataFrame(pl.from_arrow(PREFERENCES.conform(rows.to_arrow()))).sort("pair_id")


def beginnings(responses: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """RESPONSES rows of the beginnings themselves, whose ids are their step_ids: what filters look at."""
    named = steps.select("response_id", "step_id", "end").join(responses, on="response_id").with_columns(
        text=pl.col("text").str.slice(0, pl.col("end")))
    digests = pl.Series("text_digest", [text_digest(text) for text in named["text"]], dtype=pl.String)
    cut = named.with_columns(digests, response_id="step_id", finish_reason=pl.lit(None, pl.String),
                             tokens=pl.lit(None, pl.Int64))
    return pl.DataFrame(pl.from_arrow(RESPONSES.conform(cut.select(responses.columns).to_arrow())))


def pair_by_steps(floor: float = 0.5, margin: float | None = 4.0, cap: int | None = None, seed: int = 0,
                  test_share: float = 0.0) -> PairBySteps:
    """Pair the beginnings of a prompt's responses, as PFPO does (Jiao et al. 2025).

    Chosen has at least the share `floor` of the most that its value can be; rejected has a value that is more than
    `margin` lower (programs: floor .8 in the first round, .5 later, margin 4), or, with margin None, one below the
    floor (maths: floor 2/3 of three completions, 1/3 where the label is a vote). `cap` pairs a prompt are kept, drawn
    by hash. Scores are shares. Raises ConfigError on what cannot be.
    """
    if not 0.0 < floor <= 1.0:
        raise ConfigError(f"pair_by_steps: floor is {floor}; give a share above 0, up to 1")
    if (margin is not None and margin < 0) or (cap is not None and cap < 1):
        raise ConfigError(f"pair_by_steps: margin is {margin} and cap is {cap}; give a margin of 0 or more, a cap of 1 "
                          "or more, or None")
    check_share(test_share)
    return PairBySteps(floor=floor, margin=margin, cap=cap, seed=seed, test_share=test_share)


def _sides(responses: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """Each step with the text of its beginning; response_id is the step's, owner the response's."""
    met = steps.join(responses.select("response_id", "model", "text"), on="response_id")
    return met.select(
        "prompt_id", "model", "start", "value", "tests", owner="response_id", response_id="step_id",
        share=pl.col("value") / pl.col("tests"), text=pl.col("text").str.slice(0, pl.col("end")))


def _pairs(sides: pl.DataFrame) -> pl.DataFrame:
    """Every two beginnings of a prompt once, the better one first."""
    place = sides.sort("share", "response_id", descending=[True, False], nulls_last=True).with_columns(
        place=pl.int_range(pl.len()))
    both = place.join(place.select("prompt_id", pl.exclude("prompt_id").name.suffix("_rejected")), on="prompt_id")
    return both.filter(pl.col("place") < pl.col("place_rejected")).sort("prompt_id", "place", "place_rejected")
