"""Loop bodies: the instructions of one layer, which layers of one shape share, and those of a phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from bench.plans.plan import Range
from bench.plans.program import (
    COUNT,
    FIRST,
    Dependence,
    Describe,
    Instruction,
    Ints,
    Operations,
    Phase,
    PhaseArrays,
    Start,
    Unit,
    Wait,
)

UNITS, STARTS, WAITS = tuple(Unit), tuple(Start), tuple(Wait)
"""By number: quicker than to call them."""

ALL_STEPS = 1 << 40
"""More time steps than any layer has."""


@dataclass(frozen=True, eq=False)
class Body:
    """The instructions of a layer's step, with nothing that tells the layer from others like it.

    ``fields``: as `PhaseArrays.fields`, of a layer that does not lag behind; but in the place of the count
    of iterations are the time steps in which the instruction does not run. ``needs``: of each what
    instruction, on which, how many time steps back, kind of wait, cycles early; numbers from the number
    of instructions on stand for what comes from other layers, ``fed``: the input, a device, and rows
    that it must hold. ``held``: device and rows of h -> the instruction by which it holds them.
    ``described``, ``more``: what makes values of the instructions (None: not kept), and what some do
    besides. Other layers' instructions come before the one with number ``pause``.
    """

    fields: Ints
    needs: Ints
    fed: tuple[tuple[int, int, Range], ...]
    held: dict[tuple[int, Range], int]
    described: Sequence[Describe] | None
    more: dict[int, list[Operations]]
    pause: int
    _found: dict[tuple[Body | None, ...], Ints] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many instructions there are."""
        return len(self.fields)

    def outside(self, sources: tuple[Body | None, ...]) -> Ints:
        """The instructions that ``fed`` stands for; ``sources``: the body that makes each input."""
        if sources not in self._found:
            bodies = [(sources[number], device, rows) for number, device, rows in self.fed]
            found = [body.held.get((device, rows), -1) if body else -1 for body, device, rows in bodies]
            if -1 in found:
                raise AssertionError(f"a layer waits for rows that nobody makes: {self.fed[found.index(-1)]}")
            self._found[sources] = np.array(found, dtype=np.int64)
        return self._found[sources]


@dataclass(frozen=True)
class Placed:
    """A layer in a phase: its body, iterations that it lags behind, time steps; who makes its inputs."""

    body: Body
    skew: int
    steps: int
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class LoopBody:
    """A lowered phase: its numbers, and what makes instructions of them.

    ``place``: of each instruction, layer by layer, its place in the phase.
    """

    arrays: PhaseArrays
    layers: dict[str, Placed]
    place: Ints

    def phase(self) -> Phase:
        """The loop body with its instructions as values."""
        arrays = self.arrays
        fields, starts = arrays.fields.tolist(), arrays.wait_start.tolist()
        # the same dependence is many instructions'
        known: dict[tuple[int, ...], Dependence] = {}
        waits = [
            known.get(each) or known.setdefault(each, _dependence(*each))
            for each in map(tuple, arrays.waits.tolist())
        ]
        made: dict[int, Instruction] = {}
        place = iter(self.place.tolist())
        for name, placed in self.layers.items():
            for number, describe in enumerate(placed.body.described or ()):
                n = next(place)
                (
                    unit,
                    server,
                    blocks,
                    interval,
                    latency,
                    first,
                    count,
                    group,
                    to_group,
                    start,
                    vectors,
                    words,
                ) = fields[n][:12]
                what, device, to_device, macs, size_bytes, results, does = describe(name)
                for more in placed.body.more.get(number, ()):
                    does += more(name)
                made[n] = Instruction(
                    UNITS[unit], server, blocks, interval, latency, first, count, group, to_group,
                    STARTS[start], tuple(waits[starts[n] : starts[n + 1]]), name, what, device,
                    to_device, vectors, macs, size_bytes, words, results, does,
                )  # fmt: skip
        return Phase(tuple(made[n] for n in range(len(made))), arrays.iterations)


def _dependence(on: int, back: int, wait: int, early: int) -> Dependence:
    return Dependence(on, back, WAITS[wait], early)


def join(layers: dict[str, Placed], order: Sequence[tuple[str, bool]], iterations: int) -> LoopBody:
    """The loop body of a phase; ``order``: layers in program order, each with whether its pause is over.

    AssertionError if an instruction waits for what nobody makes, or for the future.
    """
    bodies = [placed.body for placed in layers.values()]
    sizes = [body.size for body in bodies]
    base = dict(zip(layers, np.cumsum([0, *sizes]).tolist(), strict=False))
    place = np.empty(sum(sizes), dtype=np.int64)
    reached = 0
    for name, over in order:
        body = layers[name].body
        start, stop = (body.pause, body.size) if over else (0, body.pause)
        place[base[name] + start : base[name] + stop] = range(reached, reached + stop - start)
        reached += stop - start
    needs = np.concatenate([_numbered(name, layers, base) for name in layers])
    fields = np.empty((len(place), bodies[0].fields.shape[1]), dtype=np.int64)
    fields[place] = np.concatenate([body.fields for body in bodies])
    lags = np.empty((len(place), 2), dtype=np.int64)
    lags[place] = np.repeat([(placed.skew, placed.steps) for placed in layers.values()], sizes, axis=0)
    fields[:, FIRST] += lags[:, 0]
    fields[:, COUNT] = np.maximum(lags[:, 1] - fields[:, COUNT], 0)
    needs[:, :2] = place[needs[:, :2]]
    wait_start, waits = _waits(needs, fields[:, FIRST])
    return LoopBody(PhaseArrays(fields, wait_start, waits, iterations), layers, place)


def _numbered(name: str, layers: dict[str, Placed], base: dict[str, int]) -> Ints:
    """A layer's needs, with instructions numbered layer by layer."""
    placed = layers[name]
    body = placed.body
    sources = tuple(layers[producer].body if producer in layers else None for producer in placed.inputs)
    numbers = np.arange(base[name], base[name] + body.size + len(body.fed))
    if body.fed:
        bases = np.array([base.get(producer, 0) for producer in placed.inputs])
        numbers[body.size :] = body.outside(sources) + bases[[number for number, *_ in body.fed]]
    needs = body.needs.copy()
    needs[:, :2] = numbers[needs[:, :2]]
    return needs


def _waits(needs: Ints, lags: Ints) -> tuple[Ints, Ints]:
    """`PhaseArrays.wait_start` and `PhaseArrays.waits`; ``lags``: in iterations, of each instruction.

    Of several needs of one result the strictest counts. A dependence is one number while they are
    sorted: by instruction, then result, iterations back, kind of wait, and cycles early.
    """
    at, on, steps_back, wait, early = needs.T
    size = len(lags)
    back = lags[at] - lags[on] + steps_back
    if ((back < 0) | ((back == 0) & (on >= at))).any():
        raise AssertionError("an instruction waits for the future")
    backs, earlies = back.max(initial=0) + 1, early.max(initial=0) + 1
    kinds = (max(Wait) + 1) * earlies
    codes = np.sort(((at * size + on) * backs + back) * kinds + wait * earlies + early)
    places, kind = np.divmod(codes, kinds)
    first = np.ones(len(places), dtype=bool)
    first[1:] = places[1:] != places[:-1]
    places, back = np.divmod(places[first], backs)
    at, on = np.divmod(places, size)
    wait_start = np.searchsorted(at, np.arange(size + 1))
    return wait_start, np.stack([on, back, *np.divmod(kind[first], earlies)], axis=1)
