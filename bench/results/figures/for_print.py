"""Figures of one or two columns of a paper, from tables alone: those of a run, or the committed ones."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.errors import UserError
from bench.results.figures.colors import BLACK, BLUE, ORANGE
from bench.results.figures.style import (
    WIDTH,
    house_style,
    legend_above,
    new_figure,
    reference_line,
    save,
    strategy_color,
    strategy_marker,
)
from bench.results.frames import strategy_key

COLUMN_WIDTHS = {1: 3.5, 2: WIDTH}
"""Inches of figures over so many columns of a two-column page."""


def read_table(folder: str | Path, name: str, columns: list[str]) -> pd.DataFrame:
    """The table ``name``.csv of a folder. Raises UserError if it or one of ``columns`` is not there."""
    path = Path(folder) / f"{name}.csv"
    try:
        table = pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as a table: {error}") from error
    missing = [column for column in columns if column not in table]
    if missing:
        raise UserError(f"{path}: has no column {missing[0]!r}; it may be of another version")
    return table


def beyond_bars(table: pd.DataFrame, width: float) -> Figure:
    """Speed-ups of `full` (bars), the paper's best (diamonds) and the bound (lines), cell by cell."""
    labels = [
        f"{w.rpartition('/')[2]}, N = {n}" for w, n in zip(table["workload"], table["fpgas"], strict=True)
    ]
    figure, [axis] = new_figure(0.75 + 0.17 * len(table), width=width)
    places = range(len(table))
    axis.barh(places, table["ours"], 0.7, color=BLUE, zorder=2)
    axis.plot(
        table["published"], places, "D", color=ORANGE, markeredgecolor="white", markeredgewidth=0.5, zorder=4
    )
    bound = table["ours"] * table["over_bound"]
    axis.plot(bound, places, "|", color=BLACK, markersize=8, markeredgewidth=1.4, zorder=3)
    axis.set_yticks(list(places), labels=labels)
    axis.invert_yaxis()
    axis.grid(axis="x")
    axis.grid(visible=False, axis="y")
    axis.set_xlabel("speed-up over one FPGA")
    handles = [
        Line2D([], [], color=BLUE, linewidth=5, label="full"),
        Line2D([], [], color=ORANGE, marker="D", linestyle="", label="paper's best"),
        Line2D([], [], color=BLACK, marker="|", markersize=8, linestyle="", label="bound"),
    ]
    legend_above(figure, handles)
    return figure


def geomean_lines(table: pd.DataFrame, experiment: str, width: float) -> Figure:
    """Geometric-mean speed-ups over one FPGA of an experiment's strategies, by number of FPGAs."""
    part = table[table["experiment"] == experiment]
    names = sorted(set(part["strategy"]) - {"single"}, key=strategy_key)
    figure, [axis] = new_figure(2.4, width=width)
    handles = []
    for name in names:
        line = part[part["strategy"] == name].sort_values("fpgas")
        style = {"color": strategy_color(name), "marker": strategy_marker(name), "label": name}
        if "+" in name:
            style["linestyle"] = "--"
        handles += axis.plot(line["fpgas"], line["geomean_all"], **style)
    axis.set_xscale("log", base=2)
    counts = sorted(set(part["fpgas"]))
    axis.set_xticks(counts, labels=[f"{count:g}" for count in counts])
    axis.set_xlabel("FPGAs")
    axis.set_ylabel("speed-up over one FPGA")
    reference_line(axis)
    legend_above(figure, handles, columns=2 if width < WIDTH else 4)
    return figure


def print_figures(
    tables: str | Path, out: str | Path, *, columns: int = 1, experiment: str = "large"
) -> dict[str, Figure]:
    """Write ``print_beyond`` and ``print_geomeans`` (SVG, PDF, PNG) and return them by name.

    ``columns``: 1 or 2. A figure whose points were not evaluated is left out. Raises UserError for
    tables that cannot be read.
    """
    width = COLUMN_WIDTHS[columns]
    beyond = read_table(tables, "beyond_paper", ["workload", "fpgas", "published", "ours", "over_bound"])
    means = read_table(tables, "summary_vs_single", ["experiment", "fpgas", "strategy", "geomean_all"])
    figures = {}
    with house_style():
        if len(beyond):
            figures["print_beyond"] = beyond_bars(beyond, width)
        if experiment in set(means["experiment"]):
            figures["print_geomeans"] = geomean_lines(means, experiment, width)
        for name, figure in figures.items():
            save(figure, Path(out), name)
    return figures
