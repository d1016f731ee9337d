"""Gate sums: who has made which, whether they are partial, and who must be sent what.

Blocks that the same devices hold give the same sum on each of them, kept in one register
(`bench.plans.operations.Register`). A device that owns a stage's rows needs each register of
its sums once: its own where it is one of the holders, else that of the nearest holder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.plans.cells import CellProgram, matrix_shape
from bench.plans.operations import Holders, Register, SumRows
from bench.plans.ownership import Ownership, overlap
from bench.plans.plan import Range
from bench.plans.stream import Key, Need
from bench.workloads.model import Layer

Made = list[tuple[Range, Key]]
"""The products that complete a register's rows, and those rows."""

Sums = dict[tuple[str, int, Holders], Made]
"""(sum, device, holders) -> what completes the device's register."""

Parts = tuple[SumRows, ...]


def complete(made: Made, rows: Range, key: Key) -> None:
    """Let ``key`` complete a register's ``rows`` in place of the product that did so far."""
    made[:] = [known for known in made if known[0] != rows] + [(rows, key)]


@dataclass(frozen=True)
class Delivery:
    """Sums over the same rows that devices must send to a stage's owners.

    ``local``: owner -> what it has made itself. ``reduced``: owner -> sender -> its equal rows of
    partial sums, which are added on the way. ``sent``: (sender, owners, what, whether it is
    partial), a message each.
    """

    local: dict[int, Parts]
    reduced: dict[int, dict[int, Parts]]
    sent: list[tuple[int, tuple[int, ...], SumRows, bool]]


class LayerSums:
    """Where the sums of one layer's step are made."""

    def __init__(self, layer: Layer, program: CellProgram, owned: Ownership) -> None:
        self.layer = layer
        self.made: Sums = defaultdict(list)
        self._stages = {product.sum: product.stage for product in program.products}
        self._width: dict[str, int] = defaultdict(int)
        # (sum, holders) -> rows and width of what is in it
        self._blocks: dict[tuple[str, Holders], set[tuple[str, Range, Range]]] = defaultdict(set)
        for product in program.products:
            self._width[product.sum] += matrix_shape(layer, product)[1]
            for block in owned.blocks.get((layer.name, product.matrix), ()):
                found = self._blocks[product.sum, owned.holders(block)]
                found.add((product.matrix, block.rows, block.cols))

    def register(self, name: str, holders: Holders) -> Register:
        """The register of a sum of the blocks that ``holders`` hold."""
        return Register(self.layer.name, name, (holders,))

    def parts(self, stage: str, rows: Range) -> list[tuple[Holders, SumRows]]:
        """All rows of registers that a stage's ``rows`` are made of, with their holders."""
        found = []
        for name, holders in sorted(self._blocks):
            if self._stages[name] == stage:
                made = (overlap(r, rows) for _, r, _ in self._blocks[name, holders])
                for part in _union(part for part in made if part):
                    found.append((holders, SumRows(self.register(name, holders), part)))
        return found

    def is_partial(self, holders: Holders, part: SumRows) -> bool:
        """Whether other holders' products must be added to ``part``."""
        name, (start, stop) = part.register.sum, part.rows
        area = 0
        for _, rows, cols in self._blocks[name, holders]:
            if common := overlap(rows, part.rows):
                area += (common[1] - common[0]) * (cols[1] - cols[0])
        return area < (stop - start) * self._width[name]

    def deliver(
        self, stage: str, rows: Range, owners: tuple[int, ...], nearest: Callable[[Holders, int], int]
    ) -> Delivery:
        """What has to travel so that each of ``owners`` has all sums of ``stage`` over ``rows``.

        ``nearest``: of some devices, the one nearest to another.
        """
        local: dict[int, Parts] = dict.fromkeys(owners, ())
        wanted: dict[tuple[int, SumRows], list[int]] = defaultdict(list)
        partial: dict[SumRows, bool] = {}
        for holders, part in self.parts(stage, rows):
            partial[part] = self.is_partial(holders, part)
            for owner in owners:
                if owner in holders:
                    local[owner] += (part,)
                else:
                    wanted[nearest(holders, owner), part].append(owner)
        reduced: dict[int, dict[int, Parts]] = {}
        for owner in owners:
            by_sender: dict[int, Parts] = defaultdict(tuple)
            for (sender, part), targets in wanted.items():
                if owner in targets:
                    by_sender[sender] += (part,)
            if len(by_sender) > 1 and _alike(by_sender.values()) and all(map(partial.get, _all(by_sender))):
                reduced[owner] = dict(sorted(by_sender.items()))
                for targets in wanted.values():
                    if owner in targets:
                        targets.remove(owner)
        order = sorted(wanted, key=lambda item: (item[0], item[1].register.sum))
        sent = [
            (sender, tuple(wanted[sender, part]), part, partial[part])
            for sender, part in order
            if wanted[sender, part]
        ]
        return Delivery(local, reduced, sent)

    def needs(self, device: int, parts: Iterable[SumRows]) -> list[Need]:
        """What an instruction on ``device`` waits for that reads all of ``parts``."""
        return [Need(key, 0) for part in parts for _, key in self.completing(device, part)]

    def completing(self, device: int, part: SumRows) -> Made:
        """The products on ``device`` that complete ``part``."""
        made = self.made[part.register.sum, device, part.register.origins[0]]
        return [(rows, key) for rows, key in made if overlap(rows, part.rows)]


def elements(parts: Parts) -> int:
    """Elements of the sums in ``parts``."""
    return sum(part.rows[1] - part.rows[0] for part in parts)


def _all(by_sender: dict[int, Parts]) -> list[SumRows]:
    return [part for parts in by_sender.values() for part in parts]


def _alike(senders: Iterable[Parts]) -> bool:
    """Whether all send the same rows of the same sums."""
    return len({tuple((part.register.sum, part.rows) for part in parts) for parts in senders}) == 1


def _union(ranges: Iterable[Range]) -> list[Range]:
    """The ranges with those that overlap joined, ascending."""
    joined: list[Range] = []
    for start, stop in sorted(ranges):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        else:
            joined.append((start, stop))
    return joined
