"""A core with tensor blocks: hand-computed times, published rows, and exact extrapolation over programs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.emulator.timing import count_cycles
from bench.evaluate import emulated_cycles
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import BatchCore, Cluster, Overlay, Profile
from bench.partitioners import load_partitioner, partitioner_names
from bench.plans.lower import lower
from bench.plans.program import Unit
from bench.workloads.catalogue import load_workload
from tests.strategies import SMALL_OVERLAY, clusters, plans, small_profile, workloads

CORE = BatchCore(
    accumulators=3,
    output_cycles=4,
    instruction_gap_cycles=1,
    first_unit_cycles=1,
    second_unit_cycles=2,
    output_latency_cycles=1,
)
SMALL_CORE = replace(SMALL_OVERLAY, vectors_per_pass=3, row_block_overhead_cycles=0, batch_core=CORE)


def on_core(core: BatchCore) -> Overlay:
    """The small overlay with another batch core."""
    return replace(SMALL_CORE, batch_core=core)


def single_cycles(overlay: Overlay, workload: str) -> int:
    """Cycles of a workload on one device with ``overlay``."""
    cluster = Cluster(replace(small_profile(), overlay=overlay), 1)
    graph = load_workload(workload)
    return emulated_cycles(graph, cluster, load_partitioner("single").plan(graph, cluster))


def cycles_on(profile: Profile, workload: str) -> int:
    """Cycles of a workload on one device of ``profile``."""
    cluster = make_cluster(profile, 1, "ring")
    graph = load_workload(workload)
    return emulated_cycles(graph, cluster, load_partitioner("single").plan(graph, cluster))


def test_one_product_by_hand() -> None:
    """Load, one group of row blocks side by side, a burst through one queue, both units, the output."""
    # 16 rows: 4 blocks in one group (3, and 1 more); 16 columns over 2 tiles x 2 lanes: 4 words
    loaded = 7 + 2 * 4 * 3 - 1 + 2  # start, a cycle a word of 2 tiles and 3 vectors, write-back
    burst = 3 * 4 + 1 + 5  # 3 words of all 4 blocks and the last one of the first; the matrix latency
    last_vector = burst + 4 * 4 - 2  # 4 cycles a block, the last of which fetches the next block
    assert single_cycles(SMALL_CORE, "gemv-16-b3-t1") == loaded + last_vector + 3 + 1


def test_padding_costs_matrix_words_but_no_vectors() -> None:
    """Row blocks that fill up a group are multiplied; nothing of them reaches the vector units."""
    short, full = (
        lower(load_partitioner("single").plan(graph, cluster), graph, cluster).phases[0].instructions[0]
        for graph in (load_workload("gemv-4-b3-t1"), load_workload("gemv-12-b3-t1"))
        for cluster in [Cluster(replace(small_profile(), overlay=SMALL_CORE), 1)]
    )
    assert short.blocks == full.blocks == 3
    assert (short.vectors, full.vectors) == (3, 9)


def test_steps_overlap_without_software_pipelining() -> None:
    """Tags order what must be ordered, so the next input products run while h is on its way."""
    profile = load_profile("s10-nx2100-npusim")
    step = cycles_on(profile, "rnn-1536-b6-t11") - cycles_on(profile, "rnn-1536-b6-t10")
    products = 2 * 39 * 6  # 39 row blocks of 6 words
    assert products < step < products + 42 + 23 + 7


def test_programs_of_a_few_steps_start_anew() -> None:
    """Whole programs take the same time each, and writing instructions comes between them."""
    one, two, three = (
        single_cycles(on_core(replace(CORE, program_steps=4)), f"lstm-16-b3-t{steps}") for steps in (4, 8, 12)
    )
    assert one == single_cycles(SMALL_CORE, "lstm-16-b3-t4")
    # 8 products, 2 vector instructions, and 2 words each to load x and to write h
    assert two - one == three - two == one + 4 * (8 + 2 + 2 + 2)


@pytest.mark.parametrize(
    ("workload", "published"),
    [
        ("gemv-512-b6-t1", 167),
        ("gemv-1792-b6-t1", 577),
        ("rnn-1536-b6-t8", 4071),
        ("gru-1024-b6-t8", 7450),
        ("lstm-512-b6-t8", 3983),
    ],
)
def test_open_simulator(workload: str, published: int) -> None:
    """Runs of the open NPU simulator come out within 0.5 %, with nothing fitted."""
    profile = load_profile("s10-nx2100-npusim")
    assert cycles_on(profile, workload) == pytest.approx(published, rel=0.005)


@settings(max_examples=100)
@given(st.data(), st.sampled_from([None, 1, 2, 3, 8]))
def test_extrapolation_is_exact_on_random_plans(data: st.DataObject, program_steps: int | None) -> None:
    """The extrapolated run ends in the same cycle as the run of every iteration."""
    overlay = on_core(replace(CORE, program_steps=program_steps))
    workload = data.draw(workloads())
    cluster = data.draw(clusters())
    cluster = replace(cluster, profile=replace(cluster.profile, overlay=overlay))
    program = lower(data.draw(plans(workload, cluster)), workload, cluster)
    assert count_cycles(program, overlay) == count_cycles(program, overlay, extrapolate=False)


@pytest.mark.parametrize("partitioner", partitioner_names())
@pytest.mark.parametrize("workload", ["gru-1024-b6-t1500", "dac20/encoder-8"])
def test_extrapolation_is_exact_on_real_workloads(partitioner: str, workload: str) -> None:
    """The same on four boards, with programs of eight steps."""
    graph = load_workload(workload)
    profile = replace(load_profile("s10-nx2100"), ignore_weight_capacity=True)
    cluster = make_cluster(profile, 4, "ring")
    program = lower(load_partitioner(partitioner).plan(graph, cluster), graph, cluster)
    overlay = cluster.profile.overlay
    assert count_cycles(program, overlay) == count_cycles(program, overlay, extrapolate=False)


def test_other_overlays_have_no_loads() -> None:
    """Loads, several words an instruction and bursts belong to batch cores alone."""
    graph = load_workload("gru-1024-b1-t25")
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 1, "ring")
    program = lower(load_partitioner("single").plan(graph, cluster), graph, cluster)
    for i in program.phases[0].instructions:
        assert i.unit is not Unit.LOAD
        assert i.words == 1
        assert i.results is None
