"""Whether sums are made of each column once, and whether a program does all that its plan says."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from itertools import pairwise

from bench.errors import BrokenProgram
from bench.numerics.memory import Contents, Piece, missing
from bench.plans.cells import cell_program, matrix_shape
from bench.plans.operations import Register
from bench.plans.plan import Block, Plan, Range, VectorRange
from bench.workloads.model import Layer

Broken = Callable[[str], BrokenProgram]
"""The error for a text, with the place in the program."""


def check_complete(layer: Layer, name: str, rows: Range, pieces: list[Piece], broken: Broken) -> None:
    """Refuse a sum, over ``rows`` and made of ``pieces``, that lacks columns or has some twice."""
    edges = sorted({*rows, *(edge for p in pieces for edge in (p.start, p.stop))})
    for start, stop in pairwise(edges):
        contents = disjoint(name, [p for p in pieces if p.start <= start < p.stop], broken)
        for product in cell_program(layer).products:
            if product.sum != name:
                continue
            width = matrix_shape(layer, product)[1]
            found = sorted(cols for matrix, cols in contents if matrix == product.matrix)
            gap = missing(found, (0, width))
            if gap:
                raise broken(
                    f"ends sum {name!r}, rows {show(start, stop)}, without columns {show(*gap)} "
                    f"of {product.matrix}"
                )


def disjoint(name: str, pieces: list[Piece], broken: Broken) -> Contents:
    """What pieces over the same rows are made of together; nothing may be in two of them."""
    together: Contents = frozenset()
    for piece in pieces:
        for matrix, cols in together & piece.contents:
            raise broken(
                f"adds columns {show(*cols)} of {matrix} twice to sum {name!r}, "
                f"rows {show(piece.start, piece.stop)}"
            )
        together |= piece.contents
    return together


def check_done(plan: Plan, layers: Mapping[str, Layer], done: Mapping[Block | VectorRange, int]) -> None:
    """Refuse a program that has done something of ``plan`` in fewer or more steps than its layer has.

    ``done``: in how many steps each vector range was finished; how many columns of each block have
    been multiplied, all steps together.
    """
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


def show(start: int, stop: int) -> str:
    """A range as in Python's slices."""
    return f"{start}:{stop}"


def spell(name: Hashable) -> str:
    """A register or a vector, (layer, stage), in words."""
    if isinstance(name, Register):
        return f"sum {name.sum!r} of layer {name.layer!r}"
    assert isinstance(name, tuple)
    return f"{name[1]} of layer {name[0]!r}"
