"""Tables of what goes beyond the paper's experiments: scaling, links, ablation, the field, notes of plans.

Example: ``python -m bench.results.studies --results reports/results --out reports/tables``
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.results.ablation import ABLATION_NOTE, ablation
from bench.results.field import FIELD_NOTE, field
from bench.results.frames import prepare
from bench.results.missed import MISSED_NOTE, missed
from bench.results.notes import NOTES_NOTE, notes
from bench.results.output import write_table
from bench.results.scaling import SCALING_NOTE, scaling
from bench.results.sensitivity import SENSITIVITY_NOTE, sensitivity
from bench.results.store import read_results


@dataclass(frozen=True)
class Study:
    """A table, and how it is made from a prepared frame (`bench.results.frames.prepare`)."""

    name: str
    title: str
    note: str
    make: Callable[[pd.DataFrame], pd.DataFrame]


STUDIES = (
    Study("scaling", "Where more FPGAs stop helping", SCALING_NOTE, scaling),
    Study("sensitivity", "Latency, bandwidth and topology of the links", SENSITIVITY_NOTE, sensitivity),
    Study("ablation", "What each idea of the full search is worth", ABLATION_NOTE, ablation),
    Study("missed", "Plans that the full search misses", MISSED_NOTE, missed),
)

FIELD = Study("field", "Partitioners from the field", FIELD_NOTE, field)
NOTES = Study("notes", "What the fastest plans say of themselves", NOTES_NOTE, notes)
"""Like `FIELD`, with a section of its own on the page."""

TABLES = (*STUDIES, FIELD, NOTES)


def write_studies(results: Path, out: Path) -> None:
    """Write the table of each study under ``out``; without its experiments a table is empty."""
    frame = prepare(read_results(results))
    for study in TABLES:
        write_table(study.make(frame), out / study.name, title=study.title, note=study.note)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: write the tables; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.results.studies",
        description="Scaling, links, ablation of the search, partitioners from the field, notes of plans.",
        epilog="example: python -m bench.results.studies --results reports/results --out reports/tables",
    )
    parser.add_argument("--results", type=Path, default=Path("reports/results"), help="folder of *.parquet")
    parser.add_argument("--out", type=Path, default=Path("reports/tables"), help="folder to write to")
    arguments = parser.parse_args(argv)
    write_studies(arguments.results, arguments.out)
    print(f"{len(TABLES)} studies in {arguments.out}")
    return 0


if __name__ == "__main__":
    from bench.results.command import run

    run(main)
