"""Collectives: the algorithms' rounds, and the messages that lowering makes of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from math import ceil, log2
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.emulator.timing import count_cycles
from bench.errors import InvalidPlan, UserError
from bench.experiments import Point
from bench.hardware.profile import Cluster
from bench.numerics.check import make_network, verdict
from bench.numerics.formats import load_format
from bench.partitioners.build import assemble, own_columns, own_rows, split
from bench.plans.cells import cell_program, stage_size
from bench.plans.collectives import COLLECTIVES, GATHERS, Rounds, gather_rounds, pieces, reduction_rounds
from bench.plans.files import read_plan, save_plan
from bench.plans.lower import lower
from bench.plans.operations import AddSums, Multiply
from bench.plans.plan import Plan, Streaming, VectorRange
from bench.plans.program import Instruction, Unit
from bench.plans.validate import validate
from bench.workloads.model import Input, Layer, Workload
from tests.strategies import cells, clusters, plans, small_profile, workloads

STEPS = 4
TOPOLOGIES = ["ring", "ring-bidirectional", "chain", "torus-2d", "fully-connected", "switch", "host-star"]
ALGORITHMS = list(GATHERS)

fpgas = st.integers(2, 8)
algorithms = st.sampled_from(ALGORITHMS)


def all_to_all(collective: str, count: int) -> Rounds:
    """The gather of one shard from each of ``count`` devices to all others."""
    devices = tuple(range(count))
    others = tuple(tuple(d for d in devices if d != own) for own in devices)
    return gather_rounds(collective, devices, tuple((own,) for own in devices), others)


def scattered(collective: str, count: int) -> Rounds:
    """The reduction of ``count`` shards, of which all have something, to a device each."""
    devices = tuple(range(count))
    return reduction_rounds(collective, devices, devices, (devices,) * count)


def network(*kinds: str, size: int = 16, steps: int = STEPS) -> Workload:
    """Layers l0, l1, ... of these cells on top of each other, all of ``size`` elements."""
    names = ["input", *(f"l{n}" for n in range(len(kinds)))]
    layers = [
        Layer(f"l{n}", cell, size, size, steps, (Input(names[n], size),))  # type: ignore[arg-type]
        for n, cell in enumerate(kinds)
    ]
    return Workload("stack", tuple(layers))


def rows(workload: Workload, count: int, collective: str, **options: object) -> Plan:
    """Rows of every layer on all devices."""
    devices = range(count)
    shares = [own_rows(layer, devices) for layer in workload.layers]
    return replace(assemble("test", workload, shares, [devices], collective=collective), **options)  # type: ignore[arg-type]


def columns(workload: Workload, count: int, collective: str, owners: int = 1) -> Plan:
    """Columns of every layer on all devices; each stage's rows on one of them, or all rows on ``owners``."""
    devices = range(count)
    plan = assemble(
        "test",
        workload,
        [own_columns(layer, devices) for layer in workload.layers],
        [devices],
        collective=collective,
    )
    if owners == 1:
        return plan
    everywhere = [
        VectorRange(layer.name, stage.name, (0, stage_size(layer, stage.name)), device)
        for layer in workload.layers
        for stage in cell_program(layer).stages
        for device in devices[:owners]
    ]
    return replace(plan, vectors=tuple(everywhere))


def links(plan: Plan, workload: Workload, topology: str = "fully-connected") -> list[Instruction]:
    """The hops of the loop body of a plan of one layer."""
    cluster = Cluster(small_profile(), len(plan.devices), topology)
    validate(plan, workload, cluster)
    (phase,) = lower(plan, workload, cluster).phases
    return [i for i in phase.instructions if i.unit is Unit.LINK]


def right(plan: Plan, workload: Workload, cluster: Cluster) -> bool:
    """Whether the plan gives every bit of the network without a plan."""
    validate(plan, workload, cluster)
    return verdict(plan, cluster, make_network(workload, load_format("int8"))) == "exact"


# --- rounds ----------------------------------------------------------------------------------


