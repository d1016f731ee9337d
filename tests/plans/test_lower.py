"""Lowering: what is sent, and what software pipelining moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.hardware.files import load_profile, make_cluster
from bench.partitioners import load_partitioner
from bench.plans.lower import lower
from bench.plans.program import Instruction, Program, Unit
from bench.workloads.catalogue import load_workload
from tests.strategies import clusters, plans, workloads

PROFILE = load_profile("s10-gx2800-dac20")


def program(workload: str, partitioner: str, fpgas: int, **parameters: object) -> Program:
    """The program of a shipped partitioner on a ring of the paper's devices."""
    graph = load_workload(workload)
    cluster = make_cluster(PROFILE, fpgas, "ring")
    return lower(load_partitioner(partitioner).plan(graph, cluster, **parameters), graph, cluster)


def links(of: Program) -> list[Instruction]:
    """The hops of one iteration of each phase."""
    return [i for phase in of.phases for i in phase.instructions if i.unit is Unit.LINK]


def test_input_wise_sends_sums_and_gets_h_back() -> None:
    """Four gate sums go to the recurrent side one by one, and h comes back."""
    sent = [
        (i.device, i.to_device, i.what, i.size_bytes)
        for i in links(program("dac20/lstm-2048", "input-wise", 2))
    ]
    assert sorted(sent) == [(0, 1, "send h partial sums", 2048)] * 4 + [(1, 0, "send h", 2048)]


def test_gate_wise_broadcasts_whole_gates() -> None:
    """Each of four devices sends its gate once around the ring (DAC 2020, Eq. 3); h is not sent."""
    sent = links(program("dac20/lstm-2048", "gate-wise", 4))
    assert len(sent) == 4 * 3
    assert {(i.what, i.size_bytes) for i in sent} == {("send h gates", 2048)}


def test_column_wise_adds_sums_on_their_way() -> None:
    """A reduce-scatter on a ring: N (N - 1) messages of 4 h / N sums, and h is not sent."""
    sent = links(program("dac20/lstm-2048", "column-wise", 4))
    assert len(sent) == 4 * 3
    assert {i.size_bytes for i in sent} == {4 * 512}


def test_software_pipelining_moves_input_products_one_iteration_ahead() -> None:
    """Input products start in iteration 0 and recurrent ones in iteration 1."""
    body = program("dac20/lstm-2048", "single", 1, software_pipelining=True).phases[0].instructions
    first = {i.what.split(".")[1]: i.first for i in body if i.unit is Unit.MATRIX}
    assert first == {"x": 0, "h": 1}


def test_software_pipelining_of_a_loop_moves_recurrent_products() -> None:
    """In a decoder x comes last, so h-products go ahead: of all layers but the one that is fed next."""
    body = program("dac20/decoder-8", "row-wise", 2, software_pipelining=True).phases[0].instructions
    ahead = {i.layer for i in body if i.unit is Unit.MATRIX and i.what == "i.h" and i.first == 0}
    assert len(ahead) == 7
    assert {i.first for i in body if i.what == "i.x"} == {1}


@pytest.mark.parametrize("name", ["row-wise", "gate-wise", "input-wise", "column-wise"])
def test_pipelining_never_costs_more_than_an_iteration(name: str) -> None:
    """Pipelined and plain programs do the same work."""
    plain, pipelined = (
        program("dac20/decoder-8", name, 2, software_pipelining=on).phases[0] for on in (False, True)
    )
    done = [sum(i.macs * i.count for i in phase.instructions) for phase in (plain, pipelined)]
    assert done[0] == done[1]
    assert pipelined.iterations - plain.iterations in (0, 1)


@given(st.data())
def test_any_valid_plan_lowers_in_program_order(data: st.DataObject) -> None:
    """Dependences point backwards, and nothing waits for what nobody makes (an AssertionError)."""
    workload = data.draw(workloads())
    cluster = data.draw(clusters())
    for phase in lower(data.draw(plans(workload, cluster)), workload, cluster).phases:
        for n, instruction in enumerate(phase.instructions):
            assert all(wait.back > 0 or wait.on < n for wait in instruction.waits)
            assert instruction.first + instruction.count <= phase.iterations
