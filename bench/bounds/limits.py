"""What binds any plan: the work of a phase, and the dependences between steps and between layers."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from bench.hardware.profile import Cluster
from bench.plans.cells import cell_program, matrix_shape, stage_size
from bench.workloads.model import Layer, Workload


@dataclass(frozen=True, slots=True)
class Passage:
    """The products in series between a vector and one that is made of it, in one time step.

    ``cycles``: least time from the last element of the one to the last element of the other.
    ``bare``: from any element of the one to any element of the other. ``works``: matrix-unit cycles
    of each product in the series, on a device that has all of it.
    """

    cycles: int
    bare: int
    works: tuple[int, ...]

    def then(self, other: Passage) -> Passage:
        """This passage and another one behind it."""
        return Passage(self.cycles + other.cycles, self.bare + other.bare, self.works + other.works)


class Load(NamedTuple):
    """Of a step of a layer: cycles of all matrix units, of all multifunction units, of its shortest chain."""

    products: int
    elements: int
    chain: int


class Limits:
    """The bounds of one workload's phases, counted from the phase's start."""

    def __init__(self, workload: Workload, cluster: Cluster) -> None:
        self.fpgas = cluster.fpgas
        self.overlay = cluster.profile.overlay
        self.passes = math.ceil(workload.batch / (self.overlay.cores * self.overlay.vectors_per_pass))
        self.vectors = _vector_cycles(cluster)
        self.drain = self.overlay.matrix_latency_cycles + self.vectors
        self.crossing = least_crossing(workload, cluster)
        # by layer
        self._loads: dict[str, Load] = {}
        self._passages: dict[tuple[str, str], Passage | None] = {}

    # -- work ----------------------------------------------------------------------------

    def work(self, layers: Iterable[Layer], more: int = 0) -> int:
        """Cycles until the busiest device of a phase is done, at least.

        ``more``: matrix-unit cycles besides, in each step of some layer with the fewest steps.
        """
        layers = tuple(layers)
        unit = math.gcd(*(layer.steps for layer in layers))
        parts = [(layer.steps // unit, self._load(layer)) for layer in layers]
        more *= min(n for n, _ in parts)
        products = self._busiest(sum(n * load.products for n, load in parts) + more) * unit
        elements = self._busiest(sum(n * load.elements for n, load in parts)) * unit
        starts = self._busiest(sum(layer.steps for layer in layers)) - 1
        overlay = self.overlay
        bounds = [elements + overlay.multifunction_latency_cycles + overlay.writeback_latency_cycles - 1]
        core = overlay.batch_core
        if core is None:
            bounds.append(products + self.drain + min(load.chain for _, load in parts))
            bounds.append(starts * overlay.step_interval_cycles)
        else:
            # results leave in bursts: the last may leave before the matrix unit has gone through its padding
            bounds.append(products + self.drain - 2 * core.accumulators)
        return max(bounds)

    def _busiest(self, total: int) -> int:
        return -(-total // self.fpgas)

    def _load(self, layer: Layer) -> Load:
        if layer.name not in self._loads:
            self._loads[layer.name] = Load(self._products(layer), self._elements(layer), self._chain(layer))
        return self._loads[layer.name]

    def _products(self, layer: Layer) -> int:
        """Matrix-unit cycles of one step, over all devices: whole row blocks of each operand."""
        rows: dict[tuple[str, int], int] = defaultdict(int)
        for product in cell_program(layer).products:
            height, cols = matrix_shape(layer, product)
            rows[product.operand, cols] += height
        return sum(self._whole(height, cols) for (_, cols), height in rows.items())

    def _whole(self, rows: int, cols: int) -> int:
        """Cycles of ``rows`` of one operand, gates packed: the least over all ways to cut them."""
        words = self.overlay.tiles * self.overlay.lanes
        extra = self.overlay.row_block_overhead_cycles
        by_row = -(-rows * (math.ceil(cols / words) + extra) // self.overlay.engines)
        # Each column is in ceil(rows / engines) blocks or more. The cheapest width for its columns is the
        # largest multiple of the words' or the whole width.
        widths = (cols, max(cols // words, 1) * words)
        blocks = math.ceil(rows / self.overlay.engines)
        by_block = min(-(-blocks * cols * (math.ceil(c / words) + extra) // c) for c in widths)
        return max(by_row, by_block) * self.passes

    def _elements(self, layer: Layer) -> int:
        """Cycles of one step in the multifunction units, over all devices."""
        program = cell_program(layer)
        blocks = sum(self._vectors(matrix_shape(layer, product)[0]) for product in program.products)
        if self.overlay.batch_core is None:
            blocks += sum(
                stage.chain * self._vectors(stage_size(layer, stage.name)) for stage in program.stages
            )
            return blocks * self.passes * self.overlay.vector_cycles
        return blocks * self.passes * self.overlay.vectors_per_pass * self.overlay.vector_cycles

    def _vectors(self, rows: int) -> int:
        return math.ceil(rows / self.overlay.engines)

    def _chain(self, layer: Layer) -> int:
        """The vector instructions behind a product of any stage, at least."""
        return min(stage.chain for stage in cell_program(layer).stages) * self.vectors

    # -- dependences -----------------------------------------------------------------------

    def recurrence(self, layers: tuple[Layer, ...]) -> int:
        """Cycles that the longest chain of dependent steps of a phase takes, at least."""
        inputs = {layer.name: self.passage(layer, "x") for layer in layers}
        firsts, lasts = self.heads(layers, inputs)
        tails = self.tails(layers, inputs)
        found = [lasts[layer.name] + tails[layer.name] for layer in layers]
        for layer in layers:
            own = self.passage(layer, "h")
            if own is not None:
                found.append(
                    self._loop(own, layer.steps, firsts[layer.name], lasts[layer.name], tails[layer.name])
                )
            for feed in layer.inputs:
                if feed.delay and feed.producer in inputs:
                    around = _longest(layers, inputs, layer.name, feed.producer)
                    if around is not None:
                        end = feed.producer
                        found.append(self._loop(around, layer.steps, firsts[end], lasts[end], tails[end]))
        return max(found)

    def _loop(self, step: Passage, steps: int, first: int, last: int, tail: int) -> int:
        """A vector that depends on itself ``step`` later, over all steps.

        ``first``, ``last``: of its elements, at step 0. ``tail``: what follows its last step.
        """
        chained = last + (steps - 1) * step.cycles + tail
        works = sorted(step.works)
        shared = []
        for whole in range(len(works) + 1):
            # some device has all of ``whole`` of the step's products, and none has more of them
            alone = steps * sum(works[:whole])
            walk = 0
            if whole < len(works):
                if self.fpgas == 1:
                    continue
                crossings = (steps - 1) * len(works) // (whole + 2)
                walk = first + (steps - 1) * step.bare + crossings * self.crossing + tail
            shared.append(max(alone, walk))
        return max(chained, min(shared))

    def heads(
        self, layers: tuple[Layer, ...], inputs: dict[str, Passage | None]
    ) -> tuple[dict[str, int], dict[str, int]]:
        """The first and the last element of each layer's h at step 0, at least."""
        firsts: dict[str, int] = {}
        lasts: dict[str, int] = {}
        for layer in layers:
            ways = [way for way in (inputs[layer.name], self.passage(layer, "h")) if way is not None]
            first = max((way.bare for way in ways), default=0)
            last = max((way.cycles for way in ways), default=0)
            own = inputs[layer.name]
            for feed in layer.inputs:
                if own is not None and feed.producer in lasts and not feed.delay:
                    first = max(first, lasts[feed.producer] + own.bare)
                    last = max(last, lasts[feed.producer] + own.cycles)
            firsts[layer.name], lasts[layer.name] = first, last
        return firsts, lasts

    def tails(self, layers: tuple[Layer, ...], inputs: dict[str, Passage | None]) -> dict[str, int]:
        """What follows the last element of each layer's h at the last step, at least."""
        tails = dict.fromkeys(inputs, 0)
        for layer in reversed(layers):
            own = inputs[layer.name]
            for feed in layer.inputs:
                if own is not None and feed.producer in tails and not feed.delay:
                    tails[feed.producer] = max(tails[feed.producer], own.cycles + tails[layer.name])
        return tails

    def passage(self, layer: Layer, operand: str) -> Passage | None:
        """The longest series of products from ``operand`` (x or h) to the layer's h; None: there is none."""
        key = layer.name, operand
        if key not in self._passages:
            self._passages[key] = self._longest_series(layer, operand)
        return self._passages[key]

    def _longest_series(self, layer: Layer, operand: str) -> Passage | None:
        program = cell_program(layer)
        best: dict[str, Passage] = {}
        for stage in program.stages:
            ways = []
            for source in (operand, *best):
                shapes = [
                    matrix_shape(layer, product)
                    for product in program.products
                    if product.stage == stage.name and product.operand == source
                ]
                if not shapes:
                    continue
                made = self._made(
                    sum(rows for rows, _ in shapes), shapes[0][1], stage.chain, bool(stage.ahead)
                )
                ways.append(best[source].then(made) if source in best else made)
            if ways:
                best[stage.name] = max(ways, key=lambda way: way.cycles)
        return best.get("h")

    def _made(self, rows: int, cols: int, chain: int, ahead: bool) -> Passage:
        """A stage from one of its operands: ``rows`` of all its gates, in a matrix of ``cols`` columns."""
        overlay, core = self.overlay, self.overlay.batch_core
        work = self._whole(rows, cols)
        if core is not None:
            early = max(core.first_unit_cycles, core.second_unit_cycles)
            after = self.drain + 1 + max((chain - ahead) * self.vectors - early, 0)
            return Passage(after, after, (work,))
        after = self.drain + chain * self.vectors
        block = (1 + overlay.row_block_overhead_cycles) * self.passes
        blocks = math.ceil(math.ceil(rows / self.fpgas) / overlay.engines)
        return Passage(blocks * block + after, block + after, (work,))


