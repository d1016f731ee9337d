"""The bound for plans split by rows: none beats it, and it is what the proofs in docs/bounds.md say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, pairwise, product
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.bounds import lower_bound, split_by_rows
from bench.bounds.split import NEIGHBOURS
from bench.errors import InvalidPlan
from bench.evaluate import emulated_cycles
from bench.hardware.cables import Groups
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import TOPOLOGIES, Cluster
from bench.hardware.topology import Topology, routes
from bench.partitioners import load_partitioner
from bench.partitioners.build import assemble, own_rows, pipelinable, share_batch
from bench.plans.cells import cell_program, matrix_shape
from bench.plans.plan import Block, Plan, Streaming, VectorRange
from bench.plans.validate import validate
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Input, Layer, Workload
from tests.strategies import clusters, row_splits, small_profile, workloads

PAPER = load_profile("s10-gx2800-dac20")


@settings(max_examples=400)
@given(st.data())
def test_no_random_split_beats_its_bound(data: st.DataObject) -> None:
    """Any shares, any groups and any schedule of any workload take at least the bound for splits by rows."""
    workload, cluster = data.draw(workloads()), data.draw(clusters())
    plan = data.draw(row_splits(workload, cluster))
    validate(plan, workload, cluster)
    assert split_by_rows(plan, workload)
    bound = lower_bound(workload, cluster)
    assert emulated_cycles(workload, cluster, plan) >= bound.split_cycles >= bound.cycles


# -- every split of a small case -------------------------------------------------------------


def compositions(total: int) -> Iterator[tuple[int, ...]]:
    """All ways to write a number as a sum of positive ones, in order."""
    for first in range(1, total + 1):
        for rest in compositions(total - first) if first < total else [()]:
            yield (first, *rest)


def consecutive(sizes: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    """0, 1, ... in groups of these sizes."""
    edges = [sum(sizes[:n]) for n in range(len(sizes) + 1)]
    return tuple(tuple(range(*pair)) for pair in pairwise(edges))


def small(kind: str) -> Workload:
    """One recurrent layer of 24 elements, or a loop of two."""
    if kind == "loop":
        layers = (
            Layer("low", "lstm", 24, 24, 6, (Input("top", 24, delay=1),)),
            Layer("top", "lstm", 24, 24, 6, (Input("low", 24),)),
        )
        return Workload("loop", layers)
    return Workload(kind, (Layer("l", kind, 24, 24, 8),))  # type: ignore[arg-type]


def split_of(
    workload: Workload, shares: tuple[int, ...], helper: int | None, groups: Groups, *, replicas: bool = False
) -> Plan:
    """Device n owns ``shares[n]`` sixths of the elements; input products are there, or on a helper.

    ``replicas``: each owner makes all of the stage before h.
    """
    blocks, vectors = [], []
    for layer in workload.layers:
        each = layer.output_size // 6
        ranges = [
            ((part[0] * each, (part[-1] + 1) * each), owner) for owner, part in enumerate(consecutive(shares))
        ]
        everywhere = [((0, layer.output_size), owner) for _, owner in ranges]
        for made in cell_program(layer).products:
            rows, cols = matrix_shape(layer, made)
            if helper is not None and made.operand == "x":
                blocks.append(Block(layer.name, made.matrix, (0, rows), (0, cols), helper))
                continue
            own = everywhere if replicas and made.stage != "h" else ranges
            blocks += [Block(layer.name, made.matrix, part, (0, cols), on) for part, on in own]
        for stage in cell_program(layer).stages:
            own = everywhere if replicas and stage.name != "h" else ranges
            vectors += [VectorRange(layer.name, stage.name, part, on) for part, on in own]
    return Plan("split", tuple(blocks), tuple(vectors), groups)


def schedules(plan: Plan, workload: Workload) -> Iterator[Plan]:
    """The plan as it is, and software pipelined with products whole or in up to three parts."""
    yield plan
    for parts in (1, 3):
        yield replace(
            plan,
            software_pipelined=pipelinable(workload),
            streamed=tuple(Streaming(layer.name, parts) for layer in workload.layers),
            wavefront=True,
        )


@pytest.mark.parametrize(
    ("kind", "latency", "nearly"),
    [
        ("lstm", 0.0, 1.01),
        ("lstm", 150.0, 1.05),
        ("gru", 150.0, 1.2),
        ("mlstm", 150.0, 1.3),
        ("loop", 1000.0, 1.2),
    ],
)
def test_no_split_of_a_small_case_beats_its_bound(kind: str, latency: float, nearly: float) -> None:
    """Exhaustive: all shares in sixths, in all groups of a ring, with a helper or without; one comes near."""
    workload = small(kind)
    kinds = len(cell_program(workload.layers[0]).stages)  # with two stages, the first may be everywhere
    near = []
    for fpgas in (1, 2, 3, 4):
        cluster = Cluster(small_profile(latency), fpgas, "ring-bidirectional")
        bound = lower_bound(workload, cluster).split_cycles
        best = None
        for shares, sizes in product(compositions(6), compositions(fpgas)):
            helper = fpgas - 1 if len(shares) == fpgas - 1 and kind != "loop" else None
            if len(shares) != fpgas and helper is None:
                continue
            groups = consecutive(sizes)
            plans = [split_of(workload, shares, helper, groups, replicas=r) for r in (False, True)[:kinds]]
            assert all(split_by_rows(plan, workload) for plan in plans)
            for variant in (variant for plan in plans for variant in schedules(plan, workload)):
                cycles = emulated_cycles(workload, cluster, variant)
                assert cycles >= bound, (shares, sizes, variant.streamed)
                best = min(cycles, best or cycles)
        assert best is not None
        near.append(best / bound)
    assert min(near[1:]) <= nearly


# -- distances -------------------------------------------------------------------------------


def round_trip(topology: Topology, a: int, b: int) -> int:
    """Hops from one device to another and back."""
    return len(topology.route(a, b)) + len(topology.route(b, a))


@pytest.mark.parametrize("name", sorted(NEIGHBOURS))
def test_no_more_devices_are_neighbours_than_said(name: str) -> None:
    """Exhaustive, up to eight devices in all groups: of more, two have as long a round trip as said."""
    near, farther = NEIGHBOURS[name]
    for fpgas in range(near + 1, 9):
        cluster = Cluster(small_profile(), fpgas, name)
        every = compositions(fpgas) if name.startswith("ring") else [(fpgas,)]
        for sizes in every:
            try:
                topology = routes(cluster, consecutive(sizes))
            except InvalidPlan:  # one-way rings refuse what cards have no ports for
                continue
            for devices in combinations(range(fpgas), near + 1):
                assert max(round_trip(topology, a, b) for a, b in combinations(devices, 2)) >= farther


def test_five_cards_of_a_ring_can_be_neighbours() -> None:
    """A group of three with two cards beside it: each has a cable to each."""
    topology = routes(Cluster(small_profile(), 5, "ring-bidirectional"), ((0, 1, 2), (3,), (4,)))
    assert {round_trip(topology, a, b) for a, b in combinations(range(5), 2)} == {2}


def test_every_topology_has_its_distances() -> None:
    """Where the limits say nothing, any two devices are equally far from each other."""
    for topology in set(TOPOLOGIES) - set(NEIGHBOURS):
        cluster = Cluster(small_profile(), 5, topology)
        hops = {len(routes(cluster, ()).route(a, b)) for a in range(5) for b in range(5) if a != b}
        assert len(hops) == 1


# -- what the bound is made of ------------------------------------------------------------------


def test_example_of_the_page() -> None:
    """The figures that docs/bounds.md works out by hand: one owner, and four alike."""
    alone = lower_bound(load_workload("dac20/lstm-1024"), make_cluster(PAPER, 2, "ring-bidirectional"))
    assert alone.split_cycles == 57 + 32 * (35 * 10 + 109)
    assert alone.split_binds == "recurrence"
    four = lower_bound(load_workload("dac20/lstm-2048"), make_cluster(PAPER, 4, "ring-bidirectional"))
    quarters = 276 + 109 + 18 * 13  # owners of a quarter each, all neighbours
    assert four.cycles < four.split_cycles <= 57 + 32 * quarters


PUBLISHED = [
    *product(["encoder-8", "decoder-8", "blstm-4", "blstm-pyramid-4"], [2, 4, 8]),
    *product(["lstm-2048", "lstm-4096", "gru-2048", "gru-4096"], [2, 4]),
    ("lstm-1024", 2),
    ("gru-1024", 2),
]
"""The cells of the paper's Figs. 8, 10 and 12: workload, devices."""


