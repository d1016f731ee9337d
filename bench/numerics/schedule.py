"""Tasks of a phase in batches: what is alike and independent is done at once, for all devices.

The tasks of an iteration keep their order where it matters: one that reads or writes what another
writes, or writes what it reads, comes in a later batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

from bench.numerics.batches import AddedBatch, CopiedBatch, FinishedBatch, MultipliedBatch, SummedBatch
from bench.numerics.memory import Held
from bench.numerics.numbers import Numbers
from bench.numerics.results import Results
from bench.numerics.tasks import Added, Back, Copied, Finished, Joined, Multiplied, Read, Summed, Task
from bench.numerics.values import State, form
from bench.plans.operations import Register
from bench.plans.plan import Range

LARGE = 4096
"""Elements of a block from which on it is multiplied by itself: then the call costs little, a copy much."""

T = TypeVar("T", bound=Task)


class Batch(Protocol):
    """Tasks that are done at once."""

    def run(self, state: State, step: int) -> None:
        """Do them for a time step."""


def make_batches(tasks: Sequence[Task], numbers: Numbers, results: Results) -> list[tuple[int, int, Batch]]:
    """Batches in order, each with the first iteration in which it runs, and in how many.

    ``tasks``: of one phase, in program order.
    """
    levels = _Levels()
    copies: Counter[object] = Counter()
    alike: dict[tuple[object, ...], list[Task]] = {}
    order: dict[tuple[object, ...], int] = {}
    for task in tasks:
        level = levels.of(task)
        key = (level, task.now.first, task.now.count, type(task), *_form(task, copies))
        alike.setdefault(key, []).append(task)
        order[key] = level
    return [
        (together[0].now.first, together[0].now.count, _batch(together, numbers, results))
        for together in (alike[key] for key in sorted(order, key=order.__getitem__))
    ]


def _form(task: Task, copies: Counter[object]) -> tuple[object, ...]:
    """What tasks of a batch have in common.

    Devices that hold the same block, or make the same rows, are in batches of their own (``copies``
    counts them): nothing that goes wrong in one of these calls goes wrong for all of them alike.
    """
    match task:
        case Multiplied():
            block = task.block
            rows, cols = block.rows[1] - block.rows[0], block.cols[1] - block.cols[0]
            what = block._replace(device=0), task.reads[0][0]
            copies[what] += 1
            large = task if rows * cols >= LARGE else None
            return block.layer, task.product.operand, rows, copies[what], large, *_forms(task.reads)
        case Finished():
            stage = (task.facts.layer.name, task.stage.name)
            copies[stage, task.rows] += 1
            return *stage, copies[stage, task.rows], task.x and form(task.x)
        case Added():
            return (len(task.terms),)
        case Copied():
            return (isinstance(task.what.name, Register),)
        case Summed():
            return _forms(task.reads)
    raise AssertionError(task)


def _forms(reads: Sequence[tuple[Range, Read]]) -> tuple[object, ...]:
    return tuple(form(read) for _, read in reads)


def _batch(tasks: Sequence[Task], numbers: Numbers, results: Results) -> Batch:
    match tasks[0]:
        case Multiplied():
            return MultipliedBatch(_all(Multiplied, tasks), numbers)
        case Finished():
            return FinishedBatch(_all(Finished, tasks), results)
        case Added():
            return AddedBatch(_all(Added, tasks))
        case Copied():
            return CopiedBatch(_all(Copied, tasks))
    return SummedBatch(_all(Summed, tasks))


def _all(kind: type[T], tasks: Sequence[Task]) -> list[T]:
    return [task for task in tasks if isinstance(task, kind)]


# -- what depends on what ------------------------------------------------------------------


class _Levels:
    """Which tasks come behind which: of each row, the last level that reads it, and that writes it."""

    def __init__(self) -> None:
        self._known: dict[Held, tuple[list[int], list[int]]] = {}

    def of(self, task: Task) -> int:
        """The level of the next task: behind all before it that it must not overtake."""
        level = 0
        known = self._known
        reading, writing = [], []
        for held, (start, stop) in _reads(task):
            read, written = known.get(held) or self._new(held)
            level = max(level, *written[start:stop])
            reading.append((read, start, stop))
        for held, (start, stop) in _writes(task):
            read, written = known.get(held) or self._new(held)
            level = max(level, *written[start:stop], *read[start:stop])
            writing.append((written, start, stop))
        level += 1
        for marks, start, stop in reading:
            marks[start:stop] = [max(level, mark) for mark in marks[start:stop]]
        for marks, start, stop in writing:
            marks[start:stop] = [level] * (stop - start)
        return level

    def _new(self, held: Held) -> tuple[list[int], list[int]]:
        self._known[held] = [0] * held.size, [0] * held.size
        return self._known[held]


def _reads(task: Task) -> list[tuple[Held, Range]]:
    match task:
        case Multiplied():
            return [place for _, read in task.reads for place in _places(read)]
        case Finished():
            places = [(held, task.rows) for held in task.state.values()]
            places += [(term.held, term.rows) for terms in task.sums.values() for term in terms]
            return [*places, *_places(task.x)] if task.x else places
        case Added():
            return [(term.held, term.rows) for term in task.terms]
        case Copied():
            return [(task.what, task.rows)]
        case Summed():
            return [place for _, read in task.reads for place in _places(read)]
    raise AssertionError(task)


def _writes(task: Task) -> list[tuple[Held, Range]]:
    match task:
        case Multiplied():
            return [(task.into, task.block.rows)]
        case Finished():
            return [(held, task.rows) for held in task.into.values()]
        case Added():
            return [(task.into, task.terms[0].rows)]
        case Copied():
            return [(task.into, task.rows)]
        case Summed():
            return [(task.into, cols) for cols, _ in task.reads]
    raise AssertionError(task)


def _places(read: Read) -> Iterator[tuple[Held, Range]]:
    """What is read of the phase's own vectors, of whatever step."""
    if isinstance(read, Joined):
        for part in read.parts:
            yield from _places(part)
    elif isinstance(read.source, Back) and read.held:
        yield read.held, read.rows
