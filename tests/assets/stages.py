"""Runs the stages of a recipe one after the other, without Dagster."""

import polars as pl

from assets.dataset import PreferenceDataset
from assets.recipe import build_stages
from assets.stage import Means
from schemas.funnel import check_balance


def made_by(recipe: PreferenceDataset, means: Means) -> dict[str, pl.DataFrame]:
    """All tables of a recipe; every row is accounted for, every view can be drawn and every check passes."""
    made: dict[str, pl.DataFrame] = {}
    for stage in build_stages(recipe):
        if stage.make is not None:
            output = stage.make(means, {name: made[name] for name in stage.needs})
            check_balance(output.counts)
            made |= output.tables
            for view in stage.show.values():
                view(made)
            assert [one for one in (stage.check(made) if stage.check else []) if not one.passed] == []
    return made
