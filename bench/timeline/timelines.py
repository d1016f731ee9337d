"""The timelines of a plan: of the whole run, and of one steady time step."""

from __future__ import annotations

from bench.hardware.profile import Cluster
from bench.plans.plan import Plan
from bench.timeline.spans import Timeline
from bench.workloads.model import Workload


def whole_run(plan: Plan, workload: Workload, cluster: Cluster, steps: int | None = None) -> Timeline:
    """The timeline of a run; ``steps``: spans of the first so many time steps of each phase alone.

    The plan must be valid (`bench.plans.validate`).
    """
    raise NotImplementedError


def steady_step(plan: Plan, workload: Workload, cluster: Cluster) -> Timeline:
    """The timeline of one time step in the middle of the phase that takes longest.

    The window begins with the first instruction of a time step and ends where the next step begins; other
    groups of devices work on other time steps in it. The plan must be valid.
    """
    raise NotImplementedError
