"""Which rows of a sum an instruction sets, and to which it adds: known before anything runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import pairwise

from bench.plans.operations import AddSums, Move, Multiply, Operation, Register, SumRows
from bench.plans.outline import overlap
from bench.plans.plan import Range
from bench.plans.program import Phase

Stamp = tuple[int, int, int]
"""When an operation works on a given step: (first iteration, place in the body, place in the instruction)."""

Added = dict[tuple[Stamp, Register], list[Range]]


def already_there(phase: Phase, device: int) -> Added:
    """Rows of a register that a step of the device has before the operation with this stamp, for each.

    Raises ValueError if a register's operations run in different numbers of iterations: then what one
    finds would depend on the step.
    """
    touched: dict[Register, list[tuple[Stamp, Range, int]]] = defaultdict(list)
    for number, now in enumerate(phase.instructions):
        for place, does in enumerate(now.does):
            stamp = (now.first, number, place)
            for what in _written(does, now.device == device, now.to_device == device):
                touched[what.register].append((stamp, what.rows, now.count))
    found: Added = {}
    for register, touches in touched.items():
        if len({count for _, _, count in touches}) > 1:
            raise ValueError(f"{register} is written in different numbers of steps")
        there: list[Range] = []
        for stamp, rows, _ in sorted(touches):
            found[stamp, register] = list(there)
            there.append(rows)
    return found


def _written(does: Operation, here: bool, received: bool) -> Iterator[SumRows]:
    """The rows of registers that an operation writes on the device."""
    if isinstance(does, Move):
        yield from (what for what in does.carries if received and isinstance(what, SumRows))
    elif here and isinstance(does, Multiply):
        yield SumRows(does.into, does.rows)
    elif here and isinstance(does, AddSums):
        yield SumRows(does.into, does.terms[0].rows)


def split(rows: Range, there: Sequence[Range]) -> Iterator[tuple[Range, bool]]:
    """``rows`` in pieces, each with whether it is in one of ``there``."""
    for span, number in _pieces(rows, there):
        yield span, number > 0


def cover(rows: Range, terms: Sequence[SumRows]) -> Iterator[tuple[Range, list[SumRows]]]:
    """``rows`` in pieces, each with the terms that have it, in order."""
    for span, _ in _pieces(rows, [term.rows for term in terms]):
        yield span, [term for term in terms if overlap(term.rows, span)]


def _pieces(rows: Range, ranges: Sequence[Range]) -> Iterator[tuple[Range, int]]:
    """``rows`` cut at all ends of ``ranges``, each piece with how many of them have it."""
    parts = [part for part in (overlap(rows, other) for other in ranges) if part]
    edges = sorted({*rows, *(edge for part in parts for edge in part)})
    for start, stop in pairwise(edges):
        yield (start, stop), sum(part[0] <= start < part[1] for part in parts)
