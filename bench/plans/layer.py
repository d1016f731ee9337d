"""Lowering of one layer: its products, its stages, and the transfers that they need."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from itertools import groupby

from bench.hardware.profile import Cluster
from bench.hardware.topology import Topology
from bench.plans.cells import Product, Stage, cell_program
from bench.plans.core import CoreRules
from bench.plans.cuts import Columns, Cuts
from bench.plans.emit import Emitter
from bench.plans.gather import Arrival, Gather
from bench.plans.operations import Finish, Move, StageRows, SumInputs
from bench.plans.ownership import Ownership, Tile, feeds, overlap, producer_rows
from bench.plans.plan import Plan, Range
from bench.plans.program import Wait
from bench.plans.stream import Key, Need, Stream
from bench.plans.sums import LayerSums, Made, Parts, Sums, complete
from bench.plans.transfers import Exchange
from bench.workloads.model import EXTERNAL, Layer, Workload


class LayerLowering:
    """The instructions of one layer's step, appended to the phase's stream."""

    def __init__(
        self,
        *,
        layer: Layer,
        together: frozenset[str],
        earlier: frozenset[str],
        workload: Workload,
        cluster: Cluster,
        plan: Plan,
        owned: Ownership,
        topology: Topology,
        stalls: dict[int, float],
        group_of: dict[int, int],
        stream: Stream,
        skew: int,
        early_loop: bool,
    ) -> None:
        self.layer = layer
        self.workload = workload
        self.cluster = cluster
        self.overlay = cluster.profile.overlay
        self.owned = owned
        self.topology = topology
        self.stream = stream
        self.exchange = Exchange(layer, skew, cluster, topology, group_of, stream)
        self.pipelined = layer.name in plan.software_pipelined
        self.program = cell_program(layer)
        passes = math.ceil(workload.batch / (self.overlay.cores * self.overlay.vectors_per_pass))
        self.rules = CoreRules(layer, self.overlay, owned, passes, stream)
        self.emit = Emitter(
            layer, workload.batch, cluster, self.rules, stalls, group_of, stream, skew,
            pipelined=self.pipelined,
        )  # fmt: skip
        self.sums = LayerSums(layer, self.program, owned)
        streaming = {streamed.layer: streamed for streamed in plan.streamed}.get(layer.name)
        self.streaming = streaming
        self.together = together
        self.earlier = earlier
        # the operand whose products are made a step ahead
        self.known_early = ("h" if early_loop else "x") if self.pipelined else ""
        parts = streaming.parts if streaming else 1
        self.cuts = Cuts(layer, parts, owned, self.together, topology, self.known_early)
        self.others: frozenset[int] | None
        self.gather = Gather(
            layer, owned, cluster.profile, workload.batch, self.sums, self.exchange, self.emit, stream,
            topology,
            # with nothing else to add to, they are this step's own sums
            early=self.known_early if streaming and self._without(self.known_early) else "",
        )  # fmt: skip
        self.helpers, self.others = self._sides() if self.gather.early else (frozenset(), None)
        self.summed = False
        self.needed: dict[tuple[str, int, Columns], tuple[Need, ...]] = {}
        # products of the next step: (sum, device, holders) -> what completes it
        self.early: Sums = defaultdict(list)

    def _sides(self) -> tuple[frozenset[int], frozenset[int]]:
        """Devices that have nothing of the layer but early input products, and the others."""
        early: set[int] = set()
        others: set[int] = set()
        for product in self.program.products:
            side = early if product.operand == "x" == self.known_early else others
            side.update(tile.device for tile in self._tiles(product))
        for stage in self.program.stages:
            for owners in self.owned.owners[self.layer.name, stage.name].values():
                others.update(owners)
        return frozenset(early - others), frozenset(others)

    def _without(self, operand: str) -> list[Product]:
        return [p for p in self.program.products if p.operand != operand]

    def _with(self, operand: str) -> list[Product]:
        return [p for p in self.program.products if p.operand == operand]

    def begin(self) -> None:
        """What comes first in an iteration of a layer whose input products are made a step ahead."""
        self.came_early("x")
        known = {feed.producer for feed in self.layer.inputs}.isdisjoint(self.together)
        if self.streaming and known:
            self._sum_inputs(1)  # before the chain of this step, which it would wait for
        if self.helpers:
            # what helpers send must not queue behind what is sent within the step
            self._sum_inputs(1)
            self._products(self._with("x"), 1, self.helpers)
            self.gather.send_early(self.early, 1, self.helpers)

    def inputs(self, lead: int = 0) -> None:
        """The products with x, of the time step ``lead`` steps ahead, that have not come yet."""
        self._sum_inputs(lead)
        inputs = self._with("x")
        devices = self.others if lead else None
        self._products(inputs[self._ahead() :] if lead else inputs, lead, devices)
        self._load_next(lead)
        if lead:
            self.gather.send_early(self.early, lead, self.others)

    def _ahead(self) -> int:
        """Input products of the next step that come behind the first stage, of a layer that has several."""
        if self.streaming is None or self.known_early != "x" or len(self.program.stages) == 1:
            return 0
        return self.streaming.ahead

    def recurrent(self, lead: int = 0) -> None:
        """The products with h, of the time step ``lead`` steps ahead."""
        self._products(self._with("h"), lead)
        self.gather.send_early(self.early if lead else self.sums.made, lead)

    def came_early(self, operand: str) -> None:
        """Let this step's sums begin with the products with ``operand`` of an iteration before."""
        self.gather.expect_early()
        for product in self._with(operand):
            for tile in self._tiles(product):
                made = self.sums.made[product.sum, tile.device, tile.holders]
                complete(made, tile.rows, self._key(product, tile, self.cuts.of(product, tile)[-1]))

    def stages(self, *, with_recurrent: bool = True) -> None:
        """The other products, in program order, and each stage once its products are there.

        Where exchanges overlap with products, those that a stage waits for come first.
        """
        left = [p for p in self.program.products if p.operand != "x" and (with_recurrent or p.operand != "h")]
        if self.streaming is not None:
            order = [stage.name for stage in self.program.stages]
            left.sort(key=lambda product: order.index(product.stage))
        for number, stage in enumerate(self.program.stages):
            last = max((n for n, p in enumerate(left) if p.stage == stage.name), default=-1)
            self._products(left[: last + 1], 0)
            left = left[last + 1 :]
            self._stage(stage)
            if number == 0 and self._ahead():
                self._sum_inputs(1)
                self._products(self._with("x")[: self._ahead()], 1, self.others)

    # -- matrix products ---------------------------------------------------------------

    def _tiles(self, product: Product) -> tuple[Tile, ...]:
        return self.owned.tilings[self.layer.name, product.matrix].tiles

    def _key(self, product: Product, tile: Tile, parts: Columns) -> Key:
        return self.stream.keys["product", self.layer.name, product.matrix, tile, parts]

    def _products(self, products: list[Product], lead: int, devices: frozenset[int] | None = None) -> None:
        """Products in order; those of one operand cut alike, the near parts of all before the far ones.

        ``devices``: on these alone.
        """
        for _, group in groupby(products, key=lambda product: product.operand):
            alike = list(group)
            for part in range(self.cuts.parts):
                for product in alike:
                    self._product(product, lead, part, devices)
                    if part == self.cuts.parts - 1 and not lead:
                        self._run_ahead(product)

    def _product(self, product: Product, lead: int, part: int, devices: frozenset[int] | None = None) -> None:
        """Part ``part`` of a product on all devices that have so many."""
        sums = self.early if lead else self.sums.made
        for tile in self._tiles(product):
            cuts = self.cuts.of(product, tile)
            if part >= len(cuts) or (devices is not None and tile.device not in devices):
                continue
            parts = cuts[part]
            needs = list(self._operand_needs(product.operand, tile.device, parts))
            if product.operand == "x" and self.rules.loads:
                needs.append(self.stream.need(self.stream.keys["load", self.layer.name, tile.device, "x"], 1))
            so_far = sums[product.sum, tile.device, tile.holders]
            for rows, earlier in so_far:
                if overlap(rows, tile.rows):
                    needs.append(self.rules.addend(earlier, rows == tile.rows))
            if product.apart:  # it meets the gate's other sum in the chain
                needs += [
                    self.rules.addend(key, rows == tile.rows)
                    for others in self.sums.holders(product.gate)
                    for rows, key in sums.get((product.gate, tile.device, others), ())
                    if overlap(rows, tile.rows)
                ]
            if not lead:
                needs += self.gather.arrived_early(product, tile)
            key = self._key(product, tile, parts)
            self.emit.matrix(key, product, tile, parts, needs, lead)
            complete(so_far, tile.rows, key)

    def _sum_inputs(self, lead: int) -> None:
        """Vector instructions where the input is a sum of several vectors, unless they are there already."""
        terms = self.layer.input_terms
        if terms == 1 or self.summed:
            return
        self.summed = True
        layer = self.layer
        cols_on: dict[int, set[Range]] = defaultdict(set)
        for product in self._with("x"):
            for device, cols in self.owned.tilings[layer.name, product.matrix].columns:
                cols_on[device].add(cols)
        for device, ranges in sorted(cols_on.items()):
            count = sum(stop - start for start, stop in ranges)
            needs = [n for cols in sorted(ranges) for n in self._feed_needs(device, cols)]
            for term in range(terms - 1):
                last = term == terms - 2
                does = partial(_sums_inputs, layer.name, tuple(sorted(ranges))) if last else tuple
                key = self.stream.keys["x", layer.name, device, term]
                self.emit.vector(key, device, count, needs, "sum x", does, lead)
                needs = [self.stream.need(key, 0, Wait.BLOCKS)]
            self.stream.alias(self.stream.keys["x", layer.name, device], key)

    def _operand_needs(self, operand: str, device: int, parts: Columns) -> Sequence[Need]:
        """What a product on ``device`` waits for, the same for all gates, to read these columns."""
        known = (operand, device, parts)
        if known not in self.needed:
            self.needed[known] = tuple(self._find_needs(operand, device, parts))
        return self.needed[known]

    def _find_needs(self, operand: str, device: int, parts: Columns) -> list[Need]:
        if operand == "x" and self.summed:
            return [self.stream.need(self.stream.keys["x", self.layer.name, device])]
        if operand == "x":
            return [need for cols in parts for need in self._feed_needs(device, cols)]
        back = int(operand == "h")
        return [
            need
            for cols in parts
            for need in self._vector_needs(self.layer.name, operand, device, cols, back)
        ]

    def _feed_needs(self, device: int, cols: Range) -> list[Need]:
        needs = []
        for feed, offset in feeds(self.layer):
            if feed.producer == EXTERNAL or feed.producer in self.earlier:
                continue
            for rows in producer_rows(feed, offset, cols):
                needs += self._vector_needs(feed.producer, "h", device, rows, feed.delay)
        return needs

    def _vector_needs(self, layer: str, stage: str, device: int, rows: Range, back: int) -> list[Need]:
        """What must have been computed on, or have arrived at, ``device`` for it to hold ``rows``."""
        return [
            self.stream.need(self._held(layer, stage, device, shard), back)
            for shard in self.owned.owners[layer, stage]
            if overlap(shard, rows)
        ]

    def _held(self, layer: str, stage: str, device: int, rows: Range) -> Key:
        """The key of the moment at which ``device`` holds these rows of a vector."""
        return self.stream.keys["held", layer, stage, device, rows]

    # -- stages ------------------------------------------------------------------------

    def _stage(self, stage: Stage) -> None:
        """Gate sums to the stage's owners, its vector instructions, its rows to who needs them."""
        by_rows = self.owned.owners[self.layer.name, stage.name]
        gathered = {rows: self.gather.late(stage, rows, owners) for rows, owners in by_rows.items()}
        self.exchange.send()
        for rows, owners in by_rows.items():
            for device in owners:
                self._finish(stage, rows, device, *gathered[rows][device])
        for rows, owners in by_rows.items():
            self._distribute(stage, rows, owners)
        self.exchange.send()

    def _finish(self, stage: Stage, rows: Range, device: int, own: Parts, arrivals: list[Arrival]) -> None:
        """The vector instructions that turn gate sums into the stage's rows on ``device``."""
        local: Made = list(dict.fromkeys(m for part in own for m in self.sums.completing(device, part)))
        terms = (*own, *(part for arrival in arrivals for part in arrival.parts))
        does = partial(_finishes, self.layer.name, stage.name, rows, terms)
        held = self._held(self.layer.name, stage.name, device, rows)
        count = stage.chain + self._additions(stage, own, arrivals)
        if not count and self._rides(stage, rows, local):
            self.stream.alias(held, local[-1][1])
            self.stream.add(local[-1][1], does)
            return
        needs = [self.stream.need(arrival.key) for arrival in arrivals]
        for operand in stage.state:
            needs += self._vector_needs(self.layer.name, operand, device, rows, 1)
        needs += [self.rules.newest(key, made == rows, stage) for made, key in local]
        ran = int(self.stream.knows(self.stream.keys["ahead", held]))
        total = max(count, 1)
        for step in range(ran, total):
            last = step == total - 1
            key = held if last else self.stream.new()
            height = rows[1] - rows[0]
            words = 1 + self.rules.write_words(height) if last else 1
            what = f"{stage.name} {step + 1}/{total}"
            made = does if last else tuple
            self.emit.vector(key, device, height, needs, what, made, 0, words)
            needs = [self.rules.link(key)]

    def _rides(self, stage: Stage, rows: Range, local: Made) -> bool:
        """Whether the chain of the last product has all that the stage's ``rows`` are made of."""
        last = [product for product in self.program.products if product.stage == stage.name][-1]
        meets = last.apart and last.operand != self.known_early  # a product made early meets no other sum
        return all(made == rows for made, _ in local) and 0 < len(local) <= 1 + meets

    def _additions(self, stage: Stage, own: Parts, arrivals: list[Arrival]) -> int:
        """Vector instructions for sums that did not come out of the last product's chain complete."""
        late = [arrival for arrival in arrivals if not arrival.early]
        if any(arrival.partial for arrival in late):
            return len(self.program.sums(stage.name))  # each: add and activate
        made = {part.sum for part in own}
        if late or not self.gather.rides(own, arrivals):
            return 1  # what would have ridden in the last product's chain
        return len({(part.sum, part.origins) for part in own}) - len(made)

    def _distribute(self, stage: Stage, rows: Range, owners: tuple[int, ...]) -> None:
        """Send finished rows from the nearest owner to each device that needs them."""
        name = self.layer.name
        by_owner: dict[int, list[int]] = defaultdict(list)
        for consumer in self.owned.consumers((name, stage.name), rows):
            by_owner[self.topology.nearest(owners, consumer)].append(consumer)
        size = self.gather.bytes(rows[1] - rows[0])
        does = partial(_carries, name, stage.name, rows)
        for owner, consumers in sorted(by_owner.items()):
            arrivals = {consumer: self._held(name, stage.name, consumer, rows) for consumer in consumers}
            needs = (self.stream.need(self._held(name, stage.name, owner, rows)),)
            self.exchange.multicast(owner, arrivals, needs, size, stage.name, does)

    # -- batch core --------------------------------------------------------------------

    def _load_next(self, lead: int) -> None:
        """The load of the next time step's input, behind this step's input products."""
        for device, cycles in self.rules.loads:
            self.emit.load("x", device, cycles, lead, self.overlay.tiles, self.layer.steps - 1)

    def _run_ahead(self, product: Product) -> None:
        """The instruction of a chain that needs one gate alone, on owners that have all of its sum."""
        for device, rows in self.rules.run_ahead(product):
            held = self._held(self.layer.name, product.stage, device, rows)
            needs = [
                self.rules.operand(key)
                for (name, on, _), made in self.sums.made.items()
                for done, key in made
                if (name, on, done) == (product.sum, device, rows)
            ]
            height = rows[1] - rows[0]
            key = self.stream.keys["ahead", held]
            self.emit.vector(key, device, height, needs, f"{product.stage} ahead")
            self.emit.load("ones", device, self.emit.blocks(height), 0, 0, 0)  # of 1 - z


def _sums_inputs(layer: str, cols: Columns) -> tuple[SumInputs]:
    return (SumInputs(layer, cols),)


def _finishes(layer: str, stage: str, rows: Range, terms: Parts) -> tuple[Finish]:
    return (Finish(layer, stage, rows, tuple(part.of(layer) for part in terms)),)


def _carries(layer: str, stage: str, rows: Range) -> tuple[Move]:
    return (Move((StageRows(layer, stage, rows),)),)
