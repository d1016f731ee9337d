"""The emulator: hand-computed times, the paper's collective, and exact extrapolation."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.emulator.timing import count_cycles
from bench.evaluate import emulated_cycles, evaluate
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Cluster
from bench.partitioners import load_partitioner, partitioner_names
from bench.partitioners.build import assemble, own_rows
from bench.plans.lower import lower, timed
from bench.plans.program import Instruction, Program, Unit
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Input, Layer, Workload
from tests.strategies import SMALL_OVERLAY, clusters, plans, small_profile, workloads


def rnn(hidden: int, steps: int, width: int = 8) -> Workload:
    """A workload of one vanilla layer."""
    return Workload("rnn", (Layer("l", "rnn_tanh", width, hidden, steps, (Input("input", width),)),))


def test_one_step_by_hand() -> None:
    """One step on one device is load, two products, the matrix pipeline, both units, write-back."""
    cluster = Cluster(small_profile(), 1)
    workload = rnn(hidden=8, steps=1)
    plan = load_partitioner("single").plan(workload, cluster)
    # 8 rows: 2 blocks; 8 columns over 2 tiles x 2 lanes: 2 words + 1 = 3 cycles a block
    products = 2 * (2 * 3)
    assert emulated_cycles(workload, cluster, plan) == 7 + products + 5 + 3 + 2


def test_steps_do_not_overlap_without_software_pipelining() -> None:
    """Each further step costs the products and the whole pipeline; pipelining hides the latter."""
    cluster = Cluster(small_profile(), 1)
    single = load_partitioner("single")
    gaps = {}
    for pipelining in (False, True):
        cycles = [
            emulated_cycles(w, cluster, single.plan(w, cluster, software_pipelining=pipelining))
            for w in (rnn(8, 10), rnn(8, 11))
        ]
        gaps[pipelining] = cycles[1] - cycles[0]
    drain = 5 + 3 + 2
    assert gaps[False] == 12 + drain
    # h-products wait for h; the 6 cycles of input products hide in the drain of 10
    assert gaps[True] == 6 + drain


@pytest.mark.parametrize("fpgas", [2, 4, 8])
def test_all_gather_costs_what_the_paper_says(fpgas: int) -> None:
    """A row-wise step's exchange on a ring takes (N - 1)(alpha + h/N beta), DAC 2020, Eq. (2)."""
    hidden = 16 * fpgas
    alpha, wire = 4, 3  # cycles: 40 ns, and 16 bytes at 1.5 ns rounded up to cycles of 10 ns
    link, free = (Cluster(small_profile(*link), fpgas) for link in ((40.0, 1.5), (0.0, 0.0)))
    plan = assemble(
        "rows", rnn(hidden, 1), [own_rows(rnn(hidden, 1).layers[0], range(fpgas))], [range(fpgas)]
    )
    per_step = [
        emulated_cycles(rnn(hidden, 9), c, plan) - emulated_cycles(rnn(hidden, 8), c, plan)
        for c in (link, free)
    ]
    assert per_step[0] - per_step[1] == (fpgas - 1) * (alpha + wire)


@settings(max_examples=150)
@given(st.data())
def test_extrapolation_is_exact_on_random_plans(data: st.DataObject) -> None:
    """The extrapolated run ends in the same cycle as the run of every iteration."""
    workload = data.draw(workloads())
    cluster = data.draw(clusters())
    program = lower(data.draw(plans(workload, cluster)), workload, cluster)
    assert count_cycles(program, SMALL_OVERLAY) == count_cycles(program, SMALL_OVERLAY, extrapolate=False)


@pytest.mark.parametrize("partitioner", partitioner_names())
@pytest.mark.parametrize("workload", ["dac20/encoder-8", "dac20/blstm-pyramid-4", "gru-1024-b1-t1500"])
def test_extrapolation_is_exact_on_real_workloads(partitioner: str, workload: str) -> None:
    """The same, for the shipped partitioners on four FPGAs."""
    graph = load_workload(workload)
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 4, "ring")
    program = lower(load_partitioner(partitioner).plan(graph, cluster), graph, cluster)
    overlay = cluster.profile.overlay
    assert count_cycles(program, overlay) == count_cycles(program, overlay, extrapolate=False)


