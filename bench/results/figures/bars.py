"""Grouped bars with the published values as marks on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from bench.results.figures.colors import BLACK

GROUP_WIDTH = 0.82
"""Of the distance between two groups."""


@dataclass(frozen=True, slots=True)
class Look:
    """How one series is drawn."""

    label: str
    color: str
    hatch: str | None = None


def published_handle() -> Line2D:
    """The legend entry of published values."""
    return Line2D(
        [], [], color=BLACK, marker="D", markerfacecolor="white", markersize=3.6, linewidth=0.9,
        label="published, ± one drawing step",
    )  # fmt: skip


def published_marks(axis: Axes, x: Sequence[float], y: Sequence[float], step: float) -> None:
    """Published values: open diamonds with the reading error."""
    axis.errorbar(
        x, y, yerr=step, fmt="D", markersize=3.6, color=BLACK, markerfacecolor="white",
        markeredgewidth=0.8, elinewidth=0.8, capsize=1.6, zorder=4,
    )  # fmt: skip


def grouped_bars(
    axis: Axes,
    points: pd.DataFrame,
    groups: Sequence[object],
    by: str,
    looks: Mapping[object, Look],
    series: str = "series",
) -> None:
    """Bars of ``emulated`` in groups (values of column ``by``), one for each series, diamonds on them.

    ``points`` has the columns ``by``, ``series``, ``emulated``, ``published`` and ``step``.
    A bar that has no emulated value is marked with an x on the axis.
    """
    width = GROUP_WIDTH / len(looks)
    for number, (name, look) in enumerate(looks.items()):
        rows = points[points[series] == name].set_index(by)
        present = [place for place, group in enumerate(groups) if group in rows.index]
        if not present:
            continue
        rows = rows.loc[[groups[place] for place in present]]
        x = [place + (number - (len(looks) - 1) / 2) * width for place in present]
        axis.bar(
            x, rows["emulated"], width * 0.9, color=look.color, hatch=look.hatch,
            edgecolor="white" if look.hatch else look.color, linewidth=0, zorder=2,
        )  # fmt: skip
        missing = [place for place, value in zip(x, rows["emulated"], strict=True) if pd.isna(value)]
        if missing:  # an empty unclipped artist would upset the layout
            foot = axis.get_xaxis_transform()  # wherever the axis starts
            axis.plot(
                missing, [0.0] * len(missing), "x", color=look.color, markersize=4, clip_on=False,
                transform=foot,
            )  # fmt: skip
        published_marks(axis, x, rows["published"].tolist(), float(rows["step"].iloc[0]))
    axis.set_xticks(range(len(groups)))
    axis.set_xlim(-0.55, len(groups) - 0.45)
    axis.tick_params(axis="x", length=0)


def two_level_ticks(axis: Axes, inner: Sequence[str], outer: Sequence[str]) -> None:
    """Tick labels ``inner``, under each run of them one label of ``outer``; runs are parted by lines."""
    axis.set_xticks(range(len(inner)), labels=inner)
    size = len(inner) // len(outer)
    for number, label in enumerate(outer):
        middle = number * size + (size - 1) / 2
        axis.annotate(
            label, (middle, 0), xycoords=("data", "axes fraction"), xytext=(0, -17),
            textcoords="offset points", ha="center", va="top", fontsize=7.5,
        )  # fmt: skip
        if number:
            axis.axvline(number * size - 0.5, color="#BBBBBB", linewidth=0.6, linestyle=(0, (2, 2)), zorder=1)
