"""`bench summary`: what a finished run holds, in a few lines."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from bench.errors import UserError

FILES = {
    "page": "index.html",
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


def show(folder: Path) -> None:
    """Print points by experiment, claims, and where the files are."""
    console = Console()
    results = folder / FILES["results"]
    if not results.exists():
        raise UserError(f"{folder}: no results here; run `snakemake reproduce-all` first")
    rows = pq.read_table(results, columns=COLUMNS).to_pylist()
    table = Table(box=None, pad_edge=False)
    for name in ("experiment", "points", "solved", "unsupported", "failed"):
        table.add_column(name, justify="left" if name == "experiment" else "right")
    experiments = dict.fromkeys(row["experiment"] for row in rows)
    for experiment in [*sorted(experiments), "all"]:
        mine = [row for row in rows if experiment in ("all", row["experiment"])]
        solved = sum(row["latency_s"] is not None for row in mine)
        unsupported = sum(row["status"] == "unsupported" for row in mine)
        counts = (len(mine), solved, unsupported, len(mine) - solved - unsupported)
        table.add_row(experiment, *map(str, counts))
    console.print(table)
    for line in numbers(rows):
        console.print(line, highlight=False, soft_wrap=True)
    claims = folder / FILES["claims"]
    if claims.exists():
        entries = read_claims(claims)
        failed = failed_claims(claims)
        console.print(_claims(entries))
        console.print(f"claims: {len(entries) - len(failed)} of {len(entries)} hold", highlight=False)
    for label, name in FILES.items():
        if (folder / name).exists():
            console.print(f"{label}: {folder / name}", highlight=False)


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


def read_claims(path: Path) -> list[dict[str, str]]:
    """The rows of a claim table; UserError if it cannot be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def failed_claims(path: Path) -> list[str]:
    """A line for each claim that does not hold."""
    return [
        f"{row['claim']}: expected {row['expected']}, got {row['got']}"
        for row in read_claims(path)
        if row["result"] == "fail"
    ]