@pytest.mark.parametrize(("name", "fpgas"), PUBLISHED)
def test_no_search_beats_the_bound_of_its_split(name: str, fpgas: int) -> None:
    """The best plan that is found is split by rows, and takes at least that bound."""
    workload, cluster = load_workload(f"dac20/{name}"), make_cluster(PAPER, fpgas, "ring-bidirectional")
    plan = load_partitioner("full").plan(workload, cluster)
    assert split_by_rows(plan, workload)
    assert emulated_cycles(workload, cluster, plan) >= lower_bound(workload, cluster).split_cycles


@pytest.mark.parametrize(
    ("name", "fpgas", "groups", "parts"),
    [
        ("decoder-8", 4, ((0, 1, 2), (3,)), 2),
        ("decoder-8", 8, ((0, 1, 2), (3,), (4,)), 2),
        ("lstm-2048", 4, ((0, 1, 2), (3,)), 2),
    ],
)
def test_neighbours_come_near(name: str, fpgas: int, groups: Groups, parts: int) -> None:
    """Rows on devices that are all neighbours take at most a tenth more than the bound."""
    workload, cluster = load_workload(f"dac20/{name}"), make_cluster(PAPER, fpgas, "ring-bidirectional")
    devices = [device for group in groups for device in group]
    plan = assemble(
        "neighbours",
        workload,
        [own_rows(layer, devices) for layer in workload.layers],
        groups,
        software_pipelining=True,
    )
    streamed = tuple(Streaming(layer.name, parts) for layer in workload.layers)
    plan = replace(plan, streamed=streamed, wavefront=True)
    bound = lower_bound(workload, cluster).split_cycles
    assert bound <= emulated_cycles(workload, cluster, plan) <= 1.1 * bound


