"""Plans and programs corrupted on purpose: validation or the numbers catch each, and name the place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import BrokenProgram, InvalidPlan
from bench.hardware.profile import Cluster
from bench.numerics.check import Network, find_deviation, make_network
from bench.numerics.formats import load_format
from bench.numerics.interpreter import interpret
from bench.numerics.numbers import Numbers
from bench.partitioners import load_partitioner
from bench.plans.lower import lower
from bench.plans.operations import AddSums, Finish, Move, Multiply, Operation, StageRows, SumRows
from bench.plans.outline import overlap
from bench.plans.plan import Plan
from bench.plans.program import Instruction, Phase, Program, Wait
from bench.plans.validate import validate
from bench.workloads.model import Layer, Workload
from tests.strategies import clusters, plans, small_profile, workloads

FPGAS = 4
CLUSTER = Cluster(small_profile(), FPGAS, "ring")


@lru_cache(maxsize=8)
def network() -> Network:
    """An LSTM below a simple RNN, of sizes that four devices can share, in int8."""
    layers = (Layer("rnn", "lstm", 8, 8, 5), Layer("top", "rnn_tanh", 8, 8, 5))
    layers = (layers[0], replace(layers[1], inputs=(replace(layers[0].inputs[0], producer="rnn"),)))
    return make_network(Workload("small", layers), load_format("int8"))


@lru_cache(maxsize=8)
def plan_of(partitioner: str) -> Plan:
    """The plan of a shipped partitioner."""
    return load_partitioner(partitioner).plan(network().workload, CLUSTER)


@lru_cache(maxsize=8)
def program_of(partitioner: str) -> Program:
    """Its program."""
    return lower(plan_of(partitioner), network().workload, CLUSTER)


def outcome(program: Program, plan: Plan, of: Network) -> str:
    """What is wrong with a program: where it breaks, or where its numbers differ; "" if nothing is."""
    numbers = Numbers(of.fmt, of.workload, of.parameters, of.ranges)
    try:
        found = interpret(program, plan, of.workload, numbers, of.inputs)
    except BrokenProgram as error:
        return str(error)
    return find_deviation(of, plan, found, 0.0)


def with_instruction(program: Program, phase: int, n: int, new: Instruction) -> Program:
    """The program with another instruction in one place."""
    body = list(program.phases[phase].instructions)
    body[n] = new
    phases = list(program.phases)
    phases[phase] = Phase(tuple(body), phases[phase].iterations)
    return replace(program, phases=tuple(phases))


def first(program: Program, which: Callable[[Instruction], object]) -> tuple[int, Instruction]:
    """The first instruction of the first phase of which ``which`` is true."""
    return next((n, i) for n, i in enumerate(program.phases[0].instructions) if which(i))


def does(kind: type) -> Callable[[Instruction], bool]:
    """Whether an instruction has an operation of this kind."""
    return lambda instruction: any(isinstance(operation, kind) for operation in instruction.does)


def corrupted(partitioner: str, which: Callable[[Instruction], object], **changes: object) -> str:
    """What is wrong once fields of the first such instruction of a partitioner's program are others."""
    program = program_of(partitioner)
    n, found = first(program, which)
    new = replace(found, **changes)  # type: ignore[arg-type]
    assert new != found
    return outcome(with_instruction(program, 0, n, new), plan_of(partitioner), network())


@pytest.mark.parametrize("partitioner", ["row-wise", "column-wise", "input-wise", "gate-wise"])
def test_nothing_is_wrong_before(partitioner: str) -> None:
    """The programs that are corrupted below are right as they are."""
    assert outcome(program_of(partitioner), plan_of(partitioner), network()) == ""


# -- plans ---------------------------------------------------------------------------------


def test_a_block_that_nobody_owns() -> None:
    """Validation names layer, matrix and range; so does the run if nobody validates."""
    plan = plan_of("row-wise")
    lost = next(b for b in plan.blocks if b.matrix == "g.h" and b.device == 2)
    broken = replace(plan, blocks=tuple(block for block in plan.blocks if block != lost))
    with pytest.raises(
        InvalidPlan, match=r"layer 'rnn', matrix 'g.h': rows 4:6 x columns 0:8 is owned by no"
    ):
        validate(broken, network().workload, CLUSTER)
    found = outcome(lower(broken, network().workload, CLUSTER), broken, network())
    assert "layer 'rnn', step 0, device 2" in found
    assert "ends sum 'g', rows 4:6, without columns 0:8 of g.h" in found


