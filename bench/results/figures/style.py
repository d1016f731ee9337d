"""One look for all figures: fonts, lines, sizes, and saving."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bench.results.figures.colors import BLACK, STRATEGY_COLORS

WIDTH = 7.2
"""Inches: a two-column page."""

STRATEGY_MARKERS = dict(zip(STRATEGY_COLORS, "osv^PDXh", strict=True))

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.labelsize": 8,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "legend.fontsize": 7.5,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "axes.linewidth": 0.7,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "hatch.linewidth": 0.5,
    "figure.dpi": 100,
    "savefig.dpi": 160,
    "svg.hashsalt": "rnn-fpga-bench",
    "svg.fonttype": "path",
    # Text stays text, its fonts embedded: what journals ask for.
    "pdf.fonttype": 42,
}

_METADATA: dict[str, dict[str, None]] = {
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


@contextmanager
def house_style() -> Iterator[None]:
    """Matplotlib's defaults with `_STYLE` on top, whatever the user's own settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        for name, value in _STYLE.items():
            mpl.rcParams[name] = value
        yield


def new_figure(
    height: float, rows: int = 1, columns: int = 1, *, width: float = WIDTH, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of ``width`` x ``height`` inches that needs no display, and its axes row by row."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, [axis for row in grid for axis in row]


def save(figure: Figure, folder: Path, name: str) -> None:
    """Write ``name``.svg, .pdf and .png by rename, without dates or versions in them."""
    folder.mkdir(parents=True, exist_ok=True)
    layout = figure.get_layout_engine()
    for kind, metadata in _METADATA.items():
        path = folder / f"{name}.{kind}"
        partial = path.with_name(path.name + ".partial")
        # Text is as wide in PDF as in SVG, so that one layout does for both; in PNG it is fitted to pixels.
        figure.set_layout_engine(None if kind == "pdf" else layout)
        figure.savefig(partial, format=kind, metadata=metadata)
        partial.replace(path)


def legend_above(figure: Figure, handles: Sequence[Any], columns: int | None = None) -> None:
    """One legend above all axes; ``outside`` keeps it clear of titles."""
    figure.legend(handles=list(handles), loc="outside upper center", ncols=columns or len(handles))


def swatch(color: str, label: str, hatch: str | None = None) -> Patch:
    """A legend entry for bars."""
    return Patch(
        facecolor=color, edgecolor="white" if hatch else color, hatch=hatch, label=label, linewidth=0
    )


def reference_line(axis: Axes, value: float = 1.0) -> None:
    """A thin line at what one FPGA does."""
    axis.axhline(value, color=BLACK, linewidth=0.7, zorder=1.5)


def strategy_color(strategy: str) -> str:
    """The colour of a strategy by its partitioner; purple-grey for one that is not built in."""
    return STRATEGY_COLORS.get(strategy.partition(" ")[0], "#7A6C8F")


def strategy_marker(strategy: str) -> str:
    """The marker of a strategy by its partitioner."""
    return STRATEGY_MARKERS.get(strategy.partition(" ")[0], "*")
