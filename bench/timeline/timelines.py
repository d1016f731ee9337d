"""The timelines of a plan: of the whole run, and of one steady time step."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from bench.emulator.engine import DONE, ENTER, START
from bench.hardware.profile import Cluster
from bench.plans.lower import lower
from bench.plans.plan import Plan
from bench.plans.program import Ints, Program, Unit
from bench.timeline.path import Leg, critical_path
from bench.timeline.recording import RecordedPhase, Recording, record_run
from bench.timeline.spans import FLIGHT, SEND, PathPart, Span, Timeline
from bench.timeline.unit_spans import iteration_spans
from bench.workloads.model import Workload


def whole_run(plan: Plan, workload: Workload, cluster: Cluster, steps: int | None = None) -> Timeline:
    """The timeline of a run; ``steps``: spans of the first so many time steps of each phase alone.

    The plan must be valid (`bench.plans.validate`).
    """
    return of_program(lower(plan, workload, cluster), cluster, steps)


def of_program(program: Program, cluster: Cluster, steps: int | None = None) -> Timeline:
    """`whole_run` of a program that is lowered already."""
    recording = record_run(program, cluster.profile.overlay)
    legs = critical_path(recording)
    spans: list[Span] = []
    left_out, messages = [], 0
    for phase, path in zip(recording.phases, legs, strict=True):
        shown = phase.phase.iterations if steps is None else min(steps, phase.phase.iterations)
        made = list(_spans(phase, range(shown), path, messages))
        spans += made
        messages += phase.phase.iterations * len(phase.phase.instructions)
        if shown < phase.phase.iterations:
            last = max((span.end for span in made), default=phase.start)
            if last < phase.end:
                left_out.append((last, phase.end))
    return _timeline(0, recording.cycles, cluster, recording, legs, spans, tuple(left_out))


def steady_step(plan: Plan, workload: Workload, cluster: Cluster) -> Timeline:
    """The timeline of one time step in the middle of the phase that takes longest.

    The window begins with the first instruction of a time step and ends where the next step begins; other
    groups of devices work on other time steps in it. The plan must be valid.
    """
    recording = record_run(lower(plan, workload, cluster), cluster.profile.overlay)
    legs = critical_path(recording)
    longest = max(range(len(legs)), key=lambda n: recording.phases[n].end - recording.phases[n].start)
    phase = recording.phases[longest]
    start, end = _window(phase)
    began = _begins(phase)
    reaches = (began < end) & (phase.times[:, :-1, DONE] > start)
    iterations = np.flatnonzero(reaches.any(axis=1))
    spans = [
        span
        for span in _spans(phase, range(iterations[0], iterations[-1] + 1), legs[longest], 0)
        if span.start < end and span.end > start
    ]
    return _timeline(start, end, cluster, recording, legs, spans, ())


def _window(phase: RecordedPhase) -> tuple[int, int]:
    """From the start of an iteration in the middle of the phase to the next one's, or the phase's end."""
    began = _begins(phase).min(axis=1)
    middle = phase.phase.iterations // 2
    if middle + 1 < phase.phase.iterations:
        return int(began[middle]), int(began[middle + 1])
    return int(began[middle]), phase.end


def _begins(phase: RecordedPhase) -> Ints:
    """When instructions begin to keep a unit busy; far in the future if they do not run.

    Shape (iterations, instructions).
    """
    times = phase.times[:, :-1]
    enters = np.array([i.unit is Unit.VECTOR for i in phase.phase.instructions])
    begins = np.where(enters, times[:, :, ENTER], times[:, :, START])
    return np.where(times[:, :, DONE] >= 0, begins, np.iinfo(np.int64).max)


def _spans(
    phase: RecordedPhase, iterations: range, legs: tuple[Leg, ...], first_message: int
) -> Iterator[Span]:
    critical = {(leg.iteration, leg.number, leg.why) for leg in legs}
    for iteration in iterations:
        yield from iteration_spans(phase, iteration, critical, first_message)


def _timeline(
    start: int,
    end: int,
    cluster: Cluster,
    recording: Recording,
    legs: list[tuple[Leg, ...]],
    spans: list[Span],
    left_out: tuple[tuple[int, int], ...],
) -> Timeline:
    path = [
        part
        for phase, of_phase in zip(recording.phases, legs, strict=True)
        for leg in of_phase
        for part in _parts(phase, leg)
    ]
    return Timeline(
        start,
        end,
        recording.cycles,
        cluster.profile.clock_mhz,
        cluster.fpgas,
        tuple(
            sorted(
                (_until(span, recording.cycles) for span in spans),
                key=lambda span: (span.start, span.end, span.track, span.message or 0),
            )
        ),
        tuple(
            PathPart(max(p.start, start), min(p.end, end), p.why, p.device, p.layer, p.what, p.step)
            for p in path
            if p.start < end and p.end > start
        ),
        left_out,
    )


def _until(span: Span, end: int) -> Span:
    """The span up to ``end``: where outputs leave before registers are written, the run has ended then."""
    return span if span.end <= end else replace(span, start=min(span.start, end), end=end)


def _parts(phase: RecordedPhase, leg: Leg) -> Iterator[PathPart]:
    """A leg as a part of the path; a message's time on the wire and its flight are two."""
    if leg.number < 0:
        yield PathPart(leg.start, leg.end, leg.why)
        return
    i = phase.phase.instructions[leg.number]
    said = (i.device, i.layer, i.what, leg.iteration - i.first)
    sent = leg.end
    if i.unit is Unit.LINK and leg.why == SEND:
        sent = int(phase.times[leg.iteration, leg.number, START]) + i.interval
    if leg.start < min(sent, leg.end):
        yield PathPart(leg.start, min(sent, leg.end), leg.why, *said)
    if sent < leg.end:
        yield PathPart(max(sent, leg.start), leg.end, FLIGHT, *said)
