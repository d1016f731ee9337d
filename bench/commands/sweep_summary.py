"""`bench sweep summary`: what a finished sweep holds, in a few lines."""

from __future__ import annotations

import re
from pathlib import Path

import typer

from bench.sweeps.query import open_results, run_query

COUNTS = re.compile(r": \d+ points: (\d+) from the cache, (\d+) computed", re.MULTILINE)
"""What a job says at its end (`bench.sweeps.shard.Counts`)."""


def show_summary(folder: Path, logs: Path | None) -> None:
    """Print points, where they came from, best speed-ups, failures; ``logs``: folder of the jobs' logs."""
    with open_results(folder) as connection:
        (row,) = run_query(
            connection,
            "SELECT count(*) AS points, count(latency_s) AS solved,"
            " (SELECT max(over_single) FROM speedups) AS most,"
            " (SELECT max(over_conventional) FROM speedups) AS more FROM points",
        ).to_pylist()
        failed = run_query(connection, "SELECT * FROM failures LIMIT 5").to_pylist()
    typer.echo(f"{folder}: {row['points']:,} points, {row['solved']:,} with a result")
    known, computed = _counted(logs) if logs else (0, 0)
    if known + computed:
        typer.echo(f"{known:,} from the cache, {computed:,} computed")
    if row["most"] is not None:
        text = f"most over one FPGA: {row['most']:.2f} x"
        typer.echo(text + (f", over conventional: {row['more']:.2f} x" if row["more"] is not None else ""))
    for one in failed:
        how = one["status"] if one["termination"] == "none" else one["termination"]
        typer.echo(f"{one['points']:,} x {one['partitioner']}: {how}: {one['reason']}")
    typer.echo(f'tables: {folder / "tables"}; more: bench query {folder} "SELECT * FROM speedup_table"')


def _counted(logs: Path) -> tuple[int, int]:
    """Points from the cache and points computed, as the jobs' logs say."""
    found = [COUNTS.findall(path.read_text(encoding="utf-8")) for path in sorted(logs.glob("*.log"))]
    last = [counts[-1] for counts in found if counts]
    return sum(int(counts[0]) for counts in last), sum(int(counts[1]) for counts in last)
