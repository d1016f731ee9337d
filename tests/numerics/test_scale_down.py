"""Plans moved to small networks: they must lower to the same messages, and be as right or wrong."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.hardware.files import load_profile, make_cluster
from bench.numerics.check import make_network, verdict
from bench.numerics.formats import load_format
from bench.numerics.scale_down import KEPT, scale_down
from bench.partitioners import load_partitioner
from bench.plans.lower import lower
from bench.plans.plan import Block, Plan, VectorRange
from bench.plans.program import Program, Unit
from bench.plans.validate import validate
from bench.workloads.catalogue import load_workload
from bench.workloads.check import check_workload
from bench.workloads.model import Input, Layer, Workload
from tests.strategies import clusters, plans, workloads

Shape = list[tuple[Counter[tuple[Unit, int, int, str, str, int, int]], int]]


def shape(program: Program) -> Shape:
    """Per phase: how many instructions of each kind run where, in which iterations, and how many of those."""
    return [
        (
            Counter(
                (i.unit, i.device, i.to_device, i.layer, i.what, i.first, i.count) for i in phase.instructions
            ),
            phase.iterations,
        )
        for phase in program.phases
    ]


@settings(max_examples=150)
@given(st.data())
def test_any_plan_keeps_its_messages(data: st.DataObject) -> None:
    """The small network is well formed, its plan valid, and its program has the same instructions."""
    workload = data.draw(workloads(most_steps=6))
    cluster = data.draw(clusters())
    plan = data.draw(plans(workload, cluster))
    small_plan, small = scale_down(plan, workload)
    check_workload(small)
    validate(small_plan, small, cluster)
    assert small.weights <= workload.weights
    assert shape(lower(small_plan, small, cluster)) == shape(lower(plan, workload, cluster))


@settings(max_examples=100)
@given(st.data())
def test_any_plan_stays_right(data: st.DataObject) -> None:
    """What is exact at full size is exact when scaled down."""
    workload = data.draw(workloads(most_steps=4))
    cluster = data.draw(clusters())
    plan = data.draw(plans(workload, cluster))
    small_plan, small = scale_down(plan, workload)
    for a, b in ((plan, workload), (small_plan, small)):
        assert verdict(a, cluster, make_network(b, load_format("int8"))) == "exact"


@pytest.mark.parametrize(
    ("name", "partitioner"),
    [
        ("dac20/encoder-8", "full-dac20"),
        ("dac20/decoder-8", "row-wise"),
        ("dac20/blstm-pyramid-4", "column-wise"),
        ("large/rnn-t", "row-wise"),
    ],
)
def test_large_networks_keep_their_messages(name: str, partitioner: str) -> None:
    """Published networks on eight devices shrink a thousandfold and keep every message."""
    workload = load_workload(name)
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 8, "ring")
    plan = load_partitioner(partitioner).plan(workload, cluster)
    small_plan, small = scale_down(plan, workload)
    check_workload(small)
    validate(small_plan, small, cluster)
    assert small.weights * 1000 < workload.weights
    assert shape(lower(small_plan, small, cluster)) == shape(lower(plan, workload, cluster))


def test_cuts_meet_where_data_flows() -> None:
    """A cut of one layer's rows is a cut of the columns that take them, and of nothing else."""
    layers = (
        Layer("a", "rnn_tanh", 10, 12, 2),
        Layer("b", "linear", 12, 20, 2, (Input("a", 12),)),
    )
    rows = ((0, 4), (4, 12))
    plan = Plan(
        "by hand",
        (
            *(Block("a", m, r, (0, n), d) for m, n in (("h.x", 10), ("h.h", 12)) for d, r in enumerate(rows)),
            Block("b", "h.x", (0, 20), (0, 12), 1),
        ),
        (*(VectorRange("a", "h", r, d) for d, r in enumerate(rows)), VectorRange("b", "h", (0, 20), 1)),
        ((0, 1),),
    )
    small_plan, small = scale_down(plan, Workload("w", layers))
    a, b = small.layers
    assert (a.input_size, a.hidden_size) == (KEPT, 2 * KEPT)
    assert (b.input_size, b.hidden_size) == (2 * KEPT, KEPT)
    assert {block.rows for block in small_plan.blocks if block.layer == "a"} == {(0, KEPT), (KEPT, 2 * KEPT)}
    assert {block.cols for block in small_plan.blocks if block.layer == "b"} == {(0, 2 * KEPT)}


def test_small_networks_stay_as_they_are() -> None:
    """Stretches that are short already are kept."""
    workload = Workload("w", (Layer("a", "gru", 1, 2, 2),))
    products = (("z", "x", 1), ("r", "x", 1), ("n", "x", 1), ("z", "h", 2), ("r", "h", 2), ("n", "rh", 2))
    plan = Plan(
        "by hand",
        tuple(Block("a", f"{gate}.{operand}", (0, 2), (0, n), 0) for gate, operand, n in products),
        (VectorRange("a", "rh", (0, 2), 0), VectorRange("a", "h", (0, 2), 0)),
        ((0,),),
    )
    assert scale_down(plan, workload) == (plan, workload)
