"""A run with every instruction's times: what the emulator computes, kept iteration by iteration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bench.emulator.timing import first_load, phase_costs, unread
from bench.hardware.profile import Overlay
from bench.plans.program import Ints, Phase, Program


@dataclass(frozen=True, eq=False)
class RecordedPhase:
    """A phase that ran from cycle ``start`` to ``end``, after ``load`` cycles for its first inputs.

    ``times``: `bench.emulator.engine.record`. ``costs``: `bench.emulator.timing.phase_costs`.
    """

    phase: Phase
    start: int
    end: int
    load: int
    times: Ints
    costs: Ints


@dataclass(frozen=True, eq=False)
class Recording:
    """A whole run of ``cycles``, and when its last result is in a register (``end``)."""

    phases: tuple[RecordedPhase, ...]
    cycles: int
    end: int


def record_run(program: Program, overlay: Overlay) -> Recording:
    """Emulate every iteration of ``program`` and keep all times, in 96 bytes an instruction and iteration.

    The engine's steps are those of `bench.emulator.timing.count_cycles`, without extrapolation.
    """
    from bench.emulator.engine import DONE, record  # compiled

    sizes = np.array((program.devices, program.links, program.groups), dtype=np.int64)
    now = overlay.input_load_cycles
    phases = []
    for phase in program.phases:
        arrays = phase.arrays
        load, costs = first_load(arrays, overlay), phase_costs(arrays, overlay)
        start = now + load
        times = record(arrays.fields, arrays.wait_start, arrays.waits, costs, sizes, phase.iterations, start)
        end = max(start, int(times[:, :-1, DONE].max(initial=start)))
        phases.append(RecordedPhase(phase, start, end, load, times, costs))
        now = end
    return Recording(tuple(phases), now - unread(overlay), now)
