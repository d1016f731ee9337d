"""Figs. 4b and 5c: where the time goes, as stacked bars, published and emulated side by side."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bench.results.figures.colors import BLUE, GREY, ORANGE
from bench.results.figures.style import legend_above, new_figure, reference_line, swatch
from bench.results.published import ASSUMED_HIDDEN_SIZE

Bar = tuple[str, int, str]
"""(strategy, FPGAs, tick label)."""

HATCH = "//////"
WIDTH = 0.36


def figure_4b(points: pd.DataFrame) -> Figure:
    """Layer-wise on multi-layer networks: ideal time, waiting for data, forwarding vectors."""
    figure, axes = new_figure(4.4, 2, 2, sharey=True)
    parts = ("base (no overhead)", "data dependency", "vector forward")
    names = ("encoder-8", "decoder-8", "blstm-4", "blstm-pyramid-4")
    titles = ("Encoder-8", "Decoder-8", "BLSTM-4", "BLSTM-Pyramid-4")
    bars: list[Bar] = [("layer-wise", n, f"{n} FPGA{'s' * (n > 1)}") for n in (1, 2, 4, 8)]
    for axis, name, title in zip(axes, names, titles, strict=True):
        _stacked(axis, points[points["workload"] == f"dac20/{name}-{ASSUMED_HIDDEN_SIZE['4b']}"], bars, parts)
        axis.set_title(f"{title}, h = {ASSUMED_HIDDEN_SIZE['4b']} (assumed)")
    _label(figure, axes, parts, columns=2)
    return figure


def figure_5c(points: pd.DataFrame) -> Figure:
    """One layer input-wise and gate-wise: ideal time, uneven loads, reducing vectors."""
    figure, axes = new_figure(2.9, 1, 2, sharey=True)
    parts = ("base (no overhead)", "load imbalance", "vector reduction")
    bars: list[Bar] = [
        ("single", 1, "single\n1 FPGA"),
        ("input-wise", 2, "input-wise\n2 FPGAs"),
        ("gate-wise", 2, "gate-wise\n2 FPGAs"),
        ("gate-wise", 4, "gate-wise\n4 FPGAs"),
    ]
    for axis, cell in zip(axes, ("lstm", "gru"), strict=True):
        _stacked(axis, points[points["cell"] == cell], bars, parts)
        axis.set_title(f"{cell.upper()}, h = {ASSUMED_HIDDEN_SIZE['5c']} (assumed)")
    _label(figure, axes, parts, columns=2)
    return figure


def _stacked(axis: Axes, points: pd.DataFrame, bars: Sequence[Bar], parts: Sequence[str]) -> None:
    for place, (strategy, fpgas, _) in enumerate(bars):
        rows = points[points["fpgas"] == fpgas].set_index("series")
        for column, shift, hatch in (("published", -WIDTH / 2, HATCH), ("emulated", WIDTH / 2, None)):
            bottom = 0.0
            for part, color in zip(parts, (GREY, ORANGE, BLUE), strict=True):
                name = f"{strategy}: {part}"
                height = float(rows[column].get(name, 0.0))
                axis.bar(
                    place + shift, height, WIDTH * 0.92, bottom=bottom, color=color, hatch=hatch,
                    edgecolor="white", linewidth=0, zorder=2,
                )  # fmt: skip
                bottom += height
    axis.set_xticks(range(len(bars)), labels=[label for _, _, label in bars])
    axis.tick_params(axis="x", length=0)
    reference_line(axis)


def _label(figure: Figure, axes: Sequence[Axes], parts: Sequence[str], columns: int) -> None:
    for number, axis in enumerate(axes):
        if number % columns == 0:
            axis.set_ylabel("time over one FPGA's")
    names = ("ideal, 1/N", *parts[1:])
    swatches = [swatch(color, name) for name, color in zip(names, (GREY, ORANGE, BLUE), strict=True)]
    left = Patch(
        facecolor="#777777", edgecolor="white", hatch=HATCH, linewidth=0, label="published (left bar)"
    )
    right = Patch(facecolor="#777777", label="emulated (right bar)")
    legend_above(figure, [*swatches, left, right])
