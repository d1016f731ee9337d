"""Lowering of one layer: its products, its stages, and the transfers that they need."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import partial

from bench.hardware.profile import Cluster
from bench.hardware.topology import Topology
from bench.plans.cells import Product, Stage, cell_program
from bench.plans.core import CoreRules
from bench.plans.emit import Emitter
from bench.plans.operations import Finish, Move, Multiply, Operation, StageRows, SumInputs
from bench.plans.ownership import Ownership, feeds, overlap, producer_rows
from bench.plans.plan import Block, Plan, Range
from bench.plans.program import Wait
from bench.plans.stream import Key, Need, Stream
from bench.plans.sums import LayerSums, Made, Parts, Sums, complete, elements
from bench.plans.transfers import Exchange
from bench.workloads.model import EXTERNAL, Layer, Workload


class LayerLowering:
    """The instructions of one layer's step, appended to the phase's stream."""

    def __init__(
        self,
        *,
        layer: Layer,
        workload: Workload,
        cluster: Cluster,
        plan: Plan,
        owned: Ownership,
        topology: Topology,
        stalls: dict[int, float],
        group_of: dict[int, int],
        stream: Stream,
        skew: int,
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
        self.rules = CoreRules(layer, self.overlay, owned, passes)
        self.emit = Emitter(
            layer, workload.batch, cluster, self.rules, stalls, group_of, stream, skew,
            pipelined=self.pipelined,
        )  # fmt: skip
        self.sums = LayerSums(layer, self.program, owned)
        # products of the next step: (sum, device, holders) -> what completes it
        self.early: Sums = defaultdict(list)

    def _with(self, operand: str) -> list[Product]:
        return [p for p in self.program.products if p.operand == operand]

    def inputs(self, lead: int = 0) -> None:
        """The products with x, of the time step ``lead`` steps ahead."""
        if inputs := self._with("x"):
            self._sum_inputs(inputs, lead)
        for product in inputs:
            self._product(product, lead)
        self._load_next(lead)

    def recurrent(self, lead: int = 0) -> None:
        """The products with h, of the time step ``lead`` steps ahead."""
        for product in self._with("h"):
            self._product(product, lead)

    def came_early(self, operand: str) -> None:
        """Let this step's sums begin with the products with ``operand`` of an iteration before."""
        for product in self._with(operand):
            for block in self._blocks_of(product):
                made = self.sums.made[product.sum, block.device, self.owned.holders(block)]
                complete(made, block.rows, self._key(product, block))

    def stages(self, *, with_recurrent: bool = True) -> None:
        """The other products, in program order, and each stage once its products are there."""
        left = [p for p in self.program.products if p.operand != "x" and (with_recurrent or p.operand != "h")]
        waiting = list(self.program.stages)
        while waiting:
            stage = waiting[0]  # stages are in the order in which they depend on each other
            while any(product.stage == stage.name for product in left):
                self._product(left[0], 0)
                self._run_ahead(left.pop(0))
            self._stage(waiting.pop(0))

    # -- matrix products ---------------------------------------------------------------

    def _blocks_of(self, product: Product) -> tuple[Block, ...]:
        return self.owned.blocks.get((self.layer.name, product.matrix), ())

    def _key(self, product: Product, block: Block) -> Key:
        return ("product", self.layer.name, product.matrix, block.device, block.rows, block.cols)

    def _product(self, product: Product, lead: int) -> None:
        sums = self.early if lead else self.sums.made
        for block in self._blocks_of(product):
            if product.operand == "x":
                needs = self._input_needs(block.device, block.cols)
            else:
                back = 1 if product.operand == "h" else 0
                needs = self._vector_needs(self.layer.name, product.operand, block.device, block.cols, back)
            if product.operand == "x" and self.rules.loads():
                needs.append(Need(("load", self.layer.name, block.device, "x"), 1))
            holders = self.owned.holders(block)
            so_far = sums[product.sum, block.device, holders]
            for rows, earlier in so_far:
                if overlap(rows, block.rows):
                    needs.append(self.rules.addend(earlier, rows == block.rows))
            into = self.sums.register(product.sum, holders)
            does = Multiply(self.layer.name, product.matrix, block.rows, block.cols, into)
            self.emit.matrix(self._key(product, block), product, block, needs, lead, does)
            complete(so_far, block.rows, self._key(product, block))

    def _sum_inputs(self, products: list[Product], lead: int) -> None:
        """One vector instruction per device where the input is a sum of several vectors."""
        terms = self.layer.input_terms
        if terms == 1:
            return
        layer = self.layer
        cols_on: dict[int, set[Range]] = defaultdict(set)
        for product in products:
            for block in self._blocks_of(product):
                cols_on[block.device].add(block.cols)
        for device, ranges in sorted(cols_on.items()):
            count = sum(stop - start for start, stop in ranges)
            needs = [n for cols in sorted(ranges) for n in self._feed_needs(device, cols)]
            for term in range(terms - 1):
                last = term == terms - 2
                does = (SumInputs(layer.name, tuple(sorted(ranges))),) if last else ()
                self.emit.vector(
                    ("x", layer.name, device, term), device, count, needs, "sum x", lead, 1, does
                )
                needs = [Need(("x", layer.name, device, term), 0, Wait.BLOCKS)]
            self.stream.alias(("x", layer.name, device), ("x", layer.name, device, terms - 2))

    def _input_needs(self, device: int, cols: Range) -> list[Need]:
        summed = ("x", self.layer.name, device)
        if self.stream.knows(summed):
            return [Need(summed, 0)]
        return self._feed_needs(device, cols)

    def _feed_needs(self, device: int, cols: Range) -> list[Need]:
        needs = []
        for feed, offset in feeds(self.layer):
            if feed.producer == EXTERNAL:
                continue
            for rows in producer_rows(feed, offset, cols):
                needs += self._vector_needs(feed.producer, "h", device, rows, feed.delay)
        return needs

    def _vector_needs(self, layer: str, stage: str, device: int, rows: Range, back: int) -> list[Need]:
        """What must have been computed on, or have arrived at, ``device`` for it to hold ``rows``."""
        return [
            Need(_held(layer, stage, device, shard), back)
            for shard in self.owned.owners[layer, stage]
            if overlap(shard, rows)
        ]

    # -- stages ------------------------------------------------------------------------

    def _stage(self, stage: Stage) -> None:
        """Gate sums to the stage's owners, its vector instructions, its rows to who needs them."""
        by_rows = self.owned.owners[self.layer.name, stage.name]
        gathered = {rows: self._gather_sums(stage, rows, owners) for rows, owners in by_rows.items()}
        self.exchange.send()
        for rows, owners in by_rows.items():
            for device in owners:
                self._finish(stage, rows, device, *gathered[rows][device])
        for rows, owners in by_rows.items():
            self._distribute(stage, rows, owners)
        self.exchange.send()

    def _gather_sums(
        self, stage: Stage, rows: Range, owners: tuple[int, ...]
    ) -> dict[int, tuple[Parts, list[tuple[Key, Parts, bool]]]]:
        """Send gate sums made elsewhere.

        Returns owner -> its own sums, and what arrives: (key, sums, whether they are partial).
        """
        delivery = self.sums.deliver(stage.name, rows, owners, self._nearest)
        arrivals: dict[int, list[tuple[Key, Parts, bool]]] = {owner: [] for owner in owners}
        name = self.layer.name
        for owner, senders in delivery.reduced.items():
            count = elements(next(iter(senders.values())))
            found = self.exchange.reduce(
                (name, stage.name, rows, owner),
                owner,
                senders,
                {device: self.sums.needs(device, parts) for device, parts in senders.items()},
                self._bytes(count, partial=True),
                f"{stage.name} partial sums",
                partial(self._add, count, f"{stage.name} add"),
            )
            arrivals[owner] += [(key, parts, True) for key, parts in found]
        for device, targets, part, is_partial in delivery.sent:
            tag = ("sums", name, stage.name, rows, device, part)
            size = self._bytes(elements((part,)), partial=is_partial)
            what = f"{stage.name} {'partial sums' if is_partial else 'gates'}"
            needs = self.sums.needs(device, (part,))
            self.exchange.multicast(tag, device, targets, needs, size, what, Move((part,)))
            for owner in targets:
                arrivals[owner].append(((*tag, owner), (part,), is_partial))
        return {owner: (delivery.local[owner], arrivals[owner]) for owner in owners}

    def _add(
        self, count: int, what: str, key: Key, device: int, needs: list[Need], does: tuple[Operation, ...]
    ) -> None:
        self.emit.vector(key, device, count, needs, what, does=does)

    def _nearest(self, devices: tuple[int, ...], to: int) -> int:
        return min(devices, key=lambda device: (len(self.topology.route(device, to)), device))

    def _bytes(self, count: int, *, partial: bool = False) -> int:
        """Size of a message of ``count`` elements for the whole batch."""
        profile = self.cluster.profile
        each = profile.partial_sum_bytes_per_element if partial else profile.vector_bytes_per_element
        return math.ceil(count * each * self.workload.batch)

    def _finish(
        self, stage: Stage, rows: Range, device: int, own: Parts, arrivals: list[tuple[Key, Parts, bool]]
    ) -> None:
        """The vector instructions that turn gate sums into the stage's rows on ``device``."""
        local: Made = list(dict.fromkeys(m for part in own for m in self.sums.completing(device, part)))
        terms = (*own, *(part for _, parts, _ in arrivals for part in parts))
        does = Finish(self.layer.name, stage.name, rows, terms)
        held = _held(self.layer.name, stage.name, device, rows)
        count = stage.chain + self._additions(stage, own, arrivals)
        if not count and len(local) == 1 and local[0][0] == rows:
            self.stream.alias(held, local[0][1])
            self.stream.add(local[0][1], does)
            return
        needs = [Need(key, 0) for key, _, _ in arrivals]
        for operand in stage.state:
            needs += self._vector_needs(self.layer.name, operand, device, rows, 1)
        needs += [self.rules.newest(key, made == rows, stage) for made, key in local]
        ran = int(self.stream.knows(("ahead", *held)))
        total = max(count, 1)
        for step in range(ran, total):
            last = step == total - 1
            key = held if last else ("chain", *held, step)
            height = rows[1] - rows[0]
            words = 1 + self.rules.write_words(height) if last else 1
            what = f"{stage.name} {step + 1}/{total}"
            self.emit.vector(key, device, height, needs, what, 0, words, (does,) if last else ())
            needs = [self.rules.link(key)]

    def _additions(self, stage: Stage, own: Parts, arrivals: list[tuple[Key, Parts, bool]]) -> int:
        """Vector instructions for sums that did not come out of the last product's chain complete."""
        if any(is_partial for _, _, is_partial in arrivals):
            return len(self.program.sums(stage.name))  # each: add and activate
        if arrivals:
            return 1  # what would have ridden in the last product's chain
        registers = {part.register for part in own}
        return len(registers) - len({register.sum for register in registers})

    def _distribute(self, stage: Stage, rows: Range, owners: tuple[int, ...]) -> None:
        """Send finished rows from the nearest owner to each device that needs them."""
        name = self.layer.name
        by_owner: dict[int, list[int]] = defaultdict(list)
        for consumer in self.owned.consumers((name, stage.name), rows):
            by_owner[self._nearest(owners, consumer)].append(consumer)
        size = self._bytes(rows[1] - rows[0])
        does = Move((StageRows(name, stage.name, rows),))
        for owner, consumers in sorted(by_owner.items()):
            tag = ("rows", name, stage.name, rows, owner)
            needs = [Need(_held(name, stage.name, owner, rows), 0)]
            self.exchange.multicast(tag, owner, tuple(consumers), needs, size, stage.name, does)
            for consumer in consumers:
                self.stream.alias(_held(name, stage.name, consumer, rows), (*tag, consumer))

    # -- batch core --------------------------------------------------------------------

    def _load_next(self, lead: int) -> None:
        """The load of the next time step's input, behind this step's input products."""
        for device, cycles in self.rules.loads():
            self.emit.load("x", device, cycles, lead, self.overlay.tiles, self.layer.steps - 1)

    def _run_ahead(self, product: Product) -> None:
        """The instruction of a chain that needs one gate alone, on owners that have all of its sum."""
        for device, rows in self.rules.run_ahead(product):
            held = _held(self.layer.name, product.stage, device, rows)
            needs = [
                self.rules.operand(key)
                for (name, on, _), made in self.sums.made.items()
                for done, key in made
                if (name, on, done) == (product.sum, device, rows)
            ]
            height = rows[1] - rows[0]
            self.emit.vector(("ahead", *held), device, height, needs, f"{product.stage} ahead")
            self.emit.load("ones", device, self.emit.blocks(height), 0, 0, 0)  # of 1 - z


def _held(layer: str, stage: str, device: int, rows: Range) -> Key:
    """The key of the moment at which ``device`` holds these rows of a vector."""
    return ("held", layer, stage, device, rows)
