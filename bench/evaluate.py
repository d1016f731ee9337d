"""One plan through the arrows of the design: validate, lower, emulate."""

from __future__ import annotations

from bench.emulator.timing import Timing, count_cycles, cycles_of, time_program
from bench.hardware.profile import Cluster
from bench.hardware.topology import routes
from bench.plans.lower import loop_bodies, lower
from bench.plans.memory import check_memory, weight_bytes
from bench.plans.plan import Plan
from bench.plans.validate import validate
from bench.workloads.model import Workload


def evaluate(workload: Workload, cluster: Cluster, plan: Plan) -> Timing:
    """Validate ``plan``, lower it and emulate the program.

    Raises InvalidPlan if the plan breaks a rule, DoesNotFit if weights have nowhere to go.
    """
    validate(plan, workload, cluster)
    fits = check_memory(plan, cluster)
    return time_program(
        lower(plan, workload, cluster),
        cluster,
        macs=workload.macs,
        steps=workload.steps,
        weight_bytes=max(weight_bytes(plan, cluster).values()),
        fits=fits,
        devices=len(plan.devices),
    )


def emulated_cycles(workload: Workload, cluster: Cluster, plan: Plan) -> int:
    """Only the cycles of a plan, for searches that compare many; no validation of the ownership map.

    Raises DoesNotFit as `evaluate` does.
    """
    check_memory(plan, cluster)
    if plan.copies:
        return count_cycles(lower(plan, workload, cluster), cluster.profile.overlay)
    sizes = (cluster.fpgas, routes(cluster, plan.groups).servers, len(plan.groups))
    return cycles_of(
        (body.arrays for body in loop_bodies(plan, workload, cluster)), sizes, cluster.profile.overlay
    )
