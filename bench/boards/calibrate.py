"""Fit a profile's free parameters to measured latencies: the emulator is run on candidates of the profile.

Emulated latencies are whole cycles, so the sum to be made least has steps. Derivatives are taken over
distances that span several of them, first wide, then narrow (Gauss-Newton on logarithms of measured
over emulated); then a pattern search looks for the step that is lowest, and its middle is the answer.
A point that is far off counts ever less (soft L1), so that one bad measurement does not carry the fit away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.boards.flat import lowest, middle
from bench.boards.free import Free, moved, start_value, unit, value_of, with_values
from bench.boards.measured_points import Measured
from bench.boards.retime import Retimed
from bench.hardware.profile import Profile

Values = tuple[float, ...]
Floats = NDArray[np.float64]
Solution = tuple[tuple[Free, ...], Values, tuple[float | None, ...]]
"""Parameters, their values, and what each value may be off."""

POINT_ERROR = 0.01
"""What a measured point may be off, where its runs do not spread by more."""

BEND = 2.0
"""From so many errors on, the deviation of a point counts by its size, not by its square."""

PROBES = (0.5, 0.2, 0.05, 0.02)
"""Relative distances over which derivatives are taken, one round of the search after another."""

SLOWER = (1.0, 10.0, 100.0, 1000.0)
"""By how much links are slowed for a start where no latency shows the profile's own."""

NEARBY = 0.2
"""The distance over which errors are judged, where the search has ended."""

LEAST_EFFECT = 0.01
"""Part of a parameter's change that some latency must show, or the points do not determine it."""

LOOSE = 0.25
"""A parameter that may be off by more stays as it was, if the points do not object."""

NEAR = 4.0
"""Neighbours of so many times the cost are looked into further."""


@dataclass(frozen=True)
class Fitted:
    """One free parameter after a fit. Values as `value_of` has them."""

    free: Free
    before: float
    after: float
    error: float | None
    """Relative: standard error, and how far it can move without any emulated cycle; None: not to be told."""
    determined: bool
    """Whether the points say anything of it; if not, it stays as it was."""


@dataclass(frozen=True)
class Calibration:
    """A profile with fitted parameters."""

    profile: Profile
    fitted: tuple[Fitted, ...]


def calibrate(profile: Profile, points: Sequence[Measured], frees: Sequence[Free]) -> Calibration:
    """The values of ``frees`` with which the emulator comes nearest to ``points``; the rest stays."""
    fit = _Fit(profile, points)
    found = _solve(fit, *_start(fit, profile, tuple(frees)))
    while fewer := _without_loose(fit, found):
        found = fewer
    known = {free: (value, error) for free, value, error in zip(*found, strict=True)}
    fitted = []
    for free in frees:
        before = value_of(profile, free)
        after, error = known.get(free, (before, None))
        fitted.append(Fitted(free, before, after, error, determined=free in known))
    return Calibration(with_values(profile, *found[:2]), tuple(fitted))


class _Fit:
    """Deviations of the points as functions of values, each computed once."""

    def __init__(self, profile: Profile, points: Sequence[Measured]) -> None:
        self.count = len(points)
        self._profile = profile
        self._points = [Retimed(point) for point in points]
        self._measured = np.log([point.latency_s for point in points])
        self._errors = np.array([max(POINT_ERROR, point.spread) for point in points])
        self._known: dict[Profile, Floats] = {}

    def deviations(self, frees: Sequence[Free], values: Values) -> Floats:
        """Logarithms of emulated over measured latency, in errors of the points; shape (points,)."""
        profile = with_values(self._profile, frees, values)
        if profile not in self._known:
            latencies = [point.latency_s(profile) for point in self._points]
            self._known[profile] = (np.log(latencies) - self._measured) / self._errors
        return self._known[profile]

    def cost(self, frees: Sequence[Free], values: Values) -> float:
        """Soft L1 over the points."""
        deviations = self.deviations(frees, values)
        return float(np.sum(2 * BEND**2 * (np.sqrt(1 + (deviations / BEND) ** 2) - 1)))

    def weights(self, frees: Sequence[Free], values: Values) -> Floats:
        """What the square of each deviation counts, near ``values``."""
        return np.asarray(1 / np.sqrt(1 + (self.deviations(frees, values) / BEND) ** 2))

    def slopes(self, frees: Sequence[Free], values: Values, probe: float) -> Floats:
        """Change of the deviations per relative change of each parameter; shape (points, parameters)."""
        columns = []
        for place, free in enumerate(frees):
            step = max(probe, 1 / unit(free, values[place])) if free.whole else probe
            ends = []
            for sign in (1, -1):
                steps = [0.0] * len(frees)
                steps[place] = sign * step
                ends.append(moved(frees, values, steps))
            span = _distance(free, ends[1][place], ends[0][place], values[place])
            columns.append((self.deviations(frees, ends[0]) - self.deviations(frees, ends[1])) / span)
        return np.array(columns).T.reshape(len(self._points), len(frees))

    def effect(self, column: Floats) -> float:
        """The largest relative change of a latency in a column of slopes."""
        return float(np.max(np.abs(column * self._errors)))


