"""Random programs without one of their dependences or operations: the numbers catch each that matters."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bench.numerics.check import Network, make_network
from bench.numerics.formats import load_format
from bench.plans.lower import lower
from bench.plans.operations import AddSums, Finish, Move, Multiply, Operation, StageRows, SumRows
from bench.plans.outline import overlap
from bench.plans.plan import Plan
from bench.plans.program import Instruction, Phase, Program, Wait
from tests.numerics.test_corruption import outcome, with_instruction
from tests.strategies import clusters, plans, workloads


def drop_wait(instruction: Instruction, number: int) -> Instruction:
    """The instruction without one of its dependences."""
    return replace(instruction, waits=instruction.waits[:number] + instruction.waits[number + 1 :])


def implied(phase: Phase, n: int, number: int) -> bool:
    """Whether an instruction's other dependences make it wait all the same, whenever both run.

    By following all dependences of all iterations. A wait for a vector at a time (BLOCKS) is implied by
    any way, a wait for the whole result by a way with such a wait on it.
    """
    wait = phase.instructions[n].waits[number]
    without = list(phase.instructions)
    without[n] = drop_wait(without[n], number)

    def runs(which: int, iteration: int) -> bool:
        return 0 <= iteration - without[which].first < without[which].count

    for iteration in range(phase.iterations):
        target = (wait.on, iteration - wait.back)
        if not runs(n, iteration) or not runs(*target):
            continue
        reached = {(n, iteration, False)}
        front = list(reached)
        while front:
            m, at, whole = front.pop()
            arrived = m == target[0] and at >= target[1] and (m, at) != (n, iteration)
            if arrived and (whole or wait.wait is Wait.BLOCKS):
                break  # a unit works in order: the target's earlier iterations have ended, too
            for further in without[m].waits:
                node = (further.on, at - further.back, whole or further.wait is not Wait.BLOCKS)
                if node[1] >= 0 and node not in reached:
                    reached.add(node)
                    front.append(node)
        else:
            return False
    return True


def brings_nothing(phase: Phase, n: int) -> bool:
    """Whether an instruction starts a chain that has read nothing of this phase yet."""
    return not phase.instructions[n].does and all(
        brings_nothing(phase, wait.on) for wait in phase.instructions[n].waits
    )


def may_be_spare(phase: Phase, n: int, number: int) -> bool:
    """Whether a dependence may order two instructions of which neither reads the other's result.

    A chain's first instructions have nothing to show where their operands come from an earlier phase.
    And all products that could add a sum in their chain wait for it; only the last one's chain must.
    """
    product = phase.instructions[n]
    if brings_nothing(phase, product.waits[number].on):
        return True
    awaited = phase.instructions[product.waits[number].on].does
    own = {does.into for does in product.does if isinstance(does, Multiply)}
    if not own or any(isinstance(does, Finish) for does in product.does):
        return False
    makes = {does.into for does in awaited if isinstance(does, Multiply)}
    brings = {part for does in awaited if isinstance(does, Move) for part in does.carries}
    makes |= {part.register for part in brings if isinstance(part, SumRows)}
    finishes = any(isinstance(does, Finish) for does in awaited) or any(
        isinstance(part, StageRows) for part in brings
    )
    return not finishes and not makes & own


def small(data: st.DataObject) -> tuple[Network, Plan, Program]:
    """A random network with a random plan and its program."""
    workload = data.draw(workloads(most_steps=4))
    cluster = data.draw(clusters())
    plan = data.draw(plans(workload, cluster))
    return make_network(workload, load_format("int8")), plan, lower(plan, workload, cluster)


@settings(max_examples=200)
@given(st.data())
def test_any_dropped_dependence_is_noticed(data: st.DataObject) -> None:
    """Without one of its dependences a program breaks, unless the others imply it."""
    of, plan, program = small(data)
    waits = [
        (p, n, number)
        for p, phase in enumerate(program.phases)
        for n, i in enumerate(phase.instructions)
        for number in range(len(i.waits))
    ]
    if not waits:
        return
    p, n, number = data.draw(st.sampled_from(waits))
    phase = program.phases[p]
    found = outcome(with_instruction(program, p, n, drop_wait(phase.instructions[n], number)), plan, of)
    if implied(phase, n, number):
        assert found == ""
    elif found or not may_be_spare(phase, n, number):
        assert "without waiting for instruction" in found


def is_read(program: Program, move: Instruction, of: Network) -> bool:
    """Whether any of what a message carries is read where it goes to, and gets there by no other way.

    A device without anything but input products is told h only to know that a step has ended. On its
    way to a partner in a collective a message may pass a device that has what it carries.
    """
    layers = {layer.name: layer for layer in of.workload.layers}
    (operation,) = move.does
    assert isinstance(operation, Move)
    others = [i for p in program.phases for i in p.instructions if i is not move]
    there = [what for i in others for done in i.does for what in put(done, i, move.to_device)]
    here = [done for i in others if i.device == move.to_device for done in i.does]
    for carried in operation.carries:
        if any(overlapping(what, carried) for what in there):
            continue
        if isinstance(carried, SumRows) or carried.stage != "h":
            return True  # sums are sent to be added, and other stages to be multiplied
        multiplied = any(
            isinstance(done, Multiply)
            and done.layer == carried.layer
            and done.matrix.endswith(".h")
            and overlap(done.cols, carried.rows)
            for done in here
        )
        if multiplied and layers[carried.layer].steps > 1:
            return True
    return False


def put(done: Operation, by: Instruction, device: int) -> list[StageRows | SumRows]:
    """What an operation of instruction ``by`` puts into the memory of ``device``."""
    if isinstance(done, Move):
        return list(done.carries) if by.to_device == device else []
    if by.device != device:
        return []
    if isinstance(done, Multiply):
        return [SumRows(done.into, done.rows)]
    if isinstance(done, AddSums):
        return [SumRows(done.into, done.terms[0].rows)]
    return [StageRows(done.layer, done.stage, done.rows)] if isinstance(done, Finish) else []


def overlapping(a: StageRows | SumRows, b: StageRows | SumRows) -> bool:
    """Whether two messages carry some of the same rows of the same vector or sum."""
    return replace(a, rows=(0, 0)) == replace(b, rows=(0, 0)) and bool(overlap(a.rows, b.rows))


@settings(max_examples=200)
@given(st.data())
def test_any_dropped_operation_is_noticed(data: st.DataObject) -> None:
    """Without one of its operations a program breaks, unless it is a message that nobody reads."""
    of, plan, program = small(data)
    places = [
        (p, n) for p, phase in enumerate(program.phases) for n, i in enumerate(phase.instructions) if i.does
    ]
    p, n = data.draw(st.sampled_from(places))
    found = program.phases[p].instructions[n]
    number = data.draw(st.integers(0, len(found.does) - 1))
    less = replace(found, does=found.does[:number] + found.does[number + 1 :])
    problem = outcome(with_instruction(program, p, n, less), plan, of)
    if not isinstance(found.does[number], Move) or is_read(program, found, of):
        assert problem
        assert "layer" in problem
        assert not problem.startswith("failed")  # it breaks, where the numbers alone could be right by chance