@given(algorithms, st.data())
def test_a_gather_brings_each_shard_to_all_who_read_it_once(collective: str, data: st.DataObject) -> None:
    """Senders have what they send, nobody is sent what it has, and all readers end with their shards."""
    count = data.draw(st.integers(1, 9))
    devices = tuple(data.draw(st.permutations(range(count))))
    device = st.sampled_from(devices)
    owners = tuple(
        tuple(of) for of in data.draw(st.lists(st.sets(device, min_size=1), min_size=1, max_size=9))
    )
    readers = tuple(tuple(data.draw(st.sets(device)) - set(of)) for of in owners)
    having = [set(of) for of in owners]
    for sends in gather_rounds(collective, devices, owners, readers):
        before = [set(of) for of in having]
        for send in sends:
            assert send.shards
            for n in send.shards:
                assert send.sender in before[n]
                assert send.receiver not in having[n]
                having[n].add(send.receiver)
    assert all(set(of) <= having[n] for n, of in enumerate(readers))


@given(algorithms, st.data())
def test_a_reduction_brings_all_terms_to_the_owner_once(collective: str, data: st.DataObject) -> None:
    """Each device's term of each shard ends at the shard's owner, and no term is sent twice from a device."""
    count = data.draw(st.integers(2, 9))
    devices = tuple(data.draw(st.permutations(range(count))))
    owners = tuple(data.draw(st.lists(st.sampled_from(devices), min_size=1, max_size=9)))
    holders = tuple(tuple(data.draw(st.sets(st.sampled_from(devices)))) for _ in owners)
    held = [{device: Counter([device]) for device in of} for of in holders]
    for sends in reduction_rounds(collective, devices, owners, holders):
        arriving = [(n, send.receiver, held[n].pop(send.sender)) for send in sends for n in send.shards]
        for n, device, terms in arriving:
            held[n].setdefault(device, Counter()).update(terms)
    for n, of in enumerate(holders):
        assert held[n] == ({owners[n]: Counter(of)} if of else {})


@pytest.mark.parametrize("count", range(2, 9))
def test_rounds_are_as_many_as_the_textbook_has(count: int) -> None:
    """p - 1 for the ring and pairwise, log2 p for doubling, ceil(log2 p) for Bruck and trees, either way."""
    expected = {
        "pairwise": count - 1,
        "ring": count - 1,
        "doubling": int(log2(count)) + 2 * (count & (count - 1) != 0),
        "bruck": ceil(log2(count)),
        "tree": ceil(log2(count)),
    }
    for collective, number in expected.items():
        assert len(all_to_all(collective, count)) == number, collective
        assert len(scattered(collective, count)) == number, collective


@pytest.mark.parametrize("count", range(2, 9))
@pytest.mark.parametrize("collective", ALGORITHMS)
def test_each_shard_goes_p_minus_one_times(collective: str, count: int) -> None:
    """Once to each other device, no more; in a reduction once from each."""
    for rounds in (all_to_all(collective, count), scattered(collective, count)):
        assert sum(len(send.shards) for sends in rounds for send in sends) == count * (count - 1)


@pytest.mark.parametrize("count", [2, 4, 8])
@pytest.mark.parametrize("collective", ["doubling", "bruck", "ring"])
def test_every_device_sends_one_message_a_round(collective: str, count: int) -> None:
    """Of 1, 2, 4, ... shards (doubling, Bruck) or of one (ring), and receives one."""
    for number, sends in enumerate(all_to_all(collective, count)):
        assert sorted(send.sender for send in sends) == list(range(count))
        assert sorted(send.receiver for send in sends) == list(range(count))
        assert {len(send.shards) for send in sends} == {1 if collective == "ring" else 2**number}


def test_halving_halves_what_it_sends() -> None:
    """Recursive halving of eight shards: four, two, one, to partners four, two, one places away."""
    for sends, reach in zip(scattered("doubling", 8), (4, 2, 1), strict=True):
        assert {(send.sender ^ send.receiver, len(send.shards)) for send in sends} == {(reach, reach)}


def test_a_tree_reaches_twice_as_many_devices_in_each_round() -> None:
    """A binomial tree of eight from device 3: one message, two, four, and each device is reached once."""
    devices = tuple(range(8))
    rounds = gather_rounds("tree", devices, ((3,),), (tuple(d for d in devices if d != 3),))
    assert [len(sends) for sends in rounds] == [1, 2, 4]
    assert sorted(send.receiver for sends in rounds for send in sends) == [0, 1, 2, 4, 5, 6, 7]


