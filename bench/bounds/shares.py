"""What a recurrence costs, over all ways to share its vector out among owners (docs/bounds.md).

Owners differ in how many elements they have. Costs are arrays over intervals of sizes: those of the
smallest size of an interval where they grow with it, of the largest where they fall.
"""

from __future__ import annotations

from collections.abc import Iterator
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


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts of the cluster.

    Up to ``near`` devices are all neighbours; of more, two have a round trip of ``farther`` hops.
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
    farther: int
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
    cycles, more = [np.array([alone(recurrence, rules)])], [np.array([0])]
    if rules.devices > 1 and recurrence.size > 1:
        costs = _Costs(recurrence, rules)
        apart = costs.apart()
        for cut_large in (False, True):
            for cut_second in (False, True):
                taken, added = costs.pair(cut_large, cut_second)
                cycles.append((np.maximum(taken, apart) + recurrence.tail)[costs.possible])
                more.append(added[costs.possible])
    return tuple(_unbeaten(np.concatenate(cycles), np.concatenate(more)))


def _unbeaten(cycles: Ints, more: Ints) -> Iterator[Way]:
    """The ways with fewer cycles than all those with as little or less ``more``, the least ``more`` first."""
    order = np.lexsort((cycles, more))
    cycles, more = cycles[order], more[order]
    better = np.ones(len(cycles), dtype=bool)
    better[1:] = cycles[1:] < np.minimum.accumulate(cycles)[:-1]
    return map(Way, cycles[better].tolist(), more[better].tolist())


def alone(recurrence: Recurrence, rules: Rules) -> int:
    """Cycles if one device owns all elements."""
    whole = rules.words_of(recurrence.columns)
    size = recurrence.size
    own = whole * sum(rules.blocks((step.rows + step.beside) * size) for step in recurrence.series)
    series = sum(rules.blocks(step.rows * size) * whole + step.after for step in recurrence.series)
    behind = recurrence.series[-1].after
    start = max(recurrence.first, own + behind)
    return start + recurrence.rounds * max(own + behind, series) + recurrence.tail


class _Costs:
    """Costs of owners by their sizes: arrays over intervals of sizes; matrices [large, second].

    The first index of ``block``, ``waiting``, ``own``, ``loop`` and ``start``: whether the products are cut.
    """

    def __init__(self, recurrence: Recurrence, rules: Rules) -> None:
        self.recurrence, self.rules = recurrence, rules
        size, series = recurrence.size, recurrence.series
        step = max(rules.engines // max(step.rows + step.beside for step in series), 1)
        step *= -(-size // (step * MOST_SIZES))
        edges = np.append(np.arange(0, size, step), size)
        self.least, self.most = edges[:-1] + 1, edges[1:]
        self.after = sum(step.after for step in series)
        self.hop = rules.crossing * sum(not step.local for step in series)
        self.whole = rules.words_of(recurrence.columns)
        others = rules.words_of(np.maximum(size - self.most, 1))
        in_two = np.maximum(rules.words_of(self.least) + others, self.whole + rules.overhead)
        block = np.stack([np.full_like(in_two, self.whole), in_two])
        self.waiting = self._series(np.stack([block[0], others]))
        # [receiver, sender]: what waits for the sender's columns alone
        self.far = self._series(rules.words_of(self.least)[:, None]).T
        self.own = self._series(block, beside=True)
        self.behind = series[-1].after
        self.loop = np.maximum(self.own + self.behind, self._series(block) + self.after)
        self.start = np.maximum(self.own + self.behind, recurrence.first)
        late = rules.late(self.least)
        self.late = late * sum(step.chained and not step.local for step in series)
        self.replicas = self._replicas()
        second = np.arange(len(self.least))
        self.possible = (second[None, :] <= second[:, None]) & self._reaches(rules.devices - 1)

    def _series(self, block: Ints, *, beside: bool = False) -> Ints:
        """Cycles of all products of the series, if a block of what crosses takes ``block``.

        ``beside``: with the products beside the series. Sizes are along the last axis.
        """
        total: Ints = np.zeros_like(block)
        for step in self.recurrence.series:
            rows = step.rows * (
                np.full_like(self.least, self.recurrence.size) if step.everywhere else self.least
            )
            if beside:
                rows = rows + step.beside * self.least
            total = total + self.rules.blocks(rows) * (self.whole if step.local else block)
        return total

    def _reaches(self, others: int) -> NDArray[np.bool_]:
        """Whether the largest owner and ``others`` like the second can have all elements."""
        reached: NDArray[np.bool_] = self._missing() <= others * self.most[None, :]
        return reached

    def _missing(self) -> Ints:
        missing: Ints = self.recurrence.size - self.most[:, None]
        return missing

    def pair(self, cut_large: bool, cut_second: bool) -> tuple[Ints, Ints]:
        """Cycles that the two largest owners impose, and what they add to the work of a step.

        They add to it by cutting their products in two, and by making rows that others make too.
        """
        rounds = self.recurrence.rounds
        large, second = int(cut_large), int(cut_second)
        to_large = np.minimum(self.waiting[large][:, None], self.hop + self.far) + self.late[None, :]
        to_second = np.minimum(self.waiting[second][None, :], self.hop + self.far.T) + self.late[:, None]
        both = 2 * (self.after + self.hop) + to_large + to_second
        # no message has been late before the first element
        start = np.maximum(self.own + self.behind, self.recurrence.first - self.late)
        starts = start[large][:, None] + start[second][None, :]
        each = self.start + rounds * self.loop
        cycles = np.maximum(_up(starts + rounds * both, 2), each[large][:, None])
        cut = self.own - self.own[0]
        more = cut[large][:, None] + cut[second][None, :] + self.replicas
        return np.maximum(cycles, each[second][None, :]), more

    def _replicas(self) -> Ints:
        """Cycles a step of rows that every owner but one makes besides."""
        size = self.recurrence.size
        rows = sum(step.rows for step in self.recurrence.series if step.everywhere)
        others: Ints = np.maximum(-(-self._missing() // self.most[None, :]), 1)
        return others * ((rows * size // self.rules.engines) * self.rules.passes * self.whole)

    def apart(self) -> Ints:
        """Cycles that owners impose who are not all neighbours, where so few cannot have all elements."""
        rules, recurrence = self.rules, self.recurrence
        trip = 2 * self.after + rules.farther * self.hop
        trip += 2 * len(recurrence.series) * rules.passes * (1 + rules.overhead)
        distant = recurrence.first + -(-recurrence.rounds * trip // 2)
        cycles: Ints = np.where(self._reaches(rules.near - 1), 0, distant)
        return cycles


def _up(number: Number, by: int) -> Number:
    up: Number = -(-number // by)
    return up
