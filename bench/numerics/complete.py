"""Whether sums are made of each column once, and whether a program does all that its plan says."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from itertools import pairwise

from bench.errors import BrokenProgram
from bench.numerics.memory import NOTHING, Contents, Piece, Vector, missing
from bench.plans.operations import Finish, Multiply, Register
from bench.plans.plan import Block, Plan, Range, VectorRange
from bench.plans.program import Instruction, Program
from bench.workloads.model import Layer

Broken = Callable[[str], BrokenProgram]
"""The error for a text, with the place in the program."""


def check_complete(
    name: str, columns: list[tuple[str, int]], rows: Range, pieces: list[Piece], broken: Broken
) -> None:
    """Refuse a sum, over ``rows`` and made of ``pieces``, that lacks columns or has some twice.

    ``columns``: the matrices that it is to be made of, and how many columns they have.
    """
    edges = sorted({*rows, *(edge for p in pieces for edge in (p.start, p.stop))})
    for start, stop in pairwise(edges):
        contents = disjoint(name, [p for p in pieces if p.start <= start < p.stop], broken)
        for matrix, width in columns:
            gap = missing(sorted(cols for of, cols in contents if of == matrix), (0, width))
            if gap:
                raise broken(
                    f"ends sum {name!r}, rows {show(start, stop)}, without columns {show(*gap)} of {matrix}"
                )


def disjoint(name: str, pieces: list[Piece], broken: Broken) -> Contents:
    """What pieces over the same rows are made of together; nothing may be in two of them."""
    together = NOTHING
    for piece in pieces:
        for matrix, cols in together & piece.contents:
            raise broken(
                f"adds columns {show(*cols)} of {matrix} twice to sum {name!r}, "
                f"rows {show(piece.start, piece.stop)}"
            )
        together |= piece.contents
    return together


def check_done(program: Program, plan: Plan, layers: Mapping[str, Layer]) -> None:
    """Refuse a program that does something of ``plan`` in fewer or more steps than its layer has."""
    # in how many steps each vector range is finished; how many columns of each block are multiplied
    done: dict[Block | VectorRange, int] = defaultdict(int)
    for phase in program.phases:
        for now in (each for each in phase.instructions if each.does):
            steps = len(steps_of(now, phase.iterations))
            for does in now.does:
                if isinstance(does, Multiply):
                    block = Block(does.layer, does.matrix, does.rows, does.cols, now.device)
                    done[block] += steps * sum(stop - start for start, stop in does.parts)
                elif isinstance(does, Finish):
                    done[VectorRange(does.layer, does.stage, does.rows, now.device)] += steps
    items: list[Block | VectorRange] = [*plan.blocks, *plan.vectors]
    for item in items:
        steps = layers[item.layer].steps
        each = item.cols[1] - item.cols[0] if isinstance(item, Block) else 1
        if done.get(item, 0) != steps * each:
            what = (
                f"multiplies rows {show(*item.rows)} x columns {show(*item.cols)} of {item.matrix}"
                if isinstance(item, Block)
                else f"makes rows {show(*item.rows)} of {item.stage}"
            )
            raise BrokenProgram(
                f"layer {item.layer!r}, device {item.device}: {what} "
                f"in {done.get(item, 0) / each:g} steps of {steps}"
            )


def steps_of(now: Instruction, iterations: int) -> range:
    """The time steps in which an instruction runs."""
    return range(max(0, -now.first), min(now.count, iterations - now.first))


def show(start: int, stop: int) -> str:
    """A range as in Python's slices."""
    return f"{start}:{stop}"


def spell(name: Vector | Register) -> str:
    """A register or a vector, in words."""
    if isinstance(name, Register):
        return f"sum {name.sum!r} of layer {name.layer!r}"
    return f"{name[1]} of layer {name[0]!r}"
