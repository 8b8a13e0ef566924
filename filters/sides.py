"""Rules on a response by itself: empty, truncated, too long. On a pair, either side can break them."""

import polars as pl

from filters.rule import ResponseRule
from schemas.errors import ConfigError

_VISIBLE = r"[^\s\x{200B}\x{200C}\x{200D}\x{2060}\x{FEFF}]"


def _empty(responses: pl.DataFrame) -> pl.Expr:
    told = pl.format("nothing visible in {} characters", pl.col("text").str.len_chars())
    return pl.when(~pl.col("text").str.contains(_VISIBLE)).then(told)


def _truncated(responses: pl.DataFrame) -> pl.Expr:
    tokens = pl.col("tokens").cast(pl.String).fill_null("an unknown number of")
    return pl.when(pl.col("finish_reason") == "length").then(pl.format("cut off after {} tokens", tokens))


empty = ResponseRule(name="empty", see=_empty)
"""Drops a response of white space and zero-width characters only. Evidence: how many characters it has."""

truncated = ResponseRule(name="truncated", see=_truncated)
"""Drops a response that the server cut off (finish_reason "length"). Evidence: its tokens. Null reasons are kept."""


def too_long(max_tokens: int | None = None, max_characters: int | None = None) -> ResponseRule:
    """Drops a response of more than so many tokens (as its server counted) or characters (code points).

    Where the server did not count tokens only the characters can tell; give both limits to be sure. Evidence: the
    number and the limit. Raises ConfigError without a limit, or with one below 1.
    """
    limits = [("tokens", max_tokens, pl.col("tokens")), ("characters", max_characters, pl.col("text").str.len_chars())]
    given = [(unit, most, number) for unit, most, number in limits if most is not None]
    if not given or any(most < 1 for _, most, _ in given):
        raise ConfigError("too_long: give max_tokens, max_characters or both, 1 or more")
    over = [pl.when(number > most).then(pl.format("{} " + f"{unit} > {most}", number)) for unit, most, number in given]
    return ResponseRule(name="too_long", see=lambda responses: pl.coalesce(over))
