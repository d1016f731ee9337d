"""Figures of the fidelity report: each set row by row, and all sets at a glance."""

from __future__ import annotations

from collections.abc import Hashable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from bench.results.fidelity import fidelity_points, summarize
from bench.results.fidelity_sets import FILE, Set, Sets, read_sets
from bench.results.figures.colors import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, VERMILION
from bench.results.figures.style import house_style, legend_above, new_figure, save, swatch
from bench.results.frames import prepare
from bench.results.published import PUBLISHED
from bench.results.store import read_results

Records = list[dict[Hashable, Any]]
"""Rows of `bench.results.fidelity.fidelity_points`."""

CELL_COLORS = {"gemv": PURPLE, "rnn": GREEN, "gru": ORANGE, "lstm": BLUE}
CELL_NAMES = {"gemv": "matrix-vector", "rnn": "RNN", "gru": "GRU", "lstm": "LSTM"}


def set_figure(points: pd.DataFrame, one: Set) -> Figure:
    """Published against emulated, and the deviation of each row; rows used for fitting are hollow."""
    rows = points[points["set"] == one.id].to_dict("records")
    figure, (scatter, bars) = new_figure(1.1 + 0.17 * max(len(rows), 8), 1, 2)
    unit = "cycles" if one.unit == "cycles" else "ms"
    for row in rows:
        color = CELL_COLORS[str(row["row"]).partition("-")[0]]
        scatter.plot(
            row["published"], row["emulated"], "o", color=color, markersize=5.5, zorder=3,
            markerfacecolor="white" if row["use"] == "fitted" else color,
        )  # fmt: skip
    _equal_line(scatter, rows)
    scatter.set(xlabel=f"published ({unit})", ylabel=f"emulated ({unit})")
    _deviation_bars(bars, rows, one.bar.worst)
    cells = [cell for cell in CELL_COLORS if any(str(row["row"]).startswith(cell) for row in rows)]
    kinds = [
        Line2D([], [], color=BLACK, marker="o", linestyle="", label="predicted"),
        Line2D(
            [], [], color=BLACK, marker="o", linestyle="", markerfacecolor="white", label="used for fitting"
        ),
    ]
    legend_above(figure, [*(swatch(CELL_COLORS[cell], CELL_NAMES[cell]) for cell in cells), *kinds])
    return figure


def summary_figure(table: pd.DataFrame, sets: Sets) -> Figure:
    """Mean and worst absolute deviation of each set, fitted and predicted rows apart."""
    names = list(dict.fromkeys(table["set"]))
    figure, (axis,) = new_figure(0.9 + 0.42 * len(names))
    bars = {one.id: one.bar.mean for one in sets.sets}
    for place, name in enumerate(names):
        for use, shift in (("fitted", -0.19), ("predicted", 0.19)):
            part = table[(table["set"] == name) & (table["use"] == use)]
            if part.empty:
                continue
            mean, worst = float(part["mean_pct"].iloc[0]), float(part["worst_pct"].iloc[0])
            face = "white" if use == "fitted" else BLUE
            axis.barh(place + shift, mean, 0.32, color=face, edgecolor=BLUE, linewidth=0.9, zorder=3)
            axis.plot([mean, worst], [place + shift] * 2, color=GREY, linewidth=0.9, zorder=2)
            axis.plot(worst, place + shift, "D", color=GREY, markersize=3.5, zorder=3)
        if name in bars:
            axis.plot(
                [bars[name]] * 2, [place - 0.42, place + 0.42], color=VERMILION, linewidth=1.5, zorder=4
            )
    titles = dict(zip(table["set"], table["title"], strict=True))
    axis.set_yticks(range(len(names)), labels=[f"{name.upper()}  {titles[name]}" for name in names])
    axis.invert_yaxis()
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", visible=False)
    axis.grid(axis="x")
    axis.set_xlabel("absolute deviation (%)")
    axis.set_xlim(left=0)
    handles = [
        swatch(BLUE, "mean, predicted rows"),
        Line2D(
            [],
            [],
            color=BLUE,
            marker="s",
            linestyle="",
            markerfacecolor="white",
            label="mean, rows used for fitting",
        ),
        Line2D([], [], color=GREY, marker="D", markersize=3.5, label="worst row"),
        Line2D([], [], color=VERMILION, label="mean aimed at"),
    ]
    legend_above(figure, handles)
    return figure


def fidelity_figures(
    results: Path | str, out: Path | str, published: Path = PUBLISHED, expected: Path = FILE
) -> dict[str, Figure]:
    """Write ``fidelity_summary`` and ``fidelity_<set>`` to ``out``; none if no row of a set was emulated."""
    sets = read_sets(expected)
    points = fidelity_points(prepare(read_results(results)), sets, published)
    tables = points[points["set"] != sets.figures.id]
    if not tables["emulated"].notna().any():
        return {}
    with house_style():
        made = {"fidelity_summary": summary_figure(summarize(points, sets), sets)}
        made |= {f"fidelity_{one.id}": set_figure(points, one) for one in sets.sets}
        for name, figure in made.items():
            save(figure, Path(out), name)
    return made


def _equal_line(axis: Axes, rows: Records) -> None:
    """Both axes alike and logarithmic, with the line on which both values are the same."""
    values = np.array([[row["published"], row["emulated"]] for row in rows], dtype=float).ravel()
    values = values[np.isfinite(values)]
    ends = np.array([values.min() / 1.4, values.max() * 1.4])
    axis.plot(ends, ends, color=GREY, linewidth=0.8, zorder=1)
    axis.fill_between(ends, 0.9 * ends, 1.1 * ends, color="#EEEEEE", zorder=0, linewidth=0)
    axis.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    steps = (1.0, 2.0, 5.0) if ends[1] / ends[0] < 30 else (1.0,)
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_locator(LogLocator(subs=steps))
        side.set_major_formatter(StrMethodFormatter("{x:g}"))
        side.set_minor_formatter(NullFormatter())
    axis.grid(axis="both")
    axis.set_title("grey: within 10 %", fontweight="normal", color="#666666")


def _deviation_bars(axis: Axes, rows: Records, limit: float) -> None:
    """A bar a row in the file's order, with half a unit of the last printed digit as its error."""
    for place, row in enumerate(rows):
        color = CELL_COLORS[str(row["row"]).partition("-")[0]]
        face = "white" if row["use"] == "fitted" else color
        axis.barh(
            place, row["deviation_pct"], 0.62, xerr=row["rounding_pct"], facecolor=face, edgecolor=color,
            linewidth=1.0, error_kw={"elinewidth": 0.8, "ecolor": BLACK}, zorder=2,
        )  # fmt: skip
    for side in (-limit, limit):
        axis.axvline(side, color=VERMILION, linewidth=0.9, linestyle="--", zorder=1)
    axis.axvline(0, color=BLACK, linewidth=0.7, zorder=3)
    axis.set_yticks(range(len(rows)), labels=[str(row["row"]) for row in rows])
    axis.invert_yaxis()
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", visible=False)
    axis.grid(axis="x")
    reach = max(
        [1.3 * limit, *(1.1 * abs(row["deviation_pct"]) for row in rows if np.isfinite(row["deviation_pct"]))]
    )
    axis.set(xlim=(-reach, reach), xlabel="emulated less published (%)")
    axis.set_title(f"dashed: {limit:g} %", fontweight="normal", color="#666666")
