"""Sums on their way to the devices that make stages of them: late, within the step, or early, ahead of it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial

from bench.plans.cells import Product, Stage
from bench.plans.emit import Emitter
from bench.plans.outline import overlap
from bench.plans.ownership import Tile
from bench.plans.plan import Range
from bench.plans.program import Operations
from bench.plans.reduction import StageSums
from bench.plans.rounds import Collective
from bench.plans.setting import Setting
from bench.plans.stream import Key, Need, Stream
from bench.plans.sums import (
    Arrival,
    Delivery,
    LayerSums,
    Part,
    Parts,
    Sums,
    completing,
    deliveries,
    elements,
)
from bench.plans.transfers import Exchange, carried


@dataclass(frozen=True)
class Message:
    """A sum that ``device`` sends to owners of a stage's ``rows``, each with the key of its arrival."""

    stage: Stage
    rows: Range
    device: int
    arrivals: dict[int, Key]
    part: Part
    partial: bool


class Gather:
    """The messages that bring one layer's sums together.

    ``early``: an operand that is known a step ahead. Sums of products with it alone are sent as soon
    as they are made, and the step's other products add them like their device's own. "": none.
    """

    def __init__(
        self,
        setting: Setting,
        sums: LayerSums,
        made: Sums,
        exchange: Exchange,
        emit: Emitter,
        stream: Stream,
    ) -> None:
        self._setting = setting
        self._sums = sums
        self._made = made
        self._exchange = exchange
        self._emit = emit
        self._stream = stream
        self.early = setting.sent_early
        # (stage, owner) -> what was sent to it before the step began, for which rows
        self._sent_early: dict[tuple[str, int], list[tuple[Range, Key, Part]]] = defaultdict(list)

    def _deliveries(self, stage: Stage, *, only: str = "", without: str = "") -> dict[Range, Delivery]:
        setting = self._setting
        shards = setting.shards[stage.name]
        return deliveries(self._sums, stage.name, shards, setting.topology, only=only, without=without)

    def late(
        self, stage: Stage, collective: Collective | None = None
    ) -> dict[Range, dict[int, tuple[Parts, list[Arrival]]]]:
        """Send the sums of this step that others have made, by ``collective`` those that it can carry.

        Returns the stage's rows -> owner -> its own sums, and what arrives.
        """
        together = StageSums(collective, self._keys) if collective else None
        found = {
            rows: self._late(stage, rows, delivery, together)
            for rows, delivery in self._deliveries(stage, without=self.early).items()
        }
        if together:
            together.send(stage.name)
        return found

    def _late(
        self, stage: Stage, rows: Range, delivery: Delivery, together: StageSums | None
    ) -> dict[int, tuple[Parts, list[Arrival]]]:
        arrivals = {
            owner: [
                Arrival(key, (part,), partial=True, early=True)
                for wanted, key, part in self._sent_early[stage.name, owner]
                if wanted == rows
            ]
            for owner in delivery.local
        }
        if together:
            delivery = together.take(delivery, arrivals)
        for owner, senders in delivery.reduced.items():
            count = elements(next(iter(senders.values())))
            found = self._exchange.reduce(
                owner,
                senders,
                {device: self._needs(device, parts) for device, parts in senders.items()},
                self.bytes(count, partial=True),
                f"{stage.name} partial sums",
                partial(self.add, count, f"{stage.name} add"),
            )
            arrivals[owner] += [Arrival(key, parts, partial=True) for key, parts in found]
        for message in self._messages(stage, rows, delivery):
            self._send(message, self._needs(message.device, (message.part,)), 0)
            for owner, key in message.arrivals.items():
                arrivals[owner].append(Arrival(key, (message.part,), partial=message.partial))
        return {owner: (own, arrivals[owner]) for owner, own in delivery.local.items()}

    def _messages(self, stage: Stage, rows: Range, delivery: Delivery) -> list[Message]:
        return [
            Message(stage, rows, device, {owner: self._stream.new() for owner in owners}, part, is_partial)
            for device, owners, part, is_partial in delivery.sent
        ]

    def _needs(self, device: int, parts: Parts) -> list[Need]:
        """What an instruction on ``device`` waits for that reads all of ``parts``."""
        return [self._stream.need(key) for key in self._keys(device, parts)]

    def _keys(self, device: int, parts: Parts) -> tuple[Key, ...]:
        return tuple(key for part in parts for _, key in completing(self._made, device, part))

    def _send(self, message: Message, needs: Sequence[Need], lead: int) -> None:
        part = message.part
        size = self.bytes(elements((part,)), partial=message.partial)
        what = f"{message.stage.name} {'partial sums' if message.partial else 'gates'}"
        does = partial(carried, (part,))
        self._exchange.multicast(message.device, message.arrivals, needs, size, what, does, lead)

    def send_early(self, made: Sums, lead: int, devices: frozenset[int] | None = None) -> None:
        """Send sums that wait for nothing of their own step, from ``devices`` (None: all).

        ``made``: the products that complete them; they are for the step ``lead`` steps ahead.
        """
        for message in self._early:
            if devices is None or message.device in devices:
                part = message.part
                needs = [self._stream.need(key) for _, key in completing(made, message.device, part)]
                self._send(message, needs, lead)
        self._exchange.send()

    def expect_early(self) -> None:
        """Note what `send_early` sends: the products of the step add it as they go."""
        for message in self._early:
            for owner, key in message.arrivals.items():
                self._sent_early[message.stage.name, owner].append((message.rows, key, message.part))

    @cached_property
    def _early(self) -> list[Message]:
        """The messages that are sent before the step begins."""
        return [
            message
            for stage in (self._setting.program.stages if self.early else ())
            for rows, delivery in self._deliveries(stage, only=self.early).items()
            for message in self._messages(stage, rows, delivery)
        ]

    def arrived_early(self, product: Product, tile: Tile) -> list[Need]:
        """Sums from elsewhere that were sent a step ahead: a product adds them like its device's own."""
        sent = self._sent_early.get((product.stage, tile.device))
        if not sent:
            return []
        met = _meets(product)
        return [
            self._stream.need(key) for rows, key, part in sent if part.sum in met and overlap(rows, tile.rows)
        ]

    def rides(self, own: Parts, arrivals: list[Arrival]) -> bool:
        """Whether products that a stage's owner makes within the step add all that ``arrivals`` bring."""
        if not arrivals:
            return True
        met: set[str] = set()
        for product in self._setting.program.products:
            if product.operand != self.early and self._sums.has(own, product):
                met |= _meets(product)
        return all(part.sum in met for arrival in arrivals for part in arrival.parts)

    def add(
        self,
        count: int,
        what: str,
        key: Key,
        device: int,
        needs: list[Need],
        does: Operations,
    ) -> None:
        """Append the vector instruction that adds up so many elements of sums."""
        self._emit.vector(key, device, count, needs, what, does)

    def bytes(self, count: int, *, partial: bool = False) -> int:
        """Size of a message of ``count`` elements for the whole batch."""
        machine = self._setting.machine
        each = machine.partial_sum_bytes_per_element if partial else machine.vector_bytes_per_element
        return math.ceil(count * each * machine.batch)


def _meets(product: Product) -> set[str]:
    """The sums that a product's chain reads: its own, and the gate's that one kept apart meets."""
    return {product.sum, product.gate} if product.apart else {product.sum}
