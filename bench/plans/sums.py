"""Gate sums: who has made which, whether they are partial, and who must be sent what.

Blocks that the same devices hold give the same sum on each of them, kept in one register
(`bench.plans.operations.Register`). A device that owns a stage's rows needs each register of
its sums once: its own where it is one of the holders, else that of the nearest holder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

from bench.hardware.topology import Topology
from bench.plans.cells import Product, matrix_shape
from bench.plans.operations import Holders, SumRows, register
from bench.plans.outline import Shape, overlap
from bench.plans.ownership import CACHED, Shards, Tiling
from bench.plans.plan import Range
from bench.plans.stream import Key

Made = list[tuple[Range, Key]]
"""The products that complete a register's rows, and those rows."""

Sums = dict[tuple[str, int, Holders], Made]
"""(sum, device, holders) -> what completes the device's register."""


class Part(NamedTuple):
    """A row range of a layer's register; ``origins`` as `bench.plans.operations.Register` has them."""

    sum: str
    origins: tuple[Holders, ...]
    rows: Range

    def of(self, layer: str) -> SumRows:
        """The part as a program names it."""
        return SumRows(register(layer, self.sum, self.origins), self.rows)


Parts = tuple[Part, ...]


def complete(made: Made, rows: Range, key: Key) -> None:
    """Let ``key`` complete a register's ``rows`` in place of the product that did so far."""
    if made:
        made[:] = [known for known in made if known[0] != rows]
    made.append((rows, key))


@dataclass(frozen=True)
class Arrival:
    """Sums that come to a stage's owner: key of the message, what it brings, and whether it is partial.

    ``early``: it was sent before the step began, and the step's products have added it.
    """

    key: Key
    parts: Parts
    partial: bool
    early: bool = False


@dataclass(frozen=True)
class Delivery:
    """Sums over the same rows that devices must send to a stage's owners.

    ``local``: owner -> what it has made itself. ``reduced``: owner -> sender -> its equal rows of
    partial sums, which are added on the way. ``sent``: (sender, owners, what, whether it is
    partial), a message each.
    """

    local: dict[int, Parts]
    reduced: dict[int, dict[int, Parts]]
    sent: list[tuple[int, tuple[int, ...], Part, bool]]


@dataclass(frozen=True, eq=False)
class Shares:
    """The registers of a sum, by their holders; gates cut alike have one value.

    ``blocks``: what is in a register: number of the product, rows, columns.
    """

    blocks: dict[Holders, frozenset[tuple[int, Range, Range]]]
    rows: dict[Holders, list[Range]]
    _found: dict[Range, list[tuple[Holders, Range]]] = field(default_factory=dict)

    def over(self, rows: Range) -> list[tuple[Holders, Range]]:
        """All that the registers have of ``rows``, by holders, each row range ascending."""
        if rows not in self._found:
            self._found[rows] = [
                (holders, common)
                for holders, ranges in self.rows.items()
                for made in ranges
                if (common := overlap(made, rows))
            ]
        return self._found[rows]

    def area(self, holders: Holders, rows: Range) -> int:
        """Matrix elements that the register's ``rows`` are made of."""
        return sum(
            (common[1] - common[0]) * (cols[1] - cols[0])
            for _, made, cols in self.blocks[holders]
            if (common := overlap(made, rows))
        )


@dataclass(frozen=True, eq=False)
class LayerSums:
    """The registers of one layer's step.

    ``stages``: stage -> its sums, ascending. ``shares``: sum -> its registers. ``operands``: of the
    products in each register. ``width``: columns of all products of a sum.
    """

    stages: dict[str, list[str]]
    shares: dict[str, Shares]
    operands: dict[tuple[str, Holders], set[str]]
    width: dict[str, int]

    def holders(self, name: str) -> Iterable[Holders]:
        """Of each of a sum's registers, the devices that have it, ascending."""
        return self.shares[name].rows if name in self.shares else ()

    def is_partial(self, holders: Holders, part: Part) -> bool:
        """Whether other holders' products must be added to ``part``."""
        start, stop = part.rows
        return self.shares[part.sum].area(holders, part.rows) < (stop - start) * self.width[part.sum]

    def has(self, parts: Parts, product: Product) -> bool:
        """Whether any of ``parts`` has a product like this one in it."""
        return any(
            part.sum == product.sum and product.operand in self.operands[product.sum, part.origins[0]]
            for part in parts
        )


