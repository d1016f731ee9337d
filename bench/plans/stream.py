"""A layer's instructions while they are being made: dependences by name, resolved at the end.

An instruction may wait for one that comes later in the loop body, of an earlier iteration, or for one
of another layer, so it names what it needs; `Stream.body` turns names into indexes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from itertools import chain, count
from typing import Any

import numpy as np

from bench.plans.body import Body
from bench.plans.program import Describe, Description, Fields, Operations, Wait, matrix

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
    """An ordered list of instructions, each with a key and needs.

    ``described``: whether to keep what makes values of them; timing needs none of it.
    """

    def __init__(self, described: bool) -> None:
        self.new = count().__next__
        """A key for a result that has no name."""
        self.keys: defaultdict[Name, Key] = defaultdict(self.new)
        """The keys of results with names, which may be made later."""
        self._described: list[Describe] | None = [] if described else None
        self._more: dict[Key, list[Operations]] = defaultdict(list)
        self._numbers: dict[Key, int] = {}
        self._fields: list[Fields] = []
        self._used: list[Sequence[Need]] = []
        # key, steps back, kind of wait and cycles early of each need
        self._needs: list[tuple[Key, int, int, int]] = []
        self._aliases: dict[Key, Key] = {}
        # what instructions need besides
        self._also: dict[Key, list[Need]] = defaultdict(list)
        self._pause: int | None = None

    def need(self, key: Key, steps_back: int = 0, wait: int = Wait.ALL, early: int = 0) -> Need:
        """The need of the result ``key``, of ``steps_back`` time steps earlier; as in `Dependence`."""
        self._needs.append((key, steps_back, wait, early))
        return len(self._needs) - 1

    def append(
        self,
        key: Key,
        needs: Sequence[Need],
        fields: Fields,
        describe: Callable[..., Description],
        *arguments: Any,
    ) -> None:
        """Add an instruction; ``describe`` describes it, given the arguments and the layer's name."""
        self._numbers[key] = len(self._fields)
        self._fields.append(fields)
        self._used.append(needs)
        if self._described is not None:
            self._described.append(partial(describe, *arguments))

    def alias(
        self, key: Key, existing: Key, does: Operations | None = None, needs: Sequence[Need] = ()
    ) -> None:
        """Let the instruction ``existing``, which may come later, make ``key`` too: more to do and need."""
        self._aliases[key] = existing
        self._also[existing].extend(needs)
        if does is not None:
            self._more[existing].append(does)

    def knows(self, key: Key) -> bool:
        """Whether an instruction has this key already."""
        return key in self._numbers

    def break_off(self) -> None:
        """Other layers' instructions may come here."""
        self._pause = len(self._fields)

    def body(self) -> Body:
        """All instructions; AssertionError if one waits for what nobody makes."""
        size = len(self._fields)
        fed = [(name, key) for name, key in self.keys.items() if name[0] == "fed"]
        made = np.full(self.new(), -1)
        made[list(self._numbers)] = list(self._numbers.values())
        made[list(self._aliases)] = made[list(self._aliases.values())]
        made[[key for _, key in fed]] = range(size, size + len(fed))
        for key, more in self._also.items():
            self._used[self._numbers[key]] = (*self._used[self._numbers[key]], *more)
        used = np.fromiter(chain.from_iterable(self._used), np.int64)
        needs = np.empty((len(used), 5), dtype=np.int64)
        needs[:, 0] = np.repeat(np.arange(size), [len(each) for each in self._used])
        needs[:, 1:] = matrix(self._needs, 4)[used]
        keys = needs[:, 1].copy()
        needs[:, 1] = made[keys]
        if (needs[:, 1] < 0).any():
            missing = set(keys[needs[:, 1] < 0].tolist())
            names = [name for name, key in self.keys.items() if key in missing]
            raise AssertionError(f"something waits for what nobody makes: {names}")
        held = [(name[2:], key) for name, key in self.keys.items() if name[:2] == ("held", "h")]
        return Body(
            fields=matrix(self._fields, 16),
            needs=needs,
            fed=tuple(name[1:] for name, _ in fed),
            held=dict(zip((name for name, _ in held), made[[key for _, key in held]].tolist(), strict=True)),
            described=self._described,
            more={self._numbers[key]: does for key, does in self._more.items()},
            pause=size if self._pause is None else self._pause,
        )
