"""What a recurrence costs, over all ways to share its vector out among owners (docs/bounds.md).

Owners differ in how many elements they have. Costs are arrays over intervals of sizes: those of the
smallest size of an interval where they grow with it, of the largest where they fall.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from bench.bounds.recurrences import Recurrence

Ints = NDArray[np.int64]
Number = TypeVar("Number", int, Ints)

MOST_SIZES = 72
"""Intervals that an owner's number of elements is divided into, at most."""

NEVER = 1 << 60
"""More cycles than anything takes."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts of the cluster. ``near``, ``middle``: as in `MOST_NEAR`, not above ``devices``.

    ``wire_per_element``: cycles on a link. ``hidden``: so many of a message's may have gone by when
    the last element is complete.
    """

    engines: int
    words: int
    overhead: int
    passes: int
    crossing: int
    devices: int
    near: int
    middle: int
    wire_per_element: float
    hidden: int

    def blocks(self, rows: Number) -> Number:
        """Row blocks of so many rows, for all passes of the batch."""
        return _up(rows, self.engines) * self.passes

    def late(self, elements: Ints) -> Ints:
        """Cycles by which so many elements come later than the last one alone would."""
        wire: Ints = np.ceil(elements * self.wire_per_element - 1e-6).astype(np.int64)
        late: Ints = np.maximum(wire - self.hidden, 0)
        return late

    def words_of(self, columns: Number) -> Number:
        """Cycles of a row block with so many columns."""
        return _up(columns, self.words) + self.overhead


@dataclass(frozen=True, slots=True)
class Way:
    """A recurrence takes ``cycles`` or more, and its products ``more`` a step than if none were cut."""

    cycles: int
    more: int


@lru_cache(maxsize=256)
def ways(recurrence: Recurrence, rules: Rules) -> tuple[Way, ...]:
    """For each way to share a layer out, the cycles it takes; those that no other beats in both figures.

    ``more`` rises and ``cycles`` fall from one to the next.
    """
    found = [Way(alone(recurrence, rules), 0)]
    if rules.devices > 1 and recurrence.size > 1:
        costs = _Costs(recurrence, rules)
        apart = costs.apart()
        for cut_large in (False, True):
            for cut_second in (False, True):
                cycles, more = costs.pair(cut_large, cut_second)
                cycles = np.maximum(cycles, apart) + recurrence.tail
                found += _fewest(cycles[costs.possible], more[costs.possible])
    found.sort(key=lambda way: (way.more, way.cycles))
    kept = [found[0]]
    for way in found[1:]:
        if way.cycles < kept[-1].cycles:
            kept.append(way)
    return tuple(kept)


def _fewest(cycles: Ints, more: Ints) -> list[Way]:
    """The fewest cycles for each figure of ``more``."""
    order = np.lexsort((cycles, more))
    values, starts = np.unique(more[order], return_index=True)
    return [Way(int(c), int(m)) for c, m in zip(cycles[order][starts], values, strict=True)]


def alone(recurrence: Recurrence, rules: Rules) -> int:
    """Cycles if one device owns all elements."""
    whole = rules.words_of(recurrence.columns)
    size = recurrence.size
    own = whole * sum(rules.blocks(rows * size) for rows in recurrence.rows)
    series = sum(rules.blocks(rows * size) * whole + after for rows, after in recurrence.passages)
    behind = recurrence.passages[-1][1]
    start = max(recurrence.first, own + behind)
    return start + recurrence.rounds * max(own + behind, series) + recurrence.tail


