"""Lower bounds: no plan beats them, and they are what the proofs in docs/bounds.md say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.bounds import fewest_devices_for_memory, least_crossing, lower_bound
from bench.errors import DoesNotFit, Unsupported
from bench.evaluate import emulated_cycles
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Cluster, Profile
from bench.partitioners import load_partitioner, partitioner_names
from bench.partitioners.build import share_batch
from bench.plans.cells import cell_program, matrix_shape, stage_size
from bench.plans.plan import Block, Plan, Streaming, VectorRange
from bench.plans.validate import validate
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Input, Layer, Workload
from tests.strategies import SMALL_OVERLAY, clusters, plans, small_profile, workloads

PAPER = load_profile("s10-gx2800-dac20")
PROFILES = ["s10-gx2800-6t400d", "s10-gx2800-fccm19", "s10-nx2100", "s10-nx2100-npusim", "brainwave-s10"]
CATALOGUE = [
    "dac20/gru-2048",
    "dac20/encoder-8",
    "dac20/decoder-8",
    "dac20/blstm-pyramid-4",
    "large/big-lstm",
    "large/mlstm",
    "deepbench/inference_server/gru-512-b4-t1",
    "deepbench-skip-input/inference_server/lstm-256-b1-t150",
    "gemv-512-b6-t1",
]


@st.composite
def varied(draw: st.DrawFn, workload: Workload, cluster: Cluster) -> Plan:
    """A random ownership map with exchanges that overlap with products or not, in any order of layers."""
    plan = draw(plans(workload, cluster))
    parts, ahead = draw(st.integers(0, 3)), draw(st.integers(0, 2))
    if not parts:
        return plan
    streamed = tuple(Streaming(layer.name, parts, ahead) for layer in workload.layers)
    return replace(plan, streamed=streamed, wavefront=draw(st.booleans()))


@settings(max_examples=400)
@given(st.data())
def test_no_random_plan_beats_the_bound(data: st.DataObject) -> None:
    """Any ownership map of any workload on any cluster takes at least the bound."""
    workload, cluster = data.draw(workloads()), data.draw(clusters())
    plan = data.draw(varied(workload, cluster))
    assert emulated_cycles(workload, cluster, plan) >= lower_bound(workload, cluster).cycles


@pytest.mark.parametrize("name", PROFILES)
@settings(max_examples=40)
@given(data=st.data())
def test_no_random_plan_beats_the_bound_on_other_overlays(name: str, data: st.DataObject) -> None:
    """The same with the rules of every other shipped overlay: batch cores, steps that overlap, intervals."""
    workload = data.draw(workloads())
    cluster = Cluster(load_profile(name), data.draw(st.integers(1, 4)), "fully-connected")
    plan = data.draw(varied(workload, cluster))
    assert emulated_cycles(workload, cluster, plan) >= lower_bound(workload, cluster).cycles


@pytest.mark.parametrize("copies", [1, 2, 4, 8])
def test_copies_do_not_beat_the_bound(copies: int) -> None:
    """A batch shared among copies of the network is no faster than the bound, which knows of copies."""
    workload = load_workload("lstm-256-b8-t16")
    cluster = Cluster(load_profile("s10-gx2800-dac20"), 8)
    part = Cluster(load_profile("s10-gx2800-dac20"), 8 // copies)
    alone = load_partitioner("row-wise").plan(workload, part)
    plan = share_batch(alone, 8, 8 // copies, copies)
    validate(plan, workload, cluster)
    bound = lower_bound(workload, cluster).cycles
    assert emulated_cycles(workload, cluster, plan) >= bound


@pytest.mark.parametrize("topology", ["ring-bidirectional", "host-star"])
@pytest.mark.parametrize("fpgas", [1, 2, 3, 8])
@pytest.mark.parametrize("name", CATALOGUE)
def test_no_partitioner_beats_the_bound(name: str, fpgas: int, topology: str) -> None:
    """Every built-in partitioner but the search, on catalogue workloads of every kind."""
    workload = load_workload(name)
    cluster = make_cluster(PAPER, fpgas, topology)
    bound = lower_bound(workload, cluster).cycles
    for partitioner in partitioner_names():
        if partitioner.startswith("full"):
            continue
        try:
            plan = load_partitioner(partitioner).plan(workload, cluster)
        except Unsupported:
            continue
        assert emulated_cycles(workload, cluster, plan) >= bound, partitioner


@pytest.mark.parametrize("fpgas", [2, 4])
@pytest.mark.parametrize("name", ["dac20/gru-1024", "dac20/gnmt-4", "dac20/lstm-1024"])
def test_no_search_beats_the_bound(name: str, fpgas: int) -> None:
    """The plans that the searches find stay above it too."""
    workload, cluster = load_workload(name), make_cluster(PAPER, fpgas, "ring-bidirectional")
    bound = lower_bound(workload, cluster).cycles
    for partitioner in ("full", "full-dac20"):
        plan = load_partitioner(partitioner).plan(workload, cluster)
        assert emulated_cycles(workload, cluster, plan) >= bound


# -- every plan of a small case -------------------------------------------------------------


def layer_of(cell: str, hidden: int, steps: int) -> Layer:
    """A layer of a cell, as wide as its input; ``lstmp``: with a projection."""
    if cell == "lstmp":
        return Layer("l", "lstm", hidden, hidden, steps, projection_size=hidden)
    return Layer("l", cell, hidden, hidden, steps)  # type: ignore[arg-type]


def tilings(layer: Layer) -> Iterator[tuple[tuple[str, int, int], ...]]:
    """The halves of a layer's recurrent matrices and of its vectors that are owned apart.

    By rows, by columns, and by gates: each unit (kind, which, of how many).
    """
    yield (("rows", 0, 2), ("rows", 1, 2))
    yield (("cols", 0, 2), ("cols", 1, 2))
    gates = sorted({p.gate for p in cell_program(layer).products})
    yield tuple((gate, 0, 1) for gate in gates)


def part(size: int, unit: tuple[str, int, int]) -> tuple[int, int]:
    """Half ``unit`` of ``size`` elements."""
    return size * unit[1] // unit[2], size * (unit[1] + 1) // unit[2]


def every_plan(layer: Layer, fpgas: int) -> Iterator[Plan]:
    """All owners of the units of each tiling, recurrent and input products apart, and of two vector halves.

    The input products are cut like the recurrent ones, and may be on other devices.
    """
    devices = range(fpgas)
    program = cell_program(layer)
    for units in tilings(layer):
        for owners in product(devices, repeat=len(units)):
            for helper in devices:
                for halves in product(devices, repeat=2):
                    blocks = []
                    for made in program.products:
                        rows, cols = matrix_shape(layer, made)
                        for unit, owner in zip(units, owners, strict=True):
                            kind = unit[0]
                            if kind not in ("rows", "cols", made.gate):
                                continue
                            on = helper if made.operand == "x" else owner
                            height = part(rows, unit) if kind == "rows" else (0, rows)
                            width = part(cols, unit) if kind == "cols" else (0, cols)
                            blocks.append(Block(layer.name, made.matrix, height, width, on))
                    vectors = [
                        VectorRange(
                            layer.name, stage.name, part(stage_size(layer, stage.name), ("", n, 2)), on
                        )
                        for stage in program.stages
                        for n, on in enumerate(halves)
                    ]
                    yield Plan("all", tuple(blocks), tuple(vectors), (tuple(devices),))


def variants(plan: Plan, layer: Layer, fpgas: int) -> Iterator[Plan]:
    """The plan with and without software pipelining, streamed in one to ``fpgas`` parts, as a wavefront."""
    for pipelined in (frozenset[str](), frozenset({layer.name})):
        base = replace(plan, software_pipelined=pipelined)
        yield base
        for parts in range(1, fpgas + 1):
            streamed = replace(base, streamed=(Streaming(layer.name, parts, parts - 1),))
            yield streamed
            yield replace(streamed, wavefront=True)


@pytest.mark.parametrize("latency", [0.0, 400.0])
@pytest.mark.parametrize(
    ("cell", "fpgas"), [("lstm", 2), ("gru", 2), ("rnn_tanh", 2), ("rnn_tanh", 3), ("lstmp", 2)]
)
def test_no_plan_of_a_small_case_beats_the_bound(cell: str, fpgas: int, latency: float) -> None:
    """Exhaustive: one layer, its halves by rows, columns or gates on any devices, in every variant."""
    layer = layer_of(cell, 8, 4)
    workload = Workload("small", (layer,))
    cluster = Cluster(small_profile(latency), fpgas, "fully-connected")
    bound = lower_bound(workload, cluster).cycles
    least = None
    for plan in every_plan(layer, fpgas):
        validate(plan, workload, cluster)
        for variant in variants(plan, layer, fpgas):
            cycles = emulated_cycles(workload, cluster, variant)
            least = min(cycles, least or cycles)
    assert least is not None
    assert bound <= least <= 2 * bound


# -- plans that come near ------------------------------------------------------------------


def test_work_is_reached() -> None:
    """A matrix-vector product in each step keeps one device busy to the last cycle."""
    workload = Workload("w", (Layer("l", "linear", 20, 24, 30),))
    cluster = Cluster(small_profile(), 1, "chain")
    plan = replace(load_partitioner("single").plan(workload, cluster), software_pipelined=frozenset({"l"}))
    bound = lower_bound(workload, cluster)
    assert (emulated_cycles(workload, cluster, plan), bound.binds) == (bound.cycles, "work")


def test_recurrence_is_reached() -> None:
    """An RNN of one word: its h-product waits for the step before, its x-product runs in the meantime."""
    workload = Workload("w", (Layer("l", "rnn_tanh", 4, 4, 30),))
    cluster = Cluster(small_profile(), 1, "chain")
    plan = load_partitioner("single").plan(workload, cluster, software_pipelining=True)
    bound = lower_bound(workload, cluster)
    behind_x = 5  # in the first step x is not there early: the two products are chained
    assert emulated_cycles(workload, cluster, plan) == bound.cycles + behind_x
    assert bound.binds == "recurrence"


def test_replicas_spare_a_crossing() -> None:
    """An mLSTM with m on every device crosses once a step, not once for each of its products in series."""
    layer = Layer("l", "mlstm", 48, 48, 30, skip_input=True)
    workload = Workload("w", (layer,))
    cluster = Cluster(small_profile(3900.0), 4, "fully-connected")
    blocks, vectors = [], []
    for device in range(4):
        quarter = part(48, ("rows", device, 4))
        for made in cell_program(layer).products:
            rows = (0, 48) if made.stage == "m" else quarter
            blocks.append(Block("l", made.matrix, rows, (0, 48), device))
        vectors += [VectorRange("l", "m", (0, 48), device), VectorRange("l", "h", quarter, device)]
    plan = Plan("replicas", tuple(blocks), tuple(vectors), ((0, 1, 2, 3),))
    validate(plan, workload, cluster)
    cycles = emulated_cycles(workload, cluster, plan)
    alone = 5 * 12 * 13  # on one device: five matrices of 12 blocks, 13 cycles each
    assert cycles < layer.steps * min(alone, 2 * least_crossing(workload, cluster))
    assert lower_bound(workload, cluster).cycles <= cycles


# -- what a bound is made of ------------------------------------------------------------------


def test_example_of_the_page() -> None:
    """The figures that docs/bounds.md works out by hand."""
    workload = load_workload("dac20/lstm-2048")
    bound = lower_bound(workload, make_cluster(PAPER, 4, "ring-bidirectional"))
    after = 28 + 27 + 2 * 27
    assert bound.work_cycles == bound.cycles == 57 + 32 * 2 * 69 * 16 // 4 + after
    assert bound.recurrence_cycles == 57 + 32 * (4 + after) + 15 * 276
    assert bound.binds == "work"
    assert bound.latency_s == pytest.approx(64.84e-6, rel=1e-4)


def test_example_without_crossings() -> None:
    """On links that take no time the columns of the last element remain, on as many devices as there are."""
    fast = replace(PAPER, links=(replace(PAPER.links[0], latency_ns=0.0, ns_per_byte=0.0),))
    bound = lower_bound(load_workload("dac20/lstm-2048"), make_cluster(fast, 4, "ring-bidirectional"))
    assert bound.recurrence_cycles == 57 + 32 * (18 * 4 + 109)


def test_example_on_slow_links() -> None:
    """On links of 100 us one device alone is faster than any split: its own work binds."""
    slow = replace(PAPER, links=(replace(PAPER.links[0], latency_ns=1e5),))
    bound = lower_bound(load_workload("dac20/lstm-2048"), make_cluster(slow, 4, "ring-bidirectional"))
    assert bound.recurrence_cycles == 57 + 32 * 69 * 16
    assert bound.binds == "recurrence"


def test_a_decoder_goes_through_all_layers_in_each_step() -> None:
    """A loop of two layers takes two passages a step, and what the upper one takes first."""
    layers = (
        Layer("low", "rnn_tanh", 8, 8, 10, (Input("top", 8, delay=1),)),
        Layer("top", "rnn_tanh", 8, 8, 10, (Input("low", 8),)),
    )
    cluster = Cluster(small_profile(0.0, 0.0), 1, "chain")
    passage = (
        2 * 2 + 5 + 5
    )  # two row blocks of one word and one cycle, the matrix pipeline, the vector pipeline
    bound = lower_bound(Workload("loop", layers), cluster)
    assert bound.recurrence_cycles == SMALL_OVERLAY.input_load_cycles + 10 * 2 * passage


def test_a_stack_fills_layer_by_layer() -> None:
    """The last layer of a stack begins when the first step has passed all others."""
    one = [Layer("l0", "linear", 8, 8, 5)]
    three = [*one, *(Layer(f"l{n}", "linear", 8, 8, 5, (Input(f"l{n - 1}", 8),)) for n in (1, 2))]
    cluster = Cluster(small_profile(), 2, "chain")
    found = [
        lower_bound(Workload("stack", tuple(layers)), cluster).recurrence_cycles for layers in (one, three)
    ]
    assert found == [7 + 1 * (2 + 10), 7 + 3 * (2 + 10)]


def test_phases_add_up() -> None:
    """The directions of a layer share a phase; the next layer waits for both."""
    cluster = make_cluster(PAPER, 2, "ring")
    one, four = (
        replace(load_workload("dac20/blstm-4"), layers=load_workload("dac20/blstm-4").layers[:n])
        for n in (2, 8)
    )
    load = PAPER.overlay.input_load_cycles
    assert lower_bound(four, cluster).cycles - load == 4 * (lower_bound(one, cluster).cycles - load)


@given(workloads(), st.sampled_from([0.0, 40.0, 1000.0]))
def test_more_devices_never_raise_a_bound(workload: Workload, latency: float) -> None:
    """Every part of the bound falls or stays as devices are added; work never rises with faster links."""
    bounds = [lower_bound(workload, Cluster(small_profile(latency), n, "chain")) for n in range(1, 9)]
    for fewer, more in pairwise(bounds):
        assert more.work_cycles <= fewer.work_cycles
        assert more.recurrence_cycles <= fewer.recurrence_cycles
        assert more.cycles <= fewer.cycles


@given(workloads())
def test_slower_links_never_lower_a_bound(workload: Workload) -> None:
    """Latency and bandwidth only ever add to it, and never to the work."""
    pairs = [(0.0, 0.0), (0.0, 1.5), (40.0, 1.5), (1000.0, 1.5), (100000.0, 1.5)]
    bounds = [lower_bound(workload, Cluster(small_profile(*pair), 3, "chain")) for pair in pairs]
    for fast, slow in pairwise(bounds):
        assert fast.work_cycles == slow.work_cycles
        assert fast.recurrence_cycles <= slow.recurrence_cycles


def test_least_crossing_is_an_element_of_each_sequence() -> None:
    """Latency and the wire time of one padded element for the whole batch, each in whole cycles."""
    profile = small_profile(45.0, 1.5)  # 10 ns a cycle
    workload = Workload("w", (Layer("l", "linear", 4, 4, 1),), batch=9)
    assert least_crossing(workload, Cluster(profile, 2)) == 5 + 2
    padded: Profile = replace(profile, links=(replace(profile.links[0], beat_bytes=64),))
    assert least_crossing(workload, Cluster(padded, 2)) == 5 + 10


def test_memory_bound_is_reached() -> None:
    """So many devices hold the weights, and no plan with one fewer does."""
    workload = Workload("w", (Layer("l", "rnn_tanh", 8, 8, 2),))
    profile = replace(small_profile(), weight_memory_bytes=32)
    assert fewest_devices_for_memory(workload, Cluster(profile, 1)) == 4
    row_wise = load_partitioner("row-wise")
    enough, short = (Cluster(profile, n, "chain") for n in (4, 3))
    assert emulated_cycles(workload, enough, row_wise.plan(workload, enough)) > 0
    with pytest.raises(DoesNotFit):
        emulated_cycles(workload, short, row_wise.plan(workload, short))


@given(st.integers(1, 400), st.sampled_from([0.5, 1.0, 1.125, 2.0]))
def test_memory_bound_counts_rounded_bytes(room: int, each: float) -> None:
    """A device's bytes are rounded down as `weight_bytes` does: one element more than counted never fits."""
    workload = Workload("w", (Layer("l", "rnn_tanh", 8, 8, 2),))
    profile = replace(small_profile(), weight_memory_bytes=room, weight_bytes_per_element=each)
    held = max(n for n in range(1000) if int(n * each) <= room)
    assert fewest_devices_for_memory(workload, Cluster(profile, 1)) == -(-128 // max(held, 1))


def test_capacity_that_does_not_count_needs_one_device() -> None:
    """A profile that ignores the capacity needs one device; external memory makes room."""
    workload = load_workload("dac20/encoder-8")
    assert lower_bound(workload, make_cluster(PAPER, 2, "ring")).fewest_devices_for_memory == 1
    strict = replace(PAPER, ignore_weight_capacity=False)
    assert fewest_devices_for_memory(workload, make_cluster(strict, 2, "ring")) == 12
