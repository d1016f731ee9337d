"""The critical path: from the last result back to the start, at each place to what was waited for.

Each time that the engine computes is the latest of several, each with a reason: a result, a unit that was
busy, the step before, an instruction that was not issued. A walk looks at the times that were recorded for
the one that is the latest, and goes on there. Of several that are equally late a result comes first.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from bench.emulator.engine import DONE
from bench.timeline.causes import Cause, Causes, Moment
from bench.timeline.recording import RecordedPhase, Recording
from bench.timeline.spans import LOAD


class Leg(NamedTuple):
    """A part of the path within a phase: instruction ``number`` (-1: none), and why it took so long."""

    start: int
    end: int
    why: str
    iteration: int
    number: int


def critical_path(recording: Recording) -> list[tuple[Leg, ...]]:
    """Of each phase the legs of the critical path, in order of time, without gaps.

    They reach from the end of the phase before (for the first: from 0) to the end of the phase, and in the
    last phase to the end of the run.
    """
    found: list[tuple[Leg, ...]] = []
    for phase in recording.phases:
        legs = _Walk(phase).legs()
        first = phase.start - phase.load if found else 0
        if phase.start > first:
            legs.insert(0, Leg(first, phase.start, LOAD, 0, -1))
        found.append(tuple(legs))
    if found:
        found[-1] = tuple(_until(found[-1], recording.cycles))
    return found


def _until(legs: tuple[Leg, ...], end: int) -> Iterator[Leg]:
    return (leg._replace(end=min(leg.end, end)) for leg in legs if leg.start < end)


class _Walk:
    """The way back through one phase."""

    def __init__(self, recorded: RecordedPhase) -> None:
        self.recorded = recorded
        self.times = recorded.times
        self.causes = Causes(recorded)

    def legs(self) -> list[Leg]:
        """The legs from the phase's start to its end; AssertionError if a time is not explained."""
        done = self.times[:, :-1, DONE]
        if done.max(initial=-1) < 0:
            return []
        iteration, number = divmod(int(done.argmax()), done.shape[1])
        at: Moment | None = Moment(iteration, number, DONE)
        now = self.recorded.end
        backward: list[Leg] = []
        while at is not None:
            cause = self._cause(at)
            before = cause.before
            then = self.recorded.start if before is None else int(self.times[before])
            if then > now:  # what was waited for is read by a unit further down the pipeline
                _cut_off(backward, then)
            elif then < now:
                spent = at if cause.own or before is None else before
                _prepend(backward, Leg(then, now, cause.why, spent.iteration, spent.number))
            now, at = then, before
        return backward[::-1]

    def _cause(self, at: Moment) -> Cause:
        time = int(self.times[at])
        for cause in self.causes.of(at):
            if cause.time == time:
                return cause
        what = self.recorded.phase.instructions[at.number].what
        raise AssertionError(f"nothing explains cycle {time} of {what}, iteration {at.iteration}")


def _prepend(backward: list[Leg], leg: Leg) -> None:
    """Put ``leg`` before those found so far; one with the same reason grows instead."""
    last = backward[-1] if backward else None
    if last and (last.why, last.iteration, last.number) == (leg.why, leg.iteration, leg.number):
        backward[-1] = last._replace(start=leg.start)
    else:
        backward.append(leg)


def _cut_off(backward: list[Leg], start: int) -> None:
    """Let the path found so far begin at ``start``."""
    while backward and backward[-1].end <= start:
        backward.pop()
    if backward:
        backward[-1] = backward[-1]._replace(start=start)