def _distance(free: Free, low: float, high: float, value: float) -> float:
    return (high - low) / unit(free, value) if free.whole else math.log(high / low)


def _start(fit: _Fit, profile: Profile, frees: tuple[Free, ...]) -> tuple[tuple[Free, ...], Values]:
    """Where the points determine most parameters, these parameters, and their values there."""
    best: tuple[tuple[Free, ...], Values] = (), ()
    for slower in SLOWER:
        values = tuple(start_value(profile, free) * (slower if free.link else 1.0) for free in frees)
        chosen = _determined(fit, frees, values)
        if len(chosen) > len(best[0]):
            best = chosen, tuple(values[frees.index(free)] for free in chosen)
    return best


def _determined(fit: _Fit, frees: tuple[Free, ...], values: Values) -> tuple[Free, ...]:
    """The parameters that the points tell from those before them, judged over a wide range."""
    slopes = fit.slopes(frees, values, PROBES[0])
    kept: list[int] = []
    for place in range(len(frees)):
        if fit.effect(_apart(slopes, place, kept)) >= LEAST_EFFECT:
            kept.append(place)
    return tuple(frees[place] for place in kept)


def _apart(slopes: Floats, place: int, others: Sequence[int]) -> Floats:
    """What a parameter does to the points that ``others`` cannot undo."""
    column = slopes[:, place]
    if not others:
        return column
    best, *_ = np.linalg.lstsq(slopes[:, others], column, rcond=None)
    return np.asarray(column - slopes[:, others] @ best)


def _solve(fit: _Fit, frees: tuple[Free, ...], values: Values) -> Solution:
    values, errors = _errors(fit, frees, _search(fit, frees, values))
    return frees, values, errors


def _without_loose(fit: _Fit, found: Solution) -> Solution | None:
    """A solution that leaves one parameter as it was, if the points hardly tell the difference."""
    frees, values, errors = found
    cost = fit.cost(frees, values)
    variance = cost / max(1, fit.count - len(frees))
    loose = [place for place, error in enumerate(errors) if error is None or error > LOOSE]
    for place in sorted(loose, key=lambda place: -(errors[place] or math.inf)):
        others = [other for other in range(len(frees)) if other != place]
        fewer = _solve(fit, tuple(frees[i] for i in others), tuple(values[i] for i in others))
        if fit.cost(*fewer[:2]) <= cost + 9 * variance + 1e-6:  # within three standard errors
            return fewer
    return None


def _search(fit: _Fit, frees: tuple[Free, ...], values: Values) -> Values:
    """Values of least cost."""
    if not frees:
        return values
    for probe in PROBES:
        values = _descend(fit, frees, values, probe)
    return _pattern(fit, frees, values)


def _descend(
    fit: _Fit, frees: tuple[Free, ...], values: Values, probe: float, *, rounds: int = 12, whole: bool = True
) -> Values:
    """Gauss-Newton steps, each shortened until it helps; ends where none does.

    Without ``whole``, whole numbers stay.
    """
    moving = np.array([whole or not free.whole for free in frees])
    for _ in range(rounds):
        step = _newton(fit, frees, values, fit.slopes(frees, values, probe) * moving)
        cost = fit.cost(frees, values)
        for part in (1.0, 0.5, 0.25, 0.1):
            there = moved(frees, values, np.clip(step * part, -1.0, 1.0).tolist())
            if fit.cost(frees, there) < cost * (1 - 1e-3):
                values = there
                break
        else:
            break
    return values


