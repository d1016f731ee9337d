"""All tables of the results that need no published number.

Example: ``python -m bench.results.tables --results reports/results --out reports/tables``
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.results.frames import prepare, strategy_key
from bench.results.numerics import ACCURACY_NOTE, NUMERICS_NOTE, by_experiment, read_accuracy
from bench.results.output import write_csv, write_table
from bench.results.schema import SCHEMA
from bench.results.speedups import Against, pivot, speedups, summary
from bench.results.store import read_results

TITLES: dict[Against, str] = {
    "single": "Speed-up over one FPGA",
    "conventional": "Speed-up over the best conventional partitioner at the same number of FPGAs",
}

NOTE = (
    "n_ok/n: points solved of points tried. geomean_common: geometric mean over the n_common points that "
    "every strategy solved which solved any. geomean_all: failures counted as 1.0."
)

FAILURE_COLUMNS = [
    "experiment",
    "workload",
    "profile",
    "topology",
    "fpgas",
    "strategy",
    "status",
    "termination",
    "reason",
]

SHOWN_POINT = ["workload", "batch", "profile", "topology", "link", "link_latency_ns", "fpgas"]


def all_results(frame: pd.DataFrame) -> pd.DataFrame:
    """Every row and column of the schema, sorted for reading."""
    order = ["experiment", "workload", "profile", "topology", "link", "link_latency_ns", "fpgas"]
    return frame.sort_values([*order, "partitioner", "parameters"])[SCHEMA.names].reset_index(drop=True)


def failures(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of a prepared frame without a result, with what the partitioner and the harness said.

    Where a plug-in is among them, ``log`` names the file with what it printed.
    """
    rows = frame[~frame["solved"]].sort_values(FAILURE_COLUMNS)
    columns = [*FAILURE_COLUMNS, *(["log"] if rows["log"].notna().any() else [])]
    return rows[columns].drop_duplicates().reset_index(drop=True)


def failure_counts(table: pd.DataFrame) -> pd.DataFrame:
    """`failures` counted by experiment, strategy, status, termination and reason."""
    keys = ["experiment", "strategy", "status", "termination", "reason"]
    return table.groupby(keys, sort=True).size().rename("points").reset_index()


def point_table(rows: pd.DataFrame) -> pd.DataFrame:
    """Speed-ups of one experiment: a row for each point, a column for each strategy.

    Setup columns with one value throughout are left out, except workload and FPGA count. A strategy that
    was repeated has its median, and two columns more: its least and its most.
    """
    strategies = sorted((str(name) for name in rows["strategy"].unique()), key=strategy_key)
    ends: dict[str, list[str]] = {}
    wide = pivot(rows)
    for name in strategies:
        if (rows.loc[rows["strategy"] == name, "repeats"] > 1).any():
            ends[name] = [f"{name}, least", f"{name}, most"]
            for column, values in zip(ends[name], ("speedup_least", "speedup_most"), strict=True):
                wide[column] = pivot(rows, values)[name]
    wide = wide.reset_index()
    wide.columns.name = None
    keep = [
        column for column in SHOWN_POINT if column in ("workload", "fpgas") or len(wide[column].unique()) > 1
    ]
    columns = [column for name in strategies for column in (name, *ends.get(name, []))]
    return wide.sort_values(SHOWN_POINT)[[*keep, *columns]].reset_index(drop=True)


def shown_summary(table: pd.DataFrame) -> pd.DataFrame:
    """`bench.results.speedups.summary` with ``n_ok/n`` in one column."""
    shown = table.copy()
    shown.insert(3, "n_ok/n", [f"{ok}/{n}" for ok, n in zip(table["n_ok"], table["n"], strict=True)])
    return shown.drop(columns=["n_ok", "n"])


def write_tables(results: Path, out: Path, accuracy: Path | None = None) -> list[Path]:
    """Write every table under ``out`` and return the CSV paths, sorted.

    ``all_results.csv``; ``failures`` and ``failure_counts``; ``numerics``, and ``accuracy`` from the
    file of that name; ``summary_vs_single`` and ``summary_vs_conventional``; and
    ``vs_single/<experiment>``, ``vs_conventional/<experiment>`` with a row for each point.
    """
    raw = read_results(results)
    frame = prepare(raw)
    write_csv(all_results(raw), out / "all_results.csv")
    failed = failures(frame)
    write_table(failed, out / "failures", title="Points without a result")
    write_table(failure_counts(failed), out / "failure_counts", title="Points without a result, by reason")
    title = "Plans whose numbers were checked"
    write_table(by_experiment(frame), out / "numerics", title=title, note=NUMERICS_NOTE)
    if accuracy:
        title = "Accuracy of number formats against float32"
        write_table(read_accuracy(accuracy), out / "accuracy", title=title, note=ACCURACY_NOTE)
    for against, title in TITLES.items():
        rows = speedups(frame, against)
        table = shown_summary(summary(rows))
        write_table(table, out / f"summary_vs_{against}", title=f"{title}, geometric means", note=NOTE)
        for experiment, group in rows.groupby("experiment", sort=True):
            stem = out / f"vs_{against}" / str(experiment)
            write_table(point_table(group), stem, title=f"{title}: {experiment}")
    return sorted(out.rglob("*.csv"))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: read result shards, write tables; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.results.tables",
        description="Speed-up tables, all results and failures, as CSV, Markdown and LaTeX.",
        epilog="example: python -m bench.results.tables --results reports/results --out reports/tables",
    )
    parser.add_argument("--results", type=Path, default=Path("reports/results"), help="folder of *.parquet")
    parser.add_argument("--out", type=Path, default=Path("reports/tables"), help="folder to write to")
    parser.add_argument("--accuracy", type=Path, help="JSON lines of `bench pipeline accuracy`")
    arguments = parser.parse_args(argv)
    written = write_tables(arguments.results, arguments.out, arguments.accuracy)
    print(f"{len(written)} tables in {arguments.out}")
    return 0


if __name__ == "__main__":
    from bench.results.command import run

    run(main)
