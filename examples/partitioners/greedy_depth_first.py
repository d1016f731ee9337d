"""Fill a device's memory with matrices in depth-first order, then go on with the next device.

Follows the tool flow of Project Brainwave (Chung et al., Serving DNNs in Real Time at Datacenter Scale
with Project Brainwave, IEEE Micro 38(2), 2018): weights are pinned on chip, and the network's
graph is cut into parts that fit a device's memory, taken greedily in the order of a depth-first walk.

Departures: what is known of the tool is its description, not its code. A matrix that exceeds the room
that is left is cut at a row, not only one that exceeds a device. Matrices of a layer are taken in the order
of its step; layers in their own order, which is topological. A vector's range runs where the last
matrix that it waits for has its rows. Only as many devices are used as the weights need: what fits on one
device stays on one. Where capacity does not count or weights spill, and all devices together
are too small, they are filled alike beyond it.
"""

from __future__ import annotations

import math

from bench.errors import InvalidPlan, Unsupported
from bench.hardware.profile import Cluster
from bench.hardware.topology import routes
from bench.plans.cells import cell_program, matrix_shape
from bench.plans.plan import Block, Plan, VectorRange
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster) -> Plan:
    """Devices filled one after the other. Raises Unsupported if the weights exceed all of them."""
    room = _elements_a_device(workload, cluster)
    blocks: list[Block] = []
    vectors: list[VectorRange] = []
    device, used = 0, 0
    for layer in workload.layers:
        for product in cell_program(layer).products:
            height, cols = matrix_shape(layer, product)
            row = 0
            while row < height:
                fitting = min((room - used) // cols, height - row)
                if fitting == 0 and device + 1 < cluster.fpgas:
                    device, used = device + 1, 0
                    continue
                if fitting == 0:  # the last device takes what rounding to whole rows has left over
                    fitting = height - row
                blocks.append(Block(layer.name, product.matrix, (row, row + fitting), (0, cols), device))
                used += fitting * cols
                row += fitting
        for stage in cell_program(layer).stages:
            last = [product for product in cell_program(layer).products if product.stage == stage.name][-1]
            vectors += [
                VectorRange(layer.name, stage.name, block.rows, block.device)
                for block in blocks
                if (block.layer, block.matrix) == (layer.name, last.matrix)
            ]
    notes = (f"the weights fill {device + 1} of {cluster.fpgas} FPGAs",)
    groups = _groups(workload, cluster, blocks)
    return Plan("greedy_depth_first", tuple(blocks), tuple(vectors), groups, notes=notes)


def _elements_a_device(workload: Workload, cluster: Cluster) -> int:
    """Weights that a device is filled with."""
    profile = cluster.profile
    most = int(profile.weight_memory_bytes / profile.weight_bytes_per_element)
    needed = math.ceil(workload.weights / cluster.fpgas)
    widest = max(max(layer.input_size, layer.hidden_size) for layer in workload.layers)
    if most >= needed:
        return max(most, widest)
    if profile.ignore_weight_capacity or profile.external_memory is not None:
        return max(needed, widest)
    raise Unsupported(
        f"{workload.weights * profile.weight_bytes_per_element / 2**20:.1f} MiB of weights exceed "
        f"{cluster.fpgas} FPGAs of {profile.weight_memory_bytes / 2**20:.1f} MiB"
    )


def _groups(workload: Workload, cluster: Cluster, blocks: list[Block]) -> tuple[tuple[int, ...], ...]:
    """Consecutive devices that share a layer, together; all together where a ring could not cable those."""
    shared = {
        device
        for layer in workload.layers
        for used in [{block.device for block in blocks if block.layer == layer.name}]
        for device in range(min(used) + 1, max(used) + 1)
    }
    groups: list[list[int]] = []
    for device in sorted({block.device for block in blocks}):
        if device in shared:
            groups[-1].append(device)
        else:
            groups.append([device])
    found = tuple(tuple(group) for group in groups)
    try:
        routes(cluster, found)
    except InvalidPlan:
        return (tuple(device for group in found for device in group),)
    return found
