"""The named measures that claims are computed with: each is a function of `Evidence` to one number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from bench.files import FileModel
from bench.results.missed import Way
from bench.results.paper import share_within
from bench.results.series import Emulated, Key, Point
from bench.results.uninstalled import same_table


@dataclass(frozen=True)
class Evidence:
    """What a run produced: the comparison with published results, solved rows, and tables on disk."""

    points: pd.DataFrame
    winners: pd.DataFrame
    rows: dict[Key, Emulated]
    tables: Path
    expected: Path
    fidelity: pd.DataFrame
    """`bench.results.fidelity.summarize`."""
    numerics: pd.DataFrame
    """`bench.results.numerics.by_experiment`."""
    beyond: pd.DataFrame
    """`bench.results.beyond.beyond`."""
    missed: pd.DataFrame
    """`bench.results.missed.missed`."""
    faster_than_bound: int
    """Solved rows with fewer cycles than ``bound_cycles``."""
    uninstalled: frozenset[str]
    """`bench.results.uninstalled.uninstalled`."""


class SpeedupRatio(FileModel):
    """Latency of ``over`` divided by that of ``strategy``, at one workload and number of FPGAs."""

    measure: Literal["speedup ratio"]
    workload: str
    fpgas: Annotated[int, Field(gt=0)]
    strategy: str
    pipelined: bool = False
    over: str = Field(description="a strategy at the same number of FPGAs, or single for one FPGA")
    link_latency_ns: float = 1000.0

    def value(self, evidence: Evidence) -> float:
        """The ratio; NaN if either has no result."""
        point = Point(evidence.rows, self.workload, self.fpgas)
        try:
            fast = point.row(self.strategy, pipelined=self.pipelined, link_ns=self.link_latency_ns)
            slow = point.single if self.over == "single" else point.row(self.over)
        except KeyError:
            return float("nan")
        return slow.latency_s / fast.latency_s


class BestSpeedup(FileModel):
    """The highest speed-up over one FPGA that any of ``strategies`` reaches."""

    measure: Literal["best speedup"]
    workload: str
    fpgas: Annotated[int, Field(gt=0)]
    strategies: list[str] = Field(min_length=1)

    def value(self, evidence: Evidence) -> float:
        """The speed-up; NaN if one of the strategies has no result."""
        point = Point(evidence.rows, self.workload, self.fpgas)
        try:
            return max(point.speedup(strategy) for strategy in self.strategies)
        except KeyError:
            return float("nan")


class FastestFpgas(FileModel):
    """The number of FPGAs at which a series of a figure is fastest."""

    measure: Literal["fastest number of FPGAs"]
    figure: str
    workload: str
    series: str

    def value(self, evidence: Evidence) -> float:
        """The number; NaN if a point of the series has no result."""
        rows = evidence.points
        rows = rows[
            (rows["figure"] == self.figure)
            & (rows["workload"] == self.workload)
            & (rows["series"] == self.series)
            & rows["metric"].str.startswith("speedup")
        ]
        if rows.empty or rows["emulated"].isna().any():
            return float("nan")
        return float(rows["fpgas"].iloc[int(np.argmax(rows["emulated"]))])


class ShareWithin(FileModel):
    """Share of the counted points of some figures within 8 or 15 % or one digitisation step."""

    measure: Literal["share of points within"]
    figures: list[str] = Field(min_length=1)
    percent: Literal[8, 15] = 15

    def value(self, evidence: Evidence) -> float:
        """The share, 0 to 1; NaN if there are no points."""
        points = evidence.points
        return share_within(points[points["counted"] & points["figure"].isin(self.figures)], self.percent)


class OtherWinners(FileModel):
    """Cells of some figures that another one wins than in the paper, where the paper decides."""

    measure: Literal["other winners"]
    figures: list[str] = Field(min_length=1)

    def value(self, evidence: Evidence) -> float:
        """The number of such cells; NaN if the figures decide none."""
        table = evidence.winners
        chosen = table[table["figure"].isin(self.figures) & table["decided"]]
        return float((~chosen["agrees"].astype(bool)).sum()) if len(chosen) else float("nan")


class SetsWorse(FileModel):
    """Sets of published results that the emulator is farther from than its recorded bound says."""

    measure: Literal["sets beyond their bounds"]
    sets: list[str] = Field(min_length=1)

    def value(self, evidence: Evidence) -> float:
        """The number of such sets; NaN if a set has no points."""
        predicted = evidence.fidelity[evidence.fidelity["use"] == "predicted"].set_index("set")
        if not set(self.sets) <= set(predicted.index):
            return float("nan")
        return float((~predicted.loc[self.sets, "within_bound"].astype(bool)).sum())


class SetDeviation(FileModel):
    """Absolute deviation of the predicted rows of a set of published results, in percent."""

    measure: Literal["deviation of a set"]
    set: str
    of: Literal["mean", "worst"] = "mean"

    def value(self, evidence: Evidence) -> float:
        """The deviation; NaN if a row has no result."""
        rows = evidence.fidelity
        rows = rows[(rows["set"] == self.set) & (rows["use"] == "predicted")]
        return float(rows[f"{self.of}_pct"].iloc[0]) if len(rows) else float("nan")


class NumbersRight(FileModel):
    """Share of the rows with a plan to be timed whose numbers were checked and are right."""

    measure: Literal["share of plans with right numbers"]

    def value(self, evidence: Evidence) -> float:
        """The share, 0 to 1; NaN if there are no such rows."""
        table = evidence.numerics
        plans = int(table["plans"].sum())
        return float(table[["exact", "within_1e-5"]].sum().sum()) / plans if plans else float("nan")


class FullSize(FileModel):
    """Rows whose numbers were checked on the network itself, not scaled down."""

    measure: Literal["rows checked at full size"]

    def value(self, evidence: Evidence) -> float:
        """The number of rows."""
        return float(evidence.numerics["full_size"].sum())


NEAR_BOUND = 1.1
"""A plan this many times over its bound counts as near."""


class BeyondPaper(FileModel):
    """Our best plans over the paper's best results, on the cells of Figs. 8, 10 and 12."""

    measure: Literal["beyond the paper"]
    of: Literal[
        "geometric mean", "most", "cells a step below", "most over conventional", "share near split bound"
    ]

    def value(self, evidence: Evidence) -> float:
        """Ratios of speed-ups, or a number of cells; NaN if a cell has no result."""
        table = evidence.beyond
        if table.empty or table["ratio"].isna().any():
            return float("nan")
        if self.of == "geometric mean":
            return float(np.exp(np.log(table["ratio"]).mean()))
        if self.of == "most":
            return float(table["ratio"].max())
        if self.of == "share near split bound":
            return float((table["over_split_bound"] <= NEAR_BOUND).mean())
        if self.of == "most over conventional":
            return float(table["over_conventional"].max())
        return float((table["ours"] < table["published"] - table["step"]).sum())


