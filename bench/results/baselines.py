"""Tables of what CPUs and GPUs do on the same networks, beside one FPGA's emulated times.

Example: ``python -m bench.results.baselines --results reports/results --out reports/tables``
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.baselines.stored import STORED, read_machines
from bench.errors import UserError
from bench.results.frames import prepare
from bench.results.output import write_table
from bench.results.published import read_gpu_latencies
from bench.results.series import PROFILE
from bench.results.store import read_results
from bench.workloads.catalogue import load_workload
from bench.workloads.describe import counted
from bench.workloads.model import Workload

TITLE = "CPUs and GPUs on the same networks"

NOTE = (
    "kind: measured by `bench baseline` on the machine that is named, published by others, or emulated by "
    "this suite; only rows of one kind were made in one way. Latency: of one run of all time steps at "
    "batch 1, every input known before. Measured rows have the median, the distance between the quartiles "
    "(iqr), the least and the 99th percentile (the slowest of fewer than 100 rounds). load_average: "
    "processes that wanted a core, the timed one among them; above the machine's cores, times are too "
    "long. effective_tops: 2 x multiply-accumulates of the network / latency / 1e12. Emulated rows "
    "compute in the overlay's number format. Published: cuDNN in skip-input mode, float32."
)

ALL_COLUMNS = [
    "workload",
    "kind",
    "what",
    "machine",
    "latency_ms",
    "effective_tops",
    "iqr_ms",
    "least_ms",
    "p99_ms",
    "rounds",
    "load_average",
    "reason",
]

OVERVIEW_TITLE = f"{TITLE}, in milliseconds"

OVERVIEW_NOTE = (
    "Milliseconds of a run at batch 1. Measured: the median of each engine, the fastest of its machines "
    "and numbers of threads. Published: DeepBench's GPUs, recurrent products only. Emulated: one FPGA, "
    "and the fastest plan of the full search, on as many FPGAs as `full on` says. TOPS: effective, of the "
    "fastest of its kind. Every row with its spread, and the load that it was measured under, is in "
    "baselines_all."
)

EMULATED_PARTITIONERS = ("single", "full")

SKIP_INPUT = "deepbench-skip-input/inference_server"
"""What DeepBench runs on GPUs."""


def measured_rows(measured: pd.DataFrame) -> pd.DataFrame:
    """`ALL_COLUMNS` of `bench.baselines.stored.read_machines`; a row without a time keeps its reason.

    Raises UserError for a time of a network that has changed since.
    """
    records = []
    for row in measured.to_dict("records"):
        workload = _workload(str(row["workload"]))
        if workload is not None and workload.macs != row["macs"]:
            raise UserError(
                f"baselines of {row['machine']}: {row['workload']} had {row['macs']:,} multiply-accumulates "
                f"when it was timed, and has {workload.macs:,}; run `bench baseline` again"
            )
        threads = "" if row["device"] == "cuda" else f", {counted(row['threads'], 'thread')}"
        records.append(
            {
                "workload": row["workload"],
                "kind": "measured",
                "engine": row["engine"],
                "what": f"{row['engine']} {row['version']}, {row['precision']}{threads}",
                "machine": row["machine"],
                "latency_ms": row["median_s"] * 1e3,
                "effective_tops": effective_tops(row["macs"], row["median_s"]),
                "iqr_ms": row["iqr_s"] * 1e3,
                "least_ms": row["least_s"] * 1e3,
                "p99_ms": row["p99_s"] * 1e3,
                "rounds": row["rounds"],
                "load_average": row["load_average"],
                "reason": row["reason"],
            }
        )
    return _frame(records)


def published_rows(published: pd.DataFrame) -> pd.DataFrame:
    """`ALL_COLUMNS` of DeepBench's GPU times at batch 1 (`bench.results.published.read_gpu_latencies`)."""
    records = []
    for row in published[published["batch_size"] == 1].to_dict("records"):
        name = f"{SKIP_INPUT}/{row['cell']}-{row['hidden_size']}-b{row['batch_size']}-t{row['time_steps']}"
        workload = _workload(name)
        if workload is None:
            continue
        records.append(
            {
                "workload": name,
                "kind": "published",
                "engine": row["device"],
                "what": f"{row['device']}, cuDNN, {row['precision']}",
                "machine": "DeepBench",
                "latency_ms": row["time_ms"],
                "effective_tops": effective_tops(workload.macs, row["time_ms"] / 1e3),
                "reason": "",
            }
        )
    return _frame(records)


