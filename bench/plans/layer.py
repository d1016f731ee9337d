"""Lowering of one layer: its products, its stages, and the transfers that they need."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import partial

from bench.hardware.profile import Cluster
from bench.hardware.topology import Topology
from bench.plans.cells import Product, Stage, cell_program
from bench.plans.core import CoreRules
from bench.plans.ownership import Ownership, feeds, overlap, producer_rows
from bench.plans.plan import Block, Plan, Range
from bench.plans.program import Instruction, Results, Start, Unit, Wait
from bench.plans.stream import Key, Need, Stream
from bench.plans.sums import Sums, complete, elements, plan_delivery, sum_needs
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
        self.stalls = stalls
        self.group_of = group_of
        self.stream = stream
        self.skew = skew
        self.exchange = Exchange(layer, skew, cluster, topology, group_of, stream)
        self.pipelined = layer.name in plan.software_pipelined
        self.program = cell_program(layer)
        per_pass = self.overlay.cores * self.overlay.vectors_per_pass
        self.passes = math.ceil(workload.batch / per_pass)
        self.rules = CoreRules(layer, self.overlay, owned, self.passes)
        self.started: set[int] = set()
        # (device, operand, columns) -> rows multiplied so far: row blocks are packed across gates
        self.packed: dict[tuple[int, str, Range], int] = defaultdict(int)
        self.sums: Sums = defaultdict(list)
        # the same for products of the next step
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
                complete(self.sums[product.gate, block.device], block.rows, self._key(product, block))

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
        sums = self.early if lead else self.sums
        for block in self._blocks_of(product):
            if product.operand == "x":
                needs = self._input_needs(block.device, block.cols)
            else:
                back = 1 if product.operand == "h" else 0
                needs = self._vector_needs(self.layer.name, product.operand, block.device, block.cols, back)
            if product.operand == "x" and self.rules.loads():
                needs.append(Need(("load", self.layer.name, block.device, "x"), 1))
            so_far = sums[product.gate, block.device]
            for rows, earlier in so_far:
                if overlap(rows, block.rows):
                    needs.append(self.rules.addend(earlier, rows == block.rows))
            self._matrix(product, block, needs, lead)
            complete(so_far, block.rows, self._key(product, block))

    def _matrix(self, product: Product, block: Block, needs: list[Need], lead: int) -> None:
        rows, cols = block.rows[1] - block.rows[0], block.cols[1] - block.cols[0]
        words = math.ceil(cols / (self.overlay.tiles * self.overlay.lanes))
        interval = words + self.overlay.row_block_overhead_cycles
        interval = math.ceil(interval * self.stalls.get(block.device, 1.0))
        self._append(
            key=self._key(product, block),
            unit=Unit.MATRIX,
            device=block.device,
            blocks=self._packed_blocks(product, block, rows),
            interval=interval,
            words=1 + self.rules.words_after(product, rows),
            results=self.rules.results(rows, interval),
            latency=self.overlay.matrix_latency_cycles,
            needs=needs,
            what=product.matrix,
            lead=lead,
            vectors=self._blocks(rows),
            macs=rows * cols * self.workload.batch,
        )

    def _packed_blocks(self, product: Product, block: Block, rows: int) -> int:
        """Row blocks that this product adds: the gates of one operand are stacked, then cut into blocks.

        A batch core has each matrix by itself.
        """
        if self.rules.core:
            return self.rules.padded_blocks(rows) * self.passes
        key = (block.device, product.operand, block.cols)
        before = self.packed[key]
        self.packed[key] = before + rows
        whole = math.ceil((before + rows) / self.overlay.engines) - math.ceil(before / self.overlay.engines)
        return max(whole, 1) * self.passes

    def _sum_inputs(self, products: list[Product], lead: int) -> None:
        """One vector instruction per device where the input is a sum of several vectors."""
        layer = self.layer
        counts = [f.time_reduction if f.reduction == "sum" else 1 for f in layer.inputs]
        terms = sum(counts) if layer.combine == "sum" else max(counts)
        if terms == 1:
            return
        cols_on: dict[int, set[Range]] = defaultdict(set)
        for product in products:
            for block in self._blocks_of(product):
                cols_on[block.device].add(block.cols)
        for device, ranges in sorted(cols_on.items()):
            elements = sum(stop - start for start, stop in ranges)
            needs = [n for cols in sorted(ranges) for n in self._feed_needs(device, cols)]
            for term in range(terms - 1):
                self._vector(("x", layer.name, device, term), device, elements, needs, "sum x", lead)
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
        arrivals = {rows: self._gather_sums(stage, rows, owners) for rows, owners in by_rows.items()}
        self.exchange.send()
        for rows, owners in by_rows.items():
            for device in owners:
                self._finish(stage, rows, device, arrivals[rows][device])
        for rows, owners in by_rows.items():
            self._distribute(stage, rows, owners)
        self.exchange.send()

    def _gather_sums(
        self, stage: Stage, rows: Range, owners: tuple[int, ...]
    ) -> dict[int, list[tuple[Key, bool]]]:
        """Send gate sums made elsewhere: owner -> (arrival, whether it is a partial sum)."""
        delivery = plan_delivery(self.layer, self.program, self.owned, self.sums, stage, rows, owners)
        arrivals: dict[int, list[tuple[Key, bool]]] = {owner: [] for owner in owners}
        name = self.layer.name
        for owner, senders in delivery.reduced.items():
            parts = delivery.parts[senders[0]]
            keys = self.exchange.reduce(
                (name, stage.name, rows, owner),
                owner,
                senders,
                {device: sum_needs(self.sums, device, parts) for device in senders},
                self._bytes(elements(parts), partial=True),
                f"{stage.name} partial sums",
                partial(self._add, elements(parts), f"{stage.name} add"),
            )
            arrivals[owner] += [(key, True) for key in keys]
        for device, targets, parts, is_partial in delivery.sent:
            tag = ("sums", name, stage.name, rows, device, parts)
            size = self._bytes(elements(parts), partial=is_partial)
            what = f"{stage.name} {'partial sums' if is_partial else 'gates'}"
            self.exchange.multicast(tag, device, targets, sum_needs(self.sums, device, parts), size, what)
            for owner in targets:
                arrivals[owner].append(((*tag, owner), is_partial))
        return arrivals

    def _add(self, count: int, what: str, key: Key, device: int, needs: list[Need]) -> None:
        self._vector(key, device, count, needs, what, 0)

    def _bytes(self, count: int, *, partial: bool = False) -> int:
        """Size of a message of ``count`` elements for the whole batch."""
        profile = self.cluster.profile
        each = profile.partial_sum_bytes_per_element if partial else profile.vector_bytes_per_element
        return math.ceil(count * each * self.workload.batch)

    def _finish(self, stage: Stage, rows: Range, device: int, arrivals: list[tuple[Key, bool]]) -> None:
        """The vector instructions that turn gate sums into the stage's rows on ``device``."""
        local = [
            (made, key)
            for gate in stage.gates
            for made, key in self.sums.get((gate, device), [])
            if overlap(made, rows)
        ]
        count = stage.chain
        if any(is_partial for _, is_partial in arrivals):
            count += len(stage.gates)  # each gate: add and activate
        elif arrivals:
            count += 1  # what would have ridden in the last product's chain
        held = _held(self.layer.name, stage.name, device, rows)
        if not count and len(local) == 1 and local[0][0] == rows:
            self.stream.alias(held, local[0][1])
            return
        needs = [Need(key, 0) for key, _ in arrivals]
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
            self._vector(key, device, height, needs, f"{stage.name} {step + 1}/{total}", 0, words)
            needs = [self.rules.link(key)]

    def _distribute(self, stage: Stage, rows: Range, owners: tuple[int, ...]) -> None:
        """Send finished rows from the nearest owner to each device that needs them."""
        name = self.layer.name
        by_owner: dict[int, list[int]] = defaultdict(list)
        for consumer in self.owned.consumers((name, stage.name), rows):
            nearest = min(owners, key=lambda o: (len(self.topology.route(o, consumer)), o))
            by_owner[nearest].append(consumer)
        size = self._bytes(rows[1] - rows[0])
        for owner, consumers in sorted(by_owner.items()):
            tag = ("rows", name, stage.name, rows, owner)
            needs = [Need(_held(name, stage.name, owner, rows), 0)]
            self.exchange.multicast(tag, owner, tuple(consumers), needs, size, stage.name)
            for consumer in consumers:
                self.stream.alias(_held(name, stage.name, consumer, rows), (*tag, consumer))

    # -- batch core --------------------------------------------------------------------

    def _load_next(self, lead: int) -> None:
        """The load of the next time step's input, behind this step's input products."""
        for device, cycles in self.rules.loads():
            self._load("x", device, cycles, lead, self.overlay.tiles, self.layer.steps - 1)

    def _load(self, what: str, device: int, cycles: int, lead: int, words: int, count: int) -> None:
        """A load that runs in ``count`` steps; what is loaded once only counts before the first."""
        self._append(
            key=("load", self.layer.name, device, what),
            unit=Unit.LOAD,
            device=device,
            blocks=1,
            interval=cycles,
            latency=0,
            needs=[],
            what=f"load {what}",
            lead=lead,
            words=words,
            count=count,
        )

    def _run_ahead(self, product: Product) -> None:
        """The instruction of a chain that needs one gate alone, on owners that have all of its sum."""
        for device, rows in self.rules.run_ahead(product):
            held = _held(self.layer.name, product.stage, device, rows)
            needs = [self.rules.operand(key) for made, key in self.sums[product.gate, device] if made == rows]
            height = rows[1] - rows[0]
            self._vector(("ahead", *held), device, height, needs, f"{product.stage} ahead", 0)
            self._load("ones", device, self._blocks(height), 0, 0, 0)  # of 1 - z

    # -- instructions ------------------------------------------------------------------

    def _vector(
        self, key: Key, device: int, elements: int, needs: list[Need], what: str, lead: int, words: int = 1
    ) -> None:
        self._append(
            key=key,
            unit=Unit.VECTOR,
            device=device,
            blocks=self._blocks(elements),
            interval=1,
            latency=0,
            needs=needs,
            what=what,
            lead=lead,
            words=words,
        )

    def _blocks(self, rows: int) -> int:
        return math.ceil(rows / self.overlay.engines) * self.passes * self.rules.vectors

    def _append(
        self,
        *,
        key: Key,
        unit: Unit,
        device: int,
        blocks: int,
        interval: int,
        latency: int,
        needs: list[Need],
        what: str,
        lead: int,
        vectors: int = 0,
        macs: int = 0,
        words: int = 1,
        results: Results | None = None,
        count: int | None = None,
    ) -> None:
        start = Start.NOT_FIRST
        if device not in self.started:
            start = Start.FREE if self.pipelined or self.overlay.steps_overlap else Start.LOCK_STEP
        self.started.add(device)
        self.stream.append(
            key,
            self.skew - lead,
            needs,
            Instruction(
                unit=unit,
                server=device,
                blocks=blocks,
                interval=interval,
                latency=latency,
                first=self.skew - lead,
                count=self.layer.steps if count is None else count,
                group=self.group_of[device],
                to_group=self.group_of[device],
                starts_step=start,
                waits=(),
                layer=self.layer.name,
                what=what,
                device=device,
                to_device=device,
                vectors=vectors or blocks,
                macs=macs,
                words=words,
                results=results,
            ),
        )


def _held(layer: str, stage: str, device: int, rows: Range) -> Key:
    """The key of the moment at which ``device`` holds these rows of a vector."""
    return ("held", layer, stage, device, rows)
