"""The figures of DAC 2020, our emulated values beside the published ones."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.results.figures.bars import Look, grouped_bars, published_handle, two_level_ticks
from bench.results.figures.beyond import beyond_paper
from bench.results.figures.colors import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, STEPS, VERMILION
from bench.results.figures.stacks import figure_4b, figure_5c
from bench.results.figures.style import house_style, legend_above, new_figure, reference_line, save, swatch
from bench.results.frames import prepare
from bench.results.paper import compare
from bench.results.published import PUBLISHED, read_figures
from bench.results.speedups import speedups
from bench.results.store import read_results

MODELS = ("lstm-2048", "lstm-4096", "gru-2048", "gru-4096")
STACKS = {
    "encoder-8": "Encoder-8",
    "decoder-8": "Decoder-8",
    "blstm-4": "BLSTM-4",
    "blstm-pyramid-4": "BLSTM-Pyramid-4",
}
SPEEDUP = "speed-up over one FPGA"


def figure_1b(points: pd.DataFrame) -> Figure:
    """GNMT-4, layer-wise: time against one FPGA."""
    figure, (axis,) = new_figure(2.6)
    fpgas = sorted(points["fpgas"].unique())
    looks: dict[object, Look] = {"layer-wise": Look("emulated, layer-wise", ORANGE)}
    grouped_bars(axis, points, fpgas, "fpgas", looks)
    axis.set_xticklabels([str(n) for n in fpgas])
    axis.set(xlabel="FPGAs", ylabel="time over one FPGA's", title="GNMT-4, h = 1024")
    reference_line(axis)
    legend_above(figure, [swatch(ORANGE, "emulated, layer-wise"), published_handle()])
    return figure


def figure_7(points: pd.DataFrame) -> Figure:
    """Row-wise: speed-up and share of time spent computing, at 1, 4 and 8 FPGAs."""
    figure, axes = new_figure(2.7, 1, 2)
    fpgas = sorted(points["fpgas"].unique())
    looks: dict[object, Look] = {n: Look(_fpgas(n), color) for n, color in zip(fpgas, STEPS, strict=False)}
    groups = [f"dac20/{name}" for name in MODELS]
    for axis, metric, label in zip(
        axes, ("speedup", "fraction_of_time"), (SPEEDUP, "share of time spent computing"), strict=True
    ):
        grouped_bars(axis, points[points["metric"] == metric], groups, "workload", looks, series="fpgas")
        axis.set_xticklabels([_model(name) for name in MODELS])
        axis.set_ylabel(label)
    reference_line(axes[0])
    _bars_legend(figure, looks)
    return figure


def figure_8(points: pd.DataFrame) -> Figure:
    """Multi-layer networks: four strategies on 2, 4 and 8 FPGAs."""
    figure, axes = new_figure(4.6, 2, 2)
    looks: dict[object, Look] = {
        "layer-wise": Look("layer-wise", ORANGE),
        "row-wise": Look("row-wise", BLUE),
        "layer/row-wise (ours)": Look("full-dac20", VERMILION),
        "layer/row-wise + sw pipelining (ours)": Look("full-dac20 + pipelining", PURPLE),
    }
    for axis, (name, title) in zip(axes, STACKS.items(), strict=True):
        rows = points[points["workload"] == f"dac20/{name}"]
        grouped_bars(axis, rows, [2, 4, 8], "fpgas", looks)
        axis.set_xticklabels(["2 FPGAs", "4 FPGAs", "8 FPGAs"])
        axis.set(title=title, ylabel=SPEEDUP)
        reference_line(axis)
    _bars_legend(figure, looks)
    return figure


def figure_9(points: pd.DataFrame) -> Figure:
    """Encoder-8 up to 64 FPGAs: speed-up and utilisation."""
    figure, axes = new_figure(2.9, 1, 2)
    lines = {2048: BLUE, 4096: VERMILION}
    for axis, metric, label in zip(
        axes, ("speedup_vs_single_fpga", "hw_utilization"), (SPEEDUP, "utilisation"), strict=True
    ):
        for hidden, color in lines.items():
            rows = points[(points["metric"] == metric) & (points["hidden"] == hidden)].sort_values("fpgas")
            axis.plot(rows["fpgas"], rows["emulated"], "-o", color=color)
            axis.errorbar(
                rows["fpgas"], rows["published"], yerr=rows["step"], fmt="--D", color=color,
                markerfacecolor="white", linewidth=0.9, elinewidth=0.8, capsize=1.6, markersize=4,
            )  # fmt: skip
        axis.set_xscale("log", base=2)
        ticks = sorted(points["fpgas"].unique())
        axis.set_xticks(ticks, labels=[str(n) for n in ticks])
        axis.minorticks_off()
        axis.set(xlabel="FPGAs", ylabel=label)
        axis.set_ylim(bottom=0)
    handles = [Line2D([], [], color=color, label=f"h = {hidden}") for hidden, color in lines.items()]
    handles.append(Line2D([], [], color="#444444", marker="o", label="emulated, full-dac20"))
    handles.append(
        Line2D([], [], color="#444444", marker="D", markerfacecolor="white", linestyle="--", linewidth=0.9,
               label="published, ± one drawing step")
    )  # fmt: skip
    legend_above(figure, handles)
    return figure


def figure_10(points: pd.DataFrame) -> Figure:
    """One layer split three ways on 2 and 4 FPGAs."""
    looks: dict[object, Look] = {
        "input-wise": Look("input-wise", SKY),
        "gate-wise": Look("gate-wise", GREEN),
        "row-wise (ours)": Look("row-wise", BLUE),
    }
    return _models_by_fpgas(points, looks)


def figure_11(points: pd.DataFrame) -> Figure:
    """Row-wise over three link latencies."""
    looks: dict[object, Look] = {
        f"row-wise, link latency {latency}": Look(f"row-wise, {latency} links", color)
        for latency, color in zip(("1 us", "500 ns", "250 ns"), STEPS, strict=False)
    }
    return _models_by_fpgas(points, looks)


def figure_12(points: pd.DataFrame) -> Figure:
    """Software pipelining: gain and utilisation on 1, 2 and 4 FPGAs."""
    figure, axes = new_figure(4.4, 2, 1)
    models = ("lstm-1024", "lstm-2048", "lstm-4096", "gru-1024", "gru-2048", "gru-4096")
    looks: dict[object, Look] = {
        n: Look(_fpgas(n), color) for n, color in zip((1, 2, 4), STEPS, strict=False)
    }
    groups = [f"dac20/{name}" for name in models]
    for axis, metric, label in zip(
        axes,
        ("speedup_from_sw_pipelining", "hw_utilization"),
        ("gain from software pipelining", "utilisation with it"),
        strict=True,
    ):
        rows = points[points["metric"] == metric]
        grouped_bars(axis, rows, groups, "workload", looks, series="fpgas")
        axis.set_xticklabels([_model(name) for name in models])
        axis.set_ylabel(label)
        if metric.startswith("speedup"):
            shown = rows[["emulated", "published"]].to_numpy(dtype=float)
            axis.set_ylim(min(0.95, float(np.nanmin(shown)) - 0.02), float(np.nanmax(shown)) + 0.04)
            reference_line(axis)
    _bars_legend(figure, looks)
    return figure


def figure_deviation(points: pd.DataFrame) -> Figure:
    """All speed-ups, emulated against published, with a band of 15 %."""
    figure, (axis,) = new_figure(4.2)
    looks = {
        "7": ("o", BLUE),
        "8": ("s", ORANGE),
        "9": ("^", GREEN),
        "10": ("D", VERMILION),
        "11": ("v", SKY),
    }
    rows = points[points["counted"] & points["metric"].str.startswith("speedup")]
    for name, (marker, color) in looks.items():
        chosen = rows[rows["figure"] == name]
        axis.plot(
            chosen["published"], chosen["emulated"], marker, color=color, markersize=4.2,
            markeredgecolor="white", markeredgewidth=0.4, label=f"Fig. {name}",
        )  # fmt: skip
    line = np.array([0.3, 30.0])
    axis.plot(line, line, color=GREY, linewidth=0.8, zorder=1)
    axis.fill_between(line, line * 0.85, line * 1.15, color="#E8E8E8", zorder=0, linewidth=0, label="± 15 %")
    ticks = [0.5, 1, 2, 4, 8, 16]
    for which in ("x", "y"):
        getattr(axis, f"set_{which}scale")("log", base=2)
        getattr(axis, f"set_{which}ticks")(ticks, labels=[f"{tick:g}" for tick in ticks])
        getattr(axis, f"set_{which}lim")(0.34, 28)
    axis.minorticks_off()
    axis.set_aspect("equal")
    axis.grid(axis="both")
    axis.set(xlabel="published speed-up", ylabel="emulated speed-up")
    axis.legend(loc="upper left")
    return figure


FIGURES: dict[str, Callable[[pd.DataFrame], Figure]] = {
    "1b": figure_1b,
    "4b": figure_4b,
    "5c": figure_5c,
    "7": figure_7,
    "8": figure_8,
    "9": figure_9,
    "10": figure_10,
    "11": figure_11,
    "12": figure_12,
}


def paper_figures(results: Path | str, out: Path | str, published: Path = PUBLISHED) -> dict[str, Figure]:
    """Write the paper's figures (.svg, .png) to ``out``; return them by name.

    ``paper_fig<name>`` for each figure, ``paper_deviation`` for all speed-ups at once, and
    ``paper_beyond`` for what the full search gains.
    """
    frame = prepare(read_results(results))
    points = compare(frame, read_figures(published))
    made: dict[str, Figure] = {}
    with house_style():
        for name, draw in FIGURES.items():
            made[f"paper_fig{name}"] = draw(points[points["figure"] == name])
        made["paper_deviation"] = figure_deviation(points)
        made["paper_beyond"] = beyond_paper(speedups(frame, "single"))
        for name, figure in made.items():
            save(figure, Path(out), name)
    return made


def _fpgas(count: int) -> str:
    return "1 FPGA" if count == 1 else f"{count} FPGAs"


def _model(name: str) -> str:
    cell, _, hidden = name.partition("-")
    return f"{cell.upper()}\n{hidden}"


def _bars_legend(figure: Figure, looks: dict[object, Look]) -> None:
    swatches = [swatch(look.color, look.label, look.hatch) for look in looks.values()]
    legend_above(figure, [*swatches, published_handle()])


def _models_by_fpgas(points: pd.DataFrame, looks: dict[object, Look]) -> Figure:
    figure, (axis,) = new_figure(3.0)
    points = points.assign(group=points["workload"] + "@" + points["fpgas"].astype(str))
    groups = [f"dac20/{name}@{n}" for name, n in product(MODELS, (2, 4))]
    grouped_bars(axis, points, groups, "group", looks)
    inner = [f"{n} FPGAs" for _, n in product(MODELS, (2, 4))]
    two_level_ticks(axis, inner, [_model(name).replace("\n", "-") for name in MODELS])
    axis.set_ylabel(SPEEDUP)
    reference_line(axis)
    _bars_legend(figure, looks)
    return figure
