"""`bench explore`: answers as tables for reading, or whole as CSV or JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from bench.commands.query import write_answer
from bench.errors import UserError
from bench.explore.choose import Choice
from bench.sweeps.query import open_results

LEFT_OUT_IF_ALIKE = ("profile", "topology", "link", "link_latency_ns", "parameters", "link_gbps")
"""Columns that a table for reading has only where they differ."""

UNITS: dict[str, tuple[str, float]] = {
    "latency_s": ("latency_us", 1e6),
    "energy_j_low": ("energy_mj_low", 1e3),
    "energy_j_high": ("energy_mj_high", 1e3),
}
"""Columns that a table for reading has in a handier unit."""


def show_pareto(folder: Path, choice: Choice, objectives: str, form: str) -> None:
    """Print the fronts; UserError for an unknown objective, or where no point is left."""
    from bench.explore.pareto import OBJECTIVES, fronts, read_objectives

    names = read_objectives(objectives)
    with open_results(folder) as connection:
        answer = fronts(connection, choice, names)
    if form != "table":
        write_answer(answer, form)
        return
    wanted = dict.fromkeys(
        ["workload", *(OBJECTIVES[name] for name in names), "partitioner", *LEFT_OUT_IF_ALIKE, "fpgas",
         "devices_used", "latency_s", "same"]
    )  # fmt: skip
    _print(answer, [*wanted])
    print(f"the best in {', '.join(names)}; same: points with equal values, of which the first is shown")
    if "energy" in names:
        _remark_on_power(answer)


def show_smallest(folder: Path, choice: Choice, latency_us: float, form: str) -> bool:
    """Print the smallest clusters; whether any workload meets ``latency_us``."""
    from bench.explore.smallest import smallest

    if not (math.isfinite(latency_us) and latency_us > 0):
        raise UserError(f"--latency-us: got {latency_us:g}, expected a number greater than 0")
    with open_results(folder) as connection:
        answer = smallest(connection, choice, latency_us * 1e-6)
    met = answer.column("met").to_pylist()
    if form != "table":
        write_answer(answer, form)
        return any(met)
    shown = ["workload", "fpgas", "latency_s", "partitioner", *LEFT_OUT_IF_ALIKE, "devices_used",
             "energy_j_low", "energy_j_high"]  # fmt: skip
    if any(met):
        print(f"fewest FPGAs within {latency_us:g} us")
        _print(answer.filter(pa.array(met)), shown)
    if not all(met):
        print(
            f"{_blank(any(met))}none within {latency_us:g} us; the fastest, and how many times that it takes"
        )
        _print(answer.filter(pa.array([not one for one in met])), ["workload", "over", *shown[1:]])
    return any(met)


def show_break_even(folder: Path, choice: Choice, counts: tuple[int, int], form: str, *, check: bool) -> None:
    """Print break-even latencies of ``counts[0]`` over ``counts[1]`` FPGAs; ``check``: time them again."""
    from bench.explore.break_even import break_even

    with open_results(folder) as connection:
        answer = break_even(connection, choice, *counts)
    if check:
        from bench.explore.again import narrow

        found = [narrow(row) if row["crossings"] else None for row in answer.to_pylist()]
        for name in ("below_ns", "above_ns"):
            ends = [None if one is None else getattr(one, name) for one in found]
            answer = answer.append_column(f"timed_{name}", pa.array(ends, pa.float64()))
    if form != "table":
        write_answer(answer, form)
        return
    print(f"{counts[0]} FPGAs over {counts[1]}: at which link latencies they are faster")
    _print(
        answer,
        ["workload", "profile", "topology", "link", "faster", "break_even_ns", "below_ns", "above_ns",
         *(["timed_below_ns", "timed_above_ns"] if check else []), "crossings", "latencies", "least_ns",
         "most_ns", "least_speedup", "most_speedup"],
    )  # fmt: skip
    print("break_even_ns: interpolated between below_ns and above_ns, which were swept", end="")
    print("; timed_: between them, by timing again" if check else "")


def show_sensitivity(folder: Path, choice: Choice, form: str) -> None:
    """Print elasticities of latency."""
    from bench.explore.sensitivity import sensitivity

    with open_results(folder) as connection:
        answer = sensitivity(connection, choice)
    if form != "table":
        write_answer(answer, form)
        return
    _print(answer, answer.schema.names)
    print(
        "elasticity: ln(latency ratio) / ln(axis ratio), the median over pairs that differ in that axis alone"
    )


def _print(answer: pa.Table, wanted: Sequence[str]) -> None:
    """The columns ``wanted`` that the answer has, those left out that say the same in each row."""
    alike = {
        name: answer.column(name)[0].as_py()
        for name in LEFT_OUT_IF_ALIKE
        if name in wanted and name in answer.schema.names and len(answer.column(name).unique()) == 1
    }
    kept = [name for name in dict.fromkeys(wanted) if name in answer.schema.names and name not in alike]
    columns = {}
    for name in kept:
        column = answer.column(name)
        shown, factor = UNITS.get(name, (name, 1.0))
        columns[shown] = column if factor == 1.0 else pc.multiply(column, factor)
    write_answer(pa.Table.from_arrays([*columns.values()], names=[*columns]), "table")
    said = [f"{name} {value}" for name, value in alike.items() if value != "{}"]
    if said:
        print(f"all: {', '.join(said)}")


def _remark_on_power(answer: pa.Table) -> None:
    if not all(answer.column("power_measured").to_pylist()):
        print(
            "energy is not calibrated: for some device no power was measured on the board while it ran the "
            "overlay (`bench show profile NAME` has the sources)"
        )


def _blank(wanted: bool) -> str:
    return "\n" if wanted else ""
