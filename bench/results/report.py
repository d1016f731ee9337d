"""All tables of a run by one command: importing what each needs takes longer than making most of them.

Example: ``python -m bench.results.report --results reports/results --out reports/tables``
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bench.baselines.stored import STORED
from bench.results.baselines import write_baselines
from bench.results.boards import write_boards
from bench.results.fidelity import write_fidelity
from bench.results.paper import write_paper
from bench.results.studies import write_studies
from bench.results.tables import write_tables
from bench.sealed import read_sealed


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: write all tables; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.results.report",
        description="All tables of a run: those of the modules tables, paper, studies, baselines, fidelity, "
        "and boards.",
        epilog="example: python -m bench.results.report --results reports/results --out reports/tables",
    )
    parser.add_argument("--results", type=Path, default=Path("reports/results"), help="folder of *.parquet")
    parser.add_argument("--out", type=Path, default=Path("reports/tables"), help="folder to write to")
    parser.add_argument("--accuracy", type=Path, help="JSON lines of `bench pipeline accuracy`")
    parser.add_argument("--boards", type=Path, help="JSON lines of `bench pipeline measure`")
    parser.add_argument("--stored", type=Path, default=STORED, help="what `bench baseline` wrote")
    arguments = parser.parse_args(argv)
    results, out = arguments.results, arguments.out
    for path in filter(None, (arguments.accuracy, arguments.boards)):
        read_sealed(path)  # a mistake is said before any table is written
    write_tables(results, out, arguments.accuracy)
    write_paper(results, out)
    write_studies(results, out)
    write_baselines(results, out, arguments.stored)
    write_fidelity(results, out)
    if arguments.boards:
        write_boards(arguments.boards, out)
    print(f"{len(list(out.rglob('*.csv')))} tables in {out}")
    return 0


if __name__ == "__main__":
    from bench.results.command import run

    run(main)