@given(st.integers(0, 9), st.integers(1, 30), st.integers(1, 9))
def test_pieces_cover_the_rows(start: int, size: int, count: int) -> None:
    """Consecutive, none empty, and equal but for one element."""
    found = pieces((start, start + size), count)
    assert (found[0][0], found[-1][1]) == (start, start + size)
    assert all(a[1] == b[0] for a, b in pairwise(found))
    sizes = [b - a for a, b in found]
    assert sorted(sizes) == sorted(b - a for a, b in split(size, count))


# --- messages --------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(fpgas, st.sampled_from(TOPOLOGIES), algorithms, cells, st.booleans(), st.data())
def test_every_collective_on_every_topology_gives_the_right_numbers(
    count: int, topology: str, collective: str, cell: str, by_columns: bool, data: st.DataObject
) -> None:
    """All data is where it is read: rows gathered, sums reduced, or all-reduced to several owners."""
    workload = network(cell, size=data.draw(st.sampled_from([8, 11])))
    owners = data.draw(st.integers(1, count))
    plan = columns(workload, count, collective, owners) if by_columns else rows(workload, count, collective)
    parts = data.draw(st.none() | st.integers(1, 4))
    if parts is not None:
        plan = replace(plan, streamed=(Streaming("l0", parts),))
    assert right(plan, workload, Cluster(small_profile(), count, topology))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_plans_give_the_right_numbers_with_every_collective(data: st.DataObject) -> None:
    """Whoever owns and reads what, in whatever groups."""
    workload = data.draw(workloads(most_steps=4))
    cluster = data.draw(clusters())
    plan: Plan = data.draw(plans(workload, cluster))
    for collective in COLLECTIVES:
        assert right(replace(plan, collective=collective), workload, cluster)


def series(rounds: Rounds) -> int:
    """Messages in series at most: one waits for those that brought what it carries, and for no others."""
    after: dict[tuple[int, int], int] = {}
    for sends in rounds:
        ends = [1 + max(after.get((n, send.sender), 0) for n in send.shards) for send in sends]
        for send, end in zip(sends, ends, strict=True):
            after |= {(n, send.receiver): end for n in send.shards}
    return max(after.values())


@pytest.mark.parametrize("count", range(2, 9))
@pytest.mark.parametrize("collective", COLLECTIVES)
def test_a_step_takes_a_latency_for_each_message_in_series(collective: str, count: int) -> None:
    """All joined, messages without length: log2 p latencies by doubling, Bruck and trees, p - 1 by the ring.

    So where p is a power of two; else a round that carries no more than its senders' own starts early.
    """
    workload = network("lstm", size=8 * count, steps=40)

    def cycles(latency_ns: float) -> int:
        cluster = Cluster(small_profile(latency_ns, 0.0), count, "fully-connected")
        plan = rows(workload, count, collective)
        return count_cycles(lower(plan, workload, cluster), cluster.profile.overlay)

    number = 1 if collective == "routes" else series(all_to_all(collective, count))
    assert cycles(20_000.0) - cycles(10_000.0) == 40 * number * 1000
    if count in (2, 4, 8):
        textbook = {"routes": 1, "pairwise": 1, "ring": count - 1}
        assert number == textbook.get(collective, int(log2(count)))


@pytest.mark.parametrize("count", [3, 4, 8])
def test_on_a_ring_the_ring_is_what_the_routes_are(count: int) -> None:
    """Gather and reduction take the same hops with the same bytes, and as long."""
    workload = network("lstm", size=8 * count)
    for make in (rows, columns):
        found = []
        for collective in ("routes", "ring"):
            plan = make(workload, count, collective)
            cluster = Cluster(small_profile(), count, "ring")
            program = lower(plan, workload, cluster)
            hops = Counter((i.device, i.to_device, i.size_bytes) for i in links(plan, workload, "ring"))
            found.append((hops, count_cycles(program, cluster.profile.overlay)))
        assert found[0] == found[1]


