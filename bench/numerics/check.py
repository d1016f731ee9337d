"""Whether a plan computes the right RNN: its program's numbers against a run without a plan."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from bench.errors import BrokenProgram
from bench.hardware.profile import Cluster, LinkProfile
from bench.numerics.formats import FLOAT32, NumberFormat, overlay_format
from bench.numerics.interpreter import interpret
from bench.numerics.numbers import Array, Numbers, Ranges
from bench.numerics.random import random_inputs, random_parameters
from bench.numerics.scale_down import scale_down
from bench.numerics.whole import calibrate, run_whole
from bench.plans.lower import lower
from bench.plans.plan import Plan
from bench.workloads.model import Workload
from bench.workloads.parameters import Parameters, Sequences
from bench.workloads.variants import limit_steps

TOLERANCE = 1e-5
"""Of float formats, relative to the largest magnitude of a layer's outputs."""

STEPS = 4
"""Time steps that are enough: the first, the last, and two between, which all others are like."""

FULL_SIZE_WEIGHTS = 2**20
"""Networks of so many weights at most are run at full size, larger ones scaled down."""


@dataclass(frozen=True)
class Numerics:
    """What a check has found.

    ``verdict``: ``exact`` (every bit as without a plan), ``within 1e-5``, or ``failed: `` and where
    and why. ``full_size``: whether the network had its real sizes.
    """

    verdict: str
    full_size: bool

    @property
    def right(self) -> bool:
        """Whether the plan computes the right numbers."""
        return not self.verdict.startswith("failed")


@dataclass(frozen=True)
class Network:
    """A workload with numbers, and its outputs without a plan in one format."""

    workload: Workload
    parameters: Parameters
    inputs: Sequences
    fmt: NumberFormat
    ranges: Ranges | None
    expected: dict[str, Array]

    @cached_property
    def numbers(self) -> Numbers:
        """The arithmetic of the format, with the workload's parameters."""
        return Numbers(self.fmt, self.workload, self.parameters, self.ranges)


def make_network(
    workload: Workload,
    fmt: NumberFormat,
    parameters: Parameters | None = None,
    inputs: Sequences | None = None,
    *,
    seed: int = 0,
) -> Network:
    """``workload`` with random numbers where none are given, run without a plan."""
    parameters = parameters or random_parameters(workload, seed)
    inputs = inputs or random_inputs(workload, seed)
    ranges = calibrate(workload, parameters, inputs) if fmt.is_integer else None
    expected = run_whole(workload, parameters, inputs, fmt, ranges)
    return Network(workload, parameters, inputs, fmt, ranges, expected)


def check_plan(plan: Plan, workload: Workload, cluster: Cluster) -> Numerics:
    """Run ``plan``, which must be valid, with numbers in the overlay's format, and compare.

    A few steps are enough, and large networks are scaled down. Integer formats must agree in
    every bit, others are run in float32.
    """
    fmt = overlay_format(cluster.profile)
    fmt = fmt if fmt.is_integer else FLOAT32
    workload = limit_steps(workload, STEPS)
    full = workload.weights <= FULL_SIZE_WEIGHTS
    if not full:
        plan, workload = scale_down(plan, workload)
    unnamed = replace(workload, name="", source="", assumptions=())
    return Numerics(_verdict(replace(plan, partitioner="", notes=()), unnamed, _timeless(cluster), fmt), full)


def _timeless(cluster: Cluster) -> Cluster:
    """The cluster on links that take no time: the same messages are made for any (`bench.plans.wires`)."""
    profile = replace(cluster.profile, name="", links=(LinkProfile("", 0.0, 0.0),))
    return replace(cluster, profile=profile, link_name=None)


@lru_cache(maxsize=4096)
def _verdict(plan: Plan, workload: Workload, cluster: Cluster, fmt: NumberFormat) -> str:
    return verdict(plan, cluster, _network(workload, fmt))


@lru_cache(maxsize=32)
def _network(workload: Workload, fmt: NumberFormat) -> Network:
    return make_network(workload, fmt)


def verdict(plan: Plan, cluster: Cluster, network: Network) -> str:
    """Run ``plan`` on ``network``: ``exact``, ``within 1e-5``, or ``failed: `` and where and why."""
    try:
        program = lower(plan, network.workload, cluster)
        found = interpret(program, plan, network.workload, network.numbers, network.inputs)
    except BrokenProgram as error:
        return f"failed: {error}"
    tolerance = 0.0 if network.fmt.is_integer else TOLERANCE
    return find_deviation(network, plan, found, tolerance) or ("within 1e-5" if tolerance else "exact")


def find_deviation(network: Network, plan: Plan, found: dict[str, Array], tolerance: float) -> str:
    """Where ``found`` first differs by more than ``tolerance`` times a layer's largest output, or ""."""
    for layer in network.workload.layers:
        expected = network.expected[layer.name]
        scale = float(np.max(np.abs(expected))) or 1.0
        # not (a <= b), so that what is not a number differs
        wrong = ~(np.abs(found[layer.name] - expected) <= tolerance * scale)
        if wrong.any():
            steps = np.flatnonzero(wrong.any(axis=(1, 2)))
            time = int(steps[0] if layer.direction == "forward" else steps[-1])
            item, row = map(int, np.argwhere(wrong[time])[0])
            devices = sorted(
                v.device
                for v in plan.vectors
                if (v.layer, v.stage) == (layer.name, "h") and v.rows[0] <= row < v.rows[1]
            )
            return (
                f"failed: layer {layer.name!r}, h at time {time}, batch item {item}, row {row} "
                f"(device {', '.join(map(str, devices))}) is {found[layer.name][time, item, row]:.6g}, "
                f"expected {expected[time, item, row]:.6g}"
            )
    return ""
