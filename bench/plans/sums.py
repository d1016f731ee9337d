"""Gate sums: who has made which, whether they are partial, and who must be sent what.

Blocks that the same devices hold give the same sum on each of them, kept in one register
(`bench.plans.operations.Register`). A device that owns a stage's rows needs each register of
its sums once: its own where it is one of the holders, else that of the nearest holder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from bench.plans.cells import CellProgram, Product, matrix_shape
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
        self._width: dict[str, int] = defaultdict(int)
        # (sum, holders) -> matrix, rows and columns of what is in it
        self._blocks: dict[tuple[str, Holders], set[tuple[str, Range, Range]]] = defaultdict(set)
        self._operands: dict[tuple[str, Holders], set[str]] = defaultdict(set)
        for product in program.products:
            self._width[product.sum] += matrix_shape(layer, product)[1]
            for block in owned.blocks.get((layer.name, product.matrix), ()):
                found = self._blocks[product.sum, owned.holders(block)]
                found.add((product.matrix, block.rows, block.cols))
                self._operands[product.sum, owned.holders(block)].add(product.operand)
        self.holders: dict[str, list[Holders]] = defaultdict(list)
        # stage -> its registers: holders, register, and rows in it, ascending
        self._registers: dict[str, list[tuple[Holders, Register, list[Range]]]] = defaultdict(list)
        stages = {product.sum: product.stage for product in program.products}
        for (name, holders), blocks in sorted(self._blocks.items()):
            self.holders[name].append(holders)
            rows = _union({rows for _, rows, _ in blocks})
            self._registers[stages[name]].append((holders, self.register(name, holders), rows))

    def register(self, name: str, holders: Holders) -> Register:
        """The register of a sum of the blocks that ``holders`` hold."""
        return Register(self.layer.name, name, (holders,))

    def parts(self, stage: str, rows: Range) -> list[tuple[Holders, SumRows]]:
        """All rows of registers that a stage's ``rows`` are made of, with their holders."""
        return [
            (holders, SumRows(register, (max(start, rows[0]), min(stop, rows[1]))))
            for holders, register, made in self._registers[stage]
            for start, stop in made
            if start < rows[1] and rows[0] < stop
        ]

    def is_partial(self, holders: Holders, part: SumRows) -> bool:
        """Whether other holders' products must be added to ``part``."""
        name, (start, stop) = part.register.sum, part.rows
        area = 0
        for _, rows, cols in self._blocks[name, holders]:
            if common := overlap(rows, part.rows):
                area += (common[1] - common[0]) * (cols[1] - cols[0])
        return area < (stop - start) * self._width[name]

    def deliver(
        self,
        stage: str,
        rows: Range,
        owners: tuple[int, ...],
        nearest: Callable[[Holders, int], int],
        *,
        only: str = "",
        without: str = "",
    ) -> Delivery:
        """What has to travel so that each of ``owners`` has all sums of ``stage`` over ``rows``.

        ``nearest``: of some devices, the one nearest to another. ``only``: no registers but those of
        products with this operand alone, which are not added on the way; ``without``: all but those.
        """
        local: dict[int, Parts] = dict.fromkeys(owners, ())
        # (sender, what it sends, by its place in parts) -> owners that it is for
        wanted: dict[tuple[int, int], list[int]] = defaultdict(list)
        partial: dict[int, bool] = {}
        parts = []
        for n, (holders, part) in enumerate(self.parts(stage, rows)):
            parts.append(part)
            early = self._operands[part.register.sum, holders] == {only or without}
            if only and not early:
                continue
            for owner in owners:
                if owner in holders:
                    local[owner] += (part,)
                elif not (without and early):
                    wanted[nearest(holders, owner), n].append(owner)
                    partial[n] = self.is_partial(holders, part)
        reduced: dict[int, dict[int, Parts]] = {}
        for owner in owners if not only else ():
            by_sender: dict[int, Parts] = defaultdict(tuple)
            complete = False
            for (sender, n), targets in wanted.items():
                if owner in targets:
                    by_sender[sender] += (parts[n],)
                    complete |= not partial[n]
            if len(by_sender) > 1 and not complete and _alike(by_sender.values()):
                reduced[owner] = dict(sorted(by_sender.items()))
                for targets in wanted.values():
                    if owner in targets:
                        targets.remove(owner)
        order = sorted(wanted, key=lambda item: (item[0], parts[item[1]].register.sum))
        sent = [
            (sender, tuple(wanted[sender, n]), parts[n], partial[n])
            for sender, n in order
            if wanted[sender, n]
        ]
        return Delivery(local, reduced, sent)

    def has(self, parts: Parts, product: Product) -> bool:
        """Whether any of ``parts`` has a product like this one in it."""
        return any(
            part.register.sum == product.sum
            and product.operand in self._operands[product.sum, part.register.origins[0]]
            for part in parts
        )

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
