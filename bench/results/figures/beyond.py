"""What the full search gains over the paper's own strategy, on the paper's networks."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.results.figures.bars import GROUP_WIDTH, two_level_ticks
from bench.results.figures.colors import BLACK, BLUE, GREY, PURPLE
from bench.results.figures.style import legend_above, new_figure, reference_line, swatch
from bench.results.frames import CONVENTIONAL

BEST = "best conventional"
COLORS = {BEST: GREY, "row-wise": BLUE, "full-dac20 + pipelining": PURPLE, "full": BLACK}
STACKS = ("encoder-8", "decoder-8", "blstm-4", "blstm-pyramid-4")
LAYERS = ("lstm-2048", "lstm-4096", "gru-2048", "gru-4096")


def beyond_paper(rows: pd.DataFrame) -> Figure:
    """Speed-ups of the best conventional strategy, the paper's, and the full search.

    ``rows`` are those of `bench.results.speedups.speedups` against one FPGA; experiments
    ``fig8`` (above) and ``fig10`` (below) are drawn.
    """
    figure, (above, below) = new_figure(4.8, 2, 1)
    _bars(above, rows[rows["experiment"] == "fig8"], STACKS, (2, 4, 8))
    _bars(below, rows[rows["experiment"] == "fig10"], LAYERS, (2, 4))
    legend_above(figure, [swatch(color, name) for name, color in COLORS.items()])
    return figure


def _bars(axis: Axes, rows: pd.DataFrame, names: tuple[str, ...], counts: tuple[int, ...]) -> None:
    conventional = rows[rows["partitioner"].isin(CONVENTIONAL)].assign(strategy=BEST)
    table = pd.concat([rows[rows["strategy"].isin(COLORS)], conventional])
    best = table.pivot_table(index=["workload", "fpgas"], columns="strategy", values="speedup", aggfunc="max")
    groups = [(f"dac20/{name}", n) for name, n in product(names, counts)]
    best = best.reindex(index=pd.MultiIndex.from_tuples(groups))
    drawn = [name for name in COLORS if name in best.columns and best[name].notna().any()]
    width = GROUP_WIDTH / max(len(drawn), 1)
    for number, name in enumerate(drawn):
        x = np.arange(len(groups)) + (number - (len(drawn) - 1) / 2) * width
        axis.bar(x, best[name], width * 0.9, color=COLORS[name], linewidth=0, zorder=2)
    two_level_ticks(axis, [str(n) for _, n in groups], [f"{name} on N FPGAs" for name in names])
    axis.set_xlim(-0.55, len(groups) - 0.45)
    axis.tick_params(axis="x", length=0)
    axis.set_ylabel("speed-up over one FPGA")
    reference_line(axis)
