"""`bench query`: an answer as a table for reading, or as CSV, JSON or Parquet."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pc

from bench.errors import UserError
from bench.sweeps.query import open_results, run_query
from bench.sweeps.store import encode, write_whole

SHOWN = 200
"""Rows of an answer that a table on a terminal has; the other formats have all."""


def show_answer(folder: Path, sql: str, output_format: str, out: Path | None, memory_mib: int) -> None:
    """Print the answer to ``sql``, or write it to ``out``; UserError for a mistake in the query."""
    if output_format == "parquet" and out is None and sys.stdout.isatty():
        raise UserError("query: Parquet is no text; name a file with --out")
    with open_results(folder, memory_mib) as connection:
        answer = run_query(connection, sql)
    write_answer(answer, output_format, out)


def write_answer(answer: pa.Table, output_format: str, out: Path | None = None) -> None:
    """Print ``answer``, or write it to ``out``; ``output_format``: table, csv, json or parquet."""
    content = _WRITE[output_format](answer)
    if out is None:
        sys.stdout.buffer.write(content)
        return
    try:
        write_whole(content, out)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror})") from None


def _table(answer: pa.Table) -> bytes:
    rows = [["" if value is None else _text(value) for value in row.values()] for row in _rows(answer)]
    lines = [answer.schema.names, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    numeric = [pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in answer.schema.types]
    text = "\n".join(
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(line, widths, numeric, strict=True)
        ).rstrip()
        for line in lines
    )
    more = answer.num_rows - len(rows)
    note = f"\n... and {more:,} rows more (--format csv has all)" if more else ""
    return f"{text}{note}\n".encode()


def _rows(answer: pa.Table) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = answer.slice(0, SHOWN).to_pylist()
    return rows


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _csv(answer: pa.Table) -> bytes:
    sink = io.BytesIO()
    pc.write_csv(answer, sink, pc.WriteOptions(quoting_style="needed"))
    return sink.getvalue()


def _json(answer: pa.Table) -> bytes:
    return (json.dumps(answer.to_pylist(), indent=2, default=str) + "\n").encode()


_WRITE = {"table": _table, "csv": _csv, "json": _json, "parquet": encode}
