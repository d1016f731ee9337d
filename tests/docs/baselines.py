"""The tables of docs/baselines.md: speed-ups of the partitioners in examples/, beside the shipped ones.

``python -m tests.docs.baselines`` computes them anew, with what `make field` installs. They stand between
comments that name them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial

from bench.errors import DoesNotFit, InvalidPlan, Unsupported
from bench.evaluate import evaluate
from bench.experiments import read_profile, read_workload
from bench.hardware.files import make_cluster
from bench.partitioners import load_partitioner
from bench.plans.plan import Plan
from bench.workloads.catalogue import workload_names
from tests.docs.markdown import ROOT, read
from tests.examples.loading import load_example

PAGE = "docs/baselines.md"
PROFILE = "s10-gx2800-dac20"
Planner = Callable[..., Plan]
Cell = tuple[str, int]
"""A workload and a number of FPGAs."""

SHIPPED = ("row-wise", "layer-wise", "full-dac20", "full")
EXAMPLES: dict[str, tuple[str, dict[str, str]]] = {
    "random": ("random_rows", {}),
    "greedy": ("greedy_depth_first", {}),
    "FiC-RNN": ("fic_rnn", {}),
    "Megatron": ("megatron", {}),
    "Alpa ILP": ("alpa_ilp", {}),
    "PipeDream": ("pipedream", {}),
    "METIS": ("graph_cut", {"tool": "metis"}),
    "Mt-KaHyPar": ("graph_cut", {"tool": "mt-kahypar"}),
    "METIS, unrolled": ("graph_cut", {"tool": "metis", "form": "unrolled"}),
    "Mt-KaHyPar, unrolled": ("graph_cut", {"tool": "mt-kahypar", "form": "unrolled"}),
}
"""Heading -> module of examples/partitioners, parameters."""

STACKS = ("dac20/encoder-8", "dac20/decoder-8", "dac20/blstm-4", "dac20/blstm-pyramid-4")
LAYERS = ("dac20/lstm-2048", "dac20/lstm-4096", "dac20/gru-2048", "dac20/gru-4096")


def cells() -> dict[str, list[Cell]]:
    """The tables by name, each with its rows."""
    large = [name for name in workload_names() if name.startswith("large/")]
    return {
        "stacks": [(name, fpgas) for name in STACKS for fpgas in (2, 4, 8)],
        "layers": [(name, fpgas) for name in LAYERS for fpgas in (2, 4)],
        "large": [(name, fpgas) for name in large for fpgas in (4, 8)],
    }


def planners() -> dict[str, Planner]:
    """Heading -> the function that plans."""
    found: dict[str, Planner] = {name: load_partitioner(name).plan for name in SHIPPED}
    for heading, (name, parameters) in EXAMPLES.items():
        found[heading] = partial(load_example(name).plan, **parameters)
    return found


@cache
def single_cycles(workload: str) -> int:
    """Cycles on one FPGA."""
    graph, cluster = read_workload(workload), make_cluster(read_profile(PROFILE), 1, "ring")
    return evaluate(graph, cluster, load_partitioner("single").plan(graph, cluster)).cycles


def speedup(cell: Cell, planner: Planner) -> float | None:
    """Over one FPGA, without software pipelining; None where there is no plan."""
    graph, cluster = read_workload(cell[0]), make_cluster(read_profile(PROFILE), cell[1], "ring")
    try:
        return single_cycles(cell[0]) / evaluate(graph, cluster, planner(graph, cluster)).cycles
    except (DoesNotFit, InvalidPlan, Unsupported):
        return None


def table(rows: Iterable[Cell], planners: Mapping[str, Planner]) -> str:
    """Speed-ups as Markdown, the best of the examples in bold, and the geometric means."""
    found = {cell: {name: speedup(cell, make) for name, make in planners.items()} for cell in rows}
    lines = [f"| workload | FPGAs | {' | '.join(planners)} |", "| --- |" + " ---: |" * (len(planners) + 1)]
    for (workload, fpgas), values in found.items():
        lines.append(_line(workload.partition("/")[2], str(fpgas), values))
    means = {name: _mean([values[name] for values in found.values()]) for name in planners}
    lines.append(_line("geometric mean", "", means))
    return "\n".join(lines) + "\n"


def _line(workload: str, fpgas: str, values: Mapping[str, float | None]) -> str:
    best = max(
        (f"{value:.2f}" for name, value in values.items() if name in EXAMPLES and value),
        default="",
        key=float,
    )
    shown = ["" if value is None else f"{value:.2f}" for value in values.values()]
    marked = [
        f"**{text}**" if name in EXAMPLES and text == best else text
        for name, text in zip(values, shown, strict=True)
    ]
    return f"| {workload} | {fpgas} | {' | '.join(text or '–' for text in marked)} |"


def _mean(values: list[float | None]) -> float | None:
    """The geometric mean; None where a value is missing."""
    known = [value for value in values if value]
    return math.prod(known) ** (1 / len(known)) if len(known) == len(values) else None


def replaced(text: str, name: str, content: str) -> str:
    """``text`` with ``content`` between the comments of the table ``name``."""
    between = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)
    return between.sub(lambda _: content, text)


def main() -> None:
    """Rewrite the tables of the page."""
    text = read(PAGE)
    for name, rows in cells().items():
        text = replaced(text, name, table(rows, planners()))
    (ROOT / PAGE).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
