"""Our best plan beside the paper's best result, on the cells of DAC 2020's Figs. 8, 10 and 12."""

from __future__ import annotations

import pandas as pd

from bench.results.frames import best_conventional, chosen_plan, single_latency
from bench.results.series import LINK_LATENCY_NS, PROFILE, workload_name

TOPOLOGY = "ring-bidirectional"
"""The paper's devices and links, with both directions of each ring link in use."""

EXPERIMENTS = ("beyond-stacks", "beyond-layers")

BEYOND_NOTE = (
    "published: the best speed-up over one FPGA that the paper has for the cell, software pipelining "
    "included; for Fig. 10 its row-wise bar times the gain of Fig. 12 where that is more, for h = 1024 "
    "Fig. 12's utilisations. ours: full on the same FPGAs and links, both directions of each ring link in "
    "use, cards cabled as the plan's groups need within four ports. ratio: ours over published. "
    "over_bound: our cycles over those that no plan can beat; over_split_bound: over those that no plan "
    "can beat that is split by rows, where ours is (docs/bounds.md). over_conventional: over the fastest "
    "of layer-, input- and gate-wise on the same devices and links."
)

COLUMNS = [
    "figure",
    "workload",
    "fpgas",
    "published",
    "step",
    "ours",
    "ratio",
    "over_bound",
    "over_split_bound",
    "over_conventional",
    "devices_used",
    "plan",
]


def published_best(published: pd.DataFrame) -> pd.DataFrame:
    """The paper's best speed-up of each cell: figure, workload, fpgas, published, step.

    ``published`` is that of `bench.results.published.read_figures`.
    """
    named = published.assign(
        workload=[
            workload_name(row["model"], row["cell"], row["hidden_size"]) if row["figure"] in _FIGURES else ""
            for row in published.to_dict("records")
        ]
    )
    fig8 = named[named["figure"] == "8"]
    fig10 = named[named["figure"] == "10"]
    fig12 = named[named["figure"] == "12"].set_index(["workload", "num_fpgas", "metric"])["value"]
    used = named[(named["figure"] == "12") & (named["metric"] == _USE)]
    records = []
    for (workload, fpgas), group in fig8.groupby(["workload", "num_fpgas"], sort=False):
        records.append(("8", workload, fpgas, group["value"].max(), group["digitisation_step"].max()))
    for (workload, fpgas), group in fig10.groupby(["workload", "num_fpgas"], sort=False):
        rows = group[group["series"].str.contains("row-wise")]["value"].max()
        gain = fig12.get((workload, fpgas, _GAIN), 1.0)
        best = max(group["value"].max(), rows * gain)
        records.append(("10, 12", workload, fpgas, best, group["digitisation_step"].max()))
    seen = {(workload, fpgas) for _, workload, fpgas, *_ in records}
    for workload, fpgas, metric in fig12.index:
        if metric == _USE and fpgas > 1 and (workload, fpgas) not in seen:
            alone = fig12[workload, 1, _USE] / fig12[workload, 1, _GAIN]
            speedup = fpgas * fig12[workload, fpgas, _USE] / alone
            read = used["digitisation_step"].max()
            step = speedup * read * sum(1 / fig12[workload, n, _USE] for n in (1, fpgas))
            records.append(("12", workload, fpgas, speedup, step))
    return pd.DataFrame(records, columns=["figure", "workload", "fpgas", "published", "step"])


_FIGURES = ("8", "10", "12")
_GAIN = "speedup_from_sw_pipelining"
_USE = "hw_utilization"


def beyond(frame: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """`COLUMNS` for each cell; values of cells without a result are missing.

    ``frame`` is prepared (`bench.results.frames.prepare`).
    """
    rows = frame[
        frame["solved"]
        & (frame["profile"] == PROFILE)
        & (frame["topology"] == TOPOLOGY)
        & (frame["link_latency_ns"] == LINK_LATENCY_NS)
        & (frame["partitioner"] == "full")
        & frame["experiment"].isin(EXPERIMENTS)  # others vary the links, or leave ideas out
    ]
    ours = {(row["workload"], row["fpgas"]): row for row in rows.to_dict("records")}
    single = single_latency(frame)
    conventional = best_conventional(frame)
    records = []
    for cell in published_best(published).to_dict("records"):
        row = ours.get((cell["workload"], cell["fpgas"]))
        if row is None:
            continue
        speedup = single[row["workload"], row["batch"], row["profile"]] / row["latency_s"]
        setup = tuple(row[name] for name in ("workload", "batch", "profile", "topology", "link"))
        best = conventional.get((*setup, row["link_latency_ns"], row["fpgas"]))
        records.append(
            cell
            | {
                "ours": speedup,
                "ratio": speedup / cell["published"],
                "over_bound": row["cycles"] / row["bound_cycles"],
                "over_split_bound": row["cycles"] / row["split_bound_cycles"],
                "over_conventional": best[0] / row["latency_s"] if best else float("nan"),
                "devices_used": row["devices_used"],
                "plan": chosen_plan(row["plan_notes"]),
            }
        )
    return pd.DataFrame(records, columns=COLUMNS)
