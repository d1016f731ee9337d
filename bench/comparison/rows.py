"""Result rows and CSV tables as rows under keys, so that the same row can be found in another run."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench.errors import UserError

Value = str | float | int | bool | None
Key = tuple[str, ...]

POINTS = "points"
"""The name of the table of all points."""

ASKED = (
    *("experiment", "workload", "profile", "topology", "link", "link_latency_ns", "fpgas"),
    *("partitioner", "parameters"),
)
"""Columns that say which point a result row is."""

ORIGIN = (
    *("point_id", "backend", "budget_s", "version", "source_digest"),
    *("partitioner_version", "partitioner_source", "log"),
)
"""Columns that say where a row comes from; they are no result."""


@dataclass(frozen=True)
class Shape:
    """How the rows of a table are told apart, and its column of most interest."""

    keys: tuple[str, ...]
    lead: str


SHAPES = {
    "beyond_paper.csv": Shape(("figure", "workload", "fpgas"), "ours"),
    "failure_counts.csv": Shape(("experiment", "strategy", "status", "termination", "reason"), "points"),
    "fidelity_points.csv": Shape(("set", "row", "use", "unit"), "emulated"),
    "paper_points.csv": Shape(
        ("figure", "workload", "series", "cell", "hidden", "fpgas", "metric"), "emulated"
    ),
    "paper_summary.csv": Shape(("figure",), "mean_abs_deviation_pct"),
    "paper_winners.csv": Shape(("figure", "workload", "at", "axis"), "emulated_best"),
    "summary_vs_conventional.csv": Shape(("experiment", "fpgas", "strategy"), "geomean_all"),
    "summary_vs_single.csv": Shape(("experiment", "fpgas", "strategy"), "geomean_all"),
}
"""Tables that a revision keeps; the rows of others are told apart by their columns of text."""


@dataclass(frozen=True)
class Rows:
    """A table: key -> the row's other columns. ``lead``: the column of most interest, if there is one."""

    name: str
    keys: tuple[str, ...]
    lead: str | None
    rows: dict[Key, dict[str, Value]]


def point_rows(frame: pd.DataFrame) -> Rows:
    """All points of a run."""
    columns = [column for column in frame.columns if column not in ORIGIN]
    records = frame[columns].to_dict("records")
    values = [{str(column): _plain(value) for column, value in row.items()} for row in records]
    return _keyed(POINTS, Shape(ASKED, "latency_s"), values)


def table_rows(name: str, text: str) -> Rows:
    """A CSV table; UserError if its rows are not as long as its heading, or it has none."""
    read = list(csv.reader(io.StringIO(text)))
    if not read:
        raise UserError(f"{name}: the table is empty; expected a line with the names of its columns")
    heading, *lines = read
    for number, line in enumerate(lines, start=2):
        if len(line) != len(heading):
            raise UserError(
                f"{name}: line {number} has {len(line)} values, the heading {len(heading)}; "
                "the file may be cut off there"
            )
    values = [{column: _parsed(cell) for column, cell in zip(heading, line, strict=True)} for line in lines]
    shape = SHAPES.get(name)
    if shape is None or not {*shape.keys, shape.lead}.issubset(heading):
        numeric = [c for c in heading if all(_is_number(row[c]) or row[c] is None for row in values)]
        keys = tuple(column for column in heading if column not in numeric) or tuple(heading[:1])
        shape = Shape(keys, next((column for column in numeric if column not in keys), ""))
    return _keyed(name, shape, values)


def _keyed(name: str, shape: Shape, values: Iterable[dict[str, Value]]) -> Rows:
    """Rows by key; where several have the same one they are numbered."""
    rows: dict[Key, dict[str, Value]] = {}
    for row in values:
        key = tuple(spelled(row[column]) for column in shape.keys)
        again, number = key, 1
        while again in rows:
            number += 1
            again = (*key, f"no. {number}")
        rows[again] = {column: value for column, value in row.items() if column not in shape.keys}
    return Rows(name, shape.keys, shape.lead or None, rows)


def spelled(value: Value) -> str:
    """A value as keys and messages show it: whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def described(keys: Sequence[str], key: Key) -> dict[str, str]:
    """The key's columns by name, a number of equal ones last."""
    names = (*keys, "again")
    return dict(zip(names, key, strict=False))


def _plain(value: Any) -> Value:
    """A cell of a data frame as a plain value, None for what is missing."""
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    plain: Value = value.item() if hasattr(value, "item") else value
    return plain


def _parsed(cell: str) -> Value:
    if cell == "":
        return None
    try:
        return float(cell)
    except ValueError:
        return cell


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
