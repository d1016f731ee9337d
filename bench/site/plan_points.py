"""Which points get a page of their own, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from bench.errors import DoesNotFit, InvalidPlan, Unsupported, UserError
from bench.experiments import Point, read_workload
from bench.explanation.compare import Comparison, compare
from bench.hardware.profile import Cluster
from bench.partitioners.space import build
from bench.plans.plan import Plan
from bench.results.frames import single_latency
from bench.timeline.spans import Timeline
from bench.timeline.timelines import steady_step
from bench.workloads.model import Workload

FPGAS = 8
"""Points on so many FPGAs are shown, or on the most there are below."""

FIRST = ("fig8", "large")
"""Experiments whose points come first: the paper's deep networks, then large ones."""

MOST = 8
"""Pages at most: each takes a search."""


@dataclass(frozen=True)
class PlanPoint:
    """A point of `full`, searched again: its plan, what it was chosen from, and a time step of it.

    ``row_cycles``: what the results say; another number is said on the page. ``speedup``: over one FPGA,
    None where the results have no row for it.
    """

    point: Point
    workload: Workload
    cluster: Cluster
    plan: Plan
    comparison: Comparison
    timeline: Timeline
    row_cycles: int
    speedup: float | None

    @property
    def name(self) -> str:
        """Name of its file, without folder and ending."""
        return f"{self.point.workload.rpartition('/')[2]}-{self.point.fpgas}-{self.point.point_id[:6]}"


def chosen_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Prepared rows that get a page: solved points of `full`, one a workload, at most `MOST`."""
    mine = rows[rows["solved"] & (rows["strategy"] == "full") & rows["fpgas"].between(2, FPGAS)]
    mine = mine[mine["fpgas"] == mine["fpgas"].max()]
    place = mine["experiment"].map(lambda name: FIRST.index(name) if name in FIRST else len(FIRST))
    mine = mine.assign(place=place)
    mine = mine.sort_values(["place", "experiment", "workload", "point_id"])
    if (mine["place"] < len(FIRST)).any():
        mine = mine[mine["place"] < len(FIRST)]
    return pd.DataFrame(mine.drop_duplicates("workload").head(MOST))


def plan_points(rows: pd.DataFrame) -> list[PlanPoint]:
    """What the pages show; a point that the search cannot plan again here (names unknown) is left out."""
    alone = single_latency(rows)
    found = []
    for row in chosen_rows(rows).to_dict("records"):
        point = Point(
            workload=str(row["workload"]),
            profile=str(row["profile"]),
            topology=str(row["topology"]),
            link=str(row["link"]),
            link_latency_ns=float(row["link_latency_ns"]),
            fpgas=int(row["fpgas"]),
            partitioner="full",
        )
        try:
            workload, cluster = read_workload(point.workload), point.cluster
        except (UserError, KeyError):  # KeyError: the profile has no such link
            continue
        try:
            comparison = compare(workload, cluster)
        except (Unsupported, InvalidPlan, DoesNotFit):
            continue
        plan = build(workload, comparison.winner.candidate)
        one = alone.get((row["workload"], row["batch"], row["profile"]))
        found.append(
            PlanPoint(
                point,
                workload,
                cluster,
                plan,
                comparison,
                steady_step(plan, workload, cluster),
                int(row["cycles"]),
                one / float(row["latency_s"]) if one else None,
            )
        )
    return found
