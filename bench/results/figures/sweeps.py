"""Figures of the DeepBench and large-RNN experiments: what each strategy gains as FPGAs are added."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.results.figures.colors import BLACK, STRATEGY_COLORS
from bench.results.figures.style import (
    house_style,
    legend_above,
    new_figure,
    reference_line,
    save,
    strategy_color,
    strategy_marker,
)
from bench.results.frames import prepare, strategy_key
from bench.results.published import PUBLISHED, read_gpu_latencies
from bench.results.speedups import geomean, speedups, summary
from bench.results.store import read_results

GPU = "Titan Xp"
CELLS = {"lstm": "LSTM", "gru": "GRU", "rnn_relu": "vanilla RNN", "rnn_tanh": "vanilla RNN", "mlstm": "mLSTM"}


def geomean_bars(rows: pd.DataFrame) -> Figure:
    """Geometric-mean speed-ups of each strategy by number of FPGAs, failures counted as 1.0.

    Under each bar stands how many points were solved.
    """
    table = summary(rows[rows["fpgas"] > 1])
    fpgas = sorted(table["fpgas"].unique())
    names = sorted(table["strategy"].unique(), key=strategy_key)
    height = 0.5 + (0.35 + 0.17 * len(names)) * len(fpgas)
    figure, axes = new_figure(height, max(len(fpgas), 1), 1, sharex=True)
    for axis, n in zip(axes, fpgas, strict=True):
        part = table[table["fpgas"] == n].set_index("strategy").reindex(names)
        y = range(len(names))
        axis.barh(y, part["geomean_all"], 0.72, color=[strategy_color(name) for name in names], zorder=2)
        labels = [
            f"{name}  {int(ok)}/{int(total)}" if pd.notna(total) else name
            for name, ok, total in zip(names, part["n_ok"], part["n"], strict=True)
        ]
        for place, value in zip(y, part["geomean_all"], strict=True):
            if pd.notna(value):
                axis.annotate(
                    f"{value:.2f}", (value, place), xytext=(3, 0), textcoords="offset points", va="center",
                    fontsize=7, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8}, zorder=4,
                )  # fmt: skip
        axis.set_yticks(list(y), labels=labels)
        axis.invert_yaxis()
        axis.tick_params(axis="y", length=0)
        axis.grid(axis="y", visible=False)
        axis.grid(axis="x")
        axis.axvline(1.0, color=BLACK, linewidth=0.7, zorder=3)
        axis.set_title(f"{n} FPGAs", loc="left")
        axis.margins(x=0.08)
    axes[-1].set_xlabel(
        "geometric-mean speed-up over one FPGA (failures counted as 1.0); solved/tried beside names"
    )
    return figure


def by_hidden_size(rows: pd.DataFrame) -> Figure:
    """Speed-up against hidden size, a row of panels for each cell, a column for each number of FPGAs."""
    rows = rows[(rows["fpgas"] > 1) & rows["speedup"].notna() & (rows["batch"] == rows["batch"].min())]
    rows = rows.assign(kind=rows["cell"].map(CELLS))
    kinds, fpgas = sorted(rows["kind"].unique()), sorted(rows["fpgas"].unique())
    figure, axes = new_figure(
        0.6 + 1.75 * len(kinds), max(len(kinds), 1), max(len(fpgas), 1), sharex=True, sharey="row"
    )
    names = sorted(rows["strategy"].unique(), key=strategy_key)
    for number, axis in enumerate(axes):
        kind, n = kinds[number // len(fpgas)], fpgas[number % len(fpgas)]
        part = rows[(rows["kind"] == kind) & (rows["fpgas"] == n)]
        _lines(axis, part, names, "hidden_size")
        axis.set_title(f"{kind}, {n} FPGAs")
        reference_line(axis)
        if number % len(fpgas) == 0:
            axis.set_ylabel("speed-up")
        if number >= len(axes) - len(fpgas):
            axis.set_xlabel("hidden size")
    legend_above(figure, [_handle(name) for name in names], columns=4)
    return figure


def against_gpu(rows: pd.DataFrame, gpu: pd.DataFrame) -> Figure:
    """Emulated latency on one FPGA, and with the best strategy, against DeepBench's published GPU times."""
    figure, (axis,) = new_figure(4.2)
    keys = ["cell", "hidden_size", "batch_size", "time_steps"]
    times = gpu[gpu["device"] == GPU].groupby(keys, as_index=False)[["time_ms"]].min()
    solved = rows[rows["solved"]].rename(columns={"batch": "batch_size", "steps": "time_steps"})
    solved = solved.assign(cell=solved["cell"].replace({"rnn_relu": "vanilla", "rnn_tanh": "vanilla"}))
    single = solved[solved["fpgas"] == 1].groupby(keys, as_index=False)[["latency_s"]].min()
    best = solved.groupby(keys, as_index=False)[["latency_s"]].min()
    for part, marker, color, label in (
        (single, "o", "#0072B2", "one FPGA"),
        (best, "^", "#D55E00", f"best strategy, up to {rows['fpgas'].max()} FPGAs"),
    ):
        both = part.merge(times, on=keys)
        axis.plot(
            both["time_ms"], both["latency_s"] * 1e3, marker, color=color, markersize=4.5,
            markeredgecolor="white", markeredgewidth=0.4, label=label,
        )  # fmt: skip
    shown = np.concatenate([np.asarray(line.get_xydata(), dtype=float).ravel() for line in axis.lines])
    ends = np.array([shown.min() / 1.5, shown.max() * 1.5]) if shown.size else np.array([0.1, 10.0])
    axis.plot(ends, ends, color="#999999", linewidth=0.8, zorder=1, label="equal")
    axis.set(xlim=ends, ylim=ends)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_aspect("equal")
    axis.grid(axis="both")
    axis.set(xlabel=f"published {GPU} latency, fp32 (ms)", ylabel="emulated latency, int8 (ms)")
    axis.legend(loc="upper left")
    return figure


