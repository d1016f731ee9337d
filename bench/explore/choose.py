"""Which points an exploration looks at, as SQL over the views of `bench.sweeps.views`."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from bench.errors import UserError
from bench.sweeps.query import run_query

SETUP = (
    "workload", "profile", "topology", "link", "link_latency_ns", "fpgas", "partitioner", "parameters",
)  # fmt: skip
"""Columns that say which point it is."""


PLAINEST = "partitioner <> 'single', parameters <> '{}', partitioner, parameters"
"""Which of points that are equally good is named."""


@dataclass(frozen=True)
class Choice:
    """Points with a result; ``workload`` and ``partitioner`` may be globs, ``where`` is a condition."""

    workload: str | None = None
    partitioner: str | None = None
    where: str | None = None


def chosen(connection: duckdb.DuckDBPyConnection, choice: Choice) -> str:
    """A query of the chosen points, as in the view ``energy``; UserError if there are none."""
    conditions = ["TRUE", *([f"({choice.where}\n)"] if choice.where else [])]
    for column, pattern in (("workload", choice.workload), ("partitioner", choice.partitioner)):
        if pattern:
            text = pattern.replace("'", "''")
            conditions.append(f"({column} = '{text}' OR {column} GLOB '{text}')")
    query = f"SELECT * FROM energy WHERE {' AND '.join(conditions)}"
    if has_column(connection, "experiment"):  # of a run, where experiments share points
        query += " QUALIFY row_number() OVER (PARTITION BY point_id ORDER BY experiment) = 1"
    if not run_query(connection, f"SELECT 1 FROM ({query}) LIMIT 1").num_rows:
        asked = [f"{name} {text!r}" for name, text in vars(choice).items() if text]
        raise UserError(
            f"no point with a result has {' and '.join(asked)}; "
            '`bench query FOLDER "SELECT DISTINCT workload, partitioner FROM solved"` lists what there is'
            if asked
            else 'no point has a result; `bench query FOLDER "SELECT * FROM failures"` says why'
        )
    return query


def has_column(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    """Whether points have a column called ``name``."""
    return name in columns(connection)


def columns(connection: duckdb.DuckDBPyConnection) -> list[str]:
    """The names of all columns of points."""
    return run_query(connection, "SELECT * FROM points LIMIT 0").schema.names