@given(st.data())
def test_faster_links_never_hurt_a_ring_of_rows(data: st.DataObject) -> None:
    """Communication only adds: the share is between 0 and 1, and falls with the link's latency."""
    fpgas = data.draw(st.integers(2, 6))
    workload = rnn(hidden=data.draw(st.integers(fpgas, 64)), steps=data.draw(st.integers(1, 30)))
    shares = []
    for latency in (1000.0, 100.0, 0.0):
        cluster = Cluster(small_profile(latency, 0.0), fpgas)
        plan = load_partitioner("row-wise").plan(workload, cluster)
        shares.append(evaluate(workload, cluster, plan).communication_share)
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] == 0.0
    assert all(0.0 <= share < 1.0 for share in shares)


def test_batch_runs_as_passes_over_the_weights() -> None:
    """Three vectors take three passes where one fits a pass, and one where three do."""
    profile = small_profile()
    three = replace(profile, overlay=replace(profile.overlay, vectors_per_pass=3))
    workload = replace(rnn(hidden=8, steps=1), batch=3)
    single = load_partitioner("single")
    slow, fast = (
        emulated_cycles(workload, cluster, single.plan(workload, cluster))
        for cluster in (Cluster(profile, 1), Cluster(three, 1))
    )
    assert slow - fast == 2 * 12


@given(st.data())
def test_a_timing_without_units_is_the_same_otherwise(data: st.DataObject) -> None:
    """What points are made of does not depend on whether every instruction was made a value of."""
    workload = data.draw(workloads())
    cluster = data.draw(clusters())
    plan = data.draw(plans(workload, cluster))
    whole = evaluate(workload, cluster, plan)
    assert replace(whole, units=()) == evaluate(workload, cluster, plan, units=False)
    assert whole.units


@given(st.data())
def test_bodies_serve_clusters_with_other_links_and_clocks(data: st.DataObject) -> None:
    """A body that was lowered for one link and clock gives on others the cycles of one made for them."""
    workload = data.draw(workloads())
    cluster = data.draw(clusters())
    plan = data.draw(plans(workload, cluster))
    link = replace(cluster.link, latency_ns=data.draw(st.sampled_from([0.0, 7.0, 1e4])), ns_per_byte=0.3)
    link = replace(link, beat_bytes=data.draw(st.sampled_from([1, 32])))
    profile = replace(cluster.profile, links=(link,), clock_mhz=data.draw(st.sampled_from([100.0, 333.0])))
    other = replace(cluster, profile=profile)
    emulated_cycles(workload, cluster, plan)
    shared = emulated_cycles(workload, other, plan)
    timed.clear()
    assert shared == emulated_cycles(workload, other, plan)
    for message in _messages(lower(plan, workload, other)):
        size = -(-message.size_bytes // link.beat_bytes) * link.beat_bytes
        assert message.interval == math.ceil(size * link.ns_per_byte * profile.clock_mhz / 1000.0)
        assert message.latency in (0, math.ceil(link.latency_ns * profile.clock_mhz / 1000.0))


@given(st.data())
def test_bodies_serve_workloads_with_other_numbers_of_steps(data: st.DataObject) -> None:
    """What was lowered for some steps is not lowered again for others, and gives their cycles and counts."""
    workload = data.draw(workloads())
    cluster = data.draw(clusters())
    plan = data.draw(plans(workload, cluster))
    factor = data.draw(st.integers(2, 5))
    longer = replace(
        workload, layers=tuple(replace(layer, steps=factor * layer.steps) for layer in workload.layers)
    )
    timed.clear()
    emulated_cycles(workload, cluster, plan)
    known = len(timed)
    shared = emulated_cycles(longer, cluster, plan)
    assert len(timed) == known
    timed.clear()
    assert shared == emulated_cycles(longer, cluster, plan)
    steps = {layer.name: layer.steps for layer in longer.layers}
    for phase in lower(plan, longer, cluster).phases:
        for i in phase.instructions:
            assert i.count == steps[i.layer] - (i.what == "load x") or i.what == "load ones"


def _messages(program: Program) -> list[Instruction]:
    return [i for phase in program.phases for i in phase.instructions if i.unit is Unit.LINK]
