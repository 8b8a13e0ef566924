"""Test cases in pictures: vote shares against truth, tests a prompt, pass rates."""

import polars as pl

from audits.figures import BLUE, GREY, ORANGE, new_axes, png, titled

_BINS = 20
"""Bars for the responses that pass some of their tests."""


def calibration(found: pl.DataFrame) -> bytes:
    """How often the vote is right, by its share, with intervals; on the dashed line it is as right as its share."""
    figure, axes = new_axes(5.0, 3.4)
    axes.plot([0.0, 1.0], [0.0, 1.0], color=GREY, linestyle="--", linewidth=0.8, label="right as often as its share")
    middles = ((found["low_share"] + found["high_share"]) / 2).to_list()
    values = found["value"].to_list()
    axes.plot(middles, values, color=BLUE, marker="o", markersize=4, label="vote")
    for middle, value, cases, low, high in zip(middles, values, found["cases"], found["low"], found["high"],
                                               strict=True):
        axes.annotate(f"{value:.0%}\nof {cases:,}", (middle, value), textcoords="offset points", xytext=(4, -19),
                      fontsize=7)
        if low is not None and high is not None:
            axes.plot([middle, middle], [low, high], color=BLUE, linewidth=1.2, alpha=0.6)
    axes.set(xlabel="share of the votes", ylabel="votes that are right", xlim=(0.0, 1.12), ylim=(0.0, 1.05),
             xticks=[number / 5 for number in range(6)])
    titled(axes, f"Are votes right? ({found['cases'].sum():,} cases of known truth)")
    return png(figure)


def cases_per_prompt(found: pl.DataFrame) -> bytes:
    """How many prompts have how many test cases; those that have none give no label."""
    figure, axes = new_axes(5.0, 3.0)
    sizes = found["tests"].value_counts().sort("tests")
    colours = [BLUE if tests else ORANGE for tests in sizes["tests"]]
    bars = axes.bar(sizes["tests"].to_list(), sizes["count"].to_list(), color=colours, width=0.8)
    axes.bar_label(bars, fontsize=7)
    axes.set(xlabel="test cases", ylabel="prompts")
    axes.locator_params(axis="both", integer=True)
    titled(axes, f"Test cases a prompt ({found.height:,} prompts)")
    return png(figure)


def pass_rates(found: pl.DataFrame) -> bytes:
    """How many responses pass which share of their tests; those that pass none or all stand beside the others."""
    figure, axes = new_axes(5.0, 3.0)
    rates = found["rate"].to_list()
    some = [0] * _BINS
    for rate in rates:
        if 0.0 < rate < 1.0:
            some[int(rate * _BINS + 1e-9)] += 1
    parts = ((ORANGE, "pass none", [-1 / _BINS], [rates.count(0.0)]),
             (GREY, "pass some", [number / _BINS for number in range(_BINS)], some),
             (BLUE, "pass all", [1.0], [rates.count(1.0)]))
    for colour, name, places, counts in parts:
        axes.bar(places, counts, width=1 / _BINS, align="edge", color=colour, edgecolor="white",
                 label=f"{name} ({sum(counts):,})")
    axes.set(xlabel="share of tests passed", ylabel="responses", xlim=(-1.5 / _BINS, 1 + 1.5 / _BINS),
             xticks=[number / 5 for number in range(6)])
    titled(axes, f"Pass rates ({len(rates):,} responses)")
    return png(figure)