def test_a_block_that_two_own_in_part() -> None:
    """Validation names both ranges; the run names what is added twice."""
    plan = plan_of("row-wise")
    whole = next(b for b in plan.blocks if b.matrix == "f.h" and b.device == 1)
    broken = replace(
        plan, blocks=(*plan.blocks, whole._replace(rows=(whole.rows[0], whole.rows[0] + 1), device=3))
    )
    with pytest.raises(InvalidPlan, match=r"matrix 'f.h': rows 2:3 x columns 0:8 and rows 2:4 .* overlap"):
        validate(broken, network().workload, CLUSTER)
    found = outcome(lower(broken, network().workload, CLUSTER), broken, network())
    assert "layer 'rnn', step 0, device 1" in found
    assert "adds columns 0:8 of f.h twice to sum 'f', rows 2:3" in found


def test_a_block_on_another_device_than_the_plan_says() -> None:
    """A program of another plan multiplies a block that its device does not own."""
    plan = plan_of("row-wise")
    moved = tuple(b._replace(device=(b.device + 1) % FPGAS) if b.matrix == "o.x" else b for b in plan.blocks)
    found = outcome(program_of("row-wise"), replace(plan, blocks=moved), network())
    assert "device 0" in found
    assert "multiplies rows 0:2 x columns 0:8 of o.x, which the device does not own" in found


def test_a_vector_range_that_nobody_computes() -> None:
    """Validation names it."""
    plan = plan_of("row-wise")
    lost = next(v for v in plan.vectors if v.layer == "rnn" and v.device == 3)
    broken = replace(plan, vectors=tuple(vector for vector in plan.vectors if vector != lost))
    with pytest.raises(InvalidPlan, match=r"layer 'rnn', vector 'h': rows 6:8"):
        validate(broken, network().workload, CLUSTER)


# -- messages ------------------------------------------------------------------------------


def test_a_range_sent_to_the_wrong_device() -> None:
    """The device that it was meant for does not hold it."""
    _, message = first(program_of("row-wise"), does(Move))
    other = (message.to_device + 1) % FPGAS
    found = corrupted("row-wise", does(Move), to_device=other)
    assert f"device {message.to_device}" in found
    assert "reads h of layer 'rnn', rows" in found
    assert "which the device does not hold" in found


def test_a_message_with_other_rows() -> None:
    """It carries rows that the sender does not hold, or too few of them."""
    _, message = first(program_of("row-wise"), does(Move))
    (move,) = message.does
    assert isinstance(move, Move)
    (carried,) = move.carries
    start, stop = carried.rows
    for rows in ((start, stop - 1), ((start + 2) % 8, (start + 2) % 8 + 2)):
        found = corrupted("row-wise", does(Move), does=(Move((replace(carried, rows=rows),)),))
        assert "reads h of layer 'rnn', rows" in found
        assert "which the device does not hold" in found


def test_a_message_left_out() -> None:
    """Its receiver does not hold what it carries."""
    for partitioner, what in (("row-wise", "h"), ("input-wise", "sum"), ("gate-wise", "sum")):
        found = corrupted(partitioner, does(Move), does=())
        assert f"reads {what}" in found
        assert "which the device does not hold" in found


# -- sums ----------------------------------------------------------------------------------


def test_a_reduction_left_out() -> None:
    """The device that should add has nothing to pass on."""
    found = corrupted("column-wise", does(AddSums), does=())
    assert "reads sum" in found
    assert "which the device does not hold" in found


def test_a_term_left_out_of_a_reduction() -> None:
    """The sum lacks the columns of the device whose part is left out."""
    _, add = first(program_of("column-wise"), does(AddSums))
    less = tuple(
        replace(operation, terms=operation.terms[:1]) if isinstance(operation, AddSums) else operation
        for operation in add.does
    )
    found = corrupted("column-wise", does(AddSums), does=less)
    assert "layer 'rnn', step 0" in found
    assert "ends sum 'i', rows 0:2, without columns 2:4 of i.x" in found


def _finish(partitioner: str, change: Callable[[Finish], Finish]) -> str:
    _, end = first(program_of(partitioner), does(Finish))
    (operation,) = end.does
    assert isinstance(operation, Finish)
    return corrupted(partitioner, does(Finish), does=(change(operation),))