def least_crossing(workload: Workload, cluster: Cluster) -> int:
    """Cycles in which one element gets from one device to another, at least."""
    link, profile = cluster.link, cluster.profile
    per_ns = profile.clock_mhz / 1000.0
    each = min(profile.vector_bytes_per_element, profile.partial_sum_bytes_per_element)
    size = math.ceil(each * workload.batch)
    padded = math.ceil(size / link.beat_bytes) * link.beat_bytes
    return math.ceil(padded * link.ns_per_byte * per_ns) + math.ceil(link.latency_ns * per_ns)


def _vector_cycles(cluster: Cluster) -> int:
    """From the end of one vector instruction to that of one chained to it, at least."""
    overlay = cluster.profile.overlay
    return overlay.multifunction_latency_cycles + overlay.writeback_latency_cycles + overlay.vector_cycles - 1


def _longest(
    layers: tuple[Layer, ...], inputs: dict[str, Passage | None], start: str, end: str
) -> Passage | None:
    """The longest way from the input of layer ``start`` to the h of layer ``end``, within a step."""
    best: dict[str, Passage] = {}
    for layer in layers:
        own = inputs[layer.name]
        if own is None:
            continue
        ways = [own] if layer.name == start else []
        ways += [best[f.producer].then(own) for f in layer.inputs if f.producer in best and not f.delay]
        if ways:
            best[layer.name] = max(ways, key=lambda way: way.cycles)
    return best.get(end)
