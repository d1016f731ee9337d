"""The comparison: rows that differ, the largest first, rows of one run alone, and what else is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.comparison.rows import POINTS, Key, Rows, Value, described, point_rows, spelled, table_rows
from bench.comparison.runs import Run
from bench.errors import UserError

TIMES = ("written", "results_written")
"""Of a run's provenance what differs each time and says nothing."""


@dataclass(frozen=True)
class Cell:
    """One value that differs. ``change``: relative to the first, None where that says nothing."""

    column: str
    before: Value
    after: Value
    change: float | None


@dataclass(frozen=True)
class Change:
    """A row that differs. ``cells``: the table's column of most interest first, if it differs."""

    table: str
    row: dict[str, str]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Alone:
    """A row, or (``row`` is empty) a table, that only one of the runs has; ``side``: its name."""

    side: str
    table: str
    row: dict[str, str]


@dataclass(frozen=True)
class Origin:
    """What differs in where the runs come from."""

    what: str
    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    """``rows``: table -> rows that both have. ``changes``: the largest first."""

    before: str
    after: str
    tolerance: float
    rows: dict[str, int]
    changes: tuple[Change, ...]
    alone: tuple[Alone, ...]
    origins: tuple[Origin, ...]

    @property
    def identical(self) -> bool:
        """Whether all results are the same; where they come from may differ."""
        return not self.changes and not self.alone


def compare(before: Run, after: Run, tolerance: float = 0.0) -> Comparison:
    """Compare two runs: their points, or where one has only tables, the tables that both have.

    ``tolerance``: numbers that differ by no more than this share of the larger one count as equal. Raises
    UserError if they have nothing in common.
    """
    counts: dict[str, int] = {}
    changes: list[tuple[tuple[int, float], Change]] = []
    alone: list[Alone] = []
    for name, one, other in _pairs(before, after):
        if one is None or other is None:
            alone.append(Alone(before.name if other is None else after.name, name, {}))
            continue
        both = [key for key in one.rows if key in other.rows]
        counts[name] = len(both)
        for key in both:
            cells = _cells(one.rows[key], other.rows[key], tolerance)
            if cells:
                changes.append(_ranked(name, one, key, cells))
        for side, rows, others in ((before, one, other), (after, other, one)):
            missing = (key for key in rows.rows if key not in others.rows)
            alone += [Alone(side.name, name, described(rows.keys, key)) for key in missing]
    changes.sort(key=lambda ranked: (ranked[0][0], -ranked[0][1]))
    return Comparison(
        before.name,
        after.name,
        tolerance,
        counts,
        tuple(change for _, change in changes),
        tuple(alone),
        tuple(_origins(before, after)),
    )


def _pairs(before: Run, after: Run) -> list[tuple[str, Rows | None, Rows | None]]:
    """Tables to compare; None where one run lacks it."""
    if before.points is not None and after.points is not None:
        return [(POINTS, point_rows(before.points), point_rows(after.points))]
    # a run makes many tables, a revision keeps some: only its own can be missed
    kept = [run for run in (before, after) if run.points is None]
    names = sorted({name for run in kept for name in run.tables})
    if not any(name in before.tables and name in after.tables for name in names):
        raise UserError(
            f"{before.name} and {after.name} have nothing to compare: no table is in both, and not both "
            "have results/*.parquet"
        )
    return [(name, _table(before, name), _table(after, name)) for name in names]


def _table(run: Run, name: str) -> Rows | None:
    return table_rows(name, run.tables[name]) if name in run.tables else None


def _cells(one: dict[str, Value], other: dict[str, Value], tolerance: float) -> list[Cell]:
    """Values that differ, in the order of the columns."""
    columns = list(dict.fromkeys((*one, *other)))
    pairs = [(column, one.get(column), other.get(column)) for column in columns]
    return [Cell(column, a, b, _change(a, b)) for column, a, b in pairs if not _equal(a, b, tolerance)]


def _equal(a: Value, b: Value, tolerance: float) -> bool:
    if isinstance(a, float | int) and isinstance(b, float | int):
        return a == b or abs(a - b) <= tolerance * max(abs(a), abs(b))
    return a == b


def _change(a: Value, b: Value) -> float | None:
    if isinstance(a, bool) or isinstance(b, bool):
        return None
    if isinstance(a, float | int) and isinstance(b, float | int) and a:
        return b / a - 1.0
    return None


def _ranked(table: str, rows: Rows, key: Key, cells: list[Cell]) -> tuple[tuple[int, float], Change]:
    """A row with its place: results that came or went, then those that changed, then all else."""
    cells = sorted(cells, key=lambda cell: cell.column != rows.lead)
    first = cells[0]
    if first.column != rows.lead:
        cells.sort(key=lambda cell: -_size(cell))
        place = (2, _size(cells[0]))
    elif first.before is None or first.after is None:
        place = (0, 0.0)
    else:
        place = (1, _size(first))
    return place, Change(table, described(rows.keys, key), tuple(cells))


def _size(cell: Cell) -> float:
    """How far apart two numbers are, the same in both directions; 0 for what is no pair of numbers."""
    if cell.change is None:
        return 0.0
    return abs(math.log1p(cell.change)) if cell.change > -1.0 else math.inf


def _origins(before: Run, after: Run) -> list[Origin]:
    """Differences in provenance: of the runs, and of their rows."""
    one, other = _flat(before.provenance), _flat(after.provenance)
    known = [key for key in one if key in other]
    found = [Origin(key, one[key], other[key]) for key in known if one[key] != other[key]]
    if before.points is None or after.points is None:
        return found
    for column in ("version", "budget_s"):
        a, b = _spelled(before.points[column]), _spelled(after.points[column])
        if a != b:
            found.append(Origin(column, a, b))
    for column in ("source_digest", "partitioner_version", "partitioner_source"):
        ones = before.points.groupby("partitioner")[column]
        others = {str(name): _spelled(values) for name, values in after.points.groupby("partitioner")[column]}
        for name, values in ones:
            digest = _spelled(values)
            if others.get(str(name), digest) != digest:
                found.append(Origin(f"{column} of {name}", digest, others[str(name)]))
    return found


def _spelled(values: pd.Series[Any]) -> str:
    """The different values of a column."""
    return ", ".join(sorted({spelled(value) for value in values})) or "none"


def _flat(value: Any, path: str = "") -> dict[str, str]:
    """A tree of objects as ``packages.numpy`` -> value, without times."""
    if not isinstance(value, dict):
        return {path: spelled(value) if not isinstance(value, list) else ", ".join(map(str, value))}
    found: dict[str, str] = {}
    for key, each in value.items():
        if path or key not in TIMES:
            found |= _flat(each, f"{path}.{key}" if path else str(key))
    return found
