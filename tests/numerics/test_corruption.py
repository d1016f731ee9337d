"""Plans and programs corrupted on purpose: validation or the numbers catch each, and name the place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

import pytest

from bench.errors import BrokenProgram, InvalidPlan
from bench.hardware.profile import Cluster
from bench.numerics.check import Network, find_deviation, make_network
from bench.numerics.formats import load_format
from bench.numerics.interpreter import interpret
from bench.numerics.numbers import Numbers
from bench.partitioners import load_partitioner
from bench.plans.lower import lower
from bench.plans.operations import AddSums, Finish, Move, Multiply
from bench.plans.plan import Plan
from bench.plans.program import Instruction, Phase, Program, Wait
from bench.plans.validate import validate
from bench.workloads.model import Layer, Workload
from tests.strategies import small_profile

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
