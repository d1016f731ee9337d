"""Queries over the results of a sweep: DuckDB within the process, reading its Parquet files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from bench.errors import UserError
from bench.sweeps.power import add_power
from bench.sweeps.views import definitions

MEMORY_MIB = 2048
"""That DuckDB may use; beyond it, it puts what it works on into a temporary folder."""

READS = ("SELECT", "EXPLAIN")
"""Kinds of statement that change nothing."""


@contextmanager
def open_results(folder: Path, memory_mib: int = MEMORY_MIB) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection on which the views of `bench.sweeps.views` are defined; it reads ``folder`` alone.

    ``folder``: what a sweep wrote (``OUT/sweep/NAME``), a folder of such files, or what a run of the
    pipeline wrote (``OUT``). Raises UserError if there are none.
    """
    files = _files(folder)
    with (
        tempfile.TemporaryDirectory(prefix="bench-query-") as spill,
        duckdb.connect(":memory:") as connection,
    ):
        connection.execute(f"SET memory_limit = '{memory_mib}MiB'")
        connection.execute(f"SET temp_directory = '{_quoted(spill)}'")
        connection.execute("SET enable_progress_bar = false")
        # sums of several threads differ in their last bits from one run to the next
        connection.execute("SET threads = 1")
        listed = ", ".join(f"'{_quoted(str(file.resolve()))}'" for file in files)
        for view, query in definitions(f"[{listed}]").items():
            connection.execute(f"CREATE VIEW {view} AS {query}")
            if view == "points":
                add_power(connection)
        places = f"['{_quoted(str(files[0].resolve().parent))}', '{_quoted(spill)}']"
        connection.execute(f"SET allowed_directories = {places}")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        yield connection


def _files(folder: Path) -> list[Path]:
    for whole in (folder / "results/results.parquet", folder / "results.parquet"):
        if whole.is_file():
            return [whole]
    files = sorted((folder / "points").glob("*.parquet")) or sorted(folder.glob("*.parquet"))
    if not files:
        raise UserError(
            f"{folder}: no results; expected what `snakemake sweep` writes to OUT/sweep/NAME, or what a run "
            "writes to OUT (results/results.parquet)"
        )
    return files


def run_query(connection: duckdb.DuckDBPyConnection, sql: str) -> pa.Table:
    """The answer to one query; UserError for a mistake in it, or for a statement that is no query."""
    try:
        statements = duckdb.extract_statements(sql)
        if len(statements) != 1 or statements[0].type.name not in READS:
            raise UserError("query: expected one SELECT; results are read, not changed")
        answer = connection.sql(statements[0].query)
        table: pa.Table = answer.to_arrow_table()
        return table
    except duckdb.Error as error:
        raise UserError(f"query: {_in_one_line(error)}") from None


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def _in_one_line(error: Exception) -> str:
    """What DuckDB says, without its drawing of the place."""
    return " ".join(str(error).split("\n\nLINE")[0].split())
