"""A layer's instructions while they are being made: dependences by name, resolved at the end.

An instruction may wait for one that comes later in the loop body, of an earlier iteration, or for one
of another layer, so it names what it needs; `Stream.body` turns names into indexes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import chain, count
from typing import Any

import numpy as np

from bench.plans.body import Body
from bench.plans.program import Describe, Fields, Operations, Wait, matrix

Name = tuple[Any, ...]
"""What a result is called: a word, then what tells it from others of the kind.

Two words are known outside: ``("held", stage, device, rows)`` is the moment at which a device holds
rows of a stage, ``("fed", input, device, rows)`` that at which it holds rows of the layer's input.
"""

Key = int
"""The number of a result in its stream."""

Need = int
"""The number of a need in its stream: of a result, so many time steps earlier."""


class Stream:
    """An ordered list of instructions, each with a key and needs."""

    def __init__(self) -> None:
        self.new = count().__next__
        """A key for a result that has no name."""
        self.keys: defaultdict[Name, Key] = defaultdict(self.new)
        """The keys of results with names, which may be made later."""
        # key, needs, numbers and description of each instruction
        self._appended: list[tuple[Key, Sequence[Need], Fields, Describe]] = []
        # key, steps back, kind of wait and cycles early of each need
        self._needs: list[tuple[Key, int, int, int]] = []
        self._numbers: dict[Key, int] = {}
        self._aliases: dict[Key, Key] = {}
        self._more: dict[Key, list[Operations]] = defaultdict(list)
        self._break: int | None = None

    def need(self, key: Key, steps_back: int = 0, wait: int = Wait.ALL, early: int = 0) -> Need:
        """The need of the result ``key``, of ``steps_back`` time steps earlier; as in `Dependence`."""
        self._needs.append((key, steps_back, wait, early))
        return len(self._needs) - 1

    def append(self, key: Key, needs: Sequence[Need], fields: Fields, describe: Describe) -> None:
        """Add an instruction."""
        self._numbers[key] = len(self._appended)
        self._appended.append((key, needs, fields, describe))

    def alias(self, key: Key, existing: Key) -> None:
        """Let ``key`` stand for ``existing``, which may be added later."""
        self._aliases[key] = existing

    def add(self, key: Key, does: Operations) -> None:
        """Let the instruction with this key, which may come later, do something more."""
        self._more[key].append(does)

    def knows(self, key: Key) -> bool:
        """Whether an instruction has this key already."""
        return self._find(key) is not None

    def break_off(self) -> None:
        """Other layers' instructions may come here."""
        self._break = len(self._appended)

    def _find(self, key: Key) -> int | None:
        while key in self._aliases:
            key = self._aliases[key]
        return self._numbers.get(key)

    def body(self) -> Body:
        """All instructions; AssertionError if one waits for what nobody makes."""
        keys, needs, fields, described = zip(*self._appended, strict=True)
        numbers = {name: number for name, key in self.keys.items() if (number := self._find(key)) is not None}
        fed = [(name, key) for name, key in self.keys.items() if name[0] == "fed"]
        made = np.full(self.new(), -1)
        made[list(keys)] = np.arange(len(keys))
        made[[self.keys[name] for name in numbers]] = list(numbers.values())
        made[[key for _, key in fed]] = np.arange(len(keys), len(keys) + len(fed))
        key, *how = matrix(self._needs, 4).T
        used = np.fromiter(chain.from_iterable(needs), np.int64)
        on = made[key[used]]
        if (on < 0).any():
            wanted = [name for name, number in self.keys.items() if number in key[used][on < 0]]
            raise AssertionError(f"something waits for what nobody makes: {wanted}")
        at = np.repeat(np.arange(len(keys)), [len(each) for each in needs])
        return Body(
            fields=matrix(fields, 16),
            needs=np.stack([at, on, *(column[used] for column in how)], axis=1),
            fed=tuple(name[1:] for name, _ in fed),
            held={name[2:]: number for name, number in numbers.items() if name[:2] == ("held", "h")},
            described=described,
            more={self._numbers[key]: does for key, does in self._more.items()},
            pause=len(keys) if self._break is None else self._break,
        )