class _Costs:
    """Costs of owners by their sizes: arrays over intervals of sizes; matrices [large, second]."""

    def __init__(self, recurrence: Recurrence, rules: Rules) -> None:
        self.recurrence, self.rules = recurrence, rules
        size = recurrence.size
        step = max(rules.engines // max(recurrence.rows), 1)
        step *= -(-size // (step * MOST_SIZES))
        edges = np.append(np.arange(0, size, step), size)
        self.least, self.most = edges[:-1] + 1, edges[1:]
        self.after = sum(after for _, after in recurrence.passages)
        self.hop = rules.crossing * len(recurrence.passages)
        whole = rules.words_of(recurrence.columns)
        others = rules.words_of(np.maximum(size - self.most, 1))
        in_two = np.maximum(rules.words_of(self.least) + others, whole + rules.overhead)
        # a block of each row, and the same in two parts, own columns and others'
        self.block = np.stack([np.broadcast_to(whole, in_two.shape), in_two])
        self.waiting = self._series(self.least) * np.stack([np.broadcast_to(whole, others.shape), others])
        own = sum(rules.blocks(rows * self.least) for rows in recurrence.rows)
        self.own = own * self.block
        behind = recurrence.passages[-1][1]
        self.loop = np.maximum(self.own + behind, self._series(self.least) * self.block + self.after)
        self.start = np.maximum(self.own + behind, recurrence.first)
        self.late = recurrence.chained * rules.late(self.least)
        # [receiver, sender]: what waits for the sender's columns alone
        self.far = self._series(self.least)[:, None] * rules.words_of(self.least)[None, :]
        second = np.arange(len(self.least))
        self.possible = (second[None, :] <= second[:, None]) & self._reaches(rules.devices - 1)

    def _series(self, sizes: Ints) -> Ints:
        """Row blocks of all products of the series, one after the other."""
        made = [self.rules.blocks(rows * sizes) for rows, _ in self.recurrence.passages]
        total: Ints = np.sum(made, axis=0)
        return total

    def _reaches(self, others: int, more: int = 0) -> NDArray[np.bool_]:
        """Whether the largest owner, ``others`` like the second and ``more`` elements can be all of them."""
        total = self.most[:, None] + others * self.most[None, :] + more
        reached: NDArray[np.bool_] = total >= self.recurrence.size
        return reached

    def pair(self, cut_large: bool, cut_second: bool) -> tuple[Ints, Ints]:
        """Cycles that the two largest owners impose, and what cutting their products in two adds a step."""
        rounds = self.recurrence.rounds
        large, second = int(cut_large), int(cut_second)
        to_large = np.minimum(self.waiting[large][:, None], self.hop + self.far) + self.late[None, :]
        to_second = np.minimum(self.waiting[second][None, :], self.hop + self.far.T) + self.late[:, None]
        both = 2 * (self.after + self.hop) + to_large + to_second
        starts = self.start[large][:, None] + self.start[second][None, :]
        each = self.start + rounds * self.loop
        cycles = np.maximum(_up(starts + rounds * both, 2), each[large][:, None])
        more = self.own - self.own[0]
        return np.maximum(cycles, each[second][None, :]), more[large][:, None] + more[second][None, :]

    def apart(self) -> Ints:
        """Cycles that owners impose which are not all neighbours: the least over how many there are."""
        rules, rounds = self.rules, self.recurrence.rounds
        devices, near, middle = rules.devices, rules.near, rules.middle
        distant = 2 * (self.after + len(self.recurrence.passages) * rules.passes * (1 + rules.overhead))
        distant = self.recurrence.first + _up(rounds * (distant + 4 * self.hop), 2)
        least = np.full(self.possible.shape, distant if devices > middle else NEVER)
        if middle > near:
            sizes = np.searchsorted(self.least * (near + 1), self.recurrence.size, side="right")
            for small in range(int(sizes)):
                rest = (middle - near) * int(self.most[small])
                possible = self._reaches(near - 1, rest)
                least = np.where(possible, np.minimum(least, self._middle(small)), least)
        return np.where(self._reaches(near - 1), 0, least)

    def _middle(self, small: int) -> Ints:
        """Of the ``near`` + 1 largest owners two pairs are three hops apart; ``small``: the least one's size.

        One of these pairs has the second largest owner in it, or the largest.
        """
        second = np.maximum(np.arange(len(self.most)), small)[None, :]
        large = np.arange(len(self.most))[:, None]
        lowest = self._lowest(self.waiting[1])
        small_waits = np.minimum(lowest[small, large], self.hop + self.far[small, second])
        second_waits = np.minimum(
            lowest[np.minimum(second, large), large], self.hop + self.far[second, small]
        )
        both = np.minimum(self.far[second, small] + small_waits, self.far[small, second] + second_waits)
        both += self.late[second] + self.late[small]
        starts = self.start[0][second] + self.start[0][small]
        period = 2 * self.after + 3 * self.hop + both
        return _up(starts + self.recurrence.rounds * period, 2)

    def _lowest(self, costs: Ints) -> Ints:
        """[from, to] -> the least of ``costs`` over these intervals, both included."""
        count = len(costs)
        spread = np.where(np.tri(count, dtype=bool).T, costs[None, :], NEVER)
        lowest: Ints = np.minimum.accumulate(spread, axis=1)
        return lowest


def _up(number: Number, by: int) -> Number:
    up: Number = -(-number // by)
    return up
