"""The commands that look into a run or its results: trace, compare, summary."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import (
    DEFAULT_PROFILE,
    PARTITIONER_HELP,
    WORKLOAD_HELP,
    Fpgas,
    Json,
    LinkLatency,
    LinkName,
    Parameters,
    ProfileName,
    TopologyName,
)
from bench.threads import use_one_thread


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    example = (
        "Example: bench trace --workload dac20/blstm-4 --fpgas 8 --partitioner full-dac20 --out t.json.gz"
    )
    app.command(epilog=example)(trace)
    example = "Example: bench compare old/reports reports --out diff.html, or: bench compare HEAD~1 HEAD"
    app.command(epilog=example)(compare)
    app.command(epilog="Example: bench summary reports --json")(summary)


def trace(
    out: Annotated[Path, typer.Option(help="The file to write; compressed if it ends in .gz.")],
    workload: Annotated[str | None, typer.Option(help=WORKLOAD_HELP)] = None,
    partitioner: Annotated[str | None, typer.Option(help=PARTITIONER_HELP)] = None,
    profile: ProfileName = DEFAULT_PROFILE,
    fpgas: Fpgas = 1,
    topology: TopologyName = "ring",
    param: Parameters = None,
    link: LinkName = None,
    link_latency_ns: LinkLatency = None,
    plan: Annotated[Path | None, typer.Option(help="A file of `bench run --save-plan`, instead.")] = None,
    steps: Annotated[int, typer.Option(min=1, help="Of each phase, the first so many time steps.")] = 8,
    all_steps: Annotated[bool, typer.Option("--all-steps", help="All time steps.")] = False,
) -> None:
    """Write what every unit and link does when, and what the end waits for, as a file for Perfetto.

    Exit code 1: there is no plan.
    """
    use_one_thread()
    from bench.commands import given_plan as cli_given_plan
    from bench.commands import trace as cli_trace

    cluster = (profile, topology, link, link_latency_ns, fpgas)
    asked = cli_given_plan.asked(plan, workload, partitioner, cluster, param)
    raise typer.Exit(0 if cli_trace.trace(asked, out, None if all_steps else steps) else 1)


def compare(
    run_a: Annotated[
        str, typer.Argument(help="A folder of results, or a git revision: its expected tables.")
    ],
    run_b: Annotated[str, typer.Argument(help="The same, to compare it with.")],
    out: Annotated[Path | None, typer.Option(help="Write an HTML page, too.")] = None,
    tolerance: Annotated[float, typer.Option(min=0, max=1, help="Share by which numbers may differ.")] = 0.0,
    as_json: Json = False,
) -> None:
    """Say which results of two runs differ and by how much, the largest first.

    Exit code 0: identical, 1: different.
    """
    from bench.commands import compare as cli_compare

    same = cli_compare.compare_runs(run_a, run_b, out, tolerance, as_json=as_json)
    raise typer.Exit(0 if same else 1)


def summary(
    folder: Annotated[Path, typer.Argument(help="What a run wrote.")] = Path("reports"),
    as_json: Json = False,
) -> None:
    """Sum up a finished run: points, best speed-ups, deviations, failures, claims, where to look."""
    from bench.commands import summary as cli_summary

    cli_summary.show(folder, as_json=as_json)
