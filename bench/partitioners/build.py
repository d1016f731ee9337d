"""Helpers that build plans: split ranges, and own a layer's matrices and vectors in one of the usual ways.

Each ``own_*`` function returns the blocks and vector ranges of one layer; a plan is the
sum of those over the layers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from bench.errors import Unsupported, UserError
from bench.plans.cells import Product, cell_program, matrix_shape, stage_size
from bench.plans.collectives import COLLECTIVES
from bench.plans.plan import ROUTES, Block, Copy, Plan, Range, VectorRange
from bench.workloads.model import Layer, Workload, feedback_layers, phases

T = TypeVar("T")


@dataclass(frozen=True)
class Share:
    """What is owned of one layer."""

    blocks: tuple[Block, ...]
    vectors: tuple[VectorRange, ...]


def split(size: int, parts: int) -> list[Range]:
    """``size`` elements in ``parts`` consecutive ranges that differ by one at most; empty ones left out.

    >>> split(10, 4)
    [(0, 3), (3, 6), (6, 8), (8, 10)]
    """
    each, more = divmod(size, parts)
    ranges = []
    start = 0
    for n in range(parts):
        stop = start + each + (n < more)
        if stop > start:
            ranges.append((start, stop))
        start = stop
    return ranges


def own_rows(layer: Layer, devices: Sequence[int]) -> Share:
    """Row-wise: every matrix and vector in row blocks, one a device."""
    program = cell_program(layer)
    blocks = [
        Block(layer.name, product.matrix, rows, (0, cols), device)
        for product in program.products
        for height, cols in [matrix_shape(layer, product)]
        for rows, device in zip(split(height, len(devices)), devices, strict=False)
    ]
    return Share(tuple(blocks), _vectors_by_rows(layer, devices))


def own_columns(layer: Layer, devices: Sequence[int]) -> Share:
    """Column-wise: every matrix in column blocks; the vectors by rows, so sums are scattered."""
    blocks = [
        Block(layer.name, product.matrix, (0, rows), cols, device)
        for product in cell_program(layer).products
        for rows, width in [matrix_shape(layer, product)]
        for cols, device in zip(split(width, len(devices)), devices, strict=False)
    ]
    return Share(tuple(blocks), _vectors_by_rows(layer, devices))


def own_sources(layer: Layer, inputs: Sequence[int], recurrent: Sequence[int]) -> Share:
    """Input-wise: the devices ``inputs`` hold the input matrices, ``recurrent`` all the others.

    Each side splits its matrices by rows; the vectors run where the recurrent matrices are.
    """
    blocks = [
        Block(layer.name, product.matrix, rows, (0, cols), device)
        for product in cell_program(layer).products
        for side in [inputs if product.operand == "x" else recurrent]
        for height, cols in [matrix_shape(layer, product)]
        for rows, device in zip(split(height, len(side)), side, strict=False)
    ]
    return Share(tuple(blocks), _vectors_by_rows(layer, recurrent))


def own_spread(layer: Layer, core: Sequence[int], helpers: Sequence[int], *, critical: str = "h") -> Share:
    """Core and helpers: what the recurrence waits for on ``core`` alone, by rows; the rest spread evenly.

    ``critical`` is the operand that comes last (``h``; ``x`` on a feedback loop of several layers).
    Of the products with the other one, which are known early, each core device keeps so many of its
    rows that all devices have equal work; the helpers make the others and send the sums ahead. The
    vectors run on the core.
    """
    other = "x" if critical == "h" else "h"
    work = {"core": 0, "other": 0}
    for product in cell_program(layer).products:
        rows, cols = matrix_shape(layer, product)
        work["other" if product.operand == other else "core"] += rows * cols
    level = (work["core"] + work["other"]) / (len(core) + len(helpers))
    kept = 1.0 if not helpers else max(0.0, level * len(core) - work["core"]) / max(work["other"], 1)
    blocks = []
    for product in cell_program(layer).products:
        height, cols = matrix_shape(layer, product)
        for (start, stop), device in zip(split(height, len(core)), core, strict=False):
            middle = stop if product.operand != other else start + round(kept * (stop - start))
            if middle > start:
                blocks.append(Block(layer.name, product.matrix, (start, middle), (0, cols), device))
            parts = split(stop - middle, len(helpers)) if helpers else []
            for (first, last), helper in zip(parts, helpers, strict=False):
                rows_there = (middle + first, middle + last)
                blocks.append(Block(layer.name, product.matrix, rows_there, (0, cols), helper))
    return Share(tuple(blocks), _vectors_by_rows(layer, core))


def own_reset(layer: Layer, core: Sequence[int], helpers: Sequence[int]) -> Share:
    """Like `own_spread`, but every core device computes the whole reset gate of a GRU itself.

    Its reset hidden vector then needs no exchange within the step: one exchange a step is left, for
    more work. The reset gate's input products are with the helpers where there are any, and with
    the core by rows where not. For layers with a stage ``rh`` only.
    """
    program = cell_program(layer)
    whole = [product for product in program.products if product.stage == "rh" and product.operand != "x"]
    sent = [product for product in program.products if product.stage == "rh" and product.operand == "x"]
    spread = own_spread(layer, core, helpers)
    apart = {product.matrix for product in (*whole, *sent)}
    blocks = [block for block in spread.blocks if block.matrix not in apart]
    for product in whole:
        rows, cols = matrix_shape(layer, product)
        blocks += [Block(layer.name, product.matrix, (0, rows), (0, cols), device) for device in core]
    for product in sent:
        height, cols = matrix_shape(layer, product)
        side = helpers or core
        parts = zip(split(height, len(side)), side, strict=False)
        blocks += [Block(layer.name, product.matrix, rows, (0, cols), device) for rows, device in parts]
    vectors = [vector for vector in spread.vectors if vector.stage != "rh"]
    size = stage_size(layer, "rh")
    vectors += [VectorRange(layer.name, "rh", (0, size), device) for device in core]
    return Share(tuple(blocks), tuple(vectors))


def own_grid(layer: Layer, grid: Sequence[Sequence[int]]) -> Share:
    """Two-dimensional: ``grid[r][c]`` owns row block r and column block c of every matrix.

    Row block r of a vector runs on its grid row's first device.
    """
    blocks = [
        Block(layer.name, product.matrix, rows, cols, device)
        for product in cell_program(layer).products
        for height, width in [matrix_shape(layer, product)]
        for rows, line in zip(split(height, len(grid)), grid, strict=False)
        for cols, device in zip(split(width, len(line)), line, strict=False)
    ]
    return Share(tuple(blocks), _vectors_by_rows(layer, [line[0] for line in grid]))


def own_gates(layer: Layer, gates: Mapping[str, int]) -> Share:
    """Gate-wise: each gate's matrices on one device, as ``gates`` says.

    A stage of several gates runs on all their devices alike, each from the gate vectors that
    it has received; a stage of one gate runs where the gate is. A projection is split by
    rows over all of them.
    """
    devices = sorted(set(gates.values()))
    blocks = []
    for product in cell_program(layer).products:
        rows, cols = matrix_shape(layer, product)
        if product.gate in gates:
            blocks.append(Block(layer.name, product.matrix, (0, rows), (0, cols), gates[product.gate]))
        else:
            parts = zip(split(rows, len(devices)), devices, strict=False)
            blocks += [Block(layer.name, product.matrix, part, (0, cols), d) for part, d in parts]
    vectors = []
    for stage in cell_program(layer).stages:
        size = stage_size(layer, stage.name)
        on = sorted({gates[gate] for gate in stage.gates if gate in gates})
        if on:
            vectors += [VectorRange(layer.name, stage.name, (0, size), device) for device in on]
        else:
            parts = zip(split(size, len(devices)), devices, strict=False)
            vectors += [VectorRange(layer.name, stage.name, part, device) for part, device in parts]
    return Share(tuple(blocks), tuple(vectors))


def _vectors_by_rows(layer: Layer, devices: Sequence[int]) -> tuple[VectorRange, ...]:
    return tuple(
        VectorRange(layer.name, stage.name, rows, device)
        for stage in cell_program(layer).stages
        for rows, device in zip(split(stage_size(layer, stage.name), len(devices)), devices, strict=False)
    )


def contiguous(items: Sequence[T], work: Sequence[int], parts: int) -> list[list[T]]:
    """``items`` in at most ``parts`` consecutive chunks whose largest work is least."""
    low, high = max(work), sum(work)
    while low < high:
        middle = (low + high) // 2
        if len(_pack(work, middle)) <= parts:
            high = middle
        else:
            low = middle + 1
    return [list(items[start:stop]) for start, stop in _spread(_pack(work, low), len(items), parts)]


def _pack(work: Sequence[int], limit: int) -> list[Range]:
    """Greedy consecutive chunks of work at most ``limit``."""
    chunks, start, total = [], 0, 0
    for n, amount in enumerate(work):
        if total + amount > limit:
            chunks.append((start, n))
            start, total = n, 0
        total += amount
    return [*chunks, (start, len(work))]


def _spread(chunks: list[Range], size: int, parts: int) -> list[Range]:
    """Split chunks of several items until there are ``parts`` chunks (or as many as items)."""
    while len(chunks) < min(parts, size):
        widest = max(range(len(chunks)), key=lambda n: chunks[n][1] - chunks[n][0])
        start, stop = chunks[widest]
        middle = (start + stop) // 2
        chunks[widest : widest + 1] = [(start, middle), (middle, stop)]
    return chunks


def place_layers(workload: Workload, groups: Sequence[T]) -> dict[str, T]:
    """Layer -> its group: the layers of each phase in consecutive chunks of equal work."""
    homes: dict[str, T] = {}
    for layers in phases(workload):
        chunks = contiguous(layers, [layer.weights for layer in layers], len(groups))
        for group, chunk in zip(groups, chunks, strict=False):
            homes.update({layer.name: group for layer in chunk})
    return homes


def gates_of(layer: Layer) -> list[str]:
    """The layer's gates in program order, without a projection."""
    return list(dict.fromkeys(p.gate for p in cell_program(layer).products if p.gate != "p"))


