"""What the fastest plans say of themselves: the notes that a partitioner gives its plans."""

from __future__ import annotations

import pandas as pd

from bench.partitioners import BUILT_IN
from bench.results.frames import SETUP, strategy_key
from bench.results.speedups import speedups

NOTES_NOTE = (
    "The fastest plan for each workload and cluster, on the most FPGAs that were tried, with what its "
    "partitioner notes in it; then the fastest from outside the suite, where that is another. speedup: over "
    "one FPGA. Of equally fast ones the simplest."
)

COLUMNS = ["workload", "links", "fpgas", "strategy", "speedup", "notes"]


def notes(frame: pd.DataFrame) -> pd.DataFrame:
    """`COLUMNS` for the fastest solved strategy of each workload and cluster, and the fastest plug-in's.

    ``frame`` is prepared (`bench.results.frames.prepare`). One FPGA leaves nothing to plan, and has no
    row. ``notes``: those of the plan, the run in the middle where a strategy was repeated; missing if it has
    none.
    """
    rows = speedups(frame, "single")
    rows = rows[rows["solved"] & (rows["fpgas"] > 1)]
    rows = rows.assign(place=rows["strategy"].map(strategy_key), outside=~rows["partitioner"].isin(BUILT_IN))
    rows = rows[rows["fpgas"] == rows.groupby(SETUP)["fpgas"].transform("max")]
    rows = rows.sort_values([*SETUP, "latency_s", "place"], kind="stable")
    first = rows.drop_duplicates(SETUP)
    theirs = rows[rows["outside"]].drop_duplicates(SETUP)
    chosen = (
        pd.concat([first, theirs]).drop_duplicates([*SETUP, "strategy"]).sort_values(SETUP, kind="stable")
    )
    links = [
        f"{topology}, {link}, {latency_ns:g} ns"
        for topology, link, latency_ns in zip(
            chosen["topology"], chosen["link"], chosen["link_latency_ns"], strict=True
        )
    ]
    chosen = chosen.assign(links=links, notes=chosen["plan_notes"].replace("", None))
    return chosen[COLUMNS].reset_index(drop=True)
