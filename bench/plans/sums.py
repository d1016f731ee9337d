"""Gate sums: who has made which, whether they are partial, and who must be sent what."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from bench.plans.cells import CellProgram, Product, Stage
from bench.plans.ownership import Ownership, overlap
from bench.plans.plan import Range
from bench.plans.stream import Key, Need
from bench.workloads.model import Layer

Sums = dict[tuple[str, int], list[tuple[Range, Key]]]
"""(gate, device) -> the products that complete its sums there: their rows and keys."""

Parts = tuple[tuple[str, Range], ...]
"""Gates and the rows of them that a device has sums for."""


def complete(sums: list[tuple[Range, Key]], rows: Range, key: Key) -> None:
    """Let ``key`` complete the sums over ``rows`` in place of the product that did so far."""
    sums[:] = [known for known in sums if known[0] != rows] + [(rows, key)]


@dataclass(frozen=True)
class Delivery:
    """Gate sums over ``rows`` of a stage that devices must send to its owners.

    ``reduced``: owner -> devices whose equal partial sums are added on the way.
    ``sent``: (device, owners, one of its parts, whether it is a partial sum): a message a gate.
    """

    parts: dict[int, Parts]
    reduced: dict[int, list[int]]
    sent: list[tuple[int, tuple[int, ...], Parts, bool]]


def plan_delivery(
    layer: Layer,
    program: CellProgram,
    owned: Ownership,
    sums: Sums,
    stage: Stage,
    rows: Range,
    owners: tuple[int, ...],
) -> Delivery:
    """What has to travel so that each of ``owners`` has all gate sums of ``stage`` over ``rows``."""
    found: dict[int, list[tuple[str, Range]]] = defaultdict(list)
    for (gate, device), made in sorted(sums.items()):
        if gate in stage.gates:
            found[device] += [(gate, part) for part in (overlap(r, rows) for r, _ in made) if part]
    parts = {device: tuple(dict.fromkeys(found[device])) for device in sorted(found) if found[device]}

    taken = _Taken(layer, program, owned)
    wanted = {
        device: [o for o in owners if o != device and not taken.covers(o, device, parts.get(o, ()), mine)]
        for device, mine in parts.items()
    }
    partial = {device: taken.is_partial(device, mine) for device, mine in parts.items()}
    reduced: dict[int, list[int]] = {}
    for owner in owners:
        senders = [device for device in parts if owner in wanted[device]]
        alike = len({parts[device] for device in senders}) == 1
        if len(senders) > 1 and alike and all(partial[device] for device in senders):
            reduced[owner] = senders
            for device in senders:
                wanted[device].remove(owner)
    sent: list[tuple[int, tuple[int, ...], Parts, bool]] = [
        (device, tuple(wanted[device]), (one,), partial[device])
        for device, mine in parts.items()
        for one in mine
        if wanted[device]
    ]
    return Delivery(parts, reduced, sent)


def sum_needs(sums: Sums, device: int, parts: Parts) -> list[Need]:
    """What a message with a device's sums waits for."""
    return [Need(key, 0) for gate, rows in parts for made, key in sums[gate, device] if overlap(made, rows)]


def elements(parts: Parts) -> int:
    """Elements of the sums in ``parts``."""
    return sum(stop - start for _, (start, stop) in parts)


@dataclass(frozen=True)
class _Taken:
    """Which columns each device's sums take in."""

    layer: Layer
    program: CellProgram
    owned: Ownership

    def columns(self, gate: str, rows: Range, device: int) -> set[tuple[str, Range]]:
        """The (matrix, columns) in a device's sum of ``gate`` over ``rows``."""
        return {
            (product.matrix, block.cols)
            for product in self._products(gate)
            for block in self.owned.blocks.get((self.layer.name, product.matrix), ())
            if block.device == device and overlap(block.rows, rows)
        }

    def covers(self, owner: int, device: int, mine: Parts, theirs: Parts) -> bool:
        """Whether ``owner`` has made the very sums of ``device`` itself (replicated blocks)."""
        return set(theirs) <= set(mine) and all(
            self.columns(gate, rows, owner) >= self.columns(gate, rows, device) for gate, rows in theirs
        )

    def is_partial(self, device: int, parts: Parts) -> bool:
        """Whether any of a device's sums lacks columns that other devices hold."""
        return any(
            sum(stop - start for _, (start, stop) in self.columns(gate, rows, device)) < self._width(gate)
            for gate, rows in parts
        )

    def _products(self, gate: str) -> list[Product]:
        return [product for product in self.program.products if product.gate == gate]

    def _width(self, gate: str) -> int:
        """Columns that a complete sum of ``gate`` takes in."""
        return sum(
            max(block.cols[1] for block in self.owned.blocks[self.layer.name, product.matrix])
            for product in self._products(gate)
        )
