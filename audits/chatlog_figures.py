"""Chat logs in pictures: what users did, and whose pairs these are."""

import polars as pl

from audits.figures import BLUE, GREEN, GREY, ORANGE, new_axes, png, titled

_MOST_ROWS = 16
_COLOURS = {"positive": BLUE, "negative": ORANGE, "neutral": GREY, "of none": GREEN}
"""Of polarities; the comparisons and copies that have none are green."""


def events(found: pl.DataFrame) -> bytes:
    """How many events there are of each kind and act, most first, by polarity; from `audits.chatlogs.events_by_act`."""
    rows = found.with_columns(pl.concat_str("kind", "act", separator=": ", ignore_nulls=True).alias("name"),
                              pl.col("polarity").fill_null("of none"))
    totals = rows.group_by("name").agg(pl.col("events").sum()).sort("events", "name", descending=[True, False])
    names = totals["name"].head(_MOST_ROWS).to_list()
    counted = {(name, polarity): count for name, polarity, count in rows.group_by("name", "polarity").agg(
        pl.col("events").sum()).iter_rows()}
    figure, axes = new_axes(6.0, 1.2 + 0.3 * len(names))
    left = [0] * len(names)
    for polarity, colour in _COLOURS.items():
        widths = [counted.get((name, polarity), 0) for name in names]
        if any(widths):
            axes.barh(range(len(names)), widths, left=left, color=colour, label=polarity, height=0.62)
        left = [before + width for before, width in zip(left, widths, strict=True)]
    for place, total in enumerate(left):
        axes.text(total, place, f" {total:,}", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlabel="events", ylim=(len(names) - 0.4, -0.6), xlim=(0, max(left) * 1.12))
    told = f" (the {len(names)} largest of {totals.height})" if totals.height > len(names) else ""
    titled(axes, f"What users did and said{told}")
    return png(figure)


def deciles(found: pl.DataFrame) -> bytes:
    """The share of the pairs that each tenth of the groups gives; from `audits.chatlogs.deciles`."""
    figure, axes = new_axes(5.0, 2.8)
    tenths, shares = found["decile"].to_list(), found["share"].to_list()
    axes.bar(tenths, shares, color=BLUE, width=0.8, label="share of the pairs")
    axes.axhline(0.1, color=GREY, linestyle="--", linewidth=1, label="if all gave as many")
    for tenth, share, pairs in zip(tenths, shares, found["pairs"], strict=True):
        axes.annotate(f"{pairs:,}", (tenth, share), xytext=(0, 2), textcoords="offset points", ha="center", fontsize=7)
    axes.set_xticks(range(1, 11))
    axes.set(xlabel="tenth of the groups (a user each, where logs name users), busiest first", ylabel="share")
    axes.yaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    titled(axes, f"Whose pairs: {found['groups'].sum():,} groups, {found['pairs'].sum():,} pairs")
    return png(figure)
