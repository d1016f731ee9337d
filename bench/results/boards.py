"""The table of what was measured on boards, each point beside its emulated latency.

Example: ``python -m bench.results.boards --measured reports/boards.jsonl --out reports/tables``
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bench.boards.platforms import Kind
from bench.results.frames import strategy_name
from bench.results.output import write_table
from bench.sealed import read_sealed

TITLE = "Measured on boards"

NOTE = (
    "median, p99 and least: of the runs that count, from the last device's start to the last one's end; "
    "transfer: inputs written and outputs read, apart from that. deviation: of the board's median from the "
    "emulated latency. Of anything but a board the times say nothing of FPGAs, so none is given."
)

COLUMNS = [
    "workload",
    "strategy",
    "fpgas",
    "profile",
    "topology",
    "device_kind",
    "device",
    "driver",
    "runs",
    "median_us",
    "p99_us",
    "least_us",
    "transfer_us",
    "emulated_us",
    "deviation",
    "outcome",
]


def measured(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """`COLUMNS` for each measured row, in the order of the points.

    ``outcome``: ``every bit right``, or why there is no latency.
    """
    frame = pd.DataFrame(rows)
    if frame.empty:
        return pd.DataFrame(columns=COLUMNS)
    board = frame["device_kind"] == Kind.BOARD
    solved = (frame["status"] == "ok") & (frame["termination"] == "none")
    microseconds = {
        "median_us": "latency_median_s",
        "p99_us": "latency_p99_s",
        "least_us": "latency_least_s",
        "transfer_us": "transfer_s",
        "emulated_us": "emulated_latency_s",
    }
    for column, source in microseconds.items():
        frame[column] = frame[source].astype(float) * 1e6
    frame["deviation"] = (frame["median_us"] / frame["emulated_us"] - 1).where(board)
    frame["strategy"] = [
        strategy_name(name, json.loads(text))
        for name, text in zip(frame["partitioner"], frame["parameters"], strict=True)
    ]
    frame["runs"] = frame["repeats"].map("{:g}".format) + " after " + frame["warm_up"].map("{:g}".format)
    what = frame["termination"].where(frame["status"] == "ok", frame["status"])
    frame["outcome"] = (what + ": " + frame["reason"].fillna("")).mask(solved, "every bit right")
    return frame[COLUMNS]


def write_boards(results: Path, out: Path) -> None:
    """Write ``boards`` under ``out`` from the file of `bench pipeline measure`, if anything was measured."""
    if rows := read_sealed(results):
        write_table(measured(rows), out / "boards", title=TITLE, note=NOTE)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: write the table if anything was measured; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.results.boards", description="Write the table of measured points."
    )
    parser.add_argument("--measured", type=Path, required=True, help="file of `bench pipeline measure`")
    parser.add_argument("--out", type=Path, required=True, help="folder of tables")
    arguments = parser.parse_args(argv)
    write_boards(arguments.measured, arguments.out)
    return 0


if __name__ == "__main__":
    from bench.results.command import run

    run(main)