class FasterThanBound(FileModel):
    """Rows that take fewer cycles than their lower bound: each would refute a proof, or the emulator."""

    measure: Literal["rows faster than their bound"]

    def value(self, evidence: Evidence) -> float:
        """The number of rows."""
        return float(evidence.faster_than_bound)


class FullMisses(FileModel):
    """Points of full that are slower than a plan which another row shows to be possible for it."""

    measure: Literal["plans that full misses"]
    way: Way

    def value(self, evidence: Evidence) -> float:
        """The number of points; NaN if there is no point of full with all its ideas."""
        if not any(partitioner == "full" for _, _, partitioner, *_ in evidence.rows):
            return float("nan")
        return float((evidence.missed["way"] == self.way).sum())


class TablesDiffer(FileModel):
    """Tables that differ from the committed ones (or that are missing on either side).

    Bytes are compared; where strategies lacked a package, all that the tables say of the others.
    """

    measure: Literal["tables that differ"]
    files: list[str] = Field(min_length=1)

    def value(self, evidence: Evidence) -> float:
        """The number of such tables."""
        pairs = [(evidence.tables / name, evidence.expected / name) for name in self.files]
        return float(sum(not same_table(*pair, evidence.uninstalled) for pair in pairs))


Measure = Annotated[
    SpeedupRatio
    | BestSpeedup
    | FastestFpgas
    | ShareWithin
    | OtherWinners
    | SetsWorse
    | SetDeviation
    | NumbersRight
    | FullSize
    | BeyondPaper
    | FasterThanBound
    | FullMisses
    | TablesDiffer,
    Field(discriminator="measure"),
]

Relation = Literal["within", "at least", "at most"]

HOLDS: dict[Relation, Callable[[float, float, float], bool]] = {
    "within": lambda got, expected, tolerance: abs(got - expected) <= tolerance + 1e-12,
    "at least": lambda got, expected, tolerance: got >= expected - tolerance - 1e-12,
    "at most": lambda got, expected, tolerance: got <= expected + tolerance + 1e-12,
}
"""(got, expected, tolerance) to whether the claim holds; false for a NaN."""
