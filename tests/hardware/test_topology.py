"""Routes and multicast trees of all topologies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, reject
from hypothesis import strategies as st

from bench.errors import InvalidPlan
from bench.hardware.cables import Groups, torus_shape
from bench.hardware.files import load_profile
from bench.hardware.profile import TOPOLOGIES, Cluster
from bench.hardware.topology import HUB, Topology, routes

PROFILE = replace(load_profile("s10-gx2800-dac20"), network_ports=None)


def topology(name: str, fpgas: int, groups: Groups = ()) -> Topology:
    """The topology called ``name``."""
    return routes(Cluster(PROFILE, fpgas, name), groups)


def one_group(fpgas: int) -> Groups:
    """All devices in one group."""
    return (tuple(range(fpgas)),)


def equal_groups(count: int, size: int) -> Groups:
    """``count`` groups of ``size`` devices, in order."""
    return tuple(tuple(range(g * size, (g + 1) * size)) for g in range(count))


@st.composite
def any_topology(draw: st.DrawFn, names: Sequence[str] = TOPOLOGIES) -> Topology:
    """A topology of 1 to 16 devices with any partition of them into groups that cards have ports for."""
    fpgas = draw(st.integers(1, 16))
    order = draw(st.permutations(range(fpgas)))
    cuts = sorted(draw(st.sets(st.integers(1, fpgas - 1)))) if fpgas > 1 else []
    groups = tuple(tuple(order[a:b]) for a, b in zip([0, *cuts], [*cuts, fpgas], strict=True))
    try:
        return topology(draw(st.sampled_from(names)), fpgas, groups)
    except InvalidPlan:
        reject()


@given(any_topology(), st.data())
def test_route_is_a_path(topo: Topology, data: st.DataObject) -> None:
    """Every route starts and ends right, is connected, and meets no device twice."""
    device = st.integers(0, topo.fpgas - 1)
    src, dst = data.draw(device), data.draw(device)
    hops = [topo.links[index] for index in topo.route(src, dst)]
    path = [src, *(hop.destination for hop in hops)]
    assert path[-1] == dst
    assert [hop.source for hop in hops] == path[:-1]
    assert len(set(path)) == len(path)
    if hops:
        assert sum(hop.latency_factor for hop in hops) == (1 if HUB in path else len(hops))


@given(any_topology(), st.data())
def test_multicast_reaches_each_once(topo: Topology, data: st.DataObject) -> None:
    """A tree enters every destination exactly once, along the route that a single message takes."""
    device = st.integers(0, topo.fpgas - 1)
    src, dsts = data.draw(device), data.draw(st.lists(device, max_size=8))
    tree = topo.multicast_tree(src, dsts)
    entered = [topo.links[link].destination for link, *_ in tree]
    assert len(set(entered)) == len(entered)
    assert set(dsts) - {src} <= set(entered)
    for position, (link, parent, *_) in enumerate(tree):
        assert parent < position
        before = topo.links[tree[parent][0]].destination if parent >= 0 else src
        assert topo.links[link].source == before
    for dst in set(dsts) - {src}:
        position, way = entered.index(dst), []
        while position >= 0:
            way.append(tree[position][0])
            position = tree[position][1]
        assert tuple(reversed(way)) == topo.route(src, dst)


@given(any_topology())
def test_links_differ(topo: Topology) -> None:
    """No two links join the same devices, and only a host's PCIe slot is shared."""
    pairs = [(link.source, link.destination) for link in topo.links]
    assert len(set(pairs)) == len(pairs)
    servers = {link.server for link in topo.links}
    assert len(servers) == (topo.fpgas if topo.name == "host-star" else len(topo.links))


@given(any_topology(["ring-bidirectional"]), st.data())
def test_two_way_rings_take_the_shortest_way(topo: Topology, data: st.DataObject) -> None:
    """No way over the cables is shorter than the route."""
    device = st.integers(0, topo.fpgas - 1)
    src, dst = data.draw(device), data.draw(device)
    reached, hops = {src}, 0
    while dst not in reached:
        reached |= {link.destination for link in topo.links if link.source in reached}
        hops += 1
    assert len(topo.route(src, dst)) == hops


def test_a_card_has_four_ports() -> None:
    """One card beside a ring of four has four cables; beside a ring of five it would need five."""
    groups = ((0, 1, 2, 3), (4,))
    for name in ("ring", "ring-bidirectional"):
        beside = [link.destination for link in topology(name, 5, groups).links if link.source == 4]
        assert beside == [0, 1, 2, 3]
    larger = ((0, 1, 2, 3, 4), (5,))
    with pytest.raises(InvalidPlan, match="need 5 cables at device 5; a card has 4 ports"):
        topology("ring", 6, larger)
    both_ways = topology("ring-bidirectional", 6, larger)
    assert [link.destination for link in both_ways.links if link.source == 5] == [0, 1, 2, 3]
    assert len(both_ways.route(4, 5)) == 2


