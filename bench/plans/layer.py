"""Lowering of one layer: its products, its stages, and the transfers that they need."""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from itertools import chain, groupby

from bench.plans.body import ALL_STEPS, Body
from bench.plans.cells import Product, Stage
from bench.plans.core import CoreRules
from bench.plans.cuts import Columns, Cuts
from bench.plans.emit import Emitter, Slot
from bench.plans.gather import Gather
from bench.plans.operations import Finish, SumInputs
from bench.plans.outline import feeds, overlap, producer_rows
from bench.plans.ownership import Tiling, consumers
from bench.plans.plan import ROUTES, Range
from bench.plans.program import Wait
from bench.plans.rounds import Collective, Gathered, There, row_rounds
from bench.plans.setting import Order, Setting
from bench.plans.stream import Key, Need, Stream
from bench.plans.sums import Arrival, Made, Parts, Sums, complete, completing, layer_sums
from bench.plans.transfers import Exchange, Rows, carried


def lower_layer(setting: Setting, *, described: bool) -> Body:
    """The instructions of a layer's step; ``described``: with what makes values of them.

    Software pipelining moves the products whose operand is known early behind the products
    that wait longest, so that they fill the time of the exchanges: input products of the next
    step come after the layer's last stage. On a feedback loop the input comes last, so there
    it is the recurrent products: they come after the stages of the layer above.
    """
    layer = LayerLowering(setting, Stream(described))
    if setting.order is Order.PLAIN:
        layer.inputs()
        layer.stages()
    elif setting.order is Order.LOOP:
        layer.loop()
        layer.stream.break_off()
        layer.recurrent(lead=1)
    elif setting.order is Order.LOOP_END:
        layer.recurrent()
        layer.stream.break_off()
        layer.loop()
    else:
        layer.begin()
        layer.stages()
        layer.stream.break_off()
        layer.inputs(lead=1)
    return layer.stream.body()


