"""A phase's instructions while they are being made: dependences by name, resolved at the end.

An instruction may wait for one that comes later in the loop body, of an earlier iteration,
so it names what it needs; `Stream.resolve` turns names into indexes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.plans.operations import Operation
from bench.plans.program import Dependence, Instruction, Wait

Name = tuple[Any, ...]
"""What a result is called: a word, then whose it is. The name of what belongs to another result has
that one's key in second place."""

Key = int
"""The number of a result's name in its stream: names are long, and needed again and again."""

Make = Callable[..., Instruction]
"""Makes an instruction of its last two fields, ``waits`` and ``does``, by keyword."""


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
        self._numbers: dict[Name, Key] = {}
        # key, lag, needs, maker and operations of each instruction
        self._appended: list[tuple[Key, int, list[Need], Make, tuple[Operation, ...]]] = []
        self._index: dict[Key, int] = {}
        self._aliases: dict[Key, Key] = {}
        self._more: dict[Key, tuple[Operation, ...]] = {}

    def key(self, *name: Any) -> Key:
        """The key of the result with this name, which may be made later."""
        return self._numbers.setdefault(name, len(self._numbers))

    def append(
        self, key: Key, lag: int, needs: list[Need], make: Make, does: tuple[Operation, ...] = ()
    ) -> None:
        """Add an instruction that runs for time step s in iteration s + ``lag``."""
        self._index[key] = len(self._appended)
        self._appended.append((key, lag, needs, make, does))

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
        names = list(self._numbers)
        found = [self._find(key) for key in range(len(names))]
        lags = [lag for _, lag, *_ in self._appended]
        # equal dependences, as the gates of one operand have them, are one value
        made: dict[tuple[int, int, Wait, int], Dependence] = {}
        resolved = []
        for n, (key, lag, needs, make, does) in enumerate(self._appended):
            waits: dict[tuple[int, int], Dependence] = {}
            for need in needs:
                on = found[need.key]
                if on is None:
                    word, whose, *_ = names[need.key]
                    if word == "held" and whose in earlier:
                        continue
                    raise AssertionError(
                        f"{self._spell(key)} waits for {self._spell(need.key)}: nobody makes it"
                    )
                back = lag - lags[on] + need.steps_back
                if back < 0 or (back == 0 and on >= n):
                    raise AssertionError(f"{self._spell(key)} waits for the future: {self._spell(need.key)}")
                which = (on, back, need.wait, need.early)
                if which not in made:
                    made[which] = Dependence(*which)
                same = waits.get((on, back))
                if same is None or (need.wait, need.early) < (same.wait, same.early):
                    waits[on, back] = made[which]
            depends = tuple(waits[at] for at in sorted(waits))
            resolved.append(make(waits=depends, does=(*does, *self._more.get(key, ()))))
        return tuple(resolved)

    def _spell(self, key: Key) -> Name:
        """The name behind a key, with names in place of the keys in it."""
        word, whose, *rest = list(self._numbers)[key]
        return (word, self._spell(whose) if isinstance(whose, int) else whose, *rest)
