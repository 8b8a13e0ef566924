"""The build in pictures: small PNGs, drawn without a display, the same bytes for the same tables."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from audits.bootstrap import Array
from audits.pairs import with_lengths

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8A8A8A"
_NAME = 20
_MOST_CELLS_WITH_NUMBERS = 8
_MOST_ROWS = 24
_COLOURS = 256
_BINS = 30


def agreement(judge_pairs: pl.DataFrame, aspect: str) -> bytes:
    """Judges against judges: Cohen's kappa in colour and number, the tie rates of both judges below it."""
    rows = judge_pairs.filter(pl.col("aspect") == aspect)
    names = sorted({*rows["judge_a"], *rows["judge_b"]})
    values, notes = np.full((len(names),) * 2, np.nan), {}
    for row in rows.iter_rows(named=True):
        a, b = names.index(row["judge_a"]), names.index(row["judge_b"])
        kappa = row["kappa"]
        values[a, b] = values[b, a] = np.nan if kappa is None else kappa
        told = "no kappa" if kappa is None else f"{kappa:.2f}"
        notes[a, b] = f"{told}\nties {_percent(row['tie_rate_a'])} / {_percent(row['tie_rate_b'])}"
        notes[b, a] = f"{told}\nties {_percent(row['tie_rate_b'])} / {_percent(row['tie_rate_a'])}"
    figure, axes = _matrix(names, values, notes, (-1.0, 1.0))
    told = "\n(with tie rates: row / column)" if len(names) <= _MOST_CELLS_WITH_NUMBERS else ""
    axes.set_title(f"Cohen's kappa of judges: {aspect}{told}", fontsize=9)
    return png(figure)


def wins(matrix: pl.DataFrame) -> bytes:
    """Models against models: how often the row's model beats the column's, ties as halves."""
    rates = matrix.group_by("model").agg(pl.col("value").mean()).sort("value", "model", descending=[True, False])
    names = rates["model"].to_list()
    values, notes = np.full((len(names),) * 2, np.nan), {}
    for row in matrix.iter_rows(named=True):
        a, b = names.index(row["model"]), names.index(row["opponent"])
        values[a, b] = np.nan if row["value"] is None else row["value"]
        notes[a, b] = f"{_percent(row['value'])}\n{row['wins']}-{row['ties']}-{row['losses']}"
    figure, axes = _matrix(names, values, notes, (0.0, 1.0))
    told = "; wins-ties-losses" if len(names) <= _MOST_CELLS_WITH_NUMBERS else ""
    axes.set_title(f"Win rate of row against column\n(ties as halves{told})", fontsize=9)
    return png(figure)


def margins(preferences: pl.DataFrame, kept: pl.DataFrame | None = None) -> bytes:
    """How many pairs have which margin, and how many of them were kept."""
    figure, axes = new_axes(5.0, 3.0)
    candidates = _floats(preferences["margin"])
    edges = _edges(candidates)
    axes.hist(candidates, bins=edges, color=GREY, label=f"candidates ({len(candidates):,})")
    if kept is not None:
        survivors = _floats(kept["margin"])
        axes.hist(survivors, bins=edges, color=BLUE, label=f"kept ({len(survivors):,})")
    axes.set(xlabel="margin (score of chosen - score of rejected)", ylabel="pairs")
    titled(axes, "Margins")
    return png(figure)


def lengths(pairs: pl.DataFrame) -> bytes:
    """Characters of chosen and of rejected answers, over each other."""
    sized = with_lengths(pairs)
    chosen, rejected = _floats(sized["chosen_chars"]), _floats(sized["rejected_chars"])
    figure, axes = new_axes(5.0, 3.0)
    edges = _edges(np.concatenate([chosen, rejected]))
    for values, colour, name in ((chosen, BLUE, "chosen"), (rejected, ORANGE, "rejected")):
        median = float(np.median(values)) if len(values) else 0.0
        told = f"{name}, median {median:,.0f}"
        axes.hist(values, bins=edges, histtype="step", linewidth=1.8, color=colour, label=told)
        axes.axvline(median, color=colour, linestyle=":", linewidth=1)
    differ = int((chosen != rejected).sum())
    longer = (chosen > rejected).sum() / max(1, differ)
    told = f"chosen is longer in {longer:.0%} of {differ:,}" if differ else "no pair differs"
    axes.set(xlabel="characters", ylabel="answers")
    titled(axes, f"Length: {told}")
    return png(figure)


