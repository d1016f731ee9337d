"""The commands that explore results: fronts, smallest clusters, break-even latencies, sensitivities."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.commands.options import Json
from bench.errors import UserError
from bench.threads import use_one_thread

if TYPE_CHECKING:
    from bench.explore.choose import Choice

explore = typer.Typer(
    no_args_is_help=True,
    help="Explore the results of a sweep or of a run: what is best, what suffices, what matters.",
)

Folder = Annotated[Path, typer.Argument(help="What a sweep wrote (OUT/sweep/NAME), or a run (OUT).")]
Csv = Annotated[bool, typer.Option("--csv", help="Print CSV instead of a table.")]
Workload = Annotated[str | None, typer.Option(help="Name or glob: these workloads alone.")]
Partitioner = Annotated[str | None, typer.Option(help="Name or glob: these partitioners alone.")]
Where = Annotated[
    str | None,
    typer.Option(metavar="SQL", help="Condition on columns: \"topology = 'ring' AND fpgas <= 16\"."),
]


def _choice(workload: str | None, partitioner: str | None, where: str | None) -> Choice:
    from bench.explore.choose import Choice

    return Choice(workload, partitioner, where)


def _form(*, as_json: bool, as_csv: bool) -> str:
    if as_json and as_csv:
        raise UserError("--json and --csv: give one of them")
    return "json" if as_json else "csv" if as_csv else "table"


@explore.command(
    epilog="Example: bench explore pareto reports/sweep/sweep-smoke --objectives latency,devices,energy "
    '--where "link_latency_ns = 500"'
)
def pareto(
    folder: Folder,
    objectives: Annotated[
        str, typer.Option(help="What to make small: of latency, devices, energy, memory.")
    ] = "latency,devices",
    workload: Workload = None,
    partitioner: Partitioner = None,
    where: Where = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show, for each workload, the points that no other point is better than.

    Devices are those of the cluster, energy is its upper bound, memory the weights on the fullest device.
    """
    from bench.commands import explore_show

    explore_show.show_pareto(
        folder, _choice(workload, partitioner, where), objectives, _form(as_json=as_json, as_csv=as_csv)
    )


@explore.command(
    epilog="Example: bench explore smallest reports/sweep/sweep-smoke --latency-us 20 --workload 'lstm-*'"
)
def smallest(
    folder: Folder,
    latency_us: Annotated[float, typer.Option(help="The latency to meet, in microseconds.")],
    workload: Workload = None,
    partitioner: Partitioner = None,
    where: Where = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show, for each workload, the fewest FPGAs that meet a latency, and by which partitioner.

    Where none meets it, the fastest point is shown, and by how much it misses. Exit code 1: none does for
    any workload.
    """
    from bench.commands import explore_show

    met = explore_show.show_smallest(
        folder, _choice(workload, partitioner, where), latency_us, _form(as_json=as_json, as_csv=as_csv)
    )
    raise typer.Exit(0 if met else 1)


@explore.command(
    "break-even", epilog="Example: bench explore break-even reports/sweep/sweep --fpgas 16 --over 8"
)
def break_even(
    folder: Folder,
    fpgas: Annotated[int, typer.Option(min=2, help="So many FPGAs ...")],
    over: Annotated[int, typer.Option(min=1, help="... against so many.")],
    check: Annotated[
        bool,
        typer.Option(
            "--check", help="Time both sides again between the swept latencies, to narrow each bracket."
        ),
    ] = False,
    workload: Workload = None,
    partitioner: Partitioner = None,
    where: Where = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show up to which link latency N FPGAs are faster than fewer, each with its fastest partitioner.

    The latency is interpolated between two swept ones, of which one is on this side and one on that.
    """
    if check:
        use_one_thread()
    from bench.commands import explore_show

    explore_show.show_break_even(
        folder,
        _choice(workload, partitioner, where),
        (fpgas, over),
        _form(as_json=as_json, as_csv=as_csv),
        check=check,
    )


@explore.command(epilog="Example: bench explore sensitivity reports/sweep/sweep-smoke --partitioner row-wise")
def sensitivity(
    folder: Folder,
    workload: Workload = None,
    partitioner: Partitioner = None,
    where: Where = None,
    as_json: Json = False,
    as_csv: Csv = False,
) -> None:
    """Show how strongly latency follows each swept axis, by workload and partitioner.

    Elasticity 1: in proportion; 0: no effect; -1: half at twice the value. It is the median over pairs of
    points that differ in that axis alone.
    """
    from bench.commands import explore_show

    explore_show.show_sensitivity(
        folder, _choice(workload, partitioner, where), _form(as_json=as_json, as_csv=as_csv)
    )


@explore.command(epilog="Example: bench explore tables reports/sweep/sweep --out exploration")
def tables(
    folder: Folder,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write to (default: FOLDER/exploration).")
    ] = None,
) -> None:
    """Write the exploration of a sweep: tables as CSV and Parquet, figures as SVG, PDF and PNG."""
    from bench.explore.tables import write_exploration

    for name, rows in write_exploration(folder, out or folder / "exploration").items():
        typer.echo(f"{name}: {rows} rows")