def test_a_gate_on_every_owner_is_a_split_by_rows() -> None:
    """The reset gate on each of two devices is inside the class, but not if a third one has it too."""
    workload = small("gru")
    plan = split_of(workload, (3, 3), None, ((0, 1, 2),), replicas=True)
    assert split_by_rows(plan, workload)
    more = replace(plan, vectors=(*plan.vectors, VectorRange("l", "rh", (0, 24), 2)))
    assert not split_by_rows(more, workload)


@pytest.mark.parametrize("other", ["column-wise", "gate-wise"])
def test_other_splits_are_not_by_rows(other: str) -> None:
    """Columns, and gates with their vectors on each device, are outside the class; rows are inside."""
    workload, cluster = load_workload("dac20/lstm-1024"), make_cluster(PAPER, 4, "ring")
    assert not split_by_rows(load_partitioner(other).plan(workload, cluster), workload)
    assert split_by_rows(load_partitioner("row-wise").plan(workload, cluster), workload)


def test_the_proofs_are_of_routes_and_of_the_whole_batch() -> None:
    """Rows gathered by a collective, and rows in copies with a share of the batch, are outside the class."""
    workload, cluster = load_workload("dac20/lstm-1024"), make_cluster(PAPER, 4, "ring")
    plan = load_partitioner("row-wise").plan(workload, cluster)
    assert not split_by_rows(replace(plan, collective="tree"), workload)
    assert not split_by_rows(share_batch(plan, 2, 4, 2), workload)


def test_a_loop_needs_the_same_owners_in_all_layers() -> None:
    """A decoder whose layers are on devices of their own is outside the class."""
    workload, cluster = load_workload("dac20/decoder-8"), make_cluster(PAPER, 8, "ring")
    assert not split_by_rows(load_partitioner("layer-wise").plan(workload, cluster), workload)
    assert split_by_rows(load_partitioner("row-wise").plan(workload, cluster), workload)


@given(workloads(), st.sampled_from(["ring-bidirectional", "chain", "switch"]))
def test_more_devices_and_faster_links_never_raise_the_bound(workload: Workload, topology: str) -> None:
    """As devices are added, or latency falls, it falls or stays; it is never below the bound of all plans."""
    for latency in (0.0, 150.0, 1000.0):
        bounds = [lower_bound(workload, Cluster(small_profile(latency), n, topology)) for n in range(1, 9)]
        slower = lower_bound(workload, Cluster(small_profile(latency + 50.0), 4, topology))
        assert slower.split_cycles >= bounds[3].split_cycles
        for fewer, more in pairwise(bounds):
            assert fewer.split_cycles >= more.split_cycles >= more.cycles


@pytest.mark.parametrize("fpgas", [8, 1024])
def test_a_bound_is_quick(fpgas: int) -> None:
    """A bound of the largest network takes little more than a second, on any number of devices."""
    started = perf_counter()
    lower_bound(load_workload("dac20/encoder-8-4096"), make_cluster(PAPER, fpgas, "ring-bidirectional"))
    assert perf_counter() - started < 1.0
