"""What a recorded time may have waited for: the rules of the timing engine, read backwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from bench.emulator.engine import (
    ARRIVE,
    DEPART,
    DONE,
    ENTER,
    ISSUED,
    LAST_OUT,
    LEAVE,
    MATRIX_FREE,
    OUT,
    READY,
    START,
    VECTOR_FREE,
)
from bench.plans.program import IDLE, LAST_RESULT, LEAVING, RESULT, Instruction, Ints, Start, Unit, Wait
from bench.timeline.recording import RecordedPhase
from bench.timeline.spans import ISSUE, LOAD, LOADER, MATRIX, MULTIFUNCTION, SEND, STEP_INTERVAL


class Moment(NamedTuple):
    """A recorded time: ``column`` (`bench.emulator.engine.record`) of an instruction in an iteration."""

    iteration: int
    number: int
    column: int


class Cause(NamedTuple):
    """What a moment may have waited for: ``before``, after which ``why`` took until ``time``.

    ``before``: None stands for the phase's start. ``own``: whether the time between was spent on the later
    moment's instruction, not on the earlier one's.
    """

    time: int
    before: Moment | None
    why: str
    own: bool = True


class Causes:
    """Of each moment of a phase what it may have waited for."""

    def __init__(self, recorded: RecordedPhase) -> None:
        self.start = recorded.start
        self.times = recorded.times
        self.instructions = recorded.phase.instructions
        self.fields = recorded.phase.arrays.fields
        costs = recorded.costs.tolist()
        self.multifunction, self.writeback, _, self.each, self.step_interval = costs[:5]
        self.aside, self.gap, _, self.restart = costs[5:9]
        self.queues: dict[tuple[str, int], list[int]] = defaultdict(list)
        for n, i in enumerate(self.instructions):
            for name in self._queues(i):
                self.queues[name, i.server].append(n)
        self.ends: dict[int, tuple[list[int], Ints]] = {}

    def of(self, at: Moment) -> Iterator[Cause]:
        """The candidates; the latest of them is what it waited for, and of several the first."""
        i = self.instructions[at.number]
        if at.column in (READY, DONE):
            yield self._end(at, i)
        elif at.column == START:
            yield from self._start(at, i)
        elif at.column in (MATRIX_FREE, VECTOR_FREE):
            yield from self._free(at)
        else:
            yield from self._inside(at, i)
        yield from self._base(at.iteration)

    def _queues(self, i: Instruction) -> Iterator[str]:
        """The servers that an instruction keeps busy."""
        if i.unit is Unit.LINK:
            yield "link"
            return
        yield "loader"
        if i.unit is not Unit.LOAD or self.aside:
            yield "vector"
        if i.unit is Unit.MATRIX or self.aside:
            yield "matrix"
        if i.unit is Unit.MATRIX:
            yield "output"
        if i.starts_step is not Start.NOT_FIRST and i.unit is not Unit.LOAD:
            yield "step"

    def _time(self, at: Moment) -> int:
        return int(self.times[at])

    def _after(self, before: Moment, cycles: int, why: str, *, own: bool = True) -> Cause:
        return Cause(self._time(before) + cycles, before, why, own)

    def _before(self, at: Moment, queue: str) -> Moment | None:
        """Who was served before by one of the servers (column START); None if nobody was."""
        numbers = self.queues[queue, self.instructions[at.number].server]
        place, iteration = numbers.index(at.number), at.iteration
        while iteration >= 0:
            for n in reversed(numbers[:place]):
                if self.times[iteration, n, DONE] >= 0:
                    return Moment(iteration, n, START)
            place, iteration = len(numbers), iteration - 1
        return None

    def _waits(self, at: Moment, kind: Wait, column: int = DONE) -> Iterator[Cause]:
        """Results that the instruction waits for in this way."""
        for wait in self.instructions[at.number].waits:
            source = Moment(at.iteration - wait.back, wait.on, column)
            if wait.wait is kind and source.iteration >= 0 and self._time(source) >= 0:
                yield self._after(source, -wait.early if kind is Wait.UNITS else 0, "")

    def _end(self, at: Moment, i: Instruction) -> Cause:
        """The result is readable, or has arrived."""
        if i.unit is Unit.LINK:
            return self._after(at._replace(column=START), i.interval + i.latency, SEND)
        if i.unit is Unit.LOAD:
            more = i.interval - 1 if at.column == DONE else 0
            return self._after(at._replace(column=START), self.writeback + more, LOADER)
        vector = ARRIVE if at.column == READY else DEPART
        return self._after(at._replace(column=vector), self.writeback + self.each - 1, LOADER)

    def _start(self, at: Moment, i: Instruction) -> Iterator[Cause]:
        yield from self._waits(at, Wait.ALL)
        if i.starts_step is Start.LOCK_STEP and i.unit is not Unit.LINK and at.iteration:
            yield from self._group(at, i.group)
        if i.unit is Unit.LINK:
            if before := self._before(at, "link"):
                interval = self.instructions[before.number].interval
                yield self._after(before, interval, SEND, own=False)
            return
        if i.unit is Unit.LOAD:
            yield from self._loader(at)
        if i.unit is Unit.MATRIX:
            yield self._after(at._replace(column=MATRIX_FREE), 0, MATRIX)
        first = i.starts_step is not Start.NOT_FIRST and i.unit is not Unit.LOAD
        if first and (before := self._before(at, "step")):
            yield self._after(before, self.step_interval, STEP_INTERVAL, own=False)
        for base in self._base(at.iteration):
            yield base._replace(time=self._time(at._replace(column=ISSUED)), why=base.why or ISSUE)

    def _inside(self, at: Moment, i: Instruction) -> Iterator[Cause]:
        """On the way from the start to the result."""

        def own(column: int) -> Moment:
            return at._replace(column=column)

        vectors, row = (i.vectors - 1) * self.each, self.fields[at.number]
        if at.column == OUT:
            yield self._after(own(START), int(row[RESULT]) + i.latency, MATRIX)
            if before := self._before(at, "output"):
                idle = int(self.fields[before.number, IDLE])
                yield self._after(before._replace(column=LAST_OUT), idle + 1, MATRIX, own=False)
        elif at.column == LAST_OUT:
            yield self._after(own(START), int(row[LAST_RESULT]) + i.latency, MATRIX)
            yield self._after(own(OUT), int(row[LEAVING] - row[IDLE]) - 1, MATRIX)
        elif at.column == ENTER:
            yield from self._waits(at, Wait.BLOCKS, READY)
            yield from self._waits(at, Wait.UNITS)
            yield self._after(own(OUT if i.unit is Unit.MATRIX else START), 0, MULTIFUNCTION)
            yield self._after(own(VECTOR_FREE), 0, MULTIFUNCTION)
        elif at.column == LEAVE:
            yield from self._waits(at, Wait.BLOCKS)
            if i.unit is Unit.MATRIX:
                shared = i.vectors > i.blocks and not self.aside
                yield self._after(own(LAST_OUT), self.each if shared else 0, MULTIFUNCTION)
            yield self._after(own(ENTER), vectors, MULTIFUNCTION)
        elif at.column == ARRIVE:
            yield self._after(own(ENTER), self.multifunction, MULTIFUNCTION)
            yield from self._loader(at)
        elif at.column == DEPART:
            yield self._after(own(LEAVE), self.multifunction, MULTIFUNCTION)
            yield self._after(own(ARRIVE), vectors, LOADER)

    def _loader(self, at: Moment) -> Iterator[Cause]:
        """The loader was busy with the instruction before."""
        if before := self._before(at, "loader"):
            other = self.instructions[before.number]
            if other.unit is Unit.LOAD:
                yield self._after(before, other.interval, LOADER, own=False)
            else:
                yield self._after(before._replace(column=DEPART), self.each, LOADER, own=False)

    def _free(self, at: Moment) -> Iterator[Cause]:
        """The matrix unit or the multifunction units were busy with the instruction before."""
        queue, why = ("matrix", MATRIX) if at.column == MATRIX_FREE else ("vector", MULTIFUNCTION)
        before = self._before(at, queue)
        if before is None:
            return
        other = self.instructions[before.number]
        more = self.aside * (other.words - 1)
        if other.unit is Unit.MATRIX and why == MATRIX:
            cycles = other.blocks * other.interval + self.gap + more
            yield self._after(before, cycles, why, own=False)
        elif other.unit is not Unit.LOAD and why == MULTIFUNCTION:
            yield self._after(before._replace(column=LEAVE), self.each + more, why, own=False)
        else:  # its instruction words pass through the unit
            words = self.aside * other.words
            yield self._after(before._replace(column=at.column), words, ISSUE, own=False)
            issued = self._time(before._replace(column=ISSUED)) + words
            yield from (base._replace(time=issued, why=ISSUE) for base in self._base(before.iteration))

    def _group(self, at: Moment, group: int) -> Iterator[Cause]:
        """The last of a device group's instructions in the iterations before."""
        if group not in self.ends:
            members = [n for n, i in enumerate(self.instructions) if group in (i.group, i.to_group)]
            latest = self.times[:, members, DONE].max(axis=1)
            self.ends[group] = members, np.maximum.accumulate(latest)
        members, ends = self.ends[group]
        end = int(ends[at.iteration - 1])
        if end < 0:
            return
        iteration = int(np.searchsorted(ends, end))
        number = members[int(self.times[iteration, members, DONE].argmax())]
        yield self._after(Moment(iteration, number, DONE), 0, "")

    def _base(self, iteration: int) -> Iterator[Cause]:
        """The start of the phase, or of the program that the iteration belongs to."""
        bases = self.times[:, -1, 0]
        base = int(bases[iteration])
        if base == self.start:
            yield Cause(base, None, "")
            return
        first = int(np.searchsorted(bases, base))
        done = self.times[:first, :-1, DONE]
        last, number = divmod(int(done.argmax()), done.shape[1])
        yield self._after(Moment(last, number, DONE), self.restart, LOAD)
