"""Test cases in pictures: vote shares against truth, tests a prompt, pass rates."""

import polars as pl

from audits.figures import BLUE, GREY, ORANGE, new_axes, png, titled


def calibration(found: pl.DataFrame) -> bytes:
    """How often the vote is right, by its share, with intervals; on the dashed line it is as right as its share."""
    figure, axes = new_axes(5.0, 3.4)
    axes.plot([0.0, 1.0], [0.0, 1.0], color=GREY, linestyle="--", linewidth=0.8, label="right as often as its share")
    middles = ((found["low_share"] + found["high_share"]) / 2).to_list()
    values = found["value"].to_list()
    axes.plot(middles, values, color=BLUE, marker="o", markersize=4, label="vote")
    for middle, value, low, high in zip(middles, values, found["low"], found["high"], strict=True):
        if low is not None and high is not None:
            axes.plot([middle, middle], [low, high], color=BLUE, linewidth=1.2, alpha=0.6)
        axes.annotate(f"{value:.0%}", (middle, value), textcoords="offset points", xytext=(5, -9), fontsize=7)
    axes.set(xlabel="share of the votes", ylabel="votes that are right", xlim=(0.0, 1.02), ylim=(0.0, 1.05))
    titled(axes, f"Are votes right? ({found['cases'].sum():,} cases of known truth)")
    return png(figure)


def cases_per_prompt(found: pl.DataFrame) -> bytes:
    """How many prompts have how many test cases."""
    figure, axes = new_axes(5.0, 3.0)
    sizes = found["tests"].value_counts().sort("tests")
    axes.bar(sizes["tests"].to_list(), sizes["count"].to_list(), color=BLUE, width=0.8)
    axes.set(xlabel="test cases", ylabel="prompts")
    titled(axes, f"Test cases a prompt ({found.height:,} prompts)")
    return png(figure)


def pass_rates(found: pl.DataFrame) -> bytes:
    """How many responses pass which share of their tests; those that pass all or none are set apart."""
    figure, axes = new_axes(5.0, 3.0)
    rates = found["rate"].to_list()
    edges = [number / 20 for number in range(21)]
    colours = [ORANGE, *[GREY] * 18, BLUE]
    counts = [0] * 20
    for rate in rates:
        counts[min(int(rate * 20 + 1e-9), 19)] += 1
    axes.bar(edges[:-1], counts, width=0.05, align="edge", color=colours, edgecolor="white")
    axes.set(xlabel="share of tests passed", ylabel="responses", xlim=(0.0, 1.0))
    titled(axes, f"Pass rates ({len(rates):,} responses)")
    return png(figure)