@given(any_topology(["ring-bidirectional"]))
def test_two_way_rings_keep_to_the_ports(topo: Topology) -> None:
    """No card has more than four neighbours, and each reaches each."""
    for device in range(topo.fpgas):
        assert len(topo.neighbours.get(device, ())) <= 4
        assert all(topo.route(device, other) for other in range(topo.fpgas) if other != device)


@pytest.mark.parametrize("p", [2, 3, 4, 8])
def test_one_ring_takes_one_direction(p: int) -> None:
    """In one group an all-gather takes p - 1 hops, as in DAC 2020, Eq. 2."""
    topo = topology("ring", p, one_group(p))
    assert len(topo.links) == p
    assert [len(topo.route(0, dst)) for dst in range(p)] == list(range(p))
    assert len(topo.route(1, 0)) == p - 1


@pytest.mark.parametrize(("p", "hops"), [(2, 1), (3, 1), (4, 2), (5, 2), (8, 4)])
def test_rings_of_several_groups_take_both(p: int, hops: int) -> None:
    """With several groups of more than two members the farthest is ceil((p - 1) / 2) hops away."""
    topo = topology("ring", 2 * p, equal_groups(2, p))
    assert max(len(topo.route(0, dst)) for dst in range(p)) == hops


def test_one_large_group_beside_small_ones() -> None:
    """One group of more than two members keeps its single direction."""
    topo = topology("ring", 6, ((0, 1, 2, 3), (4, 5)))
    assert len(topo.route(1, 0)) == 3


def test_groups_of_one_are_one_ring() -> None:
    """Groups of one member, or no groups, are cabled as the ring of all devices, in the groups' order."""
    order = ((0,), (2,), (1,), (3,))
    assert [(a.source, a.destination) for a in topology("ring", 4, order).links] == [
        (0, 2), (2, 1), (1, 3), (3, 0),
    ]  # fmt: skip
    assert topology("ring", 4).links == topology("ring", 4, ((0,), (1,), (2,), (3,))).links


def test_cross_ring_then_group_ring() -> None:
    """A message to another group crosses at its source's rank, then goes around the destination's group."""
    topo = topology("ring", 6, equal_groups(3, 2))
    path = [topo.links[hop].destination for hop in topo.route(1, 4)]
    assert path == [3, 5, 4]


def test_four_ports_a_card() -> None:
    """Groups of equal size leave each card with four neighbours at most."""
    for groups in (equal_groups(4, 4), equal_groups(2, 8), equal_groups(8, 2), one_group(16)):
        links = topology("ring", 16, groups).links
        for device in range(16):
            ends = {a.source for a in links if a.destination == device}
            ends |= {a.destination for a in links if a.source == device}
            assert len(ends) <= 4


def test_both_directions_tie_ascending() -> None:
    """A bidirectional ring takes the shorter way, the ascending one where both are equal."""
    topo = topology("ring-bidirectional", 4, one_group(4))
    assert [topo.links[hop].destination for hop in topo.route(0, 2)] == [1, 2]
    assert [topo.links[hop].destination for hop in topo.route(0, 3)] == [3]


def test_torus() -> None:
    """A torus of 3 x 4 goes along the row, then along the column, and wraps."""
    assert torus_shape(12) == (3, 4)
    topo = topology("torus-2d", 12)
    assert [topo.links[hop].destination for hop in topo.route(0, 11)] == [3, 11]
    assert len(topo.links) == 4 * 12


def test_chain_does_not_wrap() -> None:
    """A chain's ends are N - 1 hops apart."""
    assert len(topology("chain", 8).route(7, 0)) == 7


def test_switch_replicates() -> None:
    """Through a switch a multicast leaves the sender once and enters each receiver once."""
    topo = topology("switch", 4)
    assert [topo.links[link].source for link, *_ in topo.multicast_tree(0, [1, 2, 3])] == [0, HUB, HUB, HUB]
    assert [topo.links[hop].latency_factor for hop in topo.route(0, 1)] == [0, 1]


def test_forwarding_order_is_nearest_first() -> None:
    """Hops nearer to the source come first, and a repeated destination changes nothing."""
    topo = topology("ring", 6, equal_groups(2, 3))
    assert topo.multicast_tree(0, [2, 1, 2]) == topo.multicast_tree(0, [2, 1])
    chain = topology("chain", 5)
    assert [chain.links[link].destination for link, *_ in chain.multicast_tree(2, [0, 4])] == [1, 3, 0, 4]


@pytest.mark.parametrize(
    ("groups", "found"),
    [
        (((0, 1), (1, 2)), "device 1 is in more than one group"),
        (((0, 4),), "device 4 is in a group, but the cluster has devices 0 to 3"),
        (((0,), ()), "a device group is empty"),
    ],
)
def test_bad_groups(groups: Groups, found: str) -> None:
    """Groups that overlap, are empty or name a device that is not there are refused."""
    with pytest.raises(InvalidPlan, match=found):
        topology("ring", 4, groups)


def test_device_without_cables() -> None:
    """A device in none of the groups has no links, and a message to it is a plan's mistake."""
    topo = topology("ring", 4, ((0, 1),))
    with pytest.raises(InvalidPlan, match="device 3 sends or receives"):
        topo.route(0, 3)