def by_device(rows: pd.DataFrame) -> Figure:
    """Microseconds a step on one FPGA of each profile against hidden size, a panel for each cell."""
    rows = rows[rows["solved"]].assign(
        kind=rows["cell"].map(CELLS), us=1e6 * rows["latency_s"] / rows["steps"]
    )
    kinds, profiles = sorted(rows["kind"].unique()), sorted(rows["profile"].unique())
    figure, axes = new_figure(2.8, 1, max(len(kinds), 1), sharey=True)
    marks = list(zip(profiles, (*STRATEGY_COLORS.values(),)[1:], "osv^PDX", strict=False))
    for axis, kind in zip(axes, kinds, strict=False):
        for profile, color, marker in marks:
            part = rows[(rows["kind"] == kind) & (rows["profile"] == profile)]
            means = part.groupby("hidden_size", sort=True)["us"].agg(geomean)
            axis.plot(means.index, means, color=color, marker=marker)
        axis.set_yscale("log")
        axis.set(title=kind, xlabel="hidden size")
    axes[0].set_ylabel("emulated time a step (µs)")
    handles = [Line2D([], [], color=color, marker=marker, label=name) for name, color, marker in marks]
    legend_above(figure, handles, columns=5)
    return figure


def scaling(rows: pd.DataFrame) -> Figure:
    """Speed-up against the number of FPGAs, a panel for each workload, a line for each strategy."""
    workloads = sorted(rows["workload"].unique())
    columns = 3
    lines = -(-len(workloads) // columns)
    figure, axes = new_figure(0.7 + 1.75 * lines, max(lines, 1), columns, sharex=True)
    names = sorted(set(rows.loc[rows["fpgas"] > 1, "strategy"]), key=strategy_key)
    ticks = sorted(rows["fpgas"].unique())
    for axis, workload in zip(axes, workloads, strict=False):
        part = rows[rows["workload"] == workload]
        known = part[part["speedup"].notna()]
        axis.plot(ticks, ticks, color="#BBBBBB", linewidth=0.8, linestyle=":", zorder=1)
        _lines(axis, known[known["fpgas"] > 1], names, "fpgas")
        axis.set_title(workload.rpartition("/")[2])
        axis.set_xscale("log", base=2)
        axis.set_xticks(ticks, labels=[str(n) for n in ticks])
        axis.minorticks_off()
        top = float(known["speedup"].max()) if len(known) else 1.0
        axis.set_ylim(0, max(1.2, 1.12 * top))
        reference_line(axis)
    for axis in axes[len(workloads) :]:
        axis.set_visible(False)
    for number, axis in enumerate(axes[: len(workloads)]):
        if number % columns == 0:
            axis.set_ylabel("speed-up over one FPGA")
        if number + columns >= len(workloads):
            axis.set_xlabel("FPGAs")
            axis.tick_params(axis="x", labelbottom=True)
    ideal = Line2D([], [], color="#BBBBBB", linewidth=0.8, linestyle=":", label="ideal")
    legend_above(figure, [*(_handle(name) for name in names), ideal], columns=5)
    return figure


def deepbench_figures(results: Path | str, out: Path | str, published: Path = PUBLISHED) -> dict[str, Figure]:
    """Write the figures of ``deepbench``, ``deepbench-skip-input`` and ``devices`` to ``out``.

    An experiment that the results do not hold has no figure.
    """
    rows = speedups(prepare(read_results(results)), "single")
    both, skipped, devices = (
        rows[rows["experiment"] == name] for name in ("deepbench", "deepbench-skip-input", "devices")
    )
    made: dict[str, Figure] = {}
    with house_style():
        if len(both):
            made["deepbench_geomean"] = geomean_bars(both)
            made["deepbench_by_hidden_size"] = by_hidden_size(both)
        if len(skipped):
            made["deepbench_vs_gpu"] = against_gpu(skipped, read_gpu_latencies(published))
        if len(devices):
            made["deepbench_devices"] = by_device(devices)
        return _saved(made, out)


def large_figures(results: Path | str, out: Path | str) -> dict[str, Figure]:
    """Write the large-RNN figures to ``out``; none if the results hold no ``large`` experiment."""
    rows = speedups(prepare(read_results(results)), "single")
    rows = rows[rows["experiment"] == "large"]
    if rows.empty:
        return {}
    with house_style():
        return _saved({"large_scaling": scaling(rows), "large_geomean": geomean_bars(rows)}, out)


def _saved(made: dict[str, Figure], out: Path | str) -> dict[str, Figure]:
    for name, figure in made.items():
        save(figure, Path(out), name)
    return made


def _lines(axis: Axes, rows: pd.DataFrame, names: Sequence[str], x: str) -> None:
    """One line a strategy: geometric means of ``speedup`` over ``x``."""
    for name in names:
        means = rows[rows["strategy"] == name].groupby(x, sort=True)["speedup"].agg(geomean)
        if len(means):
            axis.plot(
                means.index,
                means,
                color=strategy_color(name),
                marker=strategy_marker(name),
                linestyle=_dash(name),
            )


def _handle(name: str) -> Line2D:
    return Line2D(
        [], [], color=strategy_color(name), marker=strategy_marker(name), label=name, linestyle=_dash(name)
    )


def _dash(name: str) -> Literal["--", "-"]:
    """Dashed for a pipelined strategy beside the same one without."""
    return "--" if "+" in name else "-"
