"""What a finished run amounts to, in a few values: best speed-ups, deviation from the paper, failures."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import UserError
from bench.results.frames import prepare
from bench.results.speedups import speedups

BEST = 3
"""Workloads whose best speed-up is named."""

COUNTED = "7, 8, 10, 11"
"""The paper's figures whose deviation is stated: `bench.results.paper`."""


@dataclass(frozen=True)
class Best:
    """The largest speed-up over one FPGA that a workload has anywhere."""

    workload: str
    profile: str
    topology: str
    fpgas: int
    strategy: str
    speedup: float


@dataclass(frozen=True)
class Deviation:
    """How far emulated points of the paper's figures are from the published ones."""

    figures: str
    points: int
    emulated: int
    """Points that were run."""
    close: float
    """Share of all points within 15 % or one step of the drawing."""
    mean_pct: float


@dataclass(frozen=True)
class Failure:
    """A reason for which so many points have no result, and that is no refusal of a partitioner."""

    termination: str
    reason: str
    points: int


def best_speedups(frame: pd.DataFrame) -> tuple[Best, ...]:
    """The workloads with the largest speed-ups over one FPGA; ``frame``: result rows."""
    rows = speedups(prepare(frame), "single")
    rows = rows[(rows["fpgas"] > 1) & rows["speedup"].notna()]
    order = ["speedup", "fpgas", "workload", "strategy", "topology", "profile"]
    rows = rows.sort_values(order, ascending=[False, *[True] * 5]).drop_duplicates("workload")
    names = [each.name for each in fields(Best)]
    first = rows[names].head(BEST).to_dict("records")
    return tuple(Best(**{str(name): value for name, value in row.items()}) for row in first)


def deviation(tables: Path) -> Deviation | None:
    """From the run's tables; None where they have no such row. UserError if the table is damaged."""
    path = tables / "paper_summary.csv"
    if not path.exists():
        return None
    try:
        with path.open(encoding="utf-8", newline="") as file:
            row = next((row for row in csv.DictReader(file) if row["figure"] == COUNTED), None)
        if row is None or not row["mean_abs_deviation_pct"]:
            return None
        close, mean = float(row["within_15pct_or_step"]), float(row["mean_abs_deviation_pct"])
        return Deviation(COUNTED, int(row["points"]), int(row["emulated"]), close, mean)
    except (OSError, KeyError, ValueError) as error:
        raise UserError(f"{path}: not a readable table ({error}); remove it and run again") from None


def failures(rows: list[dict[str, Any]]) -> tuple[Failure, ...]:
    """Failures by reason, the most frequent first."""
    failed = [row for row in rows if row["latency_s"] is None and row["status"] != "unsupported"]
    counts = Counter(
        (row["status"] if row["termination"] == "none" else row["termination"], row["reason"])
        for row in failed
    )
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return tuple(Failure(*key, points) for key, points in ranked)
