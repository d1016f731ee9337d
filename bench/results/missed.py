"""Where the full search misses a plan that another row shows to be possible."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal, get_args

import pandas as pd

from bench.results.frames import SETUP

MISSED_NOTE = (
    "Cells in which full takes longer than a plan that it may choose as well: that of another partitioner, "
    "its own with one idea left out, on fewer FPGAs of the same rings, or over slower links. ratio: its "
    "time over that plan's. The search compares shortened runs, and some layouts by a model only."
)

Row = dict[Any, Any]

FULL = "full"

Way = Literal["another partitioner", "an idea left out", "fewer FPGAs", "slower links"]
WAYS: tuple[Way, ...] = get_args(Way)
"""What may have a plan that is as good for full."""

RINGS = ("ring", "ring-bidirectional")
"""Topologies that cable only the devices that a plan uses."""

COLUMNS = ["way", "workload", "links", "fpgas", "cycles", "better", "than", "ratio"]


def missed(frame: pd.DataFrame) -> pd.DataFrame:
    """`COLUMNS` for each solved point of ``full``, with all its ideas, and each of `WAYS` to fewer cycles.

    ``frame`` is prepared (`bench.results.frames.prepare`). ``than``: the strategy, with the number of
    FPGAs or the latency where that differs, of the fastest such plan; ``better``: its cycles. ``links``:
    topology, link and latency.
    """
    solved = frame[frame["solved"]].drop_duplicates([*SETUP, "fpgas", "strategy"])
    solved = solved[[*SETUP, "fpgas", "strategy", "partitioner", "cycles"]]
    listed = solved.sort_values([*SETUP, "fpgas"], kind="stable").to_dict("records")
    records = []
    for _, group in groupby(listed, key=itemgetter(*SETUP[:-1])):
        rows = list(group)
        for row in rows:
            if row["strategy"] != FULL:
                continue
            for way, others in zip(WAYS, _possible(row, rows), strict=True):
                best = min(others, key=lambda other: (other["cycles"], other["strategy"]), default=row)
                if best["cycles"] < row["cycles"]:
                    links = f"{row['topology']}, {row['link']}, {row['link_latency_ns']:g} ns"
                    found = {"links": links, "way": way, "better": best["cycles"], "than": _named(best, row)}
                    records.append(row | found | {"ratio": row["cycles"] / best["cycles"]})
    table = pd.DataFrame(records, columns=COLUMNS).astype({"cycles": "int64", "better": "int64"})
    return table.sort_values(["way", "workload"], kind="stable").reset_index(drop=True)


def _possible(row: Row, rows: Sequence[Row]) -> tuple[list[Row], ...]:
    """Rows with plans that the full search could have had for ``row``, for each of `WAYS`."""
    alike = [other for other in rows if other["link_latency_ns"] == row["link_latency_ns"]]
    here = [other for other in alike if other["fpgas"] == row["fpgas"]]
    full = [other for other in rows if other["strategy"] == FULL]
    fewer = [other for other in alike if other["strategy"] == FULL and other["fpgas"] < row["fpgas"]]
    slower = [other for other in full if other["link_latency_ns"] > row["link_latency_ns"]]
    return (
        [other for other in here if other["partitioner"] != FULL],
        [other for other in here if other["partitioner"] == FULL],
        fewer if row["topology"] in RINGS else [],
        [other for other in slower if other["fpgas"] == row["fpgas"]],
    )


def _named(best: Row, row: Row) -> str:
    name = str(best["strategy"])
    if best["fpgas"] != row["fpgas"]:
        return f"{name} on {best['fpgas']} FPGAs"
    if best["link_latency_ns"] != row["link_latency_ns"]:
        return f"{name} at {best['link_latency_ns']:g} ns"
    return name
