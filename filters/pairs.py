"""Rules on a pair as a pair: sides too alike, a refusal on one side only, duplicates, small margins."""

import polars as pl

from filters.refusal import refusals
from filters.rule import PairRule, per_text
from filters.similarity import normalised, similarities
from schemas.errors import ConfigError

_DECIMALS = 9
"""Margins are compared after rounding to this many decimals, as pairs are made."""


def _identical(pairs: pl.DataFrame) -> pl.Expr:
    same = pl.col("chosen_text_digest") == pl.col("rejected_text_digest")
    return pl.when(same).then(pl.format("the same {} characters", pl.col("chosen_text").str.len_chars()))


identical = PairRule(name="identical", see=_identical)
"""Drops a pair whose two texts are equal, byte for byte. Evidence: their length."""


def near_identical(threshold: float = 0.95) -> PairRule:
    """Drops a pair whose texts have a similarity of `threshold` (0 to 1) or more; evidence: the similarity.

    The similarity is the Jaccard index of character 5-grams counted with repetition, in lower case and with white space
    collapsed: filters/similarity.py defines it and says why. Pairs a few characters apart teach DPO to lower the
    probability of both sides (Smaug, Pal et al. 2024). Where a few characters are the point, as in answers that differ
    in one digit, leave the rule out. Raises ConfigError when the threshold is not a share above 0.
    """
    if not 0 < threshold <= 1:
        raise ConfigError(f"near_identical: threshold is {threshold}; give a similarity above 0, up to 1")

    def see(pairs: pl.DataFrame) -> pl.Series:
        plain = per_text(pairs, normalised)
        alike = plain.select(similarity=similarities(plain["chosen"], plain["rejected"], floor=threshold))
        told = pl.format("similarity {}", pl.col("similarity").round(3))
        return alike.select(evidence=pl.when(pl.col("similarity") >= threshold).then(told))["evidence"]

    return PairRule(name="near_identical", see=see)


def _one_sided(pairs: pl.DataFrame) -> pl.DataFrame:
    one = pl.col("chosen").is_null() != pl.col("rejected").is_null()
    said = pl.when(one).then(pl.format('it says "{}"', pl.coalesce("chosen", "rejected")))
    side = pl.when(pl.col("chosen").is_null()).then(pl.lit("rejected")).otherwise(pl.lit("chosen"))
    return per_text(pairs, refusals).select(evidence=said, side=side)


one_sided_refusal = PairRule(name="one_sided_refusal", see=_one_sided)
"""Drops a pair in which one side refuses to answer, in English, and the other does not. Evidence: the refusing words.

Such a pair teaches when to refuse rather than how to answer. filters/refusal.py says what counts as a refusal."""


def too_long_with_prompt(max_characters: int) -> PairRule:
    """Drops a pair whose prompt and longer side have more than so many characters together; evidence: the number.

    Trainers cut or drop what does not fit their context, silently. Raises ConfigError when the limit is below 1.
    """
    if max_characters < 1:
        raise ConfigError(f"too_long_with_prompt: max_characters is {max_characters}; give 1 or more")
    prompt = pl.col("prompt").list.eval(pl.element().struct.field("content").str.len_chars()).list.sum()
    side = pl.max_horizontal(pl.col("chosen_text", "rejected_text").str.len_chars())
    over = pl.when(prompt + side > max_characters).then(
        pl.format("{} characters with the prompt > {}", prompt + side, pl.lit(max_characters)))
    return PairRule(name="too_long_with_prompt", see=lambda pairs: over)


_TURN = pl.concat_str(pl.element().struct.field("role"), pl.element().struct.field("content"), separator="\0")
_ASKED = pl.col("prompt").list.eval(_TURN).list.join("\0\0")
"""The prompt's messages as one text."""


def _duplicate(pairs: pl.DataFrame) -> pl.Expr:
    first = pl.col("pair_id").min().over(_ASKED, "chosen_text_digest", "rejected_text_digest")
    return pl.when(pl.col("pair_id") != first).then(pl.format("same texts as pair {}", first))


exact_duplicate = PairRule(name="exact_duplicate", see=_duplicate, across=True)
"""Drops a pair whose prompt messages, chosen text and rejected text another pair has too, of other models or under
another
prompt_id (other tools, say). The one with the smallest pair_id stays. Evidence: that pair_id.

It compares what the recipe's other rules keep, so the pair that stays is always kept; and as it compares all rows, it
must see them all at once, not shard by shard."""


def _contradicted(pairs: pl.DataFrame) -> pl.Expr:
    chosen, rejected, name = pl.col("chosen_text_digest"), pl.col("rejected_text_digest"), pl.col("pair_id")
    texts = [_ASKED, pl.min_horizontal(chosen, rejected), pl.max_horizontal(chosen, rejected)]
    says, denies = (name.filter(way).min().over(texts) for way in (chosen < rejected, chosen > rejected))
    other = pl.when(chosen < rejected).then(denies).otherwise(says)
    return pl.when((chosen != rejected) & other.is_not_null()).then(pl.format("pair {} says the opposite", other))


contradicted = PairRule(name="contradicted", see=_contradicted, across=True)
"""Drops pairs of one prompt whose texts another pair holds the other way round; neither stays. Evidence: its pair_id.

Equal texts of two models may get different scores, and one of them then beats what the other loses to. Like
`exact_duplicate` it compares what the other rules keep, and must see all rows at once."""


def margin(floor: float) -> PairRule:
    """Drops a pair whose margin is below `floor`, or that has no margin; evidence: the margin.

    Raises ConfigError when the floor is not above 0.
    """
    if not floor > 0:
        raise ConfigError(f"margin: floor is {floor}; give a number above 0")
    small = (pl.when(pl.col("margin").is_null()).then(pl.lit("no margin: the pair was made without scores"))
             .when(pl.col("margin").round(_DECIMALS) < round(floor, _DECIMALS))
             .then(pl.format("margin {} < {}", pl.col("margin").round(_DECIMALS), pl.lit(floor))))
    return PairRule(name="margin", see=lambda pairs: small)