@lru_cache(maxsize=CACHED)
def layer_sums(shape: Shape, tilings: tuple[Tiling, ...]) -> LayerSums:
    """The registers of a layer whose matrices, in program order, are cut so."""
    products: dict[str, list[tuple[Product, Tiling]]] = defaultdict(list)
    for product, tiling in zip(shape.program.products, tilings, strict=True):
        products[product.sum].append((product, tiling))
    shares = {name: _shares(tuple(tiling for _, tiling in those)) for name, those in products.items()}
    return LayerSums(
        stages={stage.name: sorted(shape.program.sums(stage.name)) for stage in shape.program.stages},
        shares=shares,
        operands={
            (name, holders): {products[name][number][0].operand for number, _, _ in blocks}
            for name, share in shares.items()
            for holders, blocks in share.blocks.items()
        },
        width={
            name: sum(matrix_shape(shape.layer, product)[1] for product, _ in those)
            for name, those in products.items()
        },
    )


@lru_cache(maxsize=CACHED)
def _shares(tilings: tuple[Tiling, ...]) -> Shares:
    """The registers of a sum whose products' matrices are cut so."""
    blocks: dict[Holders, set[tuple[int, Range, Range]]] = defaultdict(set)
    for number, tiling in enumerate(tilings):
        for tile in tiling.tiles:
            blocks[tile.holders].add((number, tile.rows, tile.cols))
    return Shares(
        {holders: frozenset(found) for holders, found in blocks.items()},
        {holders: _union({rows for _, rows, _ in found}) for holders, found in sorted(blocks.items())},
    )


@lru_cache(maxsize=CACHED)
def deliveries(
    sums: LayerSums, stage: str, shards: Shards, topology: Topology, *, only: str = "", without: str = ""
) -> dict[Range, Delivery]:
    """What has to travel so that owners of rows of ``stage`` have all their sums; it has ``shards``.

    ``only``: no registers but those of products with this operand alone, which are not added on the
    way; ``without``: all but those.
    """
    return {
        rows: _deliver(sums, stage, rows, owners, topology, only, without)
        for rows, owners in shards.owners.items()
    }


def _deliver(
    sums: LayerSums,
    stage: str,
    rows: Range,
    owners: tuple[int, ...],
    topology: Topology,
    only: str,
    without: str,
) -> Delivery:
    local: dict[int, Parts] = dict.fromkeys(owners, ())
    # (sender, what it sends, by its place in parts) -> owners that it is for
    wanted: dict[tuple[int, int], list[int]] = defaultdict(list)
    partial: dict[int, bool] = {}
    parts: list[Part] = []
    for name in sums.stages[stage]:
        for holders, made in sums.shares[name].over(rows):
            part = Part(name, (holders,), made)
            n = len(parts)
            parts.append(part)
            early = sums.operands[name, holders] == {only or without}
            if only and not early:
                continue
            for owner in owners:
                if owner in holders:
                    local[owner] += (part,)
                elif not (without and early):
                    wanted[topology.nearest(holders, owner), n].append(owner)
                    partial[n] = sums.is_partial(holders, part)
    reduced: dict[int, dict[int, Parts]] = {}
    for owner in owners if wanted and not only else ():
        by_sender: dict[int, Parts] = defaultdict(tuple)
        complete = False
        for (sender, n), targets in wanted.items():
            if owner in targets:
                by_sender[sender] += (parts[n],)
                complete |= not partial[n]
        if len(by_sender) > 1 and not complete and alike(by_sender.values()):
            reduced[owner] = dict(sorted(by_sender.items()))
            for targets in wanted.values():
                if owner in targets:
                    targets.remove(owner)
    order = sorted(wanted, key=lambda item: (item[0], parts[item[1]].sum))
    sent = [
        (sender, tuple(wanted[sender, n]), parts[n], partial[n]) for sender, n in order if wanted[sender, n]
    ]
    return Delivery(local, reduced, sent)


def completing(sums: Sums, device: int, part: Part) -> Made:
    """The products on ``device`` that complete ``part``."""
    made = sums[part.sum, device, part.origins[0]]
    return [(rows, key) for rows, key in made if overlap(rows, part.rows)]


def elements(parts: Parts) -> int:
    """Elements of the sums in ``parts``."""
    return sum(part.rows[1] - part.rows[0] for part in parts)


def alike(senders: Iterable[Parts]) -> bool:
    """Whether all send the same rows of the same sums."""
    return len({tuple((part.sum, part.rows) for part in parts) for parts in senders}) == 1


def _union(ranges: Iterable[Range]) -> list[Range]:
    """The ranges with those that overlap joined, ascending."""
    joined: list[Range] = []
    for start, stop in sorted(ranges):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        else:
            joined.append((start, stop))
    return joined
