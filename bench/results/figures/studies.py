"""Scaling, sensitivity to the links, and the ablation of the full search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.partitioners.space import IDEAS
from bench.results.ablation import EVERY, ablation
from bench.results.figures.colors import BLACK, BLUE, GREY, ORANGE, STRATEGY_COLORS
from bench.results.figures.style import (
    STRATEGY_MARKERS,
    house_style,
    legend_above,
    new_figure,
    reference_line,
    save,
)
from bench.results.frames import prepare
from bench.results.scaling import STRATEGIES, scaling
from bench.results.sensitivity import VARIED, sensitivity
from bench.results.store import read_results

SPEEDUP = "speed-up over one FPGA"
SMALL = 6.5
"""Points, of what is written beside marks and bars."""

AXES = {
    "latency": ("link_latency_ns", "link latency (ns)", (100, 1000, 10_000)),
    "bandwidth": ("bandwidth_gbps", "Gbit/s each way", (12, 25, 50, 100, 200)),
}
"""What varies along a number -> its column, label and ticks."""

LINKS = {"full": (BLACK, "h", "full"), "conventional": (ORANGE, "o", "best conventional")}


def figure_scaling(table: pd.DataFrame) -> Figure:
    """Speed-ups over the number of FPGAs, both logarithmic; ``table`` is `bench.results.scaling.scaling`.

    Where full leaves devices idle, the number of those in use stands above its mark.
    """
    workloads = list(dict.fromkeys(table["workload"]))
    figure, axes = new_figure(3.1, 1, len(workloads), sharey=True)
    handles = [
        Line2D([], [], color=STRATEGY_COLORS[base], marker=STRATEGY_MARKERS[base], label=name)
        for name in STRATEGIES
        for base in (name.partition(" ")[0],)
    ]
    for axis, workload in zip(axes, workloads, strict=True):
        rows = table[table["workload"] == workload]
        axis.plot(rows["fpgas"], rows["most_possible"], color=GREY, linestyle="--", linewidth=1, zorder=1)
        for handle, column in zip(handles, STRATEGIES.values(), strict=True):
            known = rows[rows[column].notna()]
            axis.plot(known["fpgas"], known[column], color=handle.get_color(), marker=handle.get_marker())
        for row in rows[rows["devices_used"] < rows["fpgas"]].to_dict("records"):
            axis.annotate(
                f"{row['devices_used']}", (row["fpgas"], row["full"]), xytext=(0, 4),
                textcoords="offset points", ha="center", va="bottom", fontsize=SMALL,
            )  # fmt: skip
        axis.set_xscale("log", base=2)
        axis.set_yscale("log", base=2)
        fpgas = list(rows["fpgas"])
        axis.set_xticks(fpgas, labels=[f"{n:,}" for n in fpgas])
        axis.set(title=_short(workload), xlabel="FPGAs (above the marks: in use)")
        axis.minorticks_off()
        reference_line(axis)
    ticks = [0.5, 1, 2, 4, 8, 16, 32, 64]
    axes[0].set_yticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    axes[0].set_ylabel(SPEEDUP)
    room = Line2D([], [], color=GREY, linestyle="--", linewidth=1, label="no plan is faster")
    legend_above(figure, [*handles, room])
    return figure


def figure_sensitivity(table: pd.DataFrame) -> Figure:
    """Full and the best conventional partitioner over latency, bandwidth and topology, cell by cell.

    ``table`` is `bench.results.sensitivity.sensitivity`.
    """
    cells = list(dict.fromkeys(zip(table["workload"], table["fpgas"], strict=True)))
    figure, axes = new_figure(
        5.8, len(VARIED), len(cells), sharey="row", gridspec_kw={"height_ratios": [1, 1, 1.25]}
    )
    most = 1.08 * float(table[list(LINKS)].max().max())
    for number, axis in enumerate(axes):
        varied, (workload, fpgas) = VARIED[number // len(cells)], cells[number % len(cells)]
        rows = table[
            (table["varied"] == varied) & (table["workload"] == workload) & (table["fpgas"] == fpgas)
        ]
        if varied in AXES:
            _curves(axis, rows, *AXES[varied])
            axis.set_ylim(0, most)
            if number % len(cells) == 0:
                axis.set_ylabel("speed-up")
        else:
            _topologies(axis, rows, list(dict.fromkeys(table.loc[table["varied"] == varied, "topology"])))
            axis.set_xlim(0, most)
            axis.set_xticks(range(0, int(most) + 1, 2))
        if number < len(cells):
            axis.set_title(f"{_short(workload)} on {fpgas}")
    handles = [Line2D([], [], color=c, marker=marker, label=label) for c, marker, label in LINKS.values()]
    legend_above(figure, handles)
    return figure


def _curves(axis: Axes, rows: pd.DataFrame, column: str, label: str, ticks: Sequence[int]) -> None:
    for name, (color, marker, _) in LINKS.items():
        axis.plot(rows[column], rows[name], color=color, marker=marker, markersize=3.6)
    axis.set_xscale("log")
    axis.set_xticks(ticks, labels=[f"{tick:,}" for tick in ticks])
    axis.minorticks_off()
    axis.set_xlabel(label)
    reference_line(axis)


def _topologies(axis: Axes, rows: pd.DataFrame, topologies: list[str]) -> None:
    best = rows.set_index("topology").reindex(topologies)
    for (name, (color, _, _)), shift in zip(LINKS.items(), (-0.2, 0.2), strict=True):
        places = [place + shift for place in range(len(topologies))]
        axis.barh(places, best[name], 0.36, color=color, linewidth=0, zorder=2)
    for place, missing in enumerate(best["full"].isna()):
        if missing:
            _remark(axis, place, "too few ports", 1)
    axis.set_yticks(range(len(topologies)), labels=topologies)
    _lying(axis)
    axis.set_xlabel("speed-up")
    axis.axvline(1.0, color=BLACK, linewidth=0.7, zorder=3)


def figure_ablation(table: pd.DataFrame) -> Figure:
    """Each idea alone (above) and left out (below), cell by cell.

    ``table`` is `bench.results.ablation.ablation`.
    """
    cells = list(dict.fromkeys(zip(table["workload"], table["fpgas"], strict=True)))
    figure, axes = new_figure(
        4.9, 2, len(cells), sharey="row", sharex="row",
        gridspec_kw={"height_ratios": [len(IDEAS) + 1, len(IDEAS)]},
    )  # fmt: skip
    for number, axis in enumerate(axes):
        workload, fpgas = cells[number % len(cells)]
        rows = table[(table["workload"] == workload) & (table["fpgas"] == fpgas)].set_index("idea")
        if number < len(cells):
            _ideas(axis, rows.reindex([*IDEAS, EVERY]), "alone", "needs others")
            axis.set_title(f"{_short(workload)} on {fpgas}", loc="center")
        else:
            _ideas(axis, rows.reindex(list(IDEAS)), "left_out", "")
    axes[0].set_xlim(0.0, 1.1)
    axes[len(cells)].set_xlim(0.72, 1.12 * max(float(table["left_out"].max()), 1.0))
    middle = len(cells) // 2
    axes[middle].set_xlabel("one idea alone: time over that of a search without any")
    axes[len(cells) + middle].set_xlabel("all but one: time over that of the full search")
    return figure


def _ideas(axis: Axes, rows: pd.DataFrame, column: str, with_others: str) -> None:
    """Bars from 1, where an idea makes no difference: blue for its gain, orange for what its lack costs."""
    remarks = {"no": "does not apply", "with others": with_others}
    outward = -1 if column == "alone" else 1
    for place, (idea, row) in enumerate(rows.iterrows()):
        value = row[column]
        if pd.isna(value):
            _remark(axis, place, remarks.get(str(row["acts"]), "no result"), outward)
            continue
        color = BLACK if idea == EVERY else BLUE if column == "alone" else ORANGE
        axis.barh(place, value - 1.0, 0.72, left=1.0, color=color, linewidth=0, zorder=2)
        side = outward if value == 1.0 else -1 if value < 1.0 else 1
        axis.annotate(
            f"{value:.2f}", (value, place), xytext=(2 * side, 0), textcoords="offset points",
            ha="left" if side > 0 else "right", va="center", fontsize=SMALL, zorder=4,
        )  # fmt: skip
    axis.set_yticks(range(len(rows)), labels=list(rows.index))
    _lying(axis)
    axis.axvline(1.0, color=BLACK, linewidth=0.7, zorder=3)


def _remark(axis: Axes, place: float, text: str, side: int) -> None:
    """Grey words in place of a bar, to the left (-1) or right (1) of the line at 1."""
    axis.annotate(
        text, (1.0, place), xytext=(3 * side, 0), textcoords="offset points", va="center",
        ha="left" if side > 0 else "right", fontsize=SMALL, color="#777777",
    )  # fmt: skip


def _lying(axis: Axes) -> None:
    """An axis of horizontal bars, the first on top."""
    axis.set_ylim(len(axis.get_yticks()) - 0.4, -0.6)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="y", visible=False)
    axis.grid(axis="x")


def _short(workload: str) -> str:
    return workload.rpartition("/")[2]


FIGURES: dict[str, tuple[Callable[[pd.DataFrame], pd.DataFrame], Callable[[pd.DataFrame], Figure]]] = {
    "study_scaling": (scaling, figure_scaling),
    "study_sensitivity": (sensitivity, figure_sensitivity),
    "study_ablation": (ablation, figure_ablation),
}
"""Name -> its table, and how that is drawn."""


def study_figures(results: Path | str, out: Path | str) -> dict[str, Figure]:
    """Write the figures of the studies to ``out``; one whose experiments the results lack is left out."""
    frame = prepare(read_results(results))
    made: dict[str, Figure] = {}
    with house_style():
        for name, (make, draw) in FIGURES.items():
            table = make(frame)
            if len(table):
                made[name] = draw(table)
                save(made[name], Path(out), name)
    return made
