"""How many devices the weights need."""

from __future__ import annotations

import math

from bench.hardware.profile import Cluster
from bench.plans.cells import cell_program, matrix_shape
from bench.workloads.model import Workload


def fewest_devices_for_memory(workload: Workload, cluster: Cluster) -> int:
    """The least number of devices that have room for all weights, each once (docs/bounds.md, Memory)."""
    profile = cluster.profile
    if profile.ignore_weight_capacity:
        return 1
    room = profile.weight_memory_bytes
    if profile.external_memory is not None:
        room += profile.external_memory.capacity_bytes
    # a device's bytes are rounded down, so it may hold a little less than a byte more
    held = max(math.ceil((room + 1) / profile.weight_bytes_per_element) - 1, 1)
    weights = sum(
        math.prod(matrix_shape(layer, product))
        for layer in workload.layers
        for product in cell_program(layer).products
    )
    return max(math.ceil(weights / held), 1)
