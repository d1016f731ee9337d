"""Validation: a plan must own every element of every matrix and vector, and nothing else."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from itertools import pairwise

from bench.errors import InvalidPlan
from bench.hardware.profile import Cluster
from bench.plans.cells import cell_program, matrix_shape, stage_size
from bench.plans.collectives import COLLECTIVES
from bench.plans.copies import part_of
from bench.plans.outline import overlap
from bench.plans.plan import Plan, Range
from bench.workloads.model import Workload

Rectangle = tuple[Range, Range]


def validate(plan: Plan, workload: Workload, cluster: Cluster) -> None:
    """Raise InvalidPlan, naming layer, matrix and range, unless ``plan`` fits its workload and cluster.

    Refused: gaps; overlaps that are not replication (two devices may own the same block, not
    parts of it); unknown layers, matrices, stages or devices; blocks outside their matrix;
    devices in no group or in two; unknown collectives. Each copy is to be such a plan, on devices of
    its own, and they must share the batch between them.
    """
    _check_groups(plan, cluster)
    if plan.copies:
        _check_copies(plan, workload)
        for copy in plan.copies:
            try:
                validate(*part_of(copy, plan, workload), cluster)
            except InvalidPlan as error:
                raise InvalidPlan(f"copy on devices {_list(copy.devices)}: {error}") from None
        return
    shapes = {
        (layer.name, product.matrix): matrix_shape(layer, product)
        for layer in workload.layers
        for product in cell_program(layer).products
    }
    sizes = {
        (layer.name, stage.name): stage_size(layer, stage.name)
        for layer in workload.layers
        for stage in cell_program(layer).stages
    }
    matrices: dict[tuple[str, str], list[tuple[Rectangle, int]]] = defaultdict(list)
    for block in plan.blocks:
        _check_name(block.layer, block.matrix, "matrix", shapes)
        matrices[block.layer, block.matrix].append(((block.rows, block.cols), block.device))
    vectors: dict[tuple[str, str], list[tuple[Rectangle, int]]] = defaultdict(list)
    for owned in plan.vectors:
        _check_name(owned.layer, owned.stage, "stage", sizes)
        vectors[owned.layer, owned.stage].append(((owned.rows, (0, 1)), owned.device))
    for (layer, matrix), shape in shapes.items():
        _check_cover(f"layer {layer!r}, matrix {matrix!r}", matrices[layer, matrix], shape)
    for (layer, stage), size in sizes.items():
        _check_cover(f"layer {layer!r}, vector {stage!r}", vectors[layer, stage], (size, 1))
    unknown = plan.software_pipelined - {layer.name for layer in workload.layers}
    if unknown:
        raise InvalidPlan(f"software_pipelined names no layer of {workload.name!r}: {sorted(unknown)}")
    _check_streaming(plan, workload)
    if plan.collective not in COLLECTIVES:
        raise InvalidPlan(f"collective is {plan.collective!r}; expected one of {', '.join(COLLECTIVES)}")


def _check_copies(plan: Plan, workload: Workload) -> None:
    items = sum(copy.items for copy in plan.copies)
    if items != workload.batch or min(copy.items for copy in plan.copies) < 1:
        taken = ", ".join(str(copy.items) for copy in plan.copies)
        raise InvalidPlan(
            f"copies take {taken} items; expected 1 or more each, {workload.batch} in all: the batch"
        )
    members = Counter(device for copy in plan.copies for device in copy.devices)
    for device, times in members.items():
        if times > 1:
            raise InvalidPlan(f"device {device} is in {times} copies; a device is in one")
    for device in plan.devices:
        if device not in members:
            raise InvalidPlan(f"device {device} owns blocks and is in none of the plan's copies")
    for group in plan.groups:
        if not any(set(copy.devices).issuperset(group) for copy in plan.copies):
            raise InvalidPlan(f"group {_list(group)} is not within one copy; copies work by themselves")


def _list(devices: tuple[int, ...]) -> str:
    return ", ".join(map(str, devices))


def _check_streaming(plan: Plan, workload: Workload) -> None:
    names = Counter(streaming.layer for streaming in plan.streamed)
    for name, times in names.items():
        if name not in {layer.name for layer in workload.layers}:
            raise InvalidPlan(f"streamed names no layer of {workload.name!r}: {name!r}")
        if times > 1:
            raise InvalidPlan(f"streamed names layer {name!r} {times} times")
    for streaming in plan.streamed:
        if streaming.parts < 1 or streaming.ahead < 0:
            raise InvalidPlan(
                f"layer {streaming.layer!r} is streamed in {streaming.parts} parts, "
                f"{streaming.ahead} products ahead; expected 1 part or more, and 0 products or more"
            )


def _check_groups(plan: Plan, cluster: Cluster) -> None:
    members = Counter(device for group in plan.groups for device in group)
    for device, times in members.items():
        if times > 1:
            raise InvalidPlan(f"device {device} is in {times} groups; a device is in one")
        if not 0 <= device < cluster.fpgas:
            raise InvalidPlan(f"a group has device {device}; the cluster has 0 to {cluster.fpgas - 1}")
    for device in plan.devices:
        if not 0 <= device < cluster.fpgas:
            raise InvalidPlan(f"device {device} owns blocks; the cluster has 0 to {cluster.fpgas - 1}")
        if device not in members:
            raise InvalidPlan(f"device {device} owns blocks and is in none of the plan's groups")


def _check_name(layer: str, name: str, kind: str, known: Iterable[tuple[str, str]]) -> None:
    if (layer, name) in known:
        return
    names = sorted(n for (of, n) in known if of == layer)
    if not names:
        raise InvalidPlan(f"there is no layer {layer!r} (a block's {kind} is {name!r})")
    raise InvalidPlan(f"layer {layer!r} has no {kind} {name!r}; it has {', '.join(names)}")


def _check_cover(what: str, parts: list[tuple[Rectangle, int]], shape: tuple[int, int]) -> None:
    """Refuse parts that do not tile a matrix of ``shape`` exactly, replicas counted once."""
    for part, times in Counter(parts).items():
        if times > 1:
            raise InvalidPlan(f"{what}: device {part[1]} owns {_show(part[0])} {times} times")
    tiles = sorted({rectangle for rectangle, _ in parts})
    for rows, cols in tiles:
        inside = 0 <= rows[0] < rows[1] <= shape[0] and 0 <= cols[0] < cols[1] <= shape[1]
        if not inside:
            raise InvalidPlan(f"{what}: {_show((rows, cols))} is empty or outside {shape[0]} x {shape[1]}")
    for n, a in enumerate(tiles):
        for b in tiles[n + 1 :]:
            if b[0][0] >= a[0][1]:
                break  # sorted by first row: nothing further on overlaps
            if overlap(a[0], b[0]) and overlap(a[1], b[1]):
                raise InvalidPlan(f"{what}: {_show(a)} and {_show(b)} overlap without being equal")
    area = sum((r[1] - r[0]) * (c[1] - c[0]) for r, c in tiles)
    if area != shape[0] * shape[1]:
        raise InvalidPlan(f"{what}: {_gap(tiles, shape)} is owned by no device")


def _gap(tiles: list[Rectangle], shape: tuple[int, int]) -> str:
    """The first row range, with its columns, that no tile covers."""
    edges = sorted({0, shape[0], *(e for rows, _ in tiles for e in rows)})
    for start, stop in pairwise(edges):
        reached = 0
        for cols in sorted(c for r, c in tiles if r[0] <= start and stop <= r[1]):
            if cols[0] > reached:
                return _show(((start, stop), (reached, cols[0])))
            reached = max(reached, cols[1])
        if reached < shape[1]:
            return _show(((start, stop), (reached, shape[1])))
    return "nothing"


def _show(rectangle: Rectangle) -> str:
    (r0, r1), (c0, c1) = rectangle
    return f"rows {r0}:{r1} x columns {c0}:{c1}"
