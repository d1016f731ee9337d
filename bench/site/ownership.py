"""A picture of a plan: which device owns which block of which matrix, drawn to scale."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple, TypeVar

from bench.plans.cells import cell_program, matrix_shape, stage_size
from bench.plans.plan import Plan, Range
from bench.site.svg import device_class, drawing, element, text, titled
from bench.workloads.model import Layer, Workload

WIDTH = 920.0
LARGEST = 104.0
"""Units on the page of the longest side of a matrix."""
GAP, LEFT, STRIP, LABEL = 10.0, 150.0, 9.0, 18.0
ROOM = 13.0
"""A piece smaller than this has no number upon it."""

Area = tuple[Range, Range]
Key = TypeVar("Key", Area, Range)


class Picture(NamedTuple):
    """What is drawn of a layer: equal for layers that are cut alike.

    ``matrices``: name, (rows, columns), and the owners of each block. ``stages``: name, elements, and the
    owners of each range.
    """

    matrices: tuple[tuple[str, tuple[int, int], tuple[tuple[Area, tuple[int, ...]], ...]], ...]
    stages: tuple[tuple[str, int, tuple[tuple[Range, tuple[int, ...]], ...]], ...]


def ownership(plan: Plan, workload: Workload) -> str:
    """The drawing: a line for each set of layers that are cut alike, a rectangle for each block."""
    lines: dict[Picture, list[str]] = defaultdict(list)
    for layer in workload.layers:
        lines[_picture(plan, layer)].append(layer.name)
    longest = max(max(shape) for picture in lines for _, shape, _ in picture.matrices)
    scale = min(LARGEST / longest, *(_fitting(picture) for picture in lines))
    content: list[str] = []
    top = 0.0
    for picture, names in lines.items():
        drawn, height = _line(picture, names, scale, top)
        content += drawn
        top += height + GAP
    label = f"Blocks of every matrix by owner, {len(lines)} kinds of layers"
    return drawing(content, WIDTH, top, label, "plan ownership")


def _fitting(picture: Picture) -> float:
    """Units an element at which a line is as wide as the page."""
    gaps = GAP * len(picture.matrices) + (STRIP + GAP) * len(picture.stages)
    return (WIDTH - LEFT - gaps) / sum(shape[1] for _, shape, _ in picture.matrices)


def _picture(plan: Plan, layer: Layer) -> Picture:
    program = cell_program(layer)
    blocks: dict[str, dict[Area, set[int]]] = defaultdict(lambda: defaultdict(set))
    for block in plan.blocks:
        if block.layer == layer.name:
            blocks[block.matrix][block.rows, block.cols].add(block.device)
    ranges: dict[str, dict[Range, set[int]]] = defaultdict(lambda: defaultdict(set))
    for vector in plan.vectors:
        if vector.layer == layer.name:
            ranges[vector.stage][vector.rows].add(vector.device)
    return Picture(
        tuple(
            (product.matrix, matrix_shape(layer, product), _sorted(blocks[product.matrix]))
            for product in program.products
        ),
        tuple(
            (stage.name, stage_size(layer, stage.name), _sorted(ranges[stage.name]))
            for stage in program.stages
        ),
    )


def _sorted(owners: dict[Key, set[int]]) -> tuple[tuple[Key, tuple[int, ...]], ...]:
    return tuple((key, tuple(sorted(devices))) for key, devices in sorted(owners.items()))


def _line(picture: Picture, names: list[str], scale: float, top: float) -> tuple[list[str], float]:
    """The matrices of a layer from left to right, then its stages as strips; and the height."""
    height = max(shape[0] for _, shape, _ in picture.matrices) * scale if picture.matrices else ROOM
    shown = names[:5] + ([f"and {len(names) - 5} more"] if len(names) > 5 else [])
    content = [text(name, 0, top + LABEL + 12 + 15 * place, css="layer") for place, name in enumerate(shown)]
    left = LEFT
    for name, shape, blocks in picture.matrices:
        content.append(text(name, left, top + 12, css="what"))
        for (rows, cols), owners in blocks:
            box = (left + cols[0] * scale, top + LABEL + rows[0] * scale)
            size = ((cols[1] - cols[0]) * scale, (rows[1] - rows[0]) * scale)
            where = f"{name}, rows {rows[0]} to {rows[1]}, columns {cols[0]} to {cols[1]}"
            content += _shared(box, size, owners, where)
        content.append(_frame(left, top + LABEL, shape[1] * scale, shape[0] * scale))
        left += shape[1] * scale + GAP
    for name, elements, ranges in picture.stages:
        content.append(text(name, left, top + 12, css="what"))
        for rows, owners in ranges:
            size = (STRIP, (rows[1] - rows[0]) * scale)
            where = f"{name}, elements {rows[0]} to {rows[1]}"
            content += _shared((left, top + LABEL + rows[0] * scale), size, owners, where)
        content.append(_frame(left, top + LABEL, STRIP, elements * scale))
        left += STRIP + GAP
    return content, LABEL + max(height, 15 * len(shown))


def _shared(
    box: tuple[float, float], size: tuple[float, float], owners: tuple[int, ...], where: str
) -> list[str]:
    """A block, in as many upright slices as it has owners, with their numbers where there is room."""
    width, height = size[0] / len(owners), size[1]
    content = []
    for place, device in enumerate(owners):
        left = box[0] + place * width
        css = f"block {device_class(device)}"
        title = f"device {device}: {where}"
        content.append(titled("rect", title, css=css, x=left, y=box[1], width=width, height=height))
        if width >= ROOM and height >= ROOM:
            middle = (left + width / 2, box[1] + height / 2 + 4)
            content.append(text(str(device), *middle, css=f"mark {device_class(device)}"))
    return content


def _frame(x: float, y: float, width: float, height: float) -> str:
    return element("rect", css="frame", x=x, y=y, width=width, height=height)
