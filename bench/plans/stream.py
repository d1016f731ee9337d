"""A phase's instructions while they are being made: dependences by name, resolved at the end.

An instruction may wait for one that comes later in the loop body, of an earlier iteration,
so it names what it needs; `Stream.resolve` turns names into indexes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bench.plans.operations import Operation
from bench.plans.program import Dependence, Instruction, Wait

Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Need:
    """The result ``key``, of ``steps_back`` time steps earlier."""

    key: Key
    steps_back: int
    wait: Wait = Wait.ALL
    early: int = 0


class Stream:
    """An ordered list of instructions, each with a key, a lag in iterations, and needs."""

    def __init__(self) -> None:
        self._instructions: list[Instruction] = []
        self._needs: list[list[Need]] = []
        self._lags: list[int] = []
        self._keys: list[Key] = []
        self._index: dict[Key, int] = {}
        self._aliases: dict[Key, Key] = {}
        self._more: dict[Key, tuple[Operation, ...]] = {}

    def append(self, key: Key, lag: int, needs: list[Need], instruction: Instruction) -> None:
        """Add an instruction that runs for time step s in iteration s + ``lag``."""
        self._index[key] = len(self._instructions)
        self._instructions.append(instruction)
        self._needs.append(needs)
        self._lags.append(lag)
        self._keys.append(key)

    def alias(self, key: Key, existing: Key) -> None:
        """Let ``key`` stand for ``existing``, which may be added later."""
        self._aliases[key] = existing

    def add(self, key: Key, does: Operation) -> None:
        """Let the instruction with this key, which may come later, do something more."""
        self._more[key] = (*self._more.get(key, ()), does)

    def knows(self, key: Key) -> bool:
        """Whether an instruction has this key already."""
        return self._find(key) is not None

    def _find(self, key: Key) -> int | None:
        while key in self._aliases:
            key = self._aliases[key]
        return self._index.get(key)

    def resolve(self, earlier: frozenset[str]) -> tuple[Instruction, ...]:
        """The instructions with their dependences.

        ``earlier``: layers of the phases before, whose rows ``("held", layer, ...)`` are there
        already. Anything else that nobody makes is a mistake in lowering: AssertionError.
        """
        resolved = []
        for n, instruction in enumerate(self._instructions):
            waits: dict[tuple[int, int], tuple[Wait, int]] = {}
            for need in self._needs[n]:
                on = self._find(need.key)
                if on is None:
                    if need.key[0] == "held" and need.key[1] in earlier:
                        continue
                    raise AssertionError(f"{self._keys[n]} waits for {need.key}, which nobody makes")
                back = self._lags[n] - self._lags[on] + need.steps_back
                if back < 0 or (back == 0 and on >= n):
                    raise AssertionError(f"{self._keys[n]} waits for the future: {need}")
                mine = (need.wait, need.early)
                waits[on, back] = min(waits.get((on, back), mine), mine)
            found = tuple(Dependence(*key, *how) for key, how in sorted(waits.items()))
            does = (*instruction.does, *self._more.get(self._keys[n], ()))
            resolved.append(replace(instruction, waits=found, does=does))
        return tuple(resolved)
