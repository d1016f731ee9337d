"""A comparison in words: the verdict, and sections of rows that the terminal and the page both show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import jinja2

from bench.comparison.compare import Alone, Change, Comparison
from bench.comparison.rows import POINTS, Value, spelled
from bench.results.published import PUBLISHED
from bench.workloads.describe import counted

TEMPLATES = PUBLISHED.parent / "templates"


@dataclass(frozen=True)
class Section:
    """A heading, a table of texts, and a note on what it leaves out."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[str, ...] = ()
    note: str = ""


def verdict(comparison: Comparison) -> str:
    """One line: identical, or how many rows differ."""
    total = sum(comparison.rows.values())
    if POINTS in comparison.rows:
        what = counted(total, "point")
    else:
        what = f"{counted(total, 'row')} in {counted(len(comparison.rows), 'table')}"
    within = f" (to {comparison.tolerance:g} of each number)" if comparison.tolerance else ""
    if comparison.identical:
        return f"identical: {what}{within}"
    said = [f"{len(comparison.changes):,} of {what} differ{within}"] if comparison.changes else []
    for side in dict.fromkeys((comparison.before, comparison.after)):
        only = [alone for alone in comparison.alone if alone.side == side]
        said += [f"{len(only):,} only in {side}"] if only else []
    return "different: " + ", ".join(said)


def sections(comparison: Comparison, most: int) -> list[Section]:
    """What changed, what only one run has, and provenance; ``most`` rows of each."""
    found = []
    if comparison.changes:
        rows = tuple(_change(change) for change in comparison.changes[:most])
        columns = ("row", "what", comparison.before, comparison.after, "change", "also")
        if comparison.before == comparison.after:
            columns = ("row", "what", "first", "second", "change", "also")
        numeric = (columns[2], columns[3], "change")
        left = _left(len(comparison.changes), most)
        found.append(Section("Changed, the largest first", columns, rows, numeric, left))
    if comparison.alone:
        rows = tuple((alone.side, _alone(alone)) for alone in comparison.alone[:most])
        left = _left(len(comparison.alone), most)
        found.append(Section("Only in one of them", ("run", "row"), rows, note=left))
    if comparison.origins:
        rows = tuple((origin.what, origin.before, origin.after) for origin in comparison.origins)
        found.append(Section("Provenance", ("what", "first", "second"), rows))
    return found


def page(comparison: Comparison, most: int) -> str:
    """The comparison as one HTML page without links to elsewhere."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    return environment.get_template("compare.html.j2").render(
        before=comparison.before,
        after=comparison.after,
        verdict=verdict(comparison),
        sections=sections(comparison, most),
    )


def _left(count: int, most: int) -> str:
    return f"{count - most:,} more are left out; --json has all." if count > most else ""


def _change(change: Change) -> tuple[str, ...]:
    first, *others = change.cells
    relative = "" if first.change is None else f"{first.change:+.2%}"
    more = ", ".join(cell.column for cell in others[:3]) + (" ..." if len(others) > 3 else "")
    return (
        _row(change.table, change.row),
        first.column,
        _text(first.before),
        _text(first.after),
        relative,
        more,
    )


def _alone(alone: Alone) -> str:
    return _row(alone.table, alone.row) if alone.row else f"the table {alone.table}"


def _row(table: str, row: Mapping[str, str]) -> str:
    """The row in a line, the table first unless it holds points."""
    if table != POINTS:
        return " ".join([table.removesuffix(".csv") + ":", *(text for text in row.values() if text)])
    parameters = "" if row["parameters"] == "{}" else f" {row['parameters']}"
    link = f", {row['topology']}, {row['link']} ({row['link_latency_ns']} ns)" if row["fpgas"] != "1" else ""
    again = f", {row['again']}" if "again" in row else ""
    return (
        f"{row['experiment']}: {row['workload']} on {row['fpgas']} x {row['profile']}{link}, "
        f"{row['partitioner']}{parameters}{again}"
    )


def _text(value: Value) -> str:
    return "none" if value is None else spelled(value)