def emulated_rows(frame: pd.DataFrame, workloads: set[str]) -> pd.DataFrame:
    """`ALL_COLUMNS` of a prepared frame: ``single``, and the fastest of ``full``, on the main profile."""
    rows = frame[
        frame["solved"]
        & (frame["profile"] == PROFILE)
        & frame["workload"].isin(workloads)
        & frame["strategy"].isin(EMULATED_PARTITIONERS)
        & ((frame["strategy"] != "single") | (frame["fpgas"] == 1))
    ]
    rows = rows.sort_values(["latency_s", "fpgas"]).drop_duplicates(["workload", "strategy"])
    return _frame(
        [
            {
                "workload": row["workload"],
                "kind": "emulated",
                "engine": row["strategy"],
                "what": f"{row['strategy']}, {counted(row['fpgas'], 'FPGA')}",
                "machine": row["profile"],
                "latency_ms": row["latency_s"] * 1e3,
                "effective_tops": effective_tops(row["macs"], row["latency_s"]),
                "reason": "",
            }
            for row in rows.to_dict("records")
        ]
    )


def effective_tops(macs: int, seconds: float) -> float:
    """2 x multiply-accumulates / seconds / 1e12.

    >>> effective_tops(1_000_000_000, 0.001)
    2.0
    """
    return 2 * macs / seconds / 1e12


def all_rows(measured: pd.DataFrame, published: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of all kinds, by workload: measured, published, then emulated; emulated alone has no row."""
    others = pd.concat([measured_rows(measured), published_rows(published)], ignore_index=True)
    table = pd.concat([others, emulated_rows(frame, set(others["workload"]))], ignore_index=True)
    kinds = ["measured", "published", "emulated"]
    keys = table.assign(place=[kinds.index(kind) for kind in table["kind"]])
    order = keys.sort_values(["workload", "place"], kind="stable").index
    return table.loc[order].reset_index(drop=True)


def overview(table: pd.DataFrame) -> pd.DataFrame:
    """A row for each workload of `all_rows`: milliseconds by kind and engine, TOPS of each kind's fastest."""
    timed = table[table["latency_ms"].notna()]
    if timed.empty:
        return pd.DataFrame(columns=["workload"])
    records: list[dict[str, Any]] = []
    for workload, group in timed.groupby("workload", sort=True):
        record: dict[str, Any] = {"workload": workload}
        for row in group.sort_values("latency_ms").to_dict("records"):
            record.setdefault(f"{row['kind']}: {row['engine']}", row["latency_ms"])
            record.setdefault(f"{row['kind']} TOPS", row["effective_tops"])
            if row["engine"] == "full":
                record["full on"] = row["what"].partition(", ")[2]
        records.append(record)
    wide = pd.DataFrame(records)
    columns = ["workload"]
    for kind in ("measured", "published", "emulated"):
        names = dict.fromkeys(timed.loc[timed["kind"] == kind, "engine"])
        columns += [f"{kind}: {name}" for name in names]
        columns += [f"{kind} TOPS"] if names else []
    columns += ["full on"] if "full on" in wide else []
    return wide[columns]


def write_baselines(results: Path, out: Path, stored: Path = STORED) -> None:
    """Write ``baselines`` (the overview) and ``baselines_all`` under ``out``."""
    table = all_rows(read_machines(stored), read_gpu_latencies(), prepare(read_results(results)))
    write_table(overview(table), out / "baselines", title=OVERVIEW_TITLE, note=OVERVIEW_NOTE)
    write_table(table[ALL_COLUMNS], out / "baselines_all", title=TITLE, note=NOTE)


def _frame(records: list[dict[str, Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(records, columns=[*ALL_COLUMNS, "engine"])
    numbers = [name for name in ALL_COLUMNS if name.endswith("_ms")] + ["effective_tops", "load_average"]
    return frame.astype({**dict.fromkeys(numbers, "float64"), "rounds": "Int64"})


def _workload(name: str) -> Workload | None:
    """The workload of this name; None if there is none here (it may be a file of somebody's)."""
    try:
        return load_workload(name)
    except UserError:
        return None


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: write the tables; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.results.baselines",
        description="Measured and published times of CPUs and GPUs beside emulated ones.",
        epilog="example: python -m bench.results.baselines --results reports/results --out reports/tables",
    )
    parser.add_argument("--results", type=Path, default=Path("reports/results"), help="folder of *.parquet")
    parser.add_argument("--out", type=Path, default=Path("reports/tables"), help="folder to write to")
    parser.add_argument("--stored", type=Path, default=STORED, help="what `bench baseline` wrote")
    arguments = parser.parse_args(argv)
    write_baselines(arguments.results, arguments.out, arguments.stored)
    print(f"baselines in {arguments.out}")
    return 0


if __name__ == "__main__":
    from bench.results.command import run

    run(main)
