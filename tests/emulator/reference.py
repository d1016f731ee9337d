"""A slow simulator of a Program: every native vector of every instruction of every iteration is an object.

Nothing here is shared with `bench.emulator`, and no time is computed ahead: units are
queues, served in program order, that look at the clock and act when what they wait for
has happened. The clock goes from one happening to the next. Tests hold the fast engine
to it, cycle by cycle.

A result is a row of native vectors. The k-th vector of a chained instruction waits for the
k-th vector of the result that it is chained to; both have equally many. A product's k-th
vector comes with its k-th row block. Where gates share row blocks a product has fewer
blocks than vectors: its last block is cut at other places than its vectors are, and holds
rows of the last two.
"""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from bench.hardware.profile import Overlay
from bench.plans.program import Instruction, Phase, Program, Start, Unit, Wait


def reference_cycles(program: Program, overlay: Overlay) -> int:
    """The cycle in which the last result of ``program`` is complete."""
    now = overlay.input_load_cycles
    for phase in program.phases:
        now = _PhaseRun(phase, overlay, now).run()
    return now


class Clock:
    """The time, and what is going to happen."""

    def __init__(self, now: int) -> None:
        self.now = now
        self._agenda: list[tuple[int, int, Callable[[], None]]] = []
        self._entries = 0

    def at(self, time: int, action: Callable[[], None]) -> None:
        """Let ``action`` happen at ``time``."""
        self._entries += 1  # of one time, what was entered first happens first
        heapq.heappush(self._agenda, (time, self._entries, action))

    def happen(self) -> None:
        """Whatever is due."""
        while self._agenda and self._agenda[0][0] <= self.now:
            heapq.heappop(self._agenda)[2]()

    def advance(self) -> bool:
        """On to the next happening; False if there is none."""
        if self._agenda:
            self.now = self._agenda[0][0]
        return bool(self._agenda)


@dataclass(eq=False, slots=True)
class Job:
    """One instruction of one iteration."""

    instruction: Instruction
    iteration: int
    unit: Server | Pipeline
    """Where it starts."""
    issued: bool
    begun: bool
    """Whether its device may begin with the time step that it belongs to."""
    vectors: list[Vector] = field(default_factory=list)
    whole_results_missing: int = 0
    """Jobs whose whole result it waits for and that are not complete."""
    waiting_for_all: list[Job] = field(default_factory=list)
    """Jobs that wait for the whole result of this one."""
    unreadable: int = 0
    """Its vectors that are not readable yet."""


@dataclass(eq=False, slots=True)
class Vector:
    """One native vector of a job's result; of a link's job, its message."""

    job: Job
    multiplied: bool
    """Whether it is at the multifunction units: at once, unless the matrix unit makes it."""
    chained_missing: int = 0
    """Vectors that it waits for and that are not readable."""
    waiting_for_it: list[Vector] = field(default_factory=list)


class _PhaseRun:
    """One phase: its jobs and the units that serve them."""

    def __init__(self, phase: Phase, overlay: Overlay, start: int) -> None:
        self.phase = phase
        self.overlay = overlay
        self.clock = Clock(start)
        self.last_result = start
        self.jobs: dict[tuple[int, int], Job] = {}
        # group -> iteration -> jobs that are not complete, the oldest iteration first
        self.unfinished: dict[int, dict[int, int]] = defaultdict(dict)
        self.to_look_at: set[Control | Server | Pipeline] = set()
        """Units for which something may have changed."""
        self.matrix_units: dict[int, Server] = defaultdict(lambda: Server(self))
        self.links: dict[int, Server] = defaultdict(lambda: Server(self))
        self.multifunction_units: dict[int, Pipeline] = defaultdict(lambda: Pipeline(self))
        self.controls: dict[int, Control] = defaultdict(lambda: Control(self))
        issued: dict[int, int] = defaultdict(int)
        for iteration in range(phase.iterations):
            for n, i in enumerate(phase.instructions):
                if i.first <= iteration < i.first + i.count:
                    self._add(n, i, iteration, issued)

    def _add(self, n: int, i: Instruction, iteration: int, issued: dict[int, int]) -> None:
        """Make a job, queue it, and note what it waits for."""
        servers = self.links if i.unit is Unit.LINK else self.matrix_units
        pipeline = None if i.unit is Unit.LINK else self.multifunction_units[i.server]
        unit = pipeline if pipeline and i.unit is Unit.VECTOR else servers[i.server]
        first = i.starts_step is not Start.NOT_FIRST
        job = self.jobs[n, iteration] = Job(i, iteration, unit, issued=not pipeline, begun=not first)
        job.unreadable = i.vectors if pipeline else 1
        job.vectors = [Vector(job, multiplied=i.unit is not Unit.MATRIX) for _ in range(job.unreadable)]
        for group in {i.group, i.to_group} - {-1}:
            steps = self.unfinished[group]
            steps[iteration] = steps.get(iteration, 0) + 1
        if isinstance(unit, Server):
            unit.queue.append(job)
        if first:
            self.controls[i.server].queue.append(job)
        if pipeline:
            pipeline.queue.extend(job.vectors)
            slot = self.clock.now + issued[i.server] * self.overlay.instruction_issue_cycles
            issued[i.server] += 1
            self.clock.at(slot, lambda: self._issue(job))
        for wait in i.waits:
            source = self.jobs.get((wait.on, iteration - wait.back))
            if source is None:
                continue  # that instruction is not active in that iteration
            if wait.wait is Wait.ALL:
                source.waiting_for_all.append(job)
                job.whole_results_missing += 1
                continue
            assert pipeline, "only multifunction units wait vector by vector"
            for earlier, later in zip(source.vectors, job.vectors, strict=True):
                earlier.waiting_for_it.append(later)
                later.chained_missing += 1

    def run(self) -> int:
        """The cycle in which the last result is complete."""
        self._look_at_all()
        running = True
        while running:
            self.clock.happen()
            units, self.to_look_at = self.to_look_at, set()
            for unit in units:
                unit.act()
            # what has been started may take no time at all, and let something else start
            running = self.clock.advance()
        assert not any(job.unreadable for job in self.jobs.values()), "a deadlock"
        return self.last_result

    def _look_at_all(self) -> None:
        self.to_look_at = {
            *self.controls.values(),
            *self.matrix_units.values(),
            *self.links.values(),
            *self.multifunction_units.values(),
        }

    def _look_at(self, job: Job) -> None:
        self.to_look_at.add(job.unit)
        if not job.begun:
            self.to_look_at.add(self.controls[job.instruction.server])

    def _issue(self, job: Job) -> None:
        job.issued = True
        self._look_at(job)

    def is_ready(self, job: Job) -> bool:
        """Whether a job is issued, what it waits for as a whole is complete, and its step may begin."""
        if not job.issued or job.whole_results_missing:
            return False
        if job.instruction.starts_step is Start.LOCK_STEP:
            oldest = next(iter(self.unfinished[job.instruction.group]))
            return oldest >= job.iteration
        return True

    def begin(self, job: Job) -> None:
        """The control processor begins with the job's time step."""
        job.begun = True
        self._look_at(job)

    def becomes_readable(self, vector: Vector) -> None:
        """A vector has been written, or a message has arrived."""
        for other in vector.waiting_for_it:
            other.chained_missing -= 1
            self.to_look_at.add(self.multifunction_units[other.job.instruction.server])
        job = vector.job
        job.unreadable -= 1
        if job.unreadable:
            return
        self.last_result = self.clock.now
        for waiting in job.waiting_for_all:
            waiting.whole_results_missing -= 1
            self._look_at(waiting)
        for group in {job.instruction.group, job.instruction.to_group} - {-1}:
            steps = self.unfinished[group]
            steps[job.iteration] -= 1
            if not steps[job.iteration]:
                del steps[job.iteration]
                self._look_at_all()


