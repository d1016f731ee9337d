"""A plan's numbers layer by layer: against a run without a plan, and against float32."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from bench.hardware.profile import Cluster, Profile
from bench.numerics.accuracy import max_error, snr_db
from bench.numerics.check import STEPS, TOLERANCE, Network, find_deviation, make_network, verdict
from bench.numerics.formats import FLOAT32, NumberFormat, load_format, overlay_format
from bench.numerics.interpreter import interpret
from bench.numerics.numbers import Array, Numbers
from bench.numerics.scale_down import scale_down
from bench.numerics.whole import run_whole
from bench.plans.lower import lower
from bench.plans.plan import Plan
from bench.workloads.model import Workload
from bench.workloads.variants import limit_steps


@dataclass(frozen=True)
class LayerReport:
    """The outputs h of one layer under a plan.

    ``deviation``: the largest difference from a run without a plan in the same format, in parts of
    the layer's largest output; 0 if every bit is equal. ``max_error`` and ``snr_db`` compare with float32.
    """

    layer: str
    deviation: float
    max_error: float
    snr_db: float


@dataclass(frozen=True)
class Report:
    """A run with numbers: ``verdict`` as in `bench.numerics.check.Numerics`, judged in format ``judged``."""

    verdict: str
    judged: str
    format: str
    full_size: bool
    steps: int
    layers: tuple[LayerReport, ...]


def chosen_format(profile: Profile, name: str | None) -> NumberFormat:
    """The format called ``name``, with the overlay's native vectors, or the overlay's own; UserError."""
    if name is None:
        return overlay_format(profile)
    return replace(load_format(name), native=profile.overlay.engines)


def make_report(
    plan: Plan,
    workload: Workload,
    cluster: Cluster,
    fmt: NumberFormat,
    *,
    full_size: bool,
    steps: int | None,
    seed: int = 0,
) -> Report:
    """Run ``plan``, which must be valid, in ``fmt``.

    ``full_size``: on the network itself, else on a smaller one of the same structure. ``steps``: no more
    time steps than that (default: all at full size, else a few). Integer formats must agree in every
    bit, float32 within 1e-5; in others partial sums may round differently, so the plan is judged in float32
    as well. Raises BrokenProgram if the program reads what a device does not hold.
    """
    if steps is not None or not full_size:
        workload = limit_steps(workload, steps or STEPS)
    if not full_size:
        plan, workload = scale_down(plan, workload)
    network = make_network(workload, fmt, seed=seed)
    numbers = Numbers(fmt, workload, network.parameters, network.ranges)
    found = interpret(lower(plan, workload, cluster), plan, workload, numbers, network.inputs)
    if fmt.is_integer:
        judged, said = fmt, find_deviation(network, plan, found, 0.0) or "exact"
    elif fmt.matrix == fmt.vector == "float32" and fmt.activation == "exact":
        judged, said = fmt, find_deviation(network, plan, found, TOLERANCE) or "within 1e-5"
    else:
        judged = FLOAT32
        in_float32 = make_network(workload, FLOAT32, network.parameters, network.inputs)
        said = verdict(plan, cluster, in_float32)
    return Report(said, judged.name, fmt.name, full_size, workload.steps, _layers(network, found))


def _layers(network: Network, found: dict[str, Array]) -> tuple[LayerReport, ...]:
    reference = run_whole(network.workload, network.parameters, network.inputs)
    reports = []
    for layer in network.workload.layers:
        value, expected, exact = found[layer.name], network.expected[layer.name], reference[layer.name]
        scale = float(np.max(np.abs(expected))) or 1.0
        deviation = max_error(expected, value) / scale
        reports.append(LayerReport(layer.name, deviation, max_error(exact, value), snr_db(exact, value)))
    return tuple(reports)


def verdict_text(verdict: str, full_size: bool | None, profile: Profile) -> str:
    """What `bench.numerics.check.check_plan` has found, in words."""
    fmt = overlay_format(profile)
    size = "full size" if full_size else "scaled down"
    where = f"({fmt.name if fmt.is_integer else 'float32'}, {size})"
    words = {
        "exact": f"exact: every bit as without a plan {where}",
        "within 1e-5": f"within 1e-5 of a run without a plan {where}",
    }
    return words.get(verdict, f"{verdict} {where}")
