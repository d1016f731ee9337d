"""A phase's instructions while they are being made: dependences by name, resolved at the end.

An instruction may wait for one that comes later in the loop body, of an earlier iteration,
so it names what it needs; `Stream.resolve` turns names into indexes. What only a reader or the
interpreter asks for is described later, if at all: a search that compares plans needs numbers alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, count
from typing import Any

import numpy as np

from bench.plans.program import Describe, Fields, Ints, LoopBody, Operations, PhaseArrays, Wait, matrix

Name = tuple[Any, ...]
"""What a result is called: a word, then whose it is. The name of what belongs to another result has
that one's key in second place."""

Key = int
"""The number of a result in its stream."""

Need = int
"""The number of a need in its stream: of a result, so many time steps earlier."""


class Stream:
    """An ordered list of instructions, each with a key, a lag in iterations, and needs."""

    def __init__(self) -> None:
        self.new = count().__next__
        """A key for a result that has no name."""
        self.keys: defaultdict[Name, Key] = defaultdict(self.new)
        """The keys of results with names, which may be made later."""
        # key, lag, needs, numbers and description of each instruction
        self._appended: list[tuple[Key, int, Sequence[Need], Fields, Describe]] = []
        # key, steps back, kind of wait and cycles early of each need
        self._needs: list[tuple[Key, int, int, int]] = []
        self._made: set[Key] = set()
        self._aliases: dict[Key, Key] = {}
        self._more: dict[Key, list[Operations]] = defaultdict(list)

    def need(self, key: Key, steps_back: int = 0, wait: int = Wait.ALL, early: int = 0) -> Need:
        """The need of the result ``key``, of ``steps_back`` time steps earlier; as in `Dependence`."""
        self._needs.append((key, steps_back, wait, early))
        return len(self._needs) - 1

    def append(self, key: Key, lag: int, needs: Sequence[Need], fields: Fields, describe: Describe) -> None:
        """Add an instruction that runs for time step s in iteration s + ``lag``."""
        self._made.add(key)
        self._appended.append((key, lag, needs, fields, describe))

    def alias(self, key: Key, existing: Key) -> None:
        """Let ``key`` stand for ``existing``, which may be added later."""
        self._aliases[key] = existing

    def add(self, key: Key, does: Operations) -> None:
        """Let the instruction with this key, which may come later, do something more."""
        self._more[key].append(does)

    def knows(self, key: Key) -> bool:
        """Whether an instruction has this key already."""
        return self._original(key) in self._made

    def _original(self, key: Key) -> Key:
        while key in self._aliases:
            key = self._aliases[key]
        return key

    def resolve(self, iterations: int) -> LoopBody:
        """The loop body of all instructions, whose dependences must be there: else AssertionError."""
        keys, lags, needs, fields, described = zip(*self._appended, strict=True)
        numbers = {key: n for n, key in enumerate(keys)}
        index = np.full(self.new(), -1)
        index[list(keys)] = np.arange(len(keys))
        for key in self._aliases:
            index[key] = numbers.get(self._original(key), -1)
        wait_start, waits = self._waits(index, np.array(lags), needs)
        return LoopBody(
            PhaseArrays(matrix(fields, 16), wait_start, waits, iterations),
            described,
            {numbers[key]: does for key, does in self._more.items()},
        )

    def _waits(self, index: Ints, lags: Ints, needs: Sequence[Sequence[Need]]) -> tuple[Ints, Ints]:
        """`PhaseArrays.wait_start` and `PhaseArrays.waits`; ``index``: key -> instruction, or -1.

        Of several needs of one result the strictest counts. A dependence is one number while they are
        sorted: by instruction, then result, iterations back, kind of wait, and cycles early.
        """
        size = len(needs)
        used = np.fromiter(chain.from_iterable(needs), np.int64)
        at = np.repeat(np.arange(size), [len(each) for each in needs])
        key, steps_back, wait, early = matrix(self._needs, 4).T
        on = index[key[used]]
        back = lags[at] - lags[on] + steps_back[used]
        wrong = (on < 0) | (back < 0) | ((back == 0) & (on >= at))
        if wrong.any():
            raise AssertionError(self._complain(int(key[used[wrong.argmax()]]), int(at[wrong.argmax()])))
        backs, earlies = back.max(initial=0) + 1, early.max(initial=0) + 1
        kinds = (max(Wait) + 1) * earlies
        kind = wait * earlies + early
        codes = np.sort(((at * size + on) * backs + back) * kinds + kind[used])
        places, kind = np.divmod(codes, kinds)
        first = np.ones(len(places), dtype=bool)
        first[1:] = places[1:] != places[:-1]
        places, back = np.divmod(places[first], backs)
        at, on = np.divmod(places, size)
        wait_start = np.searchsorted(at, np.arange(size + 1))
        return wait_start, np.stack([on, back, *np.divmod(kind[first], earlies)], axis=1)

    def _complain(self, key: Key, at: int) -> str:
        """What is wrong with the need of ``key`` by the instruction at this place."""
        reader = self._appended[at][-1]()
        fault = "the future" if self.knows(key) else "what nobody makes"
        name = next((name for name, known in self.keys.items() if known == key), key)
        return f"{reader.layer} {reader.what} on device {reader.device} waits for {fault}: {name}"