class Control:
    """What begins the time steps of a device, in program order and not too close to each other."""

    def __init__(self, phase: _PhaseRun) -> None:
        self.phase = phase
        self.clock = phase.clock
        self.queue: deque[Job] = deque()
        self.free_at = self.clock.now

    def act(self) -> None:
        """Begin with the next time step if its first instruction is ready."""
        if not self.queue or self.clock.now < self.free_at or not self.phase.is_ready(self.queue[0]):
            return
        self.clock.at(self.clock.now, partial(self.phase.begin, self.queue.popleft()))
        self.free_at = self.clock.now + self.phase.overlay.step_interval_cycles
        self.clock.at(self.free_at, lambda: self.phase.to_look_at.add(self))


class Server:
    """A matrix unit or a link: one job at a time, in program order."""

    def __init__(self, phase: _PhaseRun) -> None:
        self.phase = phase
        self.clock = phase.clock
        self.queue: deque[Job] = deque()
        self.free_at = self.clock.now

    def act(self) -> None:
        """Start the next job if it may start."""
        if not self.queue or self.clock.now < self.free_at:
            return
        job = self.queue[0]
        if not job.begun or not self.phase.is_ready(job):
            return
        self.queue.popleft()
        i = job.instruction
        for number, vector in enumerate(job.vectors):
            if i.unit is Unit.LINK:
                out = self.clock.now + i.interval + i.latency
                self.clock.at(out, partial(self.phase.becomes_readable, vector))
            else:
                row_blocks = 1 + _last_block_of(number, i)
                out = self.clock.now + row_blocks * i.interval + i.latency
                self.clock.at(out, partial(self._multiplied, vector))
        self.free_at = self.clock.now + i.blocks * i.interval
        self.clock.at(self.free_at, lambda: self.phase.to_look_at.add(self))

    def _multiplied(self, vector: Vector) -> None:
        vector.multiplied = True
        self.phase.to_look_at.add(self.phase.multifunction_units[vector.job.instruction.server])


def _last_block_of(number: int, product: Instruction) -> int:
    """The last of a product's row blocks that holds rows of its vector ``number``."""
    missing = product.vectors - product.blocks
    assert missing >= 0
    return min(max(number - missing + 1, 0), product.blocks - 1) if missing else number


class Pipeline:
    """The multifunction units and the loader of a device: one vector after the other, in program order."""

    def __init__(self, phase: _PhaseRun) -> None:
        self.phase = phase
        self.clock = phase.clock
        self.queue: deque[Vector] = deque()
        self.free_at = self.clock.now
        overlay = phase.overlay
        self.occupied = overlay.vector_cycles
        self.depth = overlay.multifunction_latency_cycles + overlay.writeback_latency_cycles

    def act(self) -> None:
        """Take the next vector if it is there and what it is chained to is readable."""
        if not self.queue or self.clock.now < self.free_at:
            return
        vector = self.queue[0]
        if not vector.multiplied or vector.chained_missing:
            return
        job = vector.job
        if job.instruction.unit is Unit.VECTOR and not (job.begun and self.phase.is_ready(job)):
            return
        self.queue.popleft()
        # written when its last part has come through
        written = self.clock.now + self.occupied - 1 + self.depth
        self.clock.at(written, lambda: self.phase.becomes_readable(vector))
        self.free_at = self.clock.now + self.occupied
        self.clock.at(self.free_at, lambda: self.phase.to_look_at.add(self))
