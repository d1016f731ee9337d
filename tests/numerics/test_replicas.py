"""Devices that compute the same rows must agree on them."""

from __future__ import annotations

from typing import Any

import pytest
from numpy.typing import NDArray

from bench.errors import BrokenProgram
from bench.hardware.profile import Cluster
from bench.numerics.check import make_network
from bench.numerics.formats import load_format
from bench.numerics.interpreter import interpret
from bench.numerics.numbers import Numbers
from bench.plans.lower import lower
from bench.plans.plan import Block, Plan, VectorRange
from bench.workloads.model import Layer, Workload
from tests.strategies import small_profile


def test_a_replica_with_other_values_is_noticed() -> None:
    """Two devices make the same rows; one of them has damaged weights, and nobody reads it."""
    layer = Layer("rnn", "linear", 3, 2, 2)
    workload = Workload("replicas", (layer,))
    blocks = tuple(Block("rnn", "h.x", (0, 2), (0, 3), device) for device in (0, 1))
    vectors = tuple(VectorRange("rnn", "h", (0, 2), device) for device in (0, 1))
    plan = Plan("replicas", blocks, vectors, ((0, 1),))
    network = make_network(workload, load_format("int8"))
    program = lower(plan, workload, Cluster(small_profile(), 2))

    class Lying(Numbers):
        """The arithmetic of a device whose second copy of the weights is damaged."""

        loaded = 0

        def product(self, weights: NDArray[Any], operand: NDArray[Any]) -> NDArray[Any]:
            self.loaded += 1
            return super().product(weights + (self.loaded % 2 == 0), operand)

    numbers = Lying(network.fmt, workload, network.parameters, network.ranges)
    with pytest.raises(BrokenProgram, match=r"device 1: .* makes other values of h, rows 0:2"):
        interpret(program, plan, workload, numbers, network.inputs)