def position(positions: pl.DataFrame) -> bytes:
    """How often the answer shown first wins, with its interval; .5 is no bias. The judges with the most votes."""
    known = positions.filter(pl.col("value").is_not_null())
    rows = known.sort("decided", "judge", "aspect", descending=[True, False, False]).head(_MOST_ROWS)
    rows = rows.sort("judge", "aspect")
    names = [f"{_short(judge)}, {aspect}" for judge, aspect in rows.select("judge", "aspect").iter_rows()]
    figure, axes = new_axes(5.0, 1.2 + 0.3 * max(1, len(names)))
    for place, row in enumerate(rows.iter_rows(named=True)):
        if row["low"] is not None:
            axes.plot([row["low"], row["high"]], [place, place], color=BLUE, linewidth=2)
        axes.plot([row["value"]], [place], "o", color=BLUE)
        axes.annotate(f"{row['value']:.2f} (n={row['decided']:,})", (row["value"], place), xytext=(0, 6),
                      textcoords="offset points", ha="center", fontsize=7)
    axes.axvline(0.5, color=GREY, linestyle="--", linewidth=1)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.7), xlabel="P(shown first wins), 95 % interval")
    told = f" ({rows.height} of {known.height})" if known.height > rows.height else ""
    axes.set_title(f"Position bias{told}", fontsize=10)
    return png(figure)


def funnel(steps: pl.DataFrame) -> bytes:
    """For each step and unit: what came out, what was dropped, what failed, as shares of what went in."""
    names = [f"{step} ({unit})" for step, unit in steps.select("step", "unit").iter_rows()]
    figure, axes = new_axes(6.0, 1.2 + 0.32 * max(1, len(names)))
    total = np.maximum(1, _floats(steps["in"]))
    left = np.zeros(len(names))
    for fate, colour in (("out", BLUE), ("dropped", ORANGE), ("failed", GREY)):
        share = _floats(steps[fate]) / total
        axes.barh(range(len(names)), share, left=left, color=colour, label=fate, height=0.62)
        left = left + share
    for place, (entered, out) in enumerate(steps.select("in", "out").iter_rows()):
        axes.text(1.02, place, f"{entered:,} in, {out:,} out", va="center", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.6))
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    titled(axes, "Where rows went")
    return png(figure)


def _matrix(names: Sequence[str], values: Array, notes: dict[tuple[int, int], str],
            limits: tuple[float, float]) -> "tuple[Figure, Axes]":
    numbers = len(names) <= _MOST_CELLS_WITH_NUMBERS
    size = 1.8 + (0.85 if numbers else 0.3) * max(2, len(names))
    figure, axes = new_axes(size + 0.8, size)
    axes.set_facecolor("#E8E8E8")
    image = axes.imshow(values, cmap="RdBu", vmin=limits[0], vmax=limits[1])
    bar = figure.colorbar(image, ax=axes, shrink=0.8)
    bar.ax.tick_params(labelsize=7)
    short = [_short(name) for name in names]
    axes.set_xticks(range(len(names)), short, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), short, fontsize=8)
    middle, span = sum(limits) / 2, limits[1] - limits[0]
    for (a, b), note in notes.items() if numbers else ():
        dark = np.isfinite(values[a, b]) and abs(values[a, b] - middle) > 0.33 * span
        axes.text(b, a, note, ha="center", va="center", fontsize=7.5, color="white" if dark else "black")
    return figure, axes


def new_axes(width: float, height: float) -> "tuple[Figure, Axes]":
    """A figure of our own, in inches; pyplot, which keeps figures alive and is not safe in threads, is not used."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=110, layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)
    axes.xaxis.label.set_fontsize(8)
    axes.yaxis.label.set_fontsize(8)
    return figure, axes


def titled(axes: "Axes", title: str) -> None:
    """The title, and the legend outside the plot, below it, where it hides nothing."""
    axes.set_title(title, fontsize=10)
    handles, names = axes.get_legend_handles_labels()
    axes.figure.legend(handles, names, fontsize=8, ncols=3, frameon=False, loc="outside lower center")


def png(figure: "Figure") -> bytes:
    """The figure with a palette of few colours, which takes half the bytes."""
    from PIL import Image

    drawn, buffer = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png")
    Image.open(drawn).convert("RGB").quantize(_COLOURS).save(buffer, format="png", optimize=True)
    return buffer.getvalue()


def _edges(values: Array) -> list[float]:
    least, most = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    return [float(edge) for edge in np.linspace(least, most if most > least else least + 1.0, _BINS + 1)]


def _floats(values: pl.Series) -> Array:
    return values.drop_nulls().cast(pl.Float64).to_numpy()


def _short(name: str) -> str:
    """The name, or its beginning and its end, which tell versions and sizes apart."""
    return name if len(name) <= _NAME else f"{name[:_NAME // 2 - 1]}…{name[-_NAME // 2:]}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.0%}"
