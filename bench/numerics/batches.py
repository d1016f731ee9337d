"""The kinds of batches: alike tasks of many devices, done at once with numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench.numerics.cells import finish
from bench.numerics.memory import Held
from bench.numerics.numbers import Numbers
from bench.numerics.results import Results
from bench.numerics.tasks import Added, Copied, Finished, Multiplied, Summed
from bench.numerics.values import Array, Cells, State, pick, runs
from bench.plans.operations import Register
from bench.plans.plan import Range


def cells_of(places: Sequence[tuple[Held, Range]]) -> Cells:
    """The cells of all of them, one after the other."""
    return np.concatenate([np.arange(held.first + rows[0], held.first + rows[1]) for held, rows in places])


class MultipliedBatch:
    """Products of equal shape with one operand of a layer."""

    def __init__(self, tasks: list[Multiplied], numbers: Numbers) -> None:
        first = tasks[0]
        self._layer, self._product = first.facts.layer, first.product
        height = first.block.rows[1] - first.block.rows[0]
        self._into = runs([task.into.first + task.block.rows[0] for task in tasks], height)
        blocks = [
            numbers.block(task.facts.layer, task.product, task.block.rows, task.block.cols) for task in tasks
        ]
        self._parts = []
        for n in range(len(first.reads)):
            starts = [(task.reads[n][0], task.block.cols[0]) for task in tasks]
            columns = [
                block[:, start - left : stop - left]
                for block, ((start, stop), left) in zip(blocks, starts, strict=True)
            ]
            weights = np.stack(columns) if len(columns) > 1 else columns[0][np.newaxis]
            self._parts.append((weights, pick([task.reads[n][1] for task in tasks])))

    def run(self, state: State, step: int) -> None:
        """Do them for a time step."""
        numbers = state.numbers
        total: Array | None = None
        for weights, picks in self._parts:
            values = state.read(picks, step)
            flat = numbers.operand(self._layer, self._product, values.reshape(-1, values.shape[-1]))
            part = numbers.product(weights, flat.reshape(values.shape).swapaxes(0, 1))
            total = part if total is None else numbers.add(total, part)
        assert total is not None
        sums = state.now.sums(step)
        sums[:, self._into] = numbers.add(sums.take(self._into, axis=1), total.swapaxes(0, 1))


class SummedBatch:
    """Sums of input vectors."""

    def __init__(self, tasks: list[Summed]) -> None:
        self._parts = []
        for n, ((start, stop), _) in enumerate(tasks[0].reads):
            into = runs([task.into.first + task.reads[n][0][0] for task in tasks], stop - start)
            self._parts.append((into, pick([task.reads[n][1] for task in tasks])))

    def run(self, state: State, step: int) -> None:
        """Do them for a time step."""
        for into, picks in self._parts:
            state.now.vectors(step)[:, into] = state.read(picks, step)


class CopiedBatch:
    """Messages that carry registers, or that carry vectors."""

    def __init__(self, tasks: list[Copied]) -> None:
        self._sums = isinstance(tasks[0].what.name, Register)
        self._what = cells_of([(task.what, task.rows) for task in tasks])
        self._into = cells_of([(task.into, task.rows) for task in tasks])

    def run(self, state: State, step: int) -> None:
        """Do them for a time step."""
        values = state.now.sums(step) if self._sums else state.now.vectors(step)
        values[:, self._into] = values.take(self._what, axis=1)


class AddedBatch:
    """Additions of equally many registers."""

    def __init__(self, tasks: list[Added]) -> None:
        count = range(len(tasks[0].terms))
        self._terms = [cells_of([task.terms[n] for task in tasks]) for n in count]
        self._into = cells_of([(task.into, task.terms[0].rows) for task in tasks])

    def run(self, state: State, step: int) -> None:
        """Do them for a time step."""
        sums = state.now.sums(step)
        total = sums.take(self._terms[0], axis=1)
        for cells in self._terms[1:]:
            total = state.numbers.add(total, sums.take(cells, axis=1))
        sums[:, self._into] = total


class FinishedBatch:
    """Rows of one stage of a layer, each once."""

    def __init__(self, tasks: list[Finished], results: Results) -> None:
        first = tasks[0]
        self._facts, self._stage = first.facts, first.stage
        self._tasks, self._results = tasks, results
        self._rows = np.concatenate([np.arange(*task.rows) for task in tasks])
        self._sums = {name: _rounds(tasks, name) for name in first.sums}
        self._state = {
            name: cells_of([(task.state[name], task.rows) for task in tasks]) for name in first.state
        }
        self._x = pick([task.x for task in tasks if task.x]) if first.x else None
        self._into = {name: cells_of([(task.into[name], task.rows) for task in tasks]) for name in first.into}

    def run(self, state: State, step: int) -> None:
        """Do them for a time step."""
        numbers, layer = state.numbers, self._facts.layer
        accumulators, before = state.now.sums(step), state.now.vectors(step - 1)
        sums = {
            name: numbers.gate_sum(layer, name, self._rows, self._total(numbers, rounds, accumulators))
            for name, rounds in self._sums.items()
        }
        known = {name: before.take(cells, axis=1) for name, cells in self._state.items()}
        x = None if self._x is None else state.read(self._x, step).reshape(len(before), -1)
        made = finish(numbers.vector, layer, self._stage, sums, known, x)
        vectors = state.now.vectors(step)
        for name, cells in self._into.items():
            vectors[:, cells] = made[name]
        if self._stage.name == "h":
            self._results.note(layer, step, self._rows, made["h"], self._tasks)

    def _total(self, numbers: Numbers, rounds: list[tuple[Cells, Cells]], accumulators: Array) -> Array:
        """A sum over all rows: all that the devices hold of it, added."""
        total = np.zeros((len(accumulators), len(self._rows)), accumulators.dtype)
        for places, cells in rounds:
            total[:, places] = numbers.add(total[:, places], accumulators.take(cells, axis=1))
        return total


def _rounds(tasks: Sequence[Finished], name: str) -> list[tuple[Cells, Cells]]:
    """The first terms of a sum, then the second ones, and so on: places in the batch, cells."""
    first = np.cumsum([0, *(task.rows[1] - task.rows[0] for task in tasks)]).tolist()
    rounds = []
    for n in range(max(len(task.sums[name]) for task in tasks)):
        terms = [
            (task.sums[name][n], at - task.rows[0])
            for task, at in zip(tasks, first, strict=False)
            if n < len(task.sums[name])
        ]
        places = np.concatenate([np.arange(at + term.rows[0], at + term.rows[1]) for term, at in terms])
        rounds.append((places, cells_of([term for term, _ in terms])))
    return rounds
