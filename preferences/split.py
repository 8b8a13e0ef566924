"""The train/test split: a function of a prompt's group alone, so that adding a prompt moves no other prompt."""

import polars as pl

from schemas.errors import ConfigError
from schemas.ids import draw


def split_of(group: str, seed: int, test_share: float) -> str:
    """The side of a group of prompts: "test" with probability `test_share`, by a hash of the seed and the group.

    A prompt's side depends on its own group only: neither other prompts nor their order change it, and raising
    `test_share` moves groups from train to test, never back. Raises ConfigError when `test_share` is not a share.
    """
    check_share(test_share)
    return "test" if draw(seed, "split", group) < test_share else "train"


def check_share(test_share: float) -> None:
    """Raise ConfigError where `test_share` is not between 0 and 1."""
    if not 0.0 <= test_share <= 1.0:
        raise ConfigError(f"test_share is {test_share}; give a share between 0 and 1, such as 0.05")


def with_split(prompts: pl.DataFrame, seed: int, test_share: float) -> pl.DataFrame:
    """prompt_id, prompt (the messages) and split of each row of the prompts table."""
    sides = {group: split_of(group, seed, test_share) for group in prompts["group"].unique()}
    split = pl.Series("split", [sides[group] for group in prompts["group"]], dtype=pl.String)
    return prompts.select("prompt_id", prompt="messages").with_columns(split)
