"""Lowering: from a plan to a program. Communication is derived here, from who owns what.

For each layer and step: the input products, the recurrent products, then for each stage
the transfer of gate sums to the stage's owners, its vector instructions, and the transfer
of the finished rows to every device that needs them. A transfer follows the topology's
routes hop by hop: one message per hop, started when everything it carries is complete.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from functools import partial as bind

from bench.errors import InvalidPlan
from bench.hardware.profile import Cluster
from bench.hardware.topology import Topology, routes
from bench.plans.cells import Product, Stage, cell_program
from bench.plans.memory import memory_stall
from bench.plans.ownership import Ownership, feeds, index_plan, overlap, producer_rows
from bench.plans.plan import Block, Plan, Range
from bench.plans.program import Instruction, Phase, Program, Unit, Wait
from bench.plans.stream import Key, Need, Stream
from bench.workloads.model import EXTERNAL, Layer, Workload, feedback_layers, phases


Sums = dict[tuple[str, int], list[tuple[Range, Key]]]
"""(gate, device) -> the products that complete its sums there: their rows and keys."""


def lower(plan: Plan, workload: Workload, cluster: Cluster) -> Program:
    """The program that carries out ``plan``; the plan must be valid (`bench.plans.validate`).

    Raises InvalidPlan when a layer on a feedback loop is marked as software pipelined.
    """
    topology = routes(cluster, plan.groups)
    owned = index_plan(plan, workload)
    stalls = memory_stall(plan, cluster)
    group_of = {device: number for number, group in enumerate(plan.groups) for device in group}
    homes = {
        layer.name: frozenset(group_of[b.device] for b in plan.blocks if b.layer == layer.name)
        for layer in workload.layers
    }
    lowered = []
    for layers in phases(workload):
        skews = _skews(workload, layers, plan, homes)
        stream = Stream()
        for layer in layers:
            _LayerLowering(
                layer=layer,
                workload=workload,
                cluster=cluster,
                plan=plan,
                owned=owned,
                topology=topology,
                stalls=stalls,
                group_of=group_of,
                stream=stream,
                skew=skews[layer.name],
            ).emit()
        iterations = max(skews[layer.name] + layer.steps for layer in layers)
        lowered.append(Phase(stream.resolve(), iterations))
    servers = 1 + max((link.server for link in topology.links), default=0)
    return Program(tuple(lowered), cluster.fpgas, servers, len(plan.groups))


def _skews(
    workload: Workload, layers: tuple[Layer, ...], plan: Plan, homes: dict[str, frozenset[int]]
) -> dict[str, int]:
    """Iterations by which each layer lags behind the first.

    A pipelined layer lags one more than its producers, so that its inputs come early. So does
    a layer in another device group, because groups work on different steps at the same time:
    on a link that both use, the next step's input then goes before this step's output.
    """
    loops = feedback_layers(workload)
    names = {layer.name for layer in layers}
    skews: dict[str, int] = {}
    for layer in layers:
        pipelined = layer.name in plan.software_pipelined
        skews[layer.name] = int(pipelined)
        for feed in layer.inputs:
            if feed.producer in names and not feed.delay:
                apart = homes[feed.producer] != homes[layer.name] and layer.name not in loops
                skews[layer.name] = max(skews[layer.name], skews[feed.producer] + (pipelined or apart))
    for layer in layers:
        lead = skews[layer.name] - (layer.name in plan.software_pipelined)
        for feed in layer.inputs:
            if feed.delay and feed.producer in names and lead + feed.delay <= skews[feed.producer]:
                raise InvalidPlan(
                    f"layer {layer.name!r} cannot be software pipelined, nor any layer between it and "
                    f"{feed.producer!r}: its input is fed back from there one step earlier"
                )
    return skews


class _LayerLowering:
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
        self.profile = cluster.profile
        self.cluster = cluster
        self.overlay = cluster.profile.overlay
        self.owned = owned
        self.topology = topology
        self.stalls = stalls
        self.group_of = group_of
        self.stream = stream
        self.skew = skew
        self.pipelined = layer.name in plan.software_pipelined
        self.program = cell_program(layer)
        per_pass = self.overlay.cores * self.overlay.vectors_per_pass
        self.passes = math.ceil(workload.batch / per_pass)
        self.started: set[int] = set()
        # (device, operand, columns) -> rows multiplied so far: row blocks are packed across gates
        self.packed: dict[tuple[int, str, Range], int] = defaultdict(int)
        self.sums: Sums = defaultdict(list)
        # hops of one exchange: how many hops come before, and the function that appends it
        self.collected: list[tuple[int, Callable[[], None]]] = []

    def emit(self) -> None:
        """Append the layer's instructions in program order."""
        inputs = [p for p in self.program.products if p.operand == "x"]
        recurrent = [p for p in self.program.products if p.operand != "x"]
        if self.pipelined:  # they ran one iteration earlier
            for product in inputs:
                for block in self._blocks_of(product):
                    _replace(self.sums[product.gate, block.device], block.rows, self._key(product, block))
        else:
            self._products(inputs, self.sums, lead=0)
        done: set[str] = set()
        for n, product in enumerate(recurrent):
            self._product(product, self.sums, lead=0)
            rest = {p.stage for p in recurrent[n + 1 :]}
            for stage in self.program.stages:
                if stage.name not in rest and stage.name not in done and self._operands_done(stage, done):
                    self._stage(stage)
                    done.add(stage.name)
        if self.pipelined:
            self._products(inputs, defaultdict(list), lead=1)

    def _operands_done(self, stage: Stage, done: set[str]) -> bool:
        operands = {p.operand for p in self.program.products if p.stage == stage.name}
        return all(o in done or o in ("x", "h") for o in operands)

    # -- matrix products ---------------------------------------------------------------

    def _blocks_of(self, product: Product) -> tuple[Block, ...]:
        return self.owned.blocks.get((self.layer.name, product.matrix), ())

    def _key(self, product: Product, block: Block) -> Key:
        return ("product", self.layer.name, product.matrix, block.device, block.rows, block.cols)

    def _products(self, products: list[Product], sums: Sums, lead: int) -> None:
        if products:
            self._sum_inputs(products, lead)
        for product in products:
            self._product(product, sums, lead)

    def _product(self, product: Product, sums: Sums, lead: int) -> None:
        for block in self._blocks_of(product):
            if product.operand == "x":
                needs = self._input_needs(block.device, block.cols)
            else:
                back = 1 if product.operand == "h" else 0
                needs = self._vector_needs(self.layer.name, product.operand, block.device, block.cols, back)
            so_far = sums[product.gate, block.device]
            for rows, earlier in so_far:
                if overlap(rows, block.rows):
                    needs.append(Need(earlier, 0, Wait.BLOCKS if rows == block.rows else Wait.ALL))
            self._matrix(product, block, needs, lead)
            _replace(so_far, block.rows, self._key(product, block))

    def _matrix(self, product: Product, block: Block, needs: list[Need], lead: int) -> None:
        rows, cols = block.rows[1] - block.rows[0], block.cols[1] - block.cols[0]
        words = math.ceil(cols / (self.overlay.tiles * self.overlay.lanes))
        interval = words + self.overlay.row_block_overhead_cycles
        self._append(
            key=self._key(product, block),
            unit=Unit.MATRIX,
            device=block.device,
            blocks=self._packed_blocks(product, block, rows),
            interval=math.ceil(interval * self.stalls.get(block.device, 1.0)),
            latency=self.overlay.matrix_latency_cycles,
            needs=needs,
            what=product.matrix,
            lead=lead,
            macs=rows * cols * self.workload.batch,
        )

    def _packed_blocks(self, product: Product, block: Block, rows: int) -> int:
        """Row blocks that this product adds: the gates of one operand are stacked, then cut into blocks."""
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
        by_rows = self.owned.owners[self.layer.name, stage.name].items()
        arrivals = {rows: self._gather_sums(stage, rows, owners) for rows, owners in by_rows}
        self._send_collected()
        for rows, owners in by_rows:
            for device in owners:
                self._finish(stage, rows, device, arrivals[rows][device])
        for rows, owners in by_rows:
            self._distribute(stage, rows, owners)
        self._send_collected()

    def _send_collected(self) -> None:
        """Append the collected hops, those that start together first, as links would see them."""
        for _, append in sorted(self.collected, key=lambda item: item[0]):
            append()
        self.collected.clear()

    def _gather_sums(
        self, stage: Stage, rows: Range, owners: tuple[int, ...]
    ) -> dict[int, list[tuple[Key, bool]]]:
        """Send gate sums made elsewhere to the owners: owner -> (arrival, is a partial sum)."""
        arrivals: dict[int, list[tuple[Key, bool]]] = {owner: [] for owner in owners}
        parts: dict[int, list[tuple[str, Range]]] = defaultdict(list)
        for (gate, device), sums in sorted(self.sums.items()):
            if gate in stage.gates:
                for made, _ in sums:
                    part = overlap(made, rows)
                    if part:
                        parts[device].append((gate, part))
        wanted: dict[int, tuple[int, ...]] = {}
        for device, made_here in parts.items():
            wanted[device] = tuple(
                owner
                for owner in owners
                if owner != device and not self._holds(parts.get(owner, []), made_here, device, owner)
            )
        for owner in owners:
            senders = [d for d in sorted(parts) if owner in wanted[d]]
            same = len(senders) > 1 and all(parts[d] == parts[senders[0]] for d in senders)
            if same and self._is_partial(parts[senders[0]], senders[0]):
                arrivals[owner] += self._reduce(stage, rows, owner, senders, parts[senders[0]])
                wanted.update({d: tuple(o for o in wanted[d] if o != owner) for d in senders})
        for device in sorted(parts):
            if wanted[device]:
                partial = self._is_partial(parts[device], device)
                keys = self._send_sums(stage, rows, device, wanted[device], parts[device], partial)
                for owner, key in keys.items():
                    arrivals[owner].append((key, partial))
        return arrivals

    def _holds(
        self, mine: list[tuple[str, Range]], theirs: list[tuple[str, Range]], device: int, owner: int
    ) -> bool:
        """Whether the owner has computed the very same sums itself (replicated blocks)."""
        if not set(theirs) <= set(mine):
            return False
        return all(
            self._columns(gate, rows, owner) >= self._columns(gate, rows, device) for gate, rows in theirs
        )

    def _columns(self, gate: str, rows: Range, device: int) -> set[tuple[str, Range]]:
        """The (matrix, columns) that a device's sum of ``gate`` over ``rows`` takes in."""
        return {
            (product.matrix, block.cols)
            for product in self.program.products
            if product.gate == gate
            for block in self._blocks_of(product)
            if block.device == device and overlap(block.rows, rows)
        }

    def _is_partial(self, sums: list[tuple[str, Range]], device: int) -> bool:
        """Whether a device's sums lack columns that other devices hold."""
        for gate, rows in sums:
            mine = sum(stop - start for _, (start, stop) in self._columns(gate, rows, device))
            full = sum(
                self._width(product) for product in self.program.products if product.gate == gate
            )
            if mine < full:
                return True
        return False

    def _width(self, product: Product) -> int:
        return max((block.cols[1] for block in self._blocks_of(product)), default=0)

    def _sum_needs(self, sums: list[tuple[str, Range]], device: int) -> list[Need]:
        return [
            Need(key, 0)
            for gate, rows in sums
            for made, key in self.sums[gate, device]
            if overlap(made, rows)
        ]

    def _sum_bytes(self, sums: list[tuple[str, Range]], partial: bool) -> int:
        each = (
            self.profile.partial_sum_bytes_per_element
            if partial
            else self.profile.vector_bytes_per_element
        )
        elements = sum(stop - start for _, (start, stop) in sums)
        return math.ceil(elements * each * self.workload.batch)

    def _send_sums(
        self,
        stage: Stage,
        rows: Range,
        device: int,
        owners: tuple[int, ...],
        sums: list[tuple[str, Range]],
        partial: bool,
    ) -> dict[int, Key]:
        tag = ("sums", self.layer.name, stage.name, rows, device)
        needs = self._sum_needs(sums, device)
        self._multicast(tag, device, owners, needs, self._sum_bytes(sums, partial), f"{stage.name} sums")
        return {owner: (*tag, owner) for owner in owners}

    def _reduce(
        self, stage: Stage, rows: Range, owner: int, senders: list[int], sums: list[tuple[str, Range]]
    ) -> list[tuple[Key, bool]]:
        """Add partial sums on their way to ``owner``: each device adds what it receives to its own."""
        size = self._sum_bytes(sums, partial=True)
        elements = sum(stop - start for _, (start, stop) in sums)
        parent: dict[int, int] = {}
        depth: dict[int, int] = {}
        for sender in senders:
            path = self.topology.route(sender, owner)
            for hop, link in enumerate(path):
                parent[self.topology.links[link].source] = link
                depth[self.topology.links[link].source] = len(path) - hop
        arrived: dict[int, list[Key]] = defaultdict(list)
        level: dict[int, int] = defaultdict(int)
        for node in sorted(parent, key=lambda d: (-depth[d], d)):
            needs = [Need(key, 0) for key in arrived[node]]
            if node in senders:
                needs += self._sum_needs(sums, node)
                if arrived[node]:
                    added = ("added", self.layer.name, stage.name, rows, owner, node)
                    append = bind(self._vector, added, node, elements, needs, f"{stage.name} add", 0)
                    self.collected.append((level[node], append))
                    needs = [Need(added, 0)]
            key = ("reduced", self.layer.name, stage.name, rows, owner, node)
            self._hop(key, parent[node], needs, size, f"{stage.name} partial sums", level[node])
            target = self.topology.links[parent[node]].destination
            arrived[target].append(key)
            level[target] = max(level[target], level[node] + 1)
        return [(key, True) for key in arrived[owner]]

    def _finish(self, stage: Stage, rows: Range, device: int, arrivals: list[tuple[Key, bool]]) -> None:
        """The vector instructions that turn gate sums into the stage's rows on ``device``."""
        local = [
            (gate, made, key)
            for gate in stage.gates
            for made, key in self.sums.get((gate, device), [])
            if overlap(made, rows)
        ]
        steps = stage.chain
        if any(partial for _, partial in arrivals):
            steps += len(stage.gates)
        elif arrivals:
            steps += 1
        held = _held(self.layer.name, stage.name, device, rows)
        if not steps and len(local) == 1 and local[0][1] == rows:
            self.stream.alias(held, local[0][2])
            return
        needs = [Need(key, 0) for key, _ in arrivals]
        for operand in stage.state:
            needs += self._vector_needs(self.layer.name, operand, device, rows, 1)
        for _, made, key in local:
            needs.append(Need(key, 0, Wait.BLOCKS if made == rows else Wait.ALL))
        elements = rows[1] - rows[0]
        total = max(steps, 1)
        for step in range(total):
            key = held if step == total - 1 else ("chain", *held, step)
            self._vector(key, device, elements, needs, f"{stage.name} {step + 1}/{total}", 0)
            needs = [Need(key, 0, Wait.BLOCKS)]

    def _distribute(self, stage: Stage, rows: Range, owners: tuple[int, ...]) -> None:
        """Send finished rows from the nearest owner to each device that needs them."""
        vector = (self.layer.name, stage.name)
        by_owner: dict[int, list[int]] = defaultdict(list)
        for consumer in self.owned.consumers(vector, rows):
            nearest = min(owners, key=lambda o: (len(self.topology.route(o, consumer)), o))
            by_owner[nearest].append(consumer)
        each = self.profile.vector_bytes_per_element
        size = math.ceil((rows[1] - rows[0]) * each * self.workload.batch)
        for owner, consumers in sorted(by_owner.items()):
            tag = ("rows", self.layer.name, stage.name, rows, owner)
            needs = [Need(_held(self.layer.name, stage.name, owner, rows), 0)]
            self._multicast(tag, owner, tuple(consumers), needs, size, stage.name)
            for consumer in consumers:
                held = _held(self.layer.name, stage.name, consumer, rows)
                self.stream.alias(held, (*tag, consumer))

    # -- instructions ------------------------------------------------------------------

    def _multicast(
        self, tag: Key, source: int, targets: tuple[int, ...], needs: list[Need], size: int, what: str
    ) -> None:
        """One message along the tree of routes from ``source``; arrivals get the key (*tag, device)."""
        tree = self.topology.multicast_tree(source, targets)
        own = {d for path in (self.topology.route(source, t) for t in targets if self._group(t) == self._group(source))
               for d in (self.topology.links[link].destination for link in path)}
        levels: list[int] = []
        for link, parent in tree:
            before = needs
            if parent >= 0:
                before = [Need((*tag, self.topology.links[tree[parent][0]].destination), 0)]
            levels.append(levels[parent] + 1 if parent >= 0 else 0)
            here = self.topology.links[link].destination
            self._hop((*tag, here), link, before, size, what, levels[-1], inside=here in own)

    def _hop(
        self, key: Key, link: int, needs: list[Need], size: int, what: str, level: int, inside: bool = True
    ) -> None:
        """One hop of a message; ``inside``: for the layer's own group, whose step ends with it."""
        hop = self.topology.links[link]
        wire = self.cluster.link
        beats = math.ceil(size / wire.beat_bytes)
        per_ns = self.profile.clock_mhz / 1000.0
        instruction = Instruction(
            unit=Unit.LINK,
            server=hop.server,
            blocks=1,
            interval=math.ceil(beats * wire.beat_bytes * wire.ns_per_byte * per_ns),
            latency=math.ceil(wire.latency_ns * hop.latency_factor * per_ns),
            first=self.skew,
            count=self.layer.steps,
            group=self._group(hop.source) if inside or not level else -1,
            to_group=self._group(hop.destination) if inside else -1,
            starts_step=False,
            waits=(),
            layer=self.layer.name,
            what=f"send {what}",
            device=hop.source,
            to_device=hop.destination,
            size_bytes=size,
        )
        self.collected.append((level, bind(self.stream.append, key, self.skew, needs, instruction)))

    def _group(self, device: int) -> int:
        """The device's group; a device that only forwards belongs to the first."""
        return self.group_of.get(device, 0)

    def _vector(self, key: Key, device: int, elements: int, needs: list[Need], what: str, lead: int) -> None:
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
        )

    def _blocks(self, rows: int) -> int:
        return math.ceil(rows / self.overlay.engines) * self.passes

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
        macs: int = 0,
    ) -> None:
        first = device not in self.started and not self.pipelined
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
                count=self.layer.steps,
                group=self._group(device),
                to_group=self._group(device),
                starts_step=first,
                waits=(),
                layer=self.layer.name,
                what=what,
                device=device,
                to_device=device,
                macs=macs,
            ),
        )


def _replace(sums: list[tuple[Range, Key]], rows: Range, key: Key) -> None:
    """Let ``key`` complete the sums over ``rows`` in place of the product that did so far."""
    sums[:] = [known for known in sums if known[0] != rows] + [(rows, key)]


def _held(layer: str, stage: str, device: int, rows: Range) -> Key:
    """The key of the moment at which ``device`` holds these rows of a vector."""
    return ("held", layer, stage, device, rows)
