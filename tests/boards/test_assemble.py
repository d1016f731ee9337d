"""Images of programs: carried out word by word, they compute what the network computes without a plan."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.boards.assemble import assemble
from bench.boards.image import Image
from bench.boards.words import OP, Op
from bench.errors import Unsupported
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Cluster
from bench.numerics.check import Network, find_deviation, make_network
from bench.numerics.formats import load_format
from bench.numerics.interpreter import interpret
from bench.numerics.numbers import Numbers
from bench.partitioners import load_partitioner, partitioner_names
from bench.plans.lower import lower
from bench.plans.plan import Plan
from tests.boards.carry_out import carry_out
from tests.numerics.test_interpreter import KINDS
from tests.strategies import clusters, plans, small_profile, workloads


def images_of(plan: Plan, cluster: Cluster, network: Network) -> tuple[Image, ...]:
    """The images of a plan's program with the network's numbers."""
    numbers = Numbers(network.fmt, network.workload, network.parameters, network.ranges)
    program = lower(plan, network.workload, cluster)
    return assemble(program, plan, network.workload, numbers, network.inputs)


@settings(max_examples=60)
@given(st.data())
def test_any_plan_computes_the_network_bit_for_bit(data: st.DataObject) -> None:
    """Whatever is cut, replicated, streamed or delayed, no bit of any layer's h differs."""
    workload = data.draw(workloads(most_steps=4))
    cluster = data.draw(clusters())
    plan = data.draw(plans(workload, cluster))
    network = make_network(workload, load_format(data.draw(st.sampled_from(("int8", "int8-wide+table")))))
    found = carry_out(images_of(plan, cluster, network), workload)
    assert find_deviation(network, plan, found, 0.0) == ""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", partitioner_names())
def test_every_partitioner_on_every_kind_of_network(name: str, kind: str) -> None:
    """Cells, directions, reductions in time, projections and batches, on three devices."""
    network = make_network(KINDS[kind], load_format("int8"))
    cluster = Cluster(small_profile(), 1 if name == "single" else 3, "ring-bidirectional")
    try:
        plan = load_partitioner(name).plan(network.workload, cluster)
    except Unsupported as refusal:
        pytest.skip(str(refusal))
    found = carry_out(images_of(plan, cluster, network), network.workload)
    assert find_deviation(network, plan, found, 0.0) == ""


def test_saturating_sums_are_added_in_the_programs_order() -> None:
    """With accumulators too narrow for the sums, order counts, and is the interpreter's."""
    narrow = replace(load_format("int8"), accumulator_bits=11)
    network = make_network(KINDS["stack"], narrow)
    cluster = Cluster(small_profile(), 3, "ring")
    plan = load_partitioner("column-wise").plan(network.workload, cluster)
    numbers = Numbers(narrow, network.workload, network.parameters, network.ranges)
    program = lower(plan, network.workload, cluster)
    expected = interpret(program, plan, network.workload, numbers, network.inputs)
    wide = make_network(KINDS["stack"], load_format("int8")).expected
    assert any((expected[name] != wide[name]).any() for name in wide)  # it does saturate
    found = carry_out(images_of(plan, cluster, network), network.workload)
    assert all((found[name] == expected[name]).all() for name in expected)


def test_devices_hold_their_own_blocks_alone() -> None:
    """The weights of all images are the plan's blocks, and a device without work has no instructions."""
    network = make_network(KINDS["stack"], load_format("int8"))
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 4, "ring")
    plan = load_partitioner("layer-wise").plan(network.workload, cluster)
    images = images_of(plan, cluster, network)
    for image in images:
        own = [block for block in plan.blocks if block.device == image.device]
        size = sum((b.rows[1] - b.rows[0]) * (b.cols[1] - b.cols[0]) for b in own)
        assert image.weights.size == size
        multiplies = any((phase.words[:, OP] == Op.MULTIPLY).any() for phase in image.phases)
        assert multiplies == bool(own)


@pytest.mark.parametrize("name", ["float16", "bfp5"])
def test_formats_that_are_not_of_integers_are_unsupported(name: str) -> None:
    """The message names the format."""
    network = make_network(KINDS["stack"], load_format(name))
    cluster = Cluster(small_profile(), 1, "ring")
    plan = load_partitioner("single").plan(network.workload, cluster)
    with pytest.raises(Unsupported, match=name):
        images_of(plan, cluster, network)