def pipelinable(workload: Workload) -> frozenset[str]:
    """Layers that have products to move ahead of an exchange.

    Where x is known early, its products; on a feedback loop of several layers, those with h.
    """
    loops = feedback_layers(workload)
    return frozenset(
        layer.name
        for layer in workload.layers
        if (len(loops) > 1 if layer.name in loops else products_of(layer, "x"))
    )


def assemble(
    name: str,
    workload: Workload,
    shares: Iterable[Share],
    groups: Sequence[Sequence[int]],
    *,
    software_pipelining: bool = False,
    collective: str = ROUTES,
    notes: Iterable[str] = (),
) -> Plan:
    """The plan made of the layers' ``shares``; UserError for an unknown ``collective``."""
    if collective not in COLLECTIVES:
        raise UserError(f"unknown collective {collective!r}; expected one of {', '.join(COLLECTIVES)}")
    shares = list(shares)
    return Plan(
        partitioner=name,
        blocks=tuple(block for share in shares for block in share.blocks),
        vectors=tuple(vector for share in shares for vector in share.vectors),
        groups=tuple(tuple(group) for group in groups),
        software_pipelined=pipelinable(workload) if software_pipelining else frozenset(),
        collective=collective,
        notes=tuple(notes),
    )


def share_batch(plan: Plan, batch: int, fpgas: int, copies: int) -> Plan:
    """``copies`` of ``plan``, which is for ``fpgas`` devices, side by side; each takes a share of the batch.

    Copy n is on the devices from n * ``fpgas`` on. Raises Unsupported if there is not an item for each.
    """
    shares = split(batch, copies)
    if len(shares) < copies:
        raise Unsupported(f"a batch of {batch} has not an item for each of {copies} copies")
    places = [n * fpgas for n in range(copies)]
    return replace(
        plan,
        blocks=tuple(block._replace(device=block.device + at) for at in places for block in plan.blocks),
        vectors=tuple(owned._replace(device=owned.device + at) for at in places for owned in plan.vectors),
        groups=tuple(tuple(device + at for device in group) for at in places for group in plan.groups),
        copies=tuple(
            Copy(stop - start, tuple(range(at, at + fpgas)))
            for at, (start, stop) in zip(places, shares, strict=True)
        ),
    )


def products_of(layer: Layer, operand: str) -> list[Product]:
    """The layer's products with ``operand``."""
    return [product for product in cell_program(layer).products if product.operand == operand]
