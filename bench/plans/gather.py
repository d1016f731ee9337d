"""Sums on their way to the devices that make stages of them: late, within the step, or early, ahead of it."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass
from functools import cached_property, partial

from bench.hardware.profile import Profile
from bench.hardware.topology import Topology
from bench.plans.cells import Product, Stage, cell_program
from bench.plans.emit import Emitter
from bench.plans.operations import Move, Operation, SumRows
from bench.plans.ownership import Ownership, overlap
from bench.plans.plan import Block, Range
from bench.plans.stream import Key, Need, Stream
from bench.plans.sums import Delivery, LayerSums, Parts, Sums, elements
from bench.plans.transfers import Exchange
from bench.workloads.model import Layer


@dataclass(frozen=True)
class Arrival:
    """Sums that come to a stage's owner: key of the message, what it brings, and whether it is partial.

    ``early``: it was sent before the step began, and the step's products have added it.
    """

    key: Key
    parts: Parts
    partial: bool
    early: bool = False


class Gather:
    """The messages that bring one layer's sums together.

    ``early``: an operand that is known a step ahead. Sums of products with it alone are sent as soon
    as they are made, and the step's other products add them like their device's own. "": none.
    """

    def __init__(
        self,
        layer: Layer,
        owned: Ownership,
        profile: Profile,
        batch: int,
        sums: LayerSums,
        exchange: Exchange,
        emit: Emitter,
        stream: Stream,
        topology: Topology,
        early: str,
    ) -> None:
        self._layer = layer
        self._owned = owned
        self._profile = profile
        self._batch = batch
        self._sums = sums
        self._exchange = exchange
        self._emit = emit
        self._stream = stream
        self._program = cell_program(layer)
        self._topology = topology
        self.early = early
        # (stage, owner) -> what was sent to it before the step began, for which rows
        self._sent_early: dict[tuple[str, int], list[tuple[Range, Key, SumRows]]] = defaultdict(list)

    def late(
        self, stage: Stage, rows: Range, owners: tuple[int, ...]
    ) -> dict[int, tuple[Parts, list[Arrival]]]:
        """Send the sums of this step that others have made; owner -> its own sums, and what arrives."""
        sums, name = self._sums, self._layer.name
        delivery = sums.deliver(stage.name, rows, owners, self._topology.nearest, without=self.early)
        arrivals = {
            owner: [
                Arrival(key, (part,), partial=True, early=True)
                for wanted, key, part in self._sent_early[stage.name, owner]
                if wanted == rows
            ]
            for owner in owners
        }
        for owner, senders in delivery.reduced.items():
            count = elements(next(iter(senders.values())))
            found = self._exchange.reduce(
                (name, stage.name, rows, owner),
                owner,
                senders,
                {device: sums.needs(device, parts) for device, parts in senders.items()},
                self.bytes(count, partial=True),
                f"{stage.name} partial sums",
                partial(self._add, count, f"{stage.name} add"),
            )
            arrivals[owner] += [Arrival(key, parts, partial=True) for key, parts in found]
        for device, targets, part, is_partial in delivery.sent:
            needs = sums.needs(device, (part,))
            for owner, key in self._send_sums(stage, rows, device, targets, part, needs, is_partial, 0):
                arrivals[owner].append(Arrival(key, (part,), partial=is_partial))
        return {owner: (delivery.local[owner], arrivals[owner]) for owner in owners}

    def _send_sums(
        self,
        stage: Stage,
        rows: Range,
        device: int,
        targets: tuple[int, ...],
        part: SumRows,
        needs: list[Need],
        is_partial: bool,
        lead: int,
    ) -> list[tuple[int, Key]]:
        """Send a sum to owners of a stage's rows; each with the key of its arrival."""
        tag = self._tag(stage, rows, device, part)
        size = self.bytes(elements((part,)), partial=is_partial)
        what = f"{stage.name} {'partial sums' if is_partial else 'gates'}"
        self._exchange.multicast(tag, device, targets, needs, size, what, Move((part,)), lead)
        return [(owner, self._exchange.arrival(tag, owner)) for owner in targets]

    def _tag(self, stage: Stage, rows: Range, device: int, part: SumRows) -> Key:
        """What the message of ``device`` with this sum is known by."""
        whose = (part.register.sum, part.register.origins, part.rows)
        return self._stream.key("sums", self._layer.name, stage.name, rows, device, whose)

    def send_early(self, made: Sums, lead: int, devices: frozenset[int] | None = None) -> None:
        """Send sums that wait for nothing of their own step, from ``devices`` (None: all).

        ``made``: the products that complete them; they are for the step ``lead`` steps ahead.
        """
        for stage, rows, delivery in self._early_deliveries:
            for device, targets, part, is_partial in delivery.sent:
                if devices is not None and device not in devices:
                    continue
                done = made[part.register.sum, device, part.register.origins[0]]
                needs = [Need(key, 0) for over, key in done if overlap(over, part.rows)]
                self._send_sums(stage, rows, device, targets, part, needs, is_partial, lead)
        self._exchange.send()

    def expect_early(self) -> None:
        """Note what `send_early` sends: the products of the step add it as they go."""
        for stage, rows, delivery in self._early_deliveries:
            for device, targets, part, _ in delivery.sent:
                tag = self._tag(stage, rows, device, part)
                for owner in targets:
                    arrival = (rows, self._exchange.arrival(tag, owner), part)
                    self._sent_early[stage.name, owner].append(arrival)

    @cached_property
    def _early_deliveries(self) -> list[tuple[Stage, Range, Delivery]]:
        return [
            (
                stage,
                rows,
                self._sums.deliver(stage.name, rows, owners, self._topology.nearest, only=self.early),
            )
            for stage in (self._program.stages if self.early else ())
            for rows, owners in self._owned.owners[self._layer.name, stage.name].items()
        ]

    def arrived_early(self, product: Product, block: Block) -> list[Need]:
        """Sums from elsewhere that were sent a step ahead: a product adds them like its device's own."""
        met = _meets(product)
        return [
            Need(key, 0)
            for rows, key, part in self._sent_early[product.stage, block.device]
            if part.register.sum in met and overlap(rows, block.rows)
        ]

    def rides(self, own: Parts, arrivals: list[Arrival]) -> bool:
        """Whether products that a stage's owner makes within the step add all that ``arrivals`` bring."""
        if not arrivals:
            return True
        met: set[str] = set()
        for product in self._program.products:
            if product.operand != self.early and self._sums.has(own, product):
                met |= _meets(product)
        return all(part.register.sum in met for arrival in arrivals for part in arrival.parts)

    def _add(
        self, count: int, what: str, key: Key, device: int, needs: list[Need], does: tuple[Operation, ...]
    ) -> None:
        self._emit.vector(key, device, count, needs, what, does=does)

    def bytes(self, count: int, *, partial: bool = False) -> int:
        """Size of a message of ``count`` elements for the whole batch."""
        profile = self._profile
        each = profile.partial_sum_bytes_per_element if partial else profile.vector_bytes_per_element
        return math.ceil(count * each * self._batch)


def _meets(product: Product) -> set[str]:
    """The sums that a product's chain reads: its own, and the gate's that one kept apart meets."""
    return {product.sum, product.gate} if product.apart else {product.sum}
