"""Figures of an exploration: fronts over link latencies, break-even latencies, sensitivities."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from bench.explore.break_even import ALWAYS, NEVER, UP_TO
from bench.results.figures.colors import BLACK, GREY, STEPS
from bench.results.figures.style import (
    house_style,
    legend_above,
    new_figure,
    save,
    strategy_color,
    strategy_marker,
)

Rows = list[dict[str, Any]]

MOST_PANELS, MOST_LINES = 12, 24
"""Workloads that a figure shows; titles say how many more there are, and tables have all."""

SMALL = 6.5
"""Points, of what is written inside a figure."""


def write_figures(tables: Mapping[str, pa.Table], out: Path) -> list[str]:
    """Write the figures of ``tables`` (`bench.explore.tables`) that have anything to show; their names."""
    bounded = [row for row in tables["pareto"].to_pylist() if row["energy_j_high"] is not None]
    drawn = {
        "fronts": (figure_fronts, tables["fastest"].to_pylist()),
        "energy": (figure_energy, bounded),
        "break_even": (figure_break_even, tables["break_even"].to_pylist()),
        "sensitivity": (figure_sensitivity, tables["sensitivity"].to_pylist()),
    }
    with house_style():
        for name, (function, rows) in drawn.items():
            if rows:
                save(function(rows), out, name)
    return [name for name, (_, rows) in drawn.items() if rows]


def figure_fronts(rows: Rows) -> Figure:
    """Least latency over FPGAs, workload by workload, at up to four link latencies; marks on the front.

    ``rows``: the fastest point for each workload, link latency and number of FPGAs.
    """
    workloads, more = _first(rows, "workload", MOST_PANELS)
    figure, axes = _panels(workloads, "FPGAs", "latency (us)", sharex=True)
    links = _spread(sorted({row["link_latency_ns"] for row in rows}), len(STEPS))
    partitioners: dict[str, None] = {}
    for axis, workload in zip(axes, workloads, strict=False):
        for link, color in zip(links, reversed(STEPS[-len(links) :]), strict=True):
            mine = [row for row in rows if (row["workload"], row["link_latency_ns"]) == (workload, link)]
            front = _front(mine)
            axis.step(
                [row["fpgas"] for row in front], [1e6 * row["latency_s"] for row in front],
                where="post", color=color, linewidth=1, zorder=2,
            )  # fmt: skip
            for row in front:
                partitioners[row["partitioner"]] = None
                axis.plot(
                    row["fpgas"], 1e6 * row["latency_s"], strategy_marker(row["partitioner"]), color=color,
                    markeredgecolor="white", markeredgewidth=0.4, zorder=3,
                )  # fmt: skip
        axis.set_xscale("log", base=2)
        fpgas = sorted({row["fpgas"] for row in rows})
        axis.set_xticks(fpgas, labels=[str(n) for n in fpgas])
        _round_ticks(axis.yaxis)
    handles = [
        Line2D([], [], color=color, label=f"{link:,.4g} ns")
        for link, color in zip(links, reversed(STEPS[-len(links) :]), strict=True)
    ]
    handles += [
        Line2D([], [], color=GREY, marker=strategy_marker(name), linestyle="", label=name)
        for name in sorted(partitioners)
    ]
    legend_above(figure, handles, min(len(handles), 6))
    _say_more(figure, more)
    return figure


def figure_energy(rows: Rows) -> Figure:
    """Bounds of energy over latency, workload by workload: the front of latency and the upper bound.

    ``rows``: the points of `bench.explore.pareto.fronts` whose energy is bounded from above.
    """
    workloads, more = _first(rows, "workload", MOST_PANELS)
    figure, axes = _panels(workloads, "latency (us)", "energy of a run (mJ)")
    partitioners: dict[str, None] = {}
    for axis, workload in zip(axes, workloads, strict=False):
        mine = [row for row in rows if row["workload"] == workload]
        mine.sort(key=lambda row: (row["energy_j_high"], row["latency_s"]))
        for row in _front(mine):
            x, high = 1e6 * row["latency_s"], 1e3 * row["energy_j_high"]
            color = strategy_color(row["partitioner"])
            partitioners[row["partitioner"]] = None
            if row["energy_j_low"] is not None:
                axis.plot([x, x], [1e3 * row["energy_j_low"], high], color=color, linewidth=1, zorder=2)
            axis.plot(x, high, strategy_marker(row["partitioner"]), color=color, zorder=3)
            axis.annotate(
                str(row["fpgas"]), (x, high), xytext=(0, 4), textcoords="offset points", ha="center",
                va="bottom", fontsize=SMALL,
            )  # fmt: skip
        _round_ticks(axis.xaxis)
        _round_ticks(axis.yaxis)
        axis.margins(0.12)
    handles = [
        Line2D([], [], color=strategy_color(name), marker=strategy_marker(name), linestyle="", label=name)
        for name in sorted(partitioners)
    ]
    handles.append(Line2D([], [], color=GREY, linewidth=1, label="down to the lower bound"))
    legend_above(figure, handles)
    measured = all(row["power_measured"] for row in rows)
    _say_more(figure, more, "numbers: FPGAs" + ("" if measured else "; power not calibrated"))
    return figure


def figure_break_even(rows: Rows) -> Figure:
    """Up to which link latency more FPGAs are faster, workload by workload; of the first profile and link.

    Bars are the swept latencies around a break-even; arrows say that it lies outside of the sweep.
    """
    first = rows[0]
    rows = [row for row in rows if (row["profile"], row["link"]) == (first["profile"], first["link"])]
    workloads, more = _first(rows, "workload", MOST_LINES)
    topologies, _ = _first(rows, "topology", 4)
    pairs = list(dict.fromkeys((row["fpgas"], row["over"]) for row in rows))[-len(STEPS) :]
    figure, axes = new_figure(
        1.15 + (0.1 + 0.11 * len(pairs)) * len(workloads), 1, len(topologies), sharey=True, sharex=True
    )
    colors = dict(zip(pairs, STEPS[-len(pairs) :], strict=True))
    for axis, topology in zip(axes, topologies, strict=True):
        for row in rows:
            pair = (row["fpgas"], row["over"])
            if row["topology"] == topology and row["workload"] in workloads and pair in colors:
                shift = 0.7 * ((pairs.index(pair) + 0.5) / len(pairs) - 0.5)
                _bracket(axis, row, workloads.index(row["workload"]) + shift, colors[pair])
        axis.set_xscale("log")
        axis.set_title(topology)
        axis.set_xlabel("link latency (ns)")
        axis.grid(visible=True, axis="x")
        axis.grid(visible=False, axis="y")
    axes[0].set_yticks(range(len(workloads)), labels=[_short(name) for name in workloads])
    axes[0].invert_yaxis()
    handles = [
        Line2D([], [], color=colors[pair], marker="o", label=f"{pair[0]} over {pair[1]}") for pair in pairs
    ]
    handles += [
        Line2D([], [], color=BLACK, marker=">", linestyle="", label="faster at all"),
        Line2D([], [], color=BLACK, marker="<", markerfacecolor="white", linestyle="", label="at none"),
        Line2D([], [], color=BLACK, marker="o", markerfacecolor="white", linestyle="", label="faster above"),
    ]
    legend_above(figure, handles, min(len(handles), 7))
    _say_more(figure, more, f"{first['profile']}, {first['link']}")
    return figure


def _bracket(axis: Axes, row: dict[str, Any], place: float, color: str) -> None:
    if row["faster"] in (ALWAYS, NEVER):
        at, mark = (row["most_ns"], ">") if row["faster"] == ALWAYS else (row["least_ns"], "<")
        face = color if row["faster"] == ALWAYS else "white"
        axis.plot(at, place, mark, color=color, markerfacecolor=face, markersize=3.4, zorder=3)
        return
    axis.plot([row["below_ns"], row["above_ns"]], [place, place], color=color, linewidth=2.2, zorder=2)
    at = row["break_even_ns"] or math.sqrt(max(row["below_ns"], 1e-9) * row["above_ns"])
    face = color if row["faster"] == UP_TO else "white"
    axis.plot(at, place, "o", color=color, markerfacecolor=face, markersize=3.4, zorder=3)


def figure_sensitivity(rows: Rows) -> Figure:
    """Elasticity of latency on each axis: medians as marks, least to most as lines, by partitioner."""
    workloads, more = _first(rows, "workload", MOST_LINES)
    axes_names, _ = _first(rows, "axis", 6)
    partitioners, _ = _first(rows, "partitioner", 8)
    figure, axes = new_figure(
        1.1 + (0.12 + 0.09 * len(partitioners)) * len(workloads), 1, len(axes_names), sharey=True
    )
    for axis, name in zip(axes, axes_names, strict=True):
        for row in rows:
            if (
                row["axis"] != name
                or row["workload"] not in workloads
                or row["partitioner"] not in partitioners
            ):
                continue
            shift = 0.76 * ((partitioners.index(row["partitioner"]) + 0.5) / len(partitioners) - 0.5)
            place, color = workloads.index(row["workload"]) + shift, strategy_color(row["partitioner"])
            axis.plot([row["least"], row["most"]], [place, place], color=color, linewidth=0.8, zorder=2)
            axis.plot(
                row["elasticity"], place, strategy_marker(row["partitioner"]), color=color, markersize=3.8,
                markeredgewidth=0, zorder=3,
            )  # fmt: skip
        axis.axvline(0, color=BLACK, linewidth=0.7, zorder=1.5)
        axis.set_title(name.replace("_", " "))
        axis.set_xlabel("elasticity")
        axis.grid(visible=True, axis="x")
        axis.grid(visible=False, axis="y")
    axes[0].set_yticks(range(len(workloads)), labels=[_short(name) for name in workloads])
    axes[0].invert_yaxis()
    handles = [
        Line2D([], [], color=strategy_color(name), marker=strategy_marker(name), linestyle="", label=name)
        for name in partitioners
    ]
    legend_above(figure, handles, min(len(handles), 8))
    _say_more(figure, more)
    return figure


def _front(rows: Rows) -> Rows:
    """Of rows in the order of their FPGAs those that are faster than all before."""
    front: Rows = []
    for row in rows:
        if not front or row["latency_s"] < front[-1]["latency_s"]:
            front.append(row)
    return front


def _first(rows: Rows, column: str, most: int) -> tuple[list[str], int]:
    """The first values of a column, and how many more there are."""
    values = list(dict.fromkeys(row[column] for row in rows))
    return values[:most], max(len(values) - most, 0)


def _spread(values: Sequence[float], most: int) -> list[float]:
    """At most ``most`` of the values, the first and the last among them."""
    if len(values) <= most:
        return [*values]
    return [values[round(n * (len(values) - 1) / (most - 1))] for n in range(most)]


def _panels(workloads: Sequence[str], x: str, y: str, **options: Any) -> tuple[Figure, list[Axes]]:
    """A logarithmic panel for each workload, three in a row."""
    columns = min(len(workloads), 3)
    height = math.ceil(len(workloads) / columns)
    figure, axes = new_figure(0.9 + 1.9 * height, height, columns, **options)
    for place, axis in enumerate(axes):
        axis.set_visible(place < len(workloads))
        axis.set(xscale="log", yscale="log")
        if place < len(workloads):
            axis.set_title(_short(workloads[place]), fontsize=SMALL + 0.5)
        if place % columns == 0:
            axis.set_ylabel(y)
        if place + columns >= len(workloads):
            axis.set_xlabel(x)
            axis.tick_params(labelbottom=True)
    return figure, axes


def _round_ticks(axis: Axis) -> None:
    """Ticks at 1, 2 and 5 of each decade, as plain numbers."""
    axis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=30))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axis.set_minor_formatter(NullFormatter())
    axis.set_tick_params(which="minor", length=0)


def _short(name: str) -> str:
    """A reference without its folder, the numbers behind it on a line of their own."""
    base, _, changes = name.rpartition("/")[2].partition("?")
    return f"{base}\n{changes.replace('&', ', ')}" if changes else base


def _say_more(figure: Figure, more: int, said: str = "") -> None:
    texts = [*([said] if said else []), *([f"{more} more workloads are in the table"] if more else [])]
    if texts:
        figure.supxlabel("; ".join(texts), fontsize=SMALL)