def test_messages_carry_all_that_was_gathered_so_far() -> None:
    """Doubling among eight: messages of one device's rows, of two devices', of four's."""
    sizes = Counter(i.size_bytes for i in links(rows(network("lstm"), 8, "doubling"), network("lstm")))
    assert sizes == {2: 8, 4: 8, 8: 8}


def test_halving_adds_before_it_sends_on() -> None:
    """Eight devices' partial sums, 2 rows of 4 gates in 4 bytes for each: half as many in each round."""
    workload = network("lstm")
    plan = columns(workload, 8, "doubling")
    sizes = Counter(i.size_bytes for i in links(plan, workload))
    assert sizes == {4 * 4 * 2 * 4: 8, 4 * 4 * 2 * 2: 8, 4 * 4 * 2: 8}
    (phase,) = lower(plan, workload, Cluster(small_profile(), 8, "fully-connected")).phases
    added = [i for i in phase.instructions if any(isinstance(done, AddSums) for done in i.does)]
    assert Counter(i.device for i in added) == dict.fromkeys(range(8), 2)


@pytest.mark.parametrize("collective", ALGORITHMS)
def test_all_reduction_sends_two_shards_of_each_piece(collective: str) -> None:
    """Four owners of the same rows: each piece of partial sums moves 3 times, then its total 3 times."""
    workload = network("rnn_tanh")
    sent = links(columns(workload, 4, collective, owners=4), workload)
    sums = sum(i.size_bytes for i in sent if i.what == "send h partial sums")
    totals = sum(i.size_bytes for i in sent if i.what == "send h gates")
    assert (sums, totals) == (4 * 3 * 4 * 4, 4 * 3 * 4)


def test_products_are_cut_by_rounds() -> None:
    """Streamed among eight by doubling: own columns, the partner's, then those of two and of four devices."""
    workload = network("rnn_tanh")
    plan = rows(workload, 8, "doubling", streamed=(Streaming("l0", 4),))
    (phase,) = lower(plan, workload, Cluster(small_profile(), 8, "fully-connected")).phases
    parts = [
        done.parts
        for i in phase.instructions
        if i.device == 3 and i.what == "h.h"
        for done in i.does
        if isinstance(done, Multiply)
    ]
    assert parts == [((6, 8),), ((4, 6),), ((0, 4),), ((8, 16),)]


def test_nothing_travels_that_nobody_reads() -> None:
    """A layer on device 0 feeds one on device 3, of four: one message, whatever the collective."""
    workload = network("lstm", "lstm")
    shares = [own_rows(layer, [device]) for layer, device in zip(workload.layers, (0, 3), strict=True)]
    for collective in COLLECTIVES:
        plan = assemble("test", workload, shares, [[0], [1, 2], [3]], collective=collective)
        cluster = Cluster(small_profile(), 4, "fully-connected")
        (phase,) = lower(plan, workload, cluster).phases
        sent = [i for i in phase.instructions if i.unit is Unit.LINK]
        assert [(i.device, i.to_device, i.size_bytes) for i in sent] == [(0, 3, 16)]


# --- the option --------------------------------------------------------------------------------


def test_unknown_collectives_are_refused() -> None:
    """By validation, and by the helper that partitioners call, with the names that there are."""
    workload = network("lstm")
    plan = replace(rows(workload, 2, "routes"), collective="gossip")
    with pytest.raises(InvalidPlan, match=r"'gossip'.*routes, pairwise, ring"):
        validate(plan, workload, Cluster(small_profile(), 2, "ring"))
    with pytest.raises(UserError, match=r"'gossip'.*routes, pairwise, ring"):
        rows(workload, 2, "gossip")


def test_plans_without_a_collective_are_as_before(tmp_path: Path) -> None:
    """Text, file and id name the collective only if there is one, and a file brings it back."""
    workload = network("lstm")
    point = Point("stack", "small", "ring", "wire", 40.0, 2, "test")
    plain, tree = rows(workload, 2, "routes"), rows(workload, 2, "tree")
    assert "collective" not in plain.to_json()
    assert plain.plan_id != tree.plan_id
    for plan in (plain, tree):
        path = tmp_path / "plan.json"
        save_plan(path, plan, point)
        assert ("collective" in path.read_text()) == (plan is tree)
        assert read_plan(path).plan() == plan