def _newton(fit: _Fit, frees: tuple[Free, ...], values: Values, slopes: Floats) -> Floats:
    root = np.sqrt(fit.weights(frees, values))
    step, *_ = np.linalg.lstsq(slopes * root[:, None], -fit.deviations(frees, values) * root, rcond=1e-6)
    return np.asarray(step)


def _pattern(fit: _Fit, frees: tuple[Free, ...], values: Values) -> Values:
    """The lowest step nearby; whole numbers move by one, alone or two against each other."""
    values = _settled(fit, frees, values)
    for _ in range(10):
        cost = fit.cost(frees, values)
        nearby = (_settled_near(fit, frees, values, moves) for moves in _whole_moves(frees))
        better = min(nearby, key=lambda there: fit.cost(frees, there), default=values)
        if fit.cost(frees, better) >= cost * (1 - 1e-3):
            break
        values = better
    return values


def _whole_moves(frees: Sequence[Free]) -> list[dict[int, int]]:
    places = [place for place, free in enumerate(frees) if free.whole]
    alone = [{place: sign} for place in places for sign in (1, -1)]
    return alone + [{one: 1, other: -1} for one in places for other in places if one != other]


def _settled_near(fit: _Fit, frees: tuple[Free, ...], values: Values, moves: Mapping[int, int]) -> Values:
    """With whole numbers moved and the real ones adapted to that."""
    there = tuple(max(0.0, value + moves.get(place, 0)) for place, value in enumerate(values))
    there = _real_descent(fit, frees, there)
    if fit.cost(frees, there) > NEAR * fit.cost(frees, values) + NEAR * 1e-6:
        return there
    return _settled(fit, frees, there)


def _real_descent(fit: _Fit, frees: tuple[Free, ...], values: Values) -> Values:
    return _descend(fit, frees, values, PROBES[-1], rounds=3, whole=False)


def _settled(fit: _Fit, frees: tuple[Free, ...], values: Values) -> Values:
    """The lowest step for the real numbers, whole ones as they are."""
    real = [place for place, free in enumerate(frees) if not free.whole]
    if not real:
        return values
    directions = _directions(fit, frees, values)
    offset = lowest(lambda offset: fit.cost(frees, moved(frees, values, offset.tolist())), directions)
    return moved(frees, values, offset.tolist())


def _directions(fit: _Fit, frees: tuple[Free, ...], values: Values) -> list[Floats]:
    """Each real number alone, and the combinations that the points tell apart best and worst."""
    real = np.array([not free.whole for free in frees])
    slopes = fit.slopes(frees, values, PROBES[-1])[:, real]
    _, _, rows = np.linalg.svd(slopes, full_matrices=True)
    found = [np.eye(len(frees))[place] for place in np.flatnonzero(real)]
    for row in rows[::-1]:
        direction = np.zeros(len(frees))
        direction[real] = row / np.max(np.abs(row))
        found.append(direction)
    return found


def _errors(fit: _Fit, frees: tuple[Free, ...], values: Values) -> tuple[Values, tuple[float | None, ...]]:
    """The middle of the step, and what each parameter may be off."""
    if not frees:
        return values, ()
    reach = np.zeros(len(frees))
    directions = _directions(fit, frees, values)
    if directions:
        offset, reach = middle(
            lambda offset: fit.cost(frees, moved(frees, values, offset.tolist())),
            np.zeros(len(frees)),
            directions,
        )
        values = moved(frees, values, offset.tolist())
    deviations = fit.deviations(frees, values)
    spare = len(deviations) - len(frees)
    if spare < 1:
        return values, (None,) * len(frees)
    root = np.sqrt(fit.weights(frees, values))
    slopes = fit.slopes(frees, values, NEARBY)
    hidden = [
        fit.effect(_apart(slopes, place, [other for other in range(len(frees)) if other != place]))
        < LEAST_EFFECT
        for place in range(len(frees))
    ]
    slopes = slopes * root[:, None]
    variance = float(np.sum((deviations * root) ** 2)) / spare
    standard = np.sqrt(variance * np.diag(np.linalg.pinv(slopes.T @ slopes)))
    errors = (standard + reach).tolist()
    return values, tuple(None if out else error for out, error in zip(hidden, errors, strict=True))