def test_a_part_left_out_at_the_end() -> None:
    """The sum lacks columns, or all of its parts are gone and nothing is left to activate."""
    found = _finish("column-wise", lambda end: replace(end, terms=end.terms[:-1]))
    assert "layer 'rnn', step 0, device" in found
    assert "ends sum 'o', rows" in found
    assert "without columns" in found
    found = _finish("row-wise", lambda end: replace(end, terms=end.terms[1:]))
    assert "ends sum 'f', rows 0:2, without columns 0:8 of f.x" in found


def test_a_part_counted_twice() -> None:
    """The sum has the same columns twice."""
    found = _finish("column-wise", lambda end: replace(end, terms=(*end.terms, end.terms[0])))
    assert "adds columns" in found
    assert "twice to sum 'f', rows" in found


def test_a_product_made_twice() -> None:
    """Two products of the same block go into the same sum."""
    _, product = first(program_of("row-wise"), does(Multiply))
    found = corrupted("row-wise", does(Multiply), does=product.does * 2)
    assert "adds columns 0:8 of i.x twice" in found


def test_two_gates_swapped() -> None:
    """Another gate's matrix is not of this sum, and another gate's register is not where it belongs."""
    _, product = first(program_of("row-wise"), does(Multiply))
    (multiply,) = product.does
    assert isinstance(multiply, Multiply)
    found = corrupted("row-wise", does(Multiply), does=(replace(multiply, matrix="f.x"),))
    assert "layer 'rnn', step 0, device 0" in found
    assert "multiplies f.x, which is no part of sum 'i' of layer 'rnn'" in found
    into = replace(multiply.into, sum="f")
    found = corrupted("row-wise", does(Multiply), does=(replace(multiply, into=into),))
    assert "multiplies i.x, which is no part of sum 'f' of layer 'rnn'" in found


def test_two_gates_swapped_in_the_parameters() -> None:
    """Forget and output gates exchanged give other numbers, of which the first is named."""
    of = network()
    weights = dict(of.parameters.weights)
    for operand in "xh":
        f, o = ("rnn", f"f.{operand}"), ("rnn", f"o.{operand}")
        weights[f], weights[o] = weights[o], weights[f]
    other = replace(of, parameters=replace(of.parameters, weights=weights))
    found = outcome(program_of("row-wise"), plan_of("row-wise"), other)
    assert found.startswith("failed: layer 'rnn', h at time 0, batch item 0, row 0 (device 0) is ")


# -- dependences ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Finish, Move])
@pytest.mark.parametrize("partitioner", ["row-wise", "column-wise", "input-wise", "gate-wise"])
def test_no_dependences_at_all(partitioner: str, kind: type) -> None:
    """A faster program that waits for nothing names what it should have waited for."""
    found = corrupted(partitioner, lambda i: does(kind)(i) and i.waits, waits=())
    assert "layer 'rnn', step 0, device" in found
    assert "without waiting for instruction" in found


def test_a_whole_result_awaited_vector_by_vector() -> None:
    """A message may not start at the first vector of what it carries."""
    program = program_of("row-wise")
    n, message = first(program, does(Move))
    waits = tuple(replace(wait, wait=Wait.BLOCKS) for wait in message.waits)
    found = outcome(
        with_instruction(program, 0, n, replace(message, waits=waits)), plan_of("row-wise"), network()
    )
    assert "reads h of layer 'rnn', rows 0:2, without waiting for instruction" in found


def test_a_step_that_is_one_off() -> None:
    """A product an iteration early reads what is not there yet; one too late is missing in its sum."""
    for shift, expected in ((-1, "which the device does not hold"), (1, "without columns 0:8 of h.x")):
        program = program_of("row-wise")
        n, product = first(program, lambda i: i.layer == "top" and does(Multiply)(i))
        shifted = replace(product, first=product.first + shift)
        found = outcome(with_instruction(program, 0, n, shifted), plan_of("row-wise"), network())
        assert "layer 'top'" in found
        assert expected in found


def test_a_step_too_few() -> None:
    """A layer whose last step is not made."""
    _, end = first(program_of("row-wise"), does(Finish))
    found = corrupted("row-wise", does(Finish), count=end.count - 1)
    assert "layer 'rnn'" in found
    assert "row 0 of h at time 4" in found or "which the device does not hold" in found


# -- any program ---------------------------------------------------------------------------


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
