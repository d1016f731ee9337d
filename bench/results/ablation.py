"""What each idea of the full search is worth: alone, and left out."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd

from bench.experiments import read_workload
from bench.partitioners.space import ALL, IDEAS, layouts, schedules
from bench.workloads.model import Workload

ABLATION_NOTE = (
    "alone: time with this idea only, over that of a search without any, which splits rows over as many of "
    "the devices as it likes; below 1 the idea gains something by itself. left_out: time with all other "
    'ideas over that of the full search; above 1 nothing else makes up for it. The idea "all" is the full '
    "search over the search without any. acts: whether the idea applies to the workload at all (no: it "
    "changes no candidate, so nothing was run), and if so alone or only with others, as parts, ahead and "
    "wavefront with streaming. Both directions of each ring link in use."
)

EVERY = "all"
"""The row of a cell that says what all ideas together gain."""

COLUMNS = ["workload", "fpgas", "idea", "acts", "alone", "left_out"]


def ablation(frame: pd.DataFrame) -> pd.DataFrame:
    """`COLUMNS` for each cell of the experiments called ``ablation*`` and each idea, then ``all`` of them.

    Ratios of latencies; missing where the idea does not apply or a result is missing. ``frame`` has one
    cluster for each workload and number of FPGAs.
    """
    rows = frame[frame["experiment"].str.startswith("ablation") & (frame["partitioner"] == "full")]
    rows = rows[rows["solved"]]
    chosen = {text: allowed(text) for text in rows["parameters"].unique()}
    records = []
    for _, group in rows.groupby(["workload", "fpgas"], sort=False):
        workload, fpgas = str(group["workload"].iloc[0]), int(group["fpgas"].iloc[0])
        seconds = {
            chosen[text]: latency
            for text, latency in zip(group["parameters"], group["latency_s"], strict=True)
        }
        base, full = seconds.get(frozenset(), float("nan")), seconds.get(ALL, float("nan"))
        for idea in IDEAS:
            when = acts(idea, read_workload(workload), fpgas)
            alone = seconds.get(frozenset({idea}), float("nan")) / base
            left_out = seconds.get(ALL - {idea}, float("nan")) / full
            records.append(
                {
                    "workload": workload,
                    "fpgas": fpgas,
                    "idea": idea,
                    "acts": when,
                    "alone": alone if when == "alone" else float("nan"),
                    "left_out": left_out if when != "no" else float("nan"),
                }
            )
        records.append(
            {"workload": workload, "fpgas": fpgas, "idea": EVERY, "acts": "alone", "alone": full / base}
        )
    table = pd.DataFrame(records, columns=COLUMNS)
    return table.sort_values(["fpgas", "workload"], kind="stable").reset_index(drop=True)


def allowed(parameters: str) -> frozenset[str]:
    """The ideas that the parameters of `full`, as JSON, leave it.

    >>> sorted(allowed('{"only": "parts+streaming", "without": "parts"}'))
    ['streaming']
    """
    given = json.loads(parameters or "{}")
    only, without = (set(filter(None, given.get(name, "").split("+"))) for name in ("only", "without"))
    return (frozenset(only & ALL) if only else ALL) - without


def acts(idea: str, workload: Workload, fpgas: int) -> str:
    """``alone``, ``with others`` or ``no``: whether allowing an idea changes the candidates of the search."""
    if _candidates(workload, fpgas, frozenset({idea})) != _candidates(workload, fpgas, frozenset()):
        return "alone"
    others = _candidates(workload, fpgas, ALL - {idea})
    return "with others" if _candidates(workload, fpgas, ALL) != others else "no"


def _candidates(workload: Workload, fpgas: int, ideas: frozenset[str]) -> tuple[set[object], set[object]]:
    """Layouts with equal groups, which every idea about layouts changes, and schedules."""
    several = len(workload.layers) > 1  # a single layer has no other layer's exchange to hide
    whens = {replace(one, wavefront=one.wavefront and several) for one in schedules(workload, ideas)}
    return set(layouts(workload, fpgas, ideas)), set(whens)
