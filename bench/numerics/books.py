"""The books of a program: a run without numbers, that finds whether all that is read is there.

Each device holds what it has made itself or been sent, and nothing else. The instructions run in
program order, iteration by iteration. What an instruction reads must be in its device's memory, and the
instruction must wait for whoever has put it there; a sum must be made of each column once.

In a program whose instructions run in every time step of their layers, as lowering makes them, all steps
are alike, but that before the first there are initial values. There the first step is enough, and of the
second what is read of the step before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from bench.errors import BrokenProgram
from bench.numerics.cells import needs_cell_state, needs_input
from bench.numerics.complete import check_complete, disjoint, show, spell, steps_of
from bench.numerics.memory import Held, Memories, Piece, Writer, missing
from bench.numerics.order import Order
from bench.numerics.tasks import (
    Added,
    Back,
    Copied,
    Earlier,
    Facts,
    Finished,
    Joined,
    Multiplied,
    Outside,
    Read,
    Rows,
    Summed,
    Task,
    Term,
    facts,
)
from bench.plans.operations import (
    AddSums,
    Finish,
    Move,
    Multiply,
    Operation,
    Register,
    StageRows,
    SumInputs,
    SumRows,
)
from bench.plans.outline import feeds, overlap
from bench.plans.plan import Block, Plan, Range
from bench.plans.program import Instruction, Phase, Program
from bench.workloads.model import EXTERNAL, Combine, Input, Workload


class Books:
    """A run without numbers under way: all devices' memories, and where in the program it is."""

    def __init__(self, program: Program, plan: Plan, workload: Workload) -> None:
        self.facts = {layer.name: facts(layer) for layer in workload.layers}
        self.phase_of: dict[str, int] = {}
        for number, phase in enumerate(program.phases):
            self.phase_of |= dict.fromkeys((i.layer for i in phase.instructions), number)
        self.memories = [Memories() for _ in program.phases]
        self._owned = frozenset(plan.blocks)
        self._alike = all(self._is_regular(phase) for phase in program.phases)
        self._back = Back(0), Back(1)
        self._outside = {layer.name: Outside(layer) for layer in workload.layers}
        self._earlier: dict[tuple[str, str, int, int], Earlier] = {}
        self._order: Order
        self._phase = self._n = self._iteration = self._step = 0
        self._now: Instruction

    def _is_regular(self, phase: Phase) -> bool:
        """Whether all that a phase does is done in every step of its layer, and its layers' steps match."""
        for now in phase.instructions:
            if now.does and steps_of(now, phase.iterations) != range(self.facts[now.layer].layer.steps):
                return False
        for name in {now.layer for now in phase.instructions}:
            layer = self.facts[name].layer
            for feed in layer.inputs:
                if feed.producer != EXTERNAL:
                    made = self.facts[feed.producer].layer.steps + feed.delay
                    if made < layer.steps * feed.time_reduction:
                        return False
        return True

    def tasks(self, number: int, phase: Phase) -> list[Task]:
        """Check one phase, those before it being checked; what its instructions do, in program order.

        Raises BrokenProgram, naming instruction, device and range, if it reads what its device does not
        hold or does not wait for what it reads, or if a sum lacks columns or has some twice.
        """
        self._phase, self._order = number, Order(phase)
        found: dict[int, list[Task]] = {}
        iterations = phase.iterations
        if self._alike:
            iterations = min(iterations, max((now.first for now in phase.instructions), default=0) + 2)
        doing = [(n, now) for n, now in enumerate(phase.instructions) if now.does]
        for self._iteration in range(iterations):
            for self._n, self._now in doing:
                self._step = self._iteration - self._now.first
                if not 0 <= self._step < self._now.count:
                    continue
                if self._n not in found:
                    found[self._n] = [
                        self._note(task) for does in self._now.does for task in self._make(does)
                    ]
                elif not self._alike:
                    for task in found[self._n]:
                        self._note(task)
                elif self._step == 1:
                    for task in found[self._n]:
                        self._check_before(task)
        return [task for n in sorted(found) for task in found[n]]

    def _note(self, task: Task) -> Task:
        """Check what a task reads, and note what it writes, in the present step."""
        match task:
            case Multiplied():
                self._note_product(task)
            case Copied():
                pieces = self._check(task.what, task.rows)
                task.into.receive(self._step, pieces, self._here(task.rows))
            case Finished():
                self._note_stage(task)
            case Added():
                self._note_addition(task)
            case Summed():
                for cols, read in task.reads:
                    self._check_read(read)
                    task.into.write(self._step, [self._piece(cols)])
        return task

    def _check_before(self, task: Task) -> None:
        """Check what a task reads of the step before; what it does within its step it has done before."""
        match task:
            case Multiplied() | Summed():
                for _, read in task.reads:
                    self._check_read(read, before=True)
            case Finished():
                self._check_state(task)
                if task.x:
                    self._check_read(task.x, before=True)

    # -- what operations do ------------------------------------------------------------

    def _make(self, does: Operation) -> Iterator[Task]:
        match does:
            case Multiply():
                yield self._multiplied(does)
            case Finish():
                yield self._finished(does)
            case Move():
                for what in does.carries:
                    yield self._copied(what)
            case AddSums():
                terms = [self._term(term) for term in does.terms]
                into = self._register(self._now.device, does.into)
                yield Added(self._n, self._now, terms, into, does.into.sum)
            case SumInputs():
                of = self.facts[does.layer]
                reads = [(cols, self._input(of, cols)) for cols in does.cols]
                yield Summed(self._n, self._now, self._vector(of, "x"), reads)

    def _multiplied(self, does: Multiply) -> Multiplied:
        of, device = self.facts[does.layer], self._now.device
        block = Block(does.layer, does.matrix, does.rows, does.cols, device)
        if block not in self._owned:
            raise self._broken(
                f"multiplies rows {show(*does.rows)} x columns {show(*does.cols)} of {does.matrix}, "
                "which the device does not own"
            )
        product = of.products[does.matrix]
        if (does.into.layer, does.into.sum) != (does.layer, product.sum):
            raise self._broken(f"multiplies {does.matrix}, which is no part of {spell(does.into)}")
        reads = [(cols, self._operand(of, product.operand, cols)) for cols in does.parts]
        contents = frozenset((does.matrix, cols) for cols in does.parts)
        into = self._register(device, does.into)
        return Multiplied(self._n, self._now, of, product, block, reads, into, contents)

    def _operand(self, of: Facts, operand: str, cols: Range) -> Read:
        """The vector that a product multiplies."""
        if operand == "x" and of.layer.input_terms == 1:
            return self._input(of, cols)
        return Rows(self._back[operand == "h"], self._vector(of, operand), cols)

    def _note_product(self, task: Multiplied) -> None:
        for _, read in task.reads:
            self._check_read(read)
        rows, contents = task.block.rows, task.contents
        pieces, reached, here = [], rows[0], (self._here(rows),)
        for old in task.into.over(self._step, rows):
            if old.start > reached:
                pieces.append(Piece(reached, old.start, here, contents))
            self._check_waits(task.into, old, rows)
            if old.contents & contents:
                cols = show(*task.reads[0][0])
                raise self._broken(f"adds columns {cols} of {task.block.matrix} twice")
            pieces.append(Piece(old.start, old.stop, here, old.contents | contents))
            reached = old.stop
        if reached < rows[1]:
            pieces.append(Piece(reached, rows[1], here, contents))
        task.into.write(self._step, pieces)

    # -- sums and stages ---------------------------------------------------------------

    def _finished(self, does: Finish) -> Finished:
        of, rows = self.facts[does.layer], does.rows
        stage = of.program.stage(does.stage)
        sums = {
            name: [self._term(term) for term in does.terms if term.register.sum == name]
            for name in of.sums[does.stage]
        }
        states = [*stage.state, *("c" for _ in range(needs_cell_state(of.layer, stage)))]
        state = {name: self._vector(of, name) for name in states}
        x = self._input(of, rows) if needs_input(of.layer, stage) else None
        made = [does.stage, "c"] if "c" in state else [does.stage]
        into = {name: self._vector(of, name) for name in made}
        return Finished(self._n, self._now, of, stage, rows, sums, state, x, into)

    def _note_stage(self, task: Finished) -> None:
        for name, terms in task.sums.items():
            pieces = [p for term in terms for p in self._check(*term, aligned=task.rows)]
            check_complete(name, task.facts.columns[name], task.rows, pieces, self._broken)
        self._check_state(task)
        if task.x:
            self._check_read(task.x)
        for held in task.into.values():
            held.write(self._step, [self._piece(task.rows)])

    def _check_state(self, task: Finished) -> None:
        for name, held in task.state.items() if self._step else ():
            self._check(held, task.rows, self._step - 1, aligned=task.rows if name == "c" else None)

    def _note_addition(self, task: Added) -> None:
        contents = [self._check(*term) for term in task.terms]
        rows, into = task.terms[0].rows, task.into
        edges = sorted({rows[1], *(piece.start for pieces in contents for piece in pieces)})
        here = self._here(rows)
        joined = []
        for a, b in pairwise(edges):
            parts = [p for pieces in contents for p in pieces if p.start <= a < p.stop]
            joined.append(Piece(a, b, (here,), disjoint(task.name, parts, self._broken)))
        into.receive(self._step, joined, here)  # a device may add up the same for several owners

    def _copied(self, what: SumRows | StageRows) -> Copied:
        if isinstance(what, SumRows):
            held = self._register(self._now.device, what.register)
            into = self._register(self._now.to_device, what.register)
        else:
            of = self.facts[what.layer]
            held = self._vector(of, what.stage)
            into = self._vector(of, what.stage, self._now.to_device)
        return Copied(self._n, self._now, held, what.rows, into)

    # -- places ------------------------------------------------------------------------

    def _vector(self, of: Facts, name: str, device: int | None = None) -> Held:
        """Where a device (the instruction's) keeps a vector of a layer."""
        layer = of.layer.name
        memories = self.memories[self.phase_of[layer]]
        return memories.vector(self._now.device if device is None else device, (layer, name), of.sizes[name])

    def _register(self, device: int, register: Register) -> Held:
        of = self.facts[register.layer]
        return self.memories[self._phase].sum(device, register, of.accumulators[register.sum])

    def _term(self, what: SumRows) -> Term:
        return Term(self._register(self._now.device, what.register), what.rows)

    def _input(self, of: Facts, cols: Range) -> Read:
        """The layer's x over ``cols``, from what the device holds."""
        parts: list[Read] = []
        column = 0
        for feed, offset in feeds(of.layer):
            outside = feed.producer == EXTERNAL
            part = overlap(cols, (offset, offset + feed.size))
            if part is not None:
                rows = part[0] - offset, part[1] - offset
                if outside:
                    rows = rows[0] + column, rows[1] + column
                    parts.append(Rows(self._outside[of.layer.name], None, rows))
                else:
                    parts.append(self._fed(of, self.facts[feed.producer], feed, rows))
            column += feed.size if outside else 0
        return joined(of.layer.combine, parts)

    def _fed(self, of: Facts, producer: Facts, feed: Input, rows: Range) -> Read:
        """Rows of what ``feed`` brings, from one step of the producer or several."""
        held = self._vector(producer, "h")
        if self.phase_of[feed.producer] == self._phase:
            if feed.time_reduction == 1:
                return Rows(self._back[feed.delay], held, rows)
            raise self._broken(
                f"takes {feed.time_reduction} steps of layer {feed.producer!r} at once, which makes only one "
                "in each iteration of the same phase"
            )
        parts: list[Read] = []
        width = producer.layer.output_size
        for place in range(feed.time_reduction):
            start = place * width if feed.reduction == "concat" else 0
            part = overlap(rows, (start, start + width))
            if part is not None:
                source = self._earlier_source(of, producer, feed.time_reduction, place)
                parts.append(Rows(source, held, (part[0] - start, part[1] - start)))
        return joined(feed.reduction, parts)

    def _earlier_source(self, of: Facts, producer: Facts, times: int, place: int) -> Earlier:
        key = (of.layer.name, producer.layer.name, times, place)
        if key not in self._earlier:
            phase = self.phase_of[producer.layer.name]
            self._earlier[key] = Earlier(phase, of.layer, producer.layer, times, place)
        return self._earlier[key]

    # -- checks ------------------------------------------------------------------------

    def _check_read(self, read: Read, *, before: bool = False) -> None:
        """Refuse rows that the device does not hold or, if they are of this phase, does not wait for.

        ``before``: only if they are of the step before.
        """
        if isinstance(read, Joined):
            for part in read.parts:
                self._check_read(part, before=before)
            return
        source, held, rows = read
        if held is None or (before and source is not self._back[1]):
            return
        step = source.step(self._step)
        if isinstance(source, Earlier):
            self._find(held, 0 if self._alike else step, rows)
        elif step >= 0:
            self._check(held, rows, step)

    def _check(
        self, held: Held, rows: Range, step: int | None = None, *, aligned: Range | None = None
    ) -> list[Piece]:
        """The pieces of what the instruction reads of ``step`` (the present one) and waits for.

        ``aligned``: the rows that the instruction itself goes through, if it can follow a writer
        of the same rows vector by vector.
        """
        pieces = self._find(held, self._step if step is None else step, rows)
        for piece in pieces:
            self._check_waits(held, piece, aligned)
        return pieces

    def _find(self, held: Held, step: int, rows: Range) -> list[Piece]:
        pieces = held.over(step, rows)
        gap = missing(pieces, rows)
        if gap:
            raise self._broken(f"reads {spell(held.name)}, rows {show(*gap)}, which the device does not hold")
        return pieces

    def _check_waits(self, held: Held, piece: Piece, aligned: Range | None) -> None:
        """Refuse a read that no dependences put behind the write."""
        for writer in piece.writers:
            back = self._iteration - writer.iteration
            if self._order.follows(self._n, writer.instruction, back, whole=writer.rows != aligned):
                return
        raise self._broken(
            f"reads {spell(held.name)}, rows {show(piece.start, piece.stop)}, without waiting for "
            f"instruction {piece.writers[0].instruction}, which makes them"
        )

    def _here(self, rows: Range) -> Writer:
        return Writer(self._n, self._iteration, rows)

    def _piece(self, rows: Range) -> Piece:
        return Piece(*rows, (self._here(rows),))

    def _broken(self, text: str) -> BrokenProgram:
        return broken(self._n, self._now, self._step, text)


def broken(n: int, now: Instruction, step: int, text: str) -> BrokenProgram:
    """What is wrong with instruction ``now``, the phase's with number ``n``, in a time step."""
    return BrokenProgram(
        f"layer {now.layer!r}, step {step}, device {now.device}: instruction {n} ({now.what}) {text}"
    )


def joined(how: Combine, parts: Sequence[Read]) -> Read:
    """Several vectors read as one."""
    return parts[0] if len(parts) == 1 else Joined(how, tuple(parts))