class LayerLowering:
    """The instructions of one layer's step, appended to its stream."""

    def __init__(self, setting: Setting, stream: Stream) -> None:
        self.setting = setting
        self.program = setting.program
        self.known_early = setting.known_early
        self.stream = stream
        self.exchange = Exchange(setting, self.stream)
        self.rules = CoreRules(setting, self.stream)
        self.emit = Emitter(setting, self.rules, self.stream)
        self.sums = layer_sums(setting.shape, setting.owned.tilings)
        # products of this step and of the next: (sum, device, holders) -> what completes it
        self.made: Sums = defaultdict(list)
        self.early: Sums = defaultdict(list)
        self.cuts = Cuts(setting)
        self.gather = Gather(setting, self.sums, self.made, self.exchange, self.emit, self.stream)
        self.collective: Collective | None = None
        if setting.collective != ROUTES:
            self.collective = Collective(setting, self.exchange, stream, self.gather.bytes, self.gather.add)
        self.others: frozenset[int] | None
        self.helpers, self.others = self._sides() if self.gather.early else (frozenset(), None)
        self.summed = False
        self.slots: dict[tuple[Tiling, str, int], list[Slot]] = {}
        # (matrix, slot) -> the key of a product
        self.keys: dict[tuple[str, int], Key] = defaultdict(stream.new)

    def _sides(self) -> tuple[frozenset[int], frozenset[int]]:
        """Devices that have nothing of the layer but early input products, and the others."""
        early: set[int] = set()
        others: set[int] = set()
        for product in self.program.products:
            side = early if product.operand == "x" == self.known_early else others
            side.update(tile.device for tile in self.setting.tiles(product))
        for stage in self.program.stages:
            others.update(*self.setting.shards[stage.name].owners.values())
        return frozenset(early - others), frozenset(others)

    def begin(self) -> None:
        """What comes first in an iteration of a layer whose input products are made a step ahead."""
        self.came_early("x")
        if self.setting.streaming and not any(self.setting.sources):
            self._sum_inputs(1)  # before the chain of this step, which it would wait for
        if self.helpers:
            # what helpers send must not queue behind what is sent within the step
            self._sum_inputs(1)
            self._products(self.setting.shape.products("x"), 1, self.helpers)
            self.gather.send_early(self.early, 1, self.helpers)

    def inputs(self, lead: int = 0) -> None:
        """The products with x, of the time step ``lead`` steps ahead, that have not come yet."""
        self._sum_inputs(lead)
        inputs = self.setting.shape.products("x")
        devices = self.others if lead else None
        self._products(inputs[self._ahead() :] if lead else inputs, lead, devices)
        self._load_next(lead)
        if lead:
            self.gather.send_early(self.early, lead, self.others)

    def _ahead(self) -> int:
        """Input products of the next step that come behind the first stage, of a layer that has several."""
        streaming = self.setting.streaming
        return streaming[1] if streaming and self.known_early == "x" and len(self.program.stages) > 1 else 0

    def recurrent(self, lead: int = 0) -> None:
        """The products with h, of the time step ``lead`` steps ahead."""
        self._products(self.setting.shape.products("h"), lead)
        self.gather.send_early(self.early if lead else self.made, lead)

    def loop(self) -> None:
        """A step of a layer on a feedback loop, whose recurrent products have come early."""
        self.came_early("h")
        self.inputs()
        self.stages(with_recurrent=False)

    def came_early(self, operand: str) -> None:
        """Let this step's sums begin with the products with ``operand`` of an iteration before."""
        self.gather.expect_early()
        for product in self.setting.shape.products(operand):
            for part in range(self.cuts.parts):
                for slot in self._slots(product, part):
                    if slot.last:
                        made = self.made[product.sum, slot.tile.device, slot.tile.holders]
                        complete(made, slot.tile.rows, self.keys[product.matrix, slot.number])

    def stages(self, *, with_recurrent: bool = True) -> None:
        """The other products, in program order, and each stage once its products are there.

        Where exchanges overlap with products, those that a stage waits for come first.
        """
        left = [p for p in self.program.products if p.operand != "x" and (with_recurrent or p.operand != "h")]
        if self.setting.streaming:
            order = [stage.name for stage in self.program.stages]
            left.sort(key=lambda product: order.index(product.stage))
        for number, stage in enumerate(self.program.stages):
            last = max((n for n, p in enumerate(left) if p.stage == stage.name), default=-1)
            self._products(left[: last + 1], 0)
            left = left[last + 1 :]
            self._stage(stage)
            if number == 0 and self._ahead():
                self._sum_inputs(1)
                self._products(self.setting.shape.products("x")[: self._ahead()], 1, self.others)

    # -- matrix products ---------------------------------------------------------------

    def _slots(self, product: Product, part: int) -> list[Slot]:
        """Where part ``part`` of a product is made: on all devices that have so many."""
        tiling, operand = self.setting.tilings[product.matrix], product.operand
        known = self.slots.get((tiling, operand, part))
        if known is None:
            known = self.slots[tiling, operand, part] = []
            for tile in tiling.tiles:
                cuts = self.cuts.of(product, tile)
                if part < len(cuts):
                    needs = self._operand_needs(operand, tile.device, cuts[part])
                    known.append(self.emit.slot(operand, tile, cuts[part], needs, last=part == len(cuts) - 1))
        return known

    def _products(self, products: list[Product], lead: int, devices: frozenset[int] | None = None) -> None:
        """Products in order; those of one operand cut alike, the near parts of all before the far ones.

        ``devices``: on these alone.
        """
        for _, group in groupby(products, key=lambda product: product.operand):
            alike = list(group)
            for part in range(self.cuts.parts):
                for product in alike:
                    self._product(product, lead, part, devices)
                    if self.rules.core and part == self.cuts.parts - 1 and not lead:
                        self._run_ahead(product)

    def _product(self, product: Product, lead: int, part: int, devices: frozenset[int] | None = None) -> None:
        """Part ``part`` of a product on all devices that have so many."""
        sums = self.early if lead else self.made
        for slot in self._slots(product, part):
            rows, _, device, holders = slot.tile
            if devices is not None and device not in devices:
                continue
            so_far = sums[product.sum, device, holders]
            others = so_far
            if product.apart:  # it meets the gate's other sum in the chain
                gates = [
                    sums.get((product.gate, device, each), []) for each in self.sums.holders(product.gate)
                ]
                others = [*so_far, *chain.from_iterable(gates)]
            needs = [self.rules.addend(key, made == rows) for made, key in others if overlap(made, rows)]
            if self.gather.early and not lead:
                needs += self.gather.arrived_early(product, slot.tile)
            key = self.keys[product.matrix, slot.number]
            self.emit.matrix(key, product, slot, (*slot.needs, *needs), lead)
            complete(so_far, rows, key)

    def _sum_inputs(self, lead: int) -> None:
        """Vector instructions where the input is a sum of several vectors, unless they are there already."""
        terms = self.setting.layer.input_terms
        if terms == 1 or self.summed:
            return
        self.summed = True
        cols_on: dict[int, set[Range]] = defaultdict(set)
        for product in self.setting.shape.products("x"):
            for device, cols in self.setting.tilings[product.matrix].columns:
                cols_on[device].add(cols)
        for device, ranges in sorted(cols_on.items()):
            count = sum(stop - start for start, stop in ranges)
            needs = [n for cols in sorted(ranges) for n in self._feed_needs(device, cols)]
            for term in range(terms - 1):
                last = term == terms - 2
                does = partial(_sums_inputs, tuple(sorted(ranges))) if last else None
                key = self.stream.keys["x", device] if last else self.stream.new()
                self.emit.vector(key, device, count, needs, "sum x", does, lead)
                needs = [self.stream.need(key, 0, Wait.BLOCKS)]

    def _operand_needs(self, operand: str, device: int, cols: Columns) -> tuple[Need, ...]:
        """What a product on ``device`` waits for to read these columns."""
        if operand != "x":
            back = int(operand == "h")
            return tuple(n for each in cols for n in self._stage_needs(operand, device, each, back))
        needs = [self.stream.need(self.stream.keys["load", device, "x"], 1)] if self.rules.loads else []
        if self.setting.layer.input_terms > 1:
            return (*needs, self.stream.need(self.stream.keys["x", device]))
        return (*needs, *(n for each in cols for n in self._feed_needs(device, each)))

    def _feed_needs(self, device: int, cols: Range) -> list[Need]:
        """What must have arrived at ``device`` for it to hold these columns of the input."""
        needs = []
        for number, (feed, offset) in enumerate(feeds(self.setting.layer)):
            source = self.setting.sources[number]
            if source is None:
                continue
            for rows in producer_rows(feed, offset, cols):
                needs += [
                    self.stream.need(self.stream.keys["fed", number, device, shard], feed.delay)
                    for shard in source.owners
                    if overlap(shard, rows)
                ]
        return needs

    def _stage_needs(self, stage: str, device: int, rows: Range, back: int) -> list[Need]:
        """What must have been computed on, or have arrived at, ``device`` for it to hold ``rows``."""
        return [
            self.stream.need(self._held(stage, device, shard), back)
            for shard in self.setting.shards[stage].owners
            if overlap(shard, rows)
        ]

    def _held(self, stage: str, device: int, rows: Range) -> Key:
        """The key of the moment at which ``device`` holds these rows of a stage."""
        return self.stream.keys["held", stage, device, rows]

    # -- stages ------------------------------------------------------------------------

    def _stage(self, stage: Stage) -> None:
        """Gate sums to the stage's owners, its vector instructions, its rows to who needs them."""
        gathered = self.gather.late(stage, self.collective)
        self.exchange.send()
        for rows, by_owner in gathered.items():
            for device, (own, arrivals) in by_owner.items():
                self._finish(stage, rows, device, own, arrivals)
        if self.collective:
            self._gather_rows(self.collective, stage)
        else:
            self._distribute(stage)
        self.exchange.send()

    def _finish(self, stage: Stage, rows: Range, device: int, own: Parts, arrivals: list[Arrival]) -> None:
        """The vector instructions that turn gate sums into the stage's rows on ``device``."""
        local: Made = list(dict.fromkeys(m for part in own for m in completing(self.made, device, part)))
        terms = (*own, *(part for arrival in arrivals for part in arrival.parts))
        does = partial(_finishes, stage.name, rows, terms)
        held = self._held(stage.name, device, rows)
        count = stage.chain + self._additions(stage, own, arrivals)
        state = [n for operand in stage.state for n in self._stage_needs(operand, device, rows, 1)]
        if not count and self._rides(stage, rows, local):
            self.stream.alias(held, local[-1][1], does, state)  # which the product itself may not need
            return
        needs = [self.stream.need(arrival.key) for arrival in arrivals] + state
        needs += [self.rules.newest(key, made == rows, stage) for made, key in local]
        ran = int(self.stream.knows(self.stream.keys["ahead", held]))
        total = max(count, 1)
        for step in range(ran, total):
            last = step == total - 1
            key = held if last else self.stream.new()
            height = rows[1] - rows[0]
            words = 1 + self.rules.write_words(height) if last else 1
            what = f"{stage.name} {step + 1}/{total}"
            self.emit.vector(key, device, height, needs, what, does if last else None, 0, words)
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

    def _distribute(self, stage: Stage) -> None:
        """Send finished rows from the nearest owner to each device that needs them."""
        setting, name = self.setting, stage.name
        for rows, owner, devices in consumers(setting.shards[name], setting.needs[name], setting.topology):
            arrivals = {device: self._held(name, device, rows) for device in devices}
            needs = (self.stream.need(self._held(name, owner, rows)),)
            size = self.gather.bytes(rows[1] - rows[0])
            self.exchange.multicast(owner, arrivals, needs, size, name, partial(carried, (Rows(name, rows),)))

    def _gather_rows(self, collective: Collective, stage: Stage) -> None:
        """Send all finished rows by the plan's collective to each device that needs them."""
        setting, name = self.setting, stage.name
        travelling = row_rounds(
            setting.collective, setting.shards[name], setting.needs[name], setting.topology
        ).travelling
        shards = [
            Gathered(
                (Rows(name, rows),),
                {owner: There((self._held(name, owner, rows),)) for owner in owners},
                readers,
            )
            for rows, owners, readers in travelling
        ]
        for (n, device), key in collective.gather(shards, name).items():
            self.stream.alias(self._held(name, device, travelling[n][0]), key)

    # -- batch core --------------------------------------------------------------------

    def _load_next(self, lead: int) -> None:
        """The load of the next time step's input, behind this step's input products."""
        for device, cycles in self.rules.loads:
            self.emit.load("x", device, cycles, lead, self.rules.overlay.tiles, skipped=1)

    def _run_ahead(self, product: Product) -> None:
        """The instruction of a chain that needs one gate alone, on owners that have all of its sum."""
        for device, rows in self.rules.run_ahead(product):
            held = self._held(product.stage, device, rows)
            needs = [
                self.rules.operand(key)
                for (name, on, _), made in self.made.items()
                for done, key in made
                if (name, on, done) == (product.sum, device, rows)
            ]
            height = rows[1] - rows[0]
            key = self.stream.keys["ahead", held]
            self.emit.vector(key, device, height, needs, f"{product.stage} ahead")
            self.emit.load("ones", device, self.emit.blocks(height), 0, 0, ALL_STEPS)  # of 1 - z


def _sums_inputs(cols: Columns, layer: str) -> tuple[SumInputs]:
    return (SumInputs(layer, cols),)


def _finishes(stage: str, rows: Range, terms: Parts, layer: str) -> tuple[Finish]:
    return (Finish(layer, stage, rows, tuple(part.of(layer) for part in terms)),)
