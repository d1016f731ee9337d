"""One plan through the arrows of the design: validate, lower, emulate."""

from __future__ import annotations

from bench.emulator.timing import Timing, count_cycles, cycles_of, describe_run, time_program, without_wires
from bench.hardware.profile import Cluster
from bench.hardware.topology import routes
from bench.plans.lower import loop_bodies, lower
from bench.plans.memory import check_memory, weight_bytes
from bench.plans.plan import Plan
from bench.plans.validate import validate
from bench.workloads.model import Workload


def evaluate(workload: Workload, cluster: Cluster, plan: Plan, *, units: bool = True) -> Timing:
    """Validate ``plan``, lower it and emulate the program.

    ``units=False`` leaves out what each unit did, for which every instruction must be made a value of.
    Raises InvalidPlan if the plan breaks a rule, DoesNotFit if weights have nowhere to go.
    """
    validate(plan, workload, cluster)
    fits = check_memory(plan, cluster)
    if not units and not plan.copies:
        return _time_bodies(workload, cluster, plan, fits=fits)
    return time_program(
        lower(plan, workload, cluster),
        cluster,
        macs=workload.macs,
        steps=workload.steps,
        weight_bytes=max(weight_bytes(plan, cluster).values()),
        fits=fits,
        devices=len(plan.devices),
    )


def _time_bodies(workload: Workload, cluster: Cluster, plan: Plan, *, fits: bool) -> Timing:
    """The Timing of a plan without copies, without its units."""
    overlay, devices = cluster.profile.overlay, len(plan.devices)
    phases = [body.arrays for body in loop_bodies(plan, workload, cluster)]
    sizes = _sizes(plan, cluster)
    cycles = cycles_of(phases, sizes, overlay)
    free = cycles if devices == 1 else cycles_of(map(without_wires, phases), sizes, overlay)
    most = max(weight_bytes(plan, cluster).values())
    return describe_run(cycles, free, cluster, workload.macs, workload.steps, most, fits, devices)


def _sizes(plan: Plan, cluster: Cluster) -> tuple[int, int, int]:
    """Devices, links and groups."""
    return cluster.fpgas, routes(cluster, plan.groups).servers, len(plan.groups)


def emulated_cycles(workload: Workload, cluster: Cluster, plan: Plan) -> int:
    """Only the cycles of a plan, for searches that compare many; no validation of the ownership map.

    Raises DoesNotFit as `evaluate` does.
    """
    check_memory(plan, cluster)
    if plan.copies:
        return count_cycles(lower(plan, workload, cluster), cluster.profile.overlay)
    phases = (body.arrays for body in loop_bodies(plan, workload, cluster))
    return cycles_of(phases, _sizes(plan, cluster), cluster.profile.overlay)
