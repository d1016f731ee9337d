"""A group of points to their outcomes, in a worker process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from bench.bounds import Bound, lower_bound, split_by_rows
from bench.emulator.timing import describe_run
from bench.errors import UserError
from bench.experiments import Point, read_workload
from bench.hardware.profile import Cluster
from bench.numerics.check import Numerics, check_plan
from bench.plans.memory import check_memory, weight_bytes
from bench.plans.plan import Plan
from bench.plans.validate import validate
from bench.rows import MEASURES, Row, explain_point, failure
from bench.sweeps.group import Group, candidates, shares, timeless
from bench.sweeps.retime import Timeable, lower_once
from bench.workloads.model import Workload

Reached = Callable[[str], None]


def evaluate_group(group: Group, reached: Reached = lambda stage: None) -> Row:
    """``{"rows": [...]}``: the outcome columns of each point, as one by one, whatever goes wrong.

    What can go wrong with a plan is said by the way that evaluates one point: a group in which
    anything is not as it should be takes that way. MemoryError is not caught.
    """
    rows = _together(group, reached) if shares(group.points[0].partitioner) else None
    if rows is None:
        rows = [_alone(point, reached, group.check) for point in group.points]
    return {"rows": rows}


def _alone(point: Point, reached: Reached, check: bool) -> Row:
    try:
        point.cluster  # noqa: B018 - building it is the check
    except UserError as error:
        return failure("unsupported", "none", str(error))
    return explain_point(point, reached, numbers=check, units=False)[0]


def _together(group: Group, reached: Reached) -> list[Row] | None:
    """The rows from one lowered program for each candidate; None if anything is wrong with any of them."""
    try:
        clusters = [point.cluster for point in group.points]
        workload, common = read_workload(group.points[0].workload), timeless(clusters[0])
        plans = candidates(group.points[0], common)
        reached("emulating")
        if any(plan.copies for plan in plans):
            return None
        fits = [check_memory(plan, common) for plan in plans]
        made = [_Timed(plan, workload, common) for plan in plans]
        cycles = [[timed.program.cycles(cluster) for cluster in clusters] for timed in made]
        # of equals the first, as min() takes
        best = [min(range(len(plans)), key=lambda n: cycles[n][at]) for at in range(len(clusters))]
        rows = []
        for at, (cluster, n) in enumerate(zip(clusters, best, strict=True)):
            numerics = made[n].checked(group.check, reached)
            if numerics and not numerics.right:
                return None
            rows.append(made[n].row(cluster, cycles[n][at], fits[n], numerics))
        return rows
    except MemoryError:
        raise
    except Exception:  # explained point by point
        return None


class _Timed:
    """A plan with its program, and what is found out about it once for all points."""

    def __init__(self, plan: Plan, workload: Workload, common: Cluster) -> None:
        self.plan, self.workload, self.common = plan, workload, common
        self.program: Timeable = lower_once(plan, workload, common)
        self._known: Row = {}
        self._free = 0
        self._by_rows = False
        self._weight_bytes = 0
        self._numerics: Numerics | None = None

    def checked(self, check: bool, reached: Reached) -> Numerics | None:
        """The verdict on its numbers, if they are to be checked; the plan is validated first, in any case."""
        if not self._known:
            validate(self.plan, self.workload, self.common)
            if check:
                reached("checking the numbers")
                self._numerics = check_plan(self.plan, self.workload, self.common)
            self._by_rows = split_by_rows(self.plan, self.workload)
            self._weight_bytes = max(weight_bytes(self.plan, self.common).values())
            self._known = {
                "plan_id": self.plan.plan_id,
                "plan_notes": "; ".join(self.plan.notes),
                "numerics": self._numerics and self._numerics.verdict,
                "numerics_full_size": self._numerics and self._numerics.full_size,
            }
        return self._numerics

    def row(self, cluster: Cluster, cycles: int, fits: bool, numerics: Numerics | None) -> Row:
        """Outcome columns of the point on ``cluster``, which takes ``cycles``."""
        devices = len(self.plan.devices)
        if devices > 1 and not self._free:
            self._free = self.program.cycles_without_links(cluster)
        timing = describe_run(
            cycles,
            self._free if devices > 1 else cycles,
            cluster,
            self.workload.macs,
            self.workload.steps,
            self._weight_bytes,
            fits,
            devices,
        )
        bound = _bound(self.workload, cluster)
        return {
            "status": "ok",
            "termination": "none",
            "reason": "",
            **{name: getattr(timing, name) for name in MEASURES},
            "bound_cycles": bound.cycles,
            "split_bound_cycles": bound.split_cycles if self._by_rows else None,
            **self._known,
        }


@lru_cache(maxsize=4096)
def _bound(workload: Workload, cluster: Cluster) -> Bound:
    """`lower_bound`, once for all partitioners."""
    return lower_bound(replace(workload, name=""), cluster)
