"""`bench boards run`: one plan on boards, or on what stands in for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from bench.boards.found import Where, find_boards
from bench.boards.measure import TIMES, Effort, measure
from bench.boards.platforms import Kind
from bench.commands.given_plan import NoPlan, asked, plan_of
from bench.commands.run import in_seconds
from bench.errors import UserError
from bench.evaluate import evaluate

Given = tuple[
    Path | None, str | None, str | None, tuple[str, str, str | None, float | None, int], list[str] | None
]
"""Arguments of `bench.commands.given_plan.asked`."""


def run_plan(
    given: Given,
    on: str,
    cables: Path | None,
    bitstreams: Path,
    effort: tuple[int, int, float],
    *,
    as_json: bool,
) -> bool:
    """Measure the plan and print; whether its numbers are right."""
    if on not in list(Where):
        raise UserError(f"--on {on}: expected {', '.join(Where)}")
    boards = find_boards(Where(on), cables, bitstreams)
    if isinstance(boards, str):
        raise UserError(f"{boards}; `bench boards` lists what there is, --on takes another kind")
    try:
        plan, workload, cluster = plan_of(asked(*given))
    except NoPlan as reason:
        typer.echo(f"no result: {reason}")
        return False
    emulated = evaluate(workload, cluster, plan).latency_s
    with Console(stderr=True).status(f"running {workload.name} on {cluster.fpgas} x {boards.kind} ..."):
        row = measure(plan, workload, cluster, boards, Effort(*effort))
    row["emulated_latency_s"] = emulated
    if as_json:
        typer.echo(json.dumps(row, indent=2))
    elif row["termination"] != "none" or row["status"] != "ok":
        what = "unsupported" if row["status"] == "unsupported" else row["termination"]
        typer.echo(f"no result: {what}: {row['reason']}")
    else:
        _show(row, board=boards.kind is Kind.BOARD)
    return bool(row["status"] == "ok" and row["termination"] == "none")


def _show(row: dict[str, Any], *, board: bool) -> None:
    times = {name: in_seconds(row[name]) for name in (*TIMES, "emulated_latency_s")}
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_row("ran on", f"{row['device']} ({row['device_kind']}), driver {row['driver']}")
    facts.add_row("numbers", "every bit as without a plan")
    facts.add_row(
        "latency",
        f"{times['latency_median_s']} (median of {row['repeats']} runs after {row['warm_up']} to warm up; "
        f"99 of 100 within {times['latency_p99_s']}, least {times['latency_least_s']})",
    )
    messages = "carried by the host" if row["staged"] else "over channels between the devices"
    facts.add_row("messages", f"{messages}, {times['copies_s']} of host copies")
    facts.add_row("kernels", f"{times['kernel_s']} on the device with most of it")
    facts.add_row("apart from that", f"inputs and outputs {times['transfer_s']}, loading {times['load_s']}")
    emulated = times["emulated_latency_s"]
    if board:
        deviation = row["latency_median_s"] / row["emulated_latency_s"] - 1
        facts.add_row("emulated", f"{emulated}; the board takes {deviation:+.1%}")
    else:
        of_what = f"times of this {row['device_kind']} say nothing of them"
        facts.add_row("emulated", f"{emulated} on the profile's FPGAs; {of_what}")
    Console().print(facts, highlight=False)
