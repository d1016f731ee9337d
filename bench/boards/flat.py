"""The lowest place of a function with steps, and its middle: pattern search, and the width of the flat."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Cost = Callable[[Floats], float]
"""Of an offset; shape (parameters,)."""

FIRST_STEP, LEAST_STEP, FARTHEST = 0.02, 1e-4, 1.0
"""Lengths of an offset: where a pattern search starts and ends, and how far a flat is followed."""

SAME = 1e-9
"""Costs that differ by no more, relative or absolute, are one step."""


def lowest(cost: Cost, directions: Sequence[Floats]) -> Floats:
    """An offset from 0 with the least cost that steps along ``directions``, ever shorter, lead to."""
    offset = np.zeros_like(directions[0])
    least = cost(offset)
    length = FIRST_STEP
    while length >= LEAST_STEP:
        better = False
        for direction in directions:
            for sign in (length, -length):
                there = cost(offset + sign * direction)
                if there < least * (1 - SAME) - SAME:
                    offset, least, better = offset + sign * direction, there, True
                    break
        length = length if better else length / 2
    return offset


def middle(cost: Cost, offset: Floats, directions: Sequence[Floats]) -> tuple[Floats, Floats]:
    """The middle of the step that ``offset`` is on, and how far it goes either way; shapes (parameters,)."""
    most = cost(offset) * (1 + SAME) + SAME
    reach = np.zeros_like(offset)
    for _ in range(2):
        reach = np.zeros_like(offset)
        for direction in directions:
            up, down = (_edge(cost, offset, sign * direction, most) for sign in (1.0, -1.0))
            offset = offset + direction * (up - down) / 2
            reach = np.maximum(reach, np.abs(direction) * (up + down) / 2)
    return offset, reach


def _edge(cost: Cost, offset: Floats, direction: Floats, most: float) -> float:
    """How far along ``direction`` the cost stays at ``most``."""
    inside, outside = 0.0, LEAST_STEP
    while cost(offset + outside * direction) <= most:
        inside, outside = outside, outside * 2
        if outside > FARTHEST:
            return inside
    while outside - inside > LEAST_STEP / 8:
        half = (inside + outside) / 2
        if cost(offset + half * direction) <= most:
            inside = half
        else:
            outside = half
    return inside
