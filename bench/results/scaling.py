"""How far more FPGAs help: speed-ups of deep stacks, and how many devices the full search puts to use."""

from __future__ import annotations

import pandas as pd

from bench.results.frames import chosen_plan
from bench.results.speedups import speedups

SCALING_NOTE = (
    "Speed-ups over one FPGA, both directions of each ring link in use; row_wise and full_dac20 use all "
    "FPGAs, full_dac20 with software pipelining. full may leave FPGAs idle: devices_used says how many of "
    "them work; where it stops growing, the search finds no use for more. over_bound: cycles of full over "
    "those that no plan on as many FPGAs can beat (docs/bounds.md). Row-wise alone was not run on more than "
    "16, where it is long past its best."
)

STRATEGIES = {"row-wise": "row_wise", "full-dac20 + pipelining": "full_dac20", "full": "full"}
"""Strategy -> its column."""

COLUMNS = ["workload", "fpgas", *STRATEGIES.values(), "devices_used", "over_bound", "most_possible", "plan"]


def scaling(frame: pd.DataFrame) -> pd.DataFrame:
    """`COLUMNS` for each workload and number of FPGAs of the experiments called ``scaling*``.

    ``frame`` is prepared (`bench.results.frames.prepare`). ``most_possible`` is the speed-up that the
    bound leaves room for. Values without a result are missing.
    """
    rows = speedups(frame, "single")
    rows = rows[rows["experiment"].str.startswith("scaling")]
    rows = rows[rows["solved"] & rows["strategy"].isin(STRATEGIES)]
    records = []
    for (workload, fpgas), group in rows.groupby(["workload", "fpgas"], sort=True):
        found = {row["strategy"]: row for row in group.to_dict("records")}
        record: dict[str, object] = {"workload": workload, "fpgas": fpgas}
        record |= {STRATEGIES[name]: row["speedup"] for name, row in found.items()}
        if "full" in found:
            full = found["full"]
            over_bound = full["cycles"] / full["bound_cycles"]
            record |= {
                "devices_used": full["devices_used"],
                "over_bound": over_bound,
                "most_possible": full["speedup"] * over_bound,
                "plan": chosen_plan(full["plan_notes"]),
            }
        records.append(record)
    return pd.DataFrame(records, columns=COLUMNS).astype({"devices_used": "Int64"})
