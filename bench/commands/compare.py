"""`bench compare`: what differs between the results of two runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.comparison.compare import Comparison, compare
from bench.comparison.runs import read_run
from bench.comparison.show import page, sections, verdict
from bench.errors import UserError
from bench.files import shown
from bench.results.text import write_text

SHOWN, ON_PAGE = 20, 2_000
"""Rows of each kind that the terminal and the page list."""


def compare_runs(before: str, after: str, out: Path | None, tolerance: float, *, as_json: bool) -> bool:
    """Print what differs, and write it as a page to ``out``; whether the results are identical.

    ``before``, ``after``: folders or git revisions. Raises UserError for whatever cannot be read or written.
    """
    comparison = compare(read_run(before), read_run(after), tolerance)
    if out:
        try:
            write_text(page(comparison, ON_PAGE), out)
        except OSError as error:
            raise UserError(f"{shown(out)}: cannot be written ({error.strerror})") from None
    if as_json:
        value = {"identical": comparison.identical, **asdict(comparison)}
        print(json.dumps(value, indent=2))
    else:
        _print(Console(), comparison)
    return comparison.identical


def _print(console: Console, comparison: Comparison) -> None:
    print(verdict(comparison))
    for section in sections(comparison, SHOWN):
        table = Table(title=section.title, box=None, pad_edge=False, title_justify="left")
        for column in section.columns:
            numeric = column in section.numeric
            table.add_column(column, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
        for row in section.rows:
            table.add_row(*row)
        console.print()
        console.print(table, highlight=False, markup=False)
        if section.note:
            print(section.note)
