"""From a program to its Timing: cycles, and where they go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from bench.hardware.profile import Cluster, Overlay
from bench.plans.program import (
    COUNT,
    INTERVAL,
    LAST_RESULT,
    LATENCY,
    RESULT,
    SERVER,
    UNIT,
    WORDS,
    Ints,
    PhaseArrays,
    Program,
    Unit,
)


@dataclass(frozen=True, slots=True)
class UnitTime:
    """How long one unit of one device, or one link, was busy."""

    unit: str
    """``matrix``, ``vector``, ``link`` or ``load`` (inputs from outside, batch core)."""
    device: int
    to_device: int
    busy_cycles: int
    messages: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """What the emulator says about one plan."""

    cycles: int
    latency_s: float
    cycles_per_step: float
    utilization: float
    """Multiply-accumulates done over those that all the cluster's devices could have done."""
    communication_share: float
    """Share of the latency that would go if links took no time."""
    devices_used: int
    weight_bytes_per_device: int
    """Of the fullest device."""
    fits_on_chip: bool
    units: tuple[UnitTime, ...]


def count_cycles(program: Program, overlay: Overlay, *, extrapolate: bool = True) -> int:
    """Cycles from the first input to the last result.

    ``extrapolate=False`` runs every iteration; the result is the same (tests hold it to that).
    """
    sizes = (program.devices, program.links, program.groups)
    return cycles_of([phase.arrays for phase in program.phases], sizes, overlay, extrapolate=extrapolate)


def cycles_of(
    phases: Iterable[PhaseArrays], sizes: tuple[int, int, int], overlay: Overlay, *, extrapolate: bool = True
) -> int:
    """`count_cycles` of the ``phases`` of a program; ``sizes``: its devices, links and groups."""
    from bench.emulator.engine import simulate  # compiled: half a second that listing need not wait for

    now = overlay.input_load_cycles
    for phase in phases:
        now += first_load(phase, overlay)
        now = int(
            simulate(
                phase.fields,
                phase.wait_start,
                phase.waits,
                phase_costs(phase, overlay),
                np.array(sizes, dtype=np.int64),
                phase.iterations,
                now,
                extrapolate,
            )
        )
    return now - unread(overlay)


def phase_costs(phase: PhaseArrays, overlay: Overlay) -> Ints:
    """What the engine needs to know of the overlay: `bench.emulator.engine.run_iteration` says what."""
    core = overlay.batch_core
    return np.array(
        [
            overlay.multifunction_latency_cycles,
            overlay.writeback_latency_cycles,
            overlay.instruction_issue_cycles,
            overlay.vector_cycles,
            overlay.step_interval_cycles,
            1 if core else 0,
            core.instruction_gap_cycles if core else 0,
            (core.program_steps or 0) if core else 0,
            first_load(phase, overlay) + rewrite(phase, overlay),
            phase.iterations - int(phase.fields[:, COUNT].max(initial=0)),
        ],
        dtype=np.int64,
    )


def first_load(phase: PhaseArrays, overlay: Overlay) -> int:
    """Cycles until constants and first inputs of a phase are in their vector files (batch core; else 0).

    The loads of later time steps are instructions of the phase.
    """
    if overlay.batch_core is None:
        return 0
    loads = phase.fields[phase.fields[:, UNIT] == Unit.LOAD]
    cycles = np.bincount(loads[:, SERVER], weights=loads[:, INTERVAL]).max(initial=0)
    return int(cycles) - 1 + overlay.writeback_latency_cycles if cycles else 0


def rewrite(phase: PhaseArrays, overlay: Overlay) -> int:
    """Cycles between two programs of a phase: one for each instruction word, and the start (batch core)."""
    core = overlay.batch_core
    if core is None or core.program_steps is None:
        return 0
    inside = phase.fields[phase.fields[:, UNIT] != Unit.LINK]
    words = int(np.bincount(inside[:, SERVER], weights=inside[:, WORDS]).max(initial=0))
    written = words * core.program_steps * overlay.instruction_issue_cycles
    return written + overlay.input_load_cycles - unread(overlay)


def unread(overlay: Overlay) -> int:
    """Of a result's way to a readable register, the part that is behind the way to the output."""
    core = overlay.batch_core
    return overlay.writeback_latency_cycles - core.output_latency_cycles if core else 0


def without_links(program: Program) -> Program:
    """The same program on links that take no time."""
    phases = tuple(
        replace(
            phase,
            instructions=tuple(
                replace(i, interval=0, latency=0) if i.unit is Unit.LINK else i for i in phase.instructions
            ),
        )
        for phase in program.phases
    )
    return replace(program, phases=phases)


def without_wires(phase: PhaseArrays) -> PhaseArrays:
    """`without_links` of a phase's numbers."""
    fields = phase.fields.copy()
    links = np.flatnonzero(fields[:, UNIT] == Unit.LINK)
    for column in (INTERVAL, LATENCY, RESULT, LAST_RESULT):
        fields[links, column] = 0
    return replace(phase, fields=fields)


def unit_times(program: Program, overlay: Overlay) -> tuple[UnitTime, ...]:
    """Busy cycles of every matrix unit, multifunction pipeline and link, over the whole run."""
    busy: dict[tuple[str, int, int], list[int]] = defaultdict(lambda: [0, 0, 0])
    for phase in program.phases:
        for i in phase.instructions:
            if i.unit is not Unit.VECTOR:
                busy[i.unit.name.lower(), i.device, i.to_device][0] += i.count * i.blocks * i.interval
            if i.unit is Unit.LINK:
                busy["link", i.device, i.to_device][1] += i.count
                busy["link", i.device, i.to_device][2] += i.count * i.size_bytes
            elif i.unit is not Unit.LOAD:
                busy["vector", i.device, i.to_device][0] += i.count * i.vectors * overlay.vector_cycles
    return tuple(UnitTime(*key, *values) for key, values in sorted(busy.items()))


def time_program(
    program: Program, cluster: Cluster, *, macs: int, steps: int, weight_bytes: int, fits: bool, devices: int
) -> Timing:
    """Emulate ``program`` and describe the result; ``macs`` and ``steps`` are the workload's."""
    overlay = cluster.profile.overlay
    cycles = count_cycles(program, overlay)
    free = cycles if devices == 1 else count_cycles(without_links(program), overlay)
    timing = describe_run(cycles, free, cluster, macs, steps, weight_bytes, fits, devices)
    return replace(timing, units=unit_times(program, overlay))


def describe_run(
    cycles: int,
    free: int,
    cluster: Cluster,
    macs: int,
    steps: int,
    weight_bytes: int,
    fits: bool,
    devices: int,
) -> Timing:
    """The Timing of a run of ``cycles``, without its units; ``free``: its cycles if links took no time."""
    profile = cluster.profile
    return Timing(
        cycles=cycles,
        latency_s=cycles / (profile.clock_mhz * 1e6),
        cycles_per_step=cycles / steps,
        utilization=macs / (cycles * cluster.fpgas * profile.overlay.macs_per_cycle),
        communication_share=1.0 - free / cycles,
        devices_used=devices,
        weight_bytes_per_device=weight_bytes,
        fits_on_chip=fits,
        units=(),
    )
