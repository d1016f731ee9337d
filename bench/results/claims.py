"""Checking what a run produced against committed expectations.

Example: ``python -m bench.results.claims --results reports/results --tables reports/tables``
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
from pydantic import Field

from bench.errors import UserError
from bench.files import FileModel, load_yaml
from bench.results.beyond import beyond
from bench.results.fidelity import fidelity_points, summarize
from bench.results.fidelity_sets import read_sets
from bench.results.frames import prepare
from bench.results.measures import HOLDS, Evidence, Measure, Relation, TablesDiffer
from bench.results.missed import missed
from bench.results.numerics import by_experiment
from bench.results.output import write_csv
from bench.results.paper import compare, winners
from bench.results.published import PUBLISHED, read_figures
from bench.results.series import emulated_rows
from bench.results.store import read_results
from bench.results.uninstalled import uninstalled

EXPECTED = PUBLISHED.parent / "expected"
"""Committed expectations: claims.yaml and, under tables/, our own tables."""


class Claim(FileModel):
    """One expectation: a measure, and what it must be."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    claim: str = Field(description="one sentence for readers")
    how: Measure
    relation: Relation = "within"
    expected: float
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    source: str


class ClaimFile(FileModel):
    """All claims of one configuration."""

    claims: list[Claim] = Field(min_length=1)


def load_claims(path: Path) -> list[Claim]:
    """Claims from YAML; UserError names what is wrong with the file, or an id used twice."""
    claims = load_yaml(path, ClaimFile).claims
    ids = [claim.id for claim in claims]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise UserError(f"{path}: claims: id {twice[0]!r} is used twice; rename one")
    return claims


def evaluate(claims: Sequence[Claim], evidence: Evidence) -> pd.DataFrame:
    """One row a claim: id, claim, relation, expected, tolerance, got, result (pass or fail), source.

    ``got`` is NaN, and the claim fails, where a result that it needs is missing.
    """
    records = []
    for claim in claims:
        got = claim.how.value(evidence)
        holds = HOLDS[claim.relation](got, claim.expected, claim.tolerance)
        records.append(
            {
                "id": claim.id,
                "claim": claim.claim,
                "relation": claim.relation,
                "expected": float(claim.expected),
                "tolerance": float(claim.tolerance),
                "got": got,
                "result": "pass" if holds else "fail",
                "source": claim.source,
            }
        )
    return pd.DataFrame(records)


def gather(results: Path, tables: Path, expected: Path = EXPECTED, published: Path = PUBLISHED) -> Evidence:
    """All that claims may be computed from."""
    frame = prepare(read_results(results))
    figures = read_figures(published)
    points = compare(frame, figures)
    sets = read_sets()
    return Evidence(
        points=points,
        winners=winners(points),
        rows=emulated_rows(frame),
        tables=tables,
        expected=expected / "tables",
        fidelity=summarize(fidelity_points(frame, sets, published), sets),
        numerics=by_experiment(frame),
        beyond=beyond(frame, figures),
        missed=missed(frame),
        faster_than_bound=_faster_than_bound(frame),
        uninstalled=uninstalled(frame),
    )


def _faster_than_bound(frame: pd.DataFrame) -> int:
    """Solved rows that are faster than any plan can be, or than any plan of their class can be."""
    bounds = frame[["bound_cycles", "split_bound_cycles"]].max(axis=1)
    return int((frame["solved"] & (frame["cycles"] < bounds)).sum())


def accept(tables: Path, expected: Path = EXPECTED) -> list[Path]:
    """Copy the tables that claims.yaml compares from ``tables`` to ``expected``/tables.

    Returns what was written. Raises UserError, before anything is written, if one is missing.
    """
    claims = load_claims(expected / "claims.yaml")
    names = [name for claim in claims if isinstance(claim.how, TablesDiffer) for name in claim.how.files]
    missing = [name for name in names if not (tables / name).is_file()]
    if missing:
        raise UserError(
            f"{tables}: {', '.join(missing)} missing; write the tables with `snakemake reproduce-all` first"
        )
    written = []
    for name in names:
        target = expected / "tables" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_name(target.name + ".partial")
        shutil.copyfile(tables / name, partial)
        partial.replace(target)
        written.append(target)
    return written


def claim_text(table: pd.DataFrame) -> str:
    """The claim table for a terminal, one line a claim and a last line that counts."""
    signs = {"within": "=", "at least": ">=", "at most": "<="}
    lines = []
    for row in table.to_dict("records"):
        wanted = f"{signs[row['relation']]} {row['expected']:g}"
        if row["tolerance"]:
            wanted += f" ± {row['tolerance']:g}"
        lines.append((row["result"], row["id"], wanted, f"{row['got']:.4g}"))
    widths = [max(len(line[column]) for line in [*lines, _HEAD]) for column in range(len(_HEAD))]
    shown = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in [_HEAD, *lines]
    ]
    failed = int((table["result"] == "fail").sum())
    return "\n".join([*shown, f"{len(table) - failed} of {len(table)} claims hold", ""])


_HEAD = ("result", "claim", "expected", "got")


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: check claims, print and write the table; returns 1 if a claim fails.

    ``--accept`` commits to today's tables instead; ``--report-only`` returns 0 all the same.
    """
    parser = argparse.ArgumentParser(
        prog="python -m bench.results.claims",
        description="Check results against reports/expected/claims.yaml; exit status 1 if a claim fails.",
        epilog="example: python -m bench.results.claims --results reports/results --tables reports/tables "
        "--out reports/claims.csv; with --accept the fresh tables become the expected ones",
    )
    parser.add_argument("--results", type=Path, default=Path("reports/results"), help="folder of *.parquet")
    parser.add_argument("--tables", type=Path, default=Path("reports/tables"), help="folder of fresh tables")
    parser.add_argument("--expected", type=Path, default=EXPECTED, help="folder with claims.yaml and tables/")
    parser.add_argument("--out", type=Path, default=Path("reports/claims.csv"), help="file to write")
    parser.add_argument("--accept", action="store_true", help="copy fresh tables to the expected ones")
    parser.add_argument("--report-only", action="store_true", help="exit status 0 even if a claim fails")
    arguments = parser.parse_args(argv)
    if arguments.accept:
        for path in accept(arguments.tables, arguments.expected):
            print(f"accepted {path}")
        return 0
    claims = load_claims(arguments.expected / "claims.yaml")
    table = evaluate(claims, gather(arguments.results, arguments.tables, arguments.expected))
    write_csv(table, arguments.out)
    print(claim_text(table), end="")
    failed = bool((table["result"] == "fail").any())
    return 1 if failed and not arguments.report_only else 0


if __name__ == "__main__":
    from bench.results.command import run

    run(main)
