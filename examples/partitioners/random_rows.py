"""Row blocks on devices drawn at random: what a plan is worth without any thought.

Follows no paper: it is the floor that others are to be compared with. Each row block of each
matrix, and each range of each vector, is on a device of its own draw; no attention is paid to where a
block's sums go. Balanced on the average only. Equal seeds give equal plans.
"""

from __future__ import annotations

import random

from bench.hardware.profile import Cluster
from bench.partitioners.build import split
from bench.plans.cells import cell_program, matrix_shape, stage_size
from bench.plans.plan import Block, Plan, VectorRange
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster, *, pieces: int = 0, seed: int = 0) -> Plan:
    """Each matrix and vector in ``pieces`` row blocks (0: as many as devices), each on a random device."""
    pieces = pieces or cluster.fpgas
    draw = random.Random(seed)
    blocks: list[Block] = []
    vectors: list[VectorRange] = []
    for layer in workload.layers:
        for product in cell_program(layer).products:
            height, cols = matrix_shape(layer, product)
            for rows in split(height, pieces):
                device = draw.randrange(cluster.fpgas)
                blocks.append(Block(layer.name, product.matrix, rows, (0, cols), device))
        for stage in cell_program(layer).stages:
            for rows in split(stage_size(layer, stage.name), pieces):
                vectors.append(VectorRange(layer.name, stage.name, rows, draw.randrange(cluster.fpgas)))
    used = {block.device for block in blocks} | {vector.device for vector in vectors}
    notes = (f"{pieces} row blocks of each matrix, drawn with seed {seed}",)
    return Plan("random_rows", tuple(blocks), tuple(vectors), (tuple(sorted(used)),), notes=notes)
