"""`bench explain`: what `full` chooses, and why."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from bench.anytime import refuse_small_memory
from bench.commands.run import asked, make_point
from bench.commands.search import question
from bench.errors import InvalidPlan, Unsupported
from bench.experiments import Point, read_workload
from bench.explanation.ablation import Ablation, ablations
from bench.explanation.compare import Chosen, Comparison, compare
from bench.explanation.figures import Figures
from bench.explanation.reasons import reasons
from bench.partitioners.space import IDEAS


def explain(workload: str, cluster: tuple[str, str, str | None, float | None, int], *, as_json: bool) -> bool:
    """Search, compare, and print; whether there is a plan.

    ``cluster``: profile, topology, link, its latency, FPGAs. Raises UserError for unknown names.
    """
    point = make_point(workload, cluster, "full", [])
    network, devices = read_workload(workload), point.cluster
    status = Console(stderr=True).status(f"searching plans of {workload} for {point.fpgas} FPGAs ...")
    with status:
        try:
            refuse_small_memory(network, devices)
            comparison = compare(network, devices)
        except (Unsupported, InvalidPlan) as refusal:
            reason = f"unsupported: {refusal}"
            value = question(point) | {"reason": reason, "winner": None}
            print(json.dumps(value, indent=2) if as_json else f"no result: {reason}")
            return False
        without = []
        status.update("searching again without each idea ...")
        for ablation in ablations(network, devices, comparison.winner.candidate):
            without.append(ablation)
    without.sort(key=lambda ablation: -(ablation.cycles or float("inf")))
    if as_json:
        print(json.dumps(_as_object(point, comparison, without), indent=2))
    else:
        _print(Console(), point, comparison, without)
    return True


def _print(console: Console, point: Point, comparison: Comparison, without: list[Ablation]) -> None:
    def say(text: str) -> None:
        console.print(text, highlight=False, markup=False)

    say(asked(point))
    say(f"winner        {comparison.winner.candidate}")
    if comparison.runner_up:
        say(f"runner-up     {comparison.runner_up.candidate}")
    if comparison.conventional:
        say(f"conventional  {comparison.conventional[0]}")
    say("")
    console.print(_table(comparison))
    say("")
    for sentence in reasons(comparison):
        say(sentence)
    say("")
    if without:
        cycles = comparison.winner.figures.cycles
        console.print(_ablation_table(without, cycles))
        for ablation in without:
            if ablation.cycles and ablation.cycles < cycles:
                say(
                    f"Without {ablation.idea} the search finds a faster plan, {ablation.candidate}: "
                    "it does not try everything."
                )
    else:
        say("The winner uses none of the ideas that can be left out of the search.")


def _table(comparison: Comparison) -> Table:
    """The figures, a column for each plan and one for the bound."""
    columns: list[tuple[str, Figures]] = [("winner", comparison.winner.figures)]
    if comparison.runner_up:
        columns.append(("runner-up", comparison.runner_up.figures))
    if comparison.conventional:
        columns.append(("conventional", comparison.conventional[1]))
    table = Table(box=None, pad_edge=False)
    table.add_column("")
    for heading in (*(name for name, _ in columns), "bound"):
        table.add_column(heading, justify="right", no_wrap=True)

    def row(label: str, values: list[str], bound: str = "") -> None:
        table.add_row(label, *values, bound)

    every = [figures for _, figures in columns]
    row("cycles", [f"{f.cycles:,}" for f in every], f"{comparison.bound.cycles:,}")
    row("over the bound", [f"{f.over_bound:.2f}" for f in every], "1.00")
    row("devices used", [str(f.devices_used) for f in every])
    row("busiest matrix unit", [f"{f.matrix_share:.1%}" for f in every])
    row("lost to links", [f"{f.communication_share:.1%}" for f in every])
    row("exchanges a step", [str(f.exchanges_per_step) for f in every])
    row("hops, farthest owners", [f"{f.hops:g}" for f in every])
    row("busiest link, kB", [f"{f.busiest_link_bytes / 1e3:,.1f}" for f in every])
    row("fullest device, MB", [f"{f.weight_bytes / 1e6:.1f}" for f in every])
    return table


def _ablation_table(without: list[Ablation], cycles: int) -> Table:
    """The best time without each idea, the idea that is worth most first."""
    table = Table(box=None, pad_edge=False)
    table.add_column("without", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("the idea")
    for ablation in without:
        time = f"{ablation.cycles / cycles:.3f} x" if ablation.cycles else "no plan fits"
        table.add_row(ablation.idea, time, IDEAS[ablation.idea])
    return table


def _as_object(point: Point, comparison: Comparison, without: list[Ablation]) -> dict[str, Any]:
    winner, other, conventional = comparison.winner, comparison.runner_up, comparison.conventional
    return question(point) | {
        "layouts": comparison.search.layouts,
        "candidates_emulated": len(comparison.search.ranked),
        "winner": _plan(winner),
        "runner_up": _plan(other) if other else None,
        "conventional": {"partitioner": conventional[0], **_figures(conventional[1])}
        if conventional
        else None,
        "bound": asdict(comparison.bound),
        "reasons": reasons(comparison),
        "without": [
            {
                "idea": ablation.idea,
                "cycles": ablation.cycles,
                "candidate": str(ablation.candidate) if ablation.candidate else None,
            }
            for ablation in without
        ],
    }


def _plan(chosen: Chosen) -> dict[str, Any]:
    return {"candidate": str(chosen.candidate), **_figures(chosen.figures)}


def _figures(figures: Figures) -> dict[str, Any]:
    return asdict(figures) | {"matrix_share": figures.matrix_share}
