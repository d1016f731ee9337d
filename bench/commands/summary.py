"""`bench summary`: what a finished run holds, in a few lines."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from bench.commands.verdict import failed_claims, read_claims
from bench.errors import UserError
from bench.results.closing import Best, Deviation, Failure, best_speedups, deviation, failures
from bench.results.store import read_results
from bench.workloads.describe import counted

FILES = {
    "site": "site/index.html",
    "tables": "tables",
    "figures": "figures",
    "claims": "claims.csv",
    "results": "results/results.parquet",
    "provenance": "provenance.json",
}

COLUMNS = [
    *("experiment", "workload", "profile", "fpgas", "partitioner", "parameters"),
    *("status", "termination", "reason", "latency_s", "numerics", "numerics_full_size"),
]

WRONG = "wrong numbers"
"""The termination of a plan that computes something else than its network."""

SHOWN_WRONG = 10


def show(folder: Path, *, as_json: bool = False) -> None:
    """Print points by experiment, best speed-ups, deviations, failures, claims, and where the files are."""
    results = folder / FILES["results"]
    if not results.exists():
        raise UserError(f"{folder}: no results here; run `snakemake reproduce-all` first")
    frame = read_results(results.parent)
    rows = read_rows(results)
    claims = folder / FILES["claims"]
    entries = read_claims(claims) if claims.exists() else []
    best, deviates, failed = best_speedups(frame), deviation(folder / "tables"), failures(rows)
    files = {label: str(folder / name) for label, name in FILES.items() if (folder / name).exists()}
    if as_json:
        value = {
            "experiments": experiments(rows),
            "best_speedups": [asdict(each) for each in best],
            "deviation": asdict(deviates) if deviates else None,
            "failures": [asdict(each) for each in failed],
            "wrong_numbers": sum(row["termination"] == WRONG for row in rows),
            "claims": {"hold": sum(entry["result"] == "pass" for entry in entries), "all": len(entries)},
            "failed_claims": [entry["id"] for entry in entries if entry["result"] == "fail"],
            "files": files,
        }
        print(json.dumps(value, indent=2))
        return
    console = Console()
    console.print(_counts(experiments(rows)))
    if entries:
        console.print(_claims(entries))
    for line in (*numbers(rows), *_lines(best, deviates, failed)):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    if entries:
        wrong = len(failed_claims(claims))
        console.print(f"claims: {len(entries) - wrong} of {len(entries)} hold", highlight=False)
    for label, name in files.items():
        console.print(f"{label}: {name}", highlight=False, markup=False, soft_wrap=True)


def read_rows(results: Path) -> list[dict[str, Any]]:
    """The rows of a run, with the columns that a summary needs, None for what is missing."""
    return pq.read_table(results, columns=COLUMNS).to_pylist()


def experiments(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Points, solved, unsupported and failed ones of each experiment, those of all together last."""
    found = []
    for experiment in [*sorted({row["experiment"] for row in rows}), "all"]:
        mine = [row for row in rows if experiment in ("all", row["experiment"])]
        solved = sum(row["latency_s"] is not None for row in mine)
        unsupported = sum(row["status"] == "unsupported" for row in mine)
        counts = {"points": len(mine), "solved": solved, "unsupported": unsupported}
        found.append({"experiment": experiment, **counts, "failed": len(mine) - solved - unsupported})
    return found


def _counts(entries: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in entries[0]:
        table.add_column(name, justify="left" if name == "experiment" else "right")
    for entry in entries:
        table.add_row(*map(str, entry.values()))
    return table


def _lines(best: tuple[Best, ...], deviates: Deviation | None, failed: tuple[Failure, ...]) -> list[str]:
    """Speed-ups, deviation and failures in words."""
    lines = [
        f"speed-up: {each.speedup:.2f} x over one FPGA: {each.workload} on {each.fpgas} x {each.profile}, "
        f"{each.topology}, {each.strategy}"
        for each in best
    ]
    if deviates:
        mean = f"deviation: {deviates.mean_pct:.1f} % on average from the"
        where = f"points of Figs. {deviates.figures}"
        if deviates.emulated == deviates.points:
            close = f"{deviates.close:.1%} within 15 % or a step of the drawing"
            lines.append(f"{mean} {deviates.points} {where}; {close}")
        else:
            lines.append(f"{mean} {deviates.emulated} that were run of the {deviates.points} {where}")
    for termination in dict.fromkeys(each.termination for each in failed):
        alike = [each for each in failed if each.termination == termination]
        points = counted(sum(each.points for each in alike), "point")
        lines.append(f"no result: {points}: {termination}, for example: {alike[0].reason}")
    if failed:
        lines.append("all of them: tables/failures.csv")
    return lines


def numbers(rows: list[dict[str, Any]]) -> list[str]:
    """How many plans' numbers were found right, and a line for each plan whose numbers are wrong."""
    checked = [row for row in rows if row["numerics"]]
    wrong = [row for row in checked if row["termination"] == WRONG]
    exact = sum(row["numerics"] == "exact" for row in checked)
    full = sum(bool(row["numerics_full_size"]) for row in checked)
    lines = [
        f"numbers: {len(checked) - len(wrong)} of {len(checked)} plans checked are right ({exact} in every "
        f"bit), {full} checked at full size"
    ]
    for row in wrong[:SHOWN_WRONG]:
        strategy = row["partitioner"] + ("" if row["parameters"] == "{}" else f" {row['parameters']}")
        lines.append(
            f"wrong numbers: {row['experiment']}: {row['workload']} on {row['fpgas']} x {row['profile']}, "
            f"{strategy}: {row['reason']}"
        )
    if len(wrong) > SHOWN_WRONG:
        lines.append(f"wrong numbers: {len(wrong) - SHOWN_WRONG} more in tables/failures.csv")
    return lines


def _claims(entries: list[dict[str, str]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("result", "claim", "expected", "got"):
        table.add_column(name, no_wrap=True)
    signs = {"within": "=", "at least": ">=", "at most": "<="}
    for row in entries:
        slack = f" ± {row['tolerance']}" if float(row["tolerance"] or 0) else ""
        expected = f"{signs.get(row['relation'], '')} {row['expected']}{slack}"
        table.add_row(row["result"], row["id"], expected, row["got"])
    return table
