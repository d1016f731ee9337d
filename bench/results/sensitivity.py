"""What the results owe to the links: speed-ups over latency, bandwidth and topology."""

from __future__ import annotations

import pandas as pd

from bench.experiments import read_profile
from bench.hardware.profile import TOPOLOGIES
from bench.results.frames import SETUP, best_conventional, chosen_plan
from bench.results.speedups import speedups

SENSITIVITY_NOTE = (
    "Speed-ups over one FPGA. varied: what changes from row to row; the rest is a ring in both directions, "
    "the paper's latency (1,000 ns) and its bandwidth. conventional: the fastest of layer-, input- and "
    "gate-wise on the same devices and links, gain: full over it. full chooses again for each link and may "
    "leave devices idle (devices_used); conventional partitioners use what they always use, so slow links "
    "cost them more. over_bound: cycles of full over those that no plan can beat (docs/bounds.md). Links "
    "called hypothetical are no real ones; host-star is staged through the hosts' memory and has its own "
    "latency and bandwidth."
)

VARIED = ("latency", "bandwidth", "topology")
"""What the experiments vary; each is called ``sensitivity-<varied>-...``."""

COLUMNS = [
    "varied",
    "workload",
    "fpgas",
    "topology",
    "link",
    "link_latency_ns",
    "bandwidth_gbps",
    "full",
    "conventional",
    "best_conventional",
    "gain",
    "devices_used",
    "over_bound",
    "plan",
]


def sensitivity(frame: pd.DataFrame) -> pd.DataFrame:
    """`COLUMNS` for each cell and link of the experiments called ``sensitivity-*`` that full solved.

    ``frame`` is prepared (`bench.results.frames.prepare`). Sorted by what varies, then the cell, then
    the latency, bandwidth or topology. Without a conventional result its columns are missing.
    """
    rows = speedups(frame, "single")
    rows = rows[rows["experiment"].str.startswith("sensitivity-")]
    rows = rows[rows["solved"] & (rows["strategy"] == "full")]
    conventional = best_conventional(frame)
    records = []
    for row in rows.to_dict("records"):
        best = conventional.get(tuple(row[name] for name in (*SETUP, "fpgas")))
        records.append(
            {name: row[name] for name in COLUMNS if name in row}
            | {
                "varied": row["experiment"].split("-")[1],
                "bandwidth_gbps": read_profile(row["profile"]).link(row["link"]).bandwidth_gbps,
                "full": row["speedup"],
                "conventional": row["baseline_latency_s"] / best[0] if best else float("nan"),
                "best_conventional": best[1] if best else None,
                "gain": best[0] / row["latency_s"] if best else float("nan"),
                "over_bound": row["cycles"] / row["bound_cycles"],
                "plan": chosen_plan(row["plan_notes"]),
            }
        )
    table = pd.DataFrame(records, columns=COLUMNS)
    places = {"varied": VARIED, "topology": TOPOLOGIES}
    order = ["varied", "fpgas", "workload", "topology", "link_latency_ns", "bandwidth_gbps"]
    return table.sort_values(
        order, key=lambda column: column.map(places[column.name].index) if column.name in places else column
    ).reset_index(drop=True)
