"""Clusters: topology, number of FPGAs, link, and what is refused."""

from __future__ import annotations

import re

import pytest

from bench.errors import UserError
from bench.hardware.files import MOST_FPGAS, load_profile, make_cluster
from bench.hardware.profile import TOPOLOGIES, Cluster

DAC20 = load_profile("s10-gx2800-dac20")
NX = load_profile("s10-nx2100")


def test_default_links() -> None:
    """The profile's first link is the default, the host's link that of a host star."""
    assert make_cluster(DAC20, 8, "ring") == Cluster(DAC20, 8, "ring", "dac20-ring")
    assert make_cluster(DAC20, 8, "host-star").link.name == "host-pcie"
    assert make_cluster(DAC20, 8, "ring", "520n-channel").link.latency_ns == 675.5


def test_link_latency_replaces_one_links() -> None:
    """Another latency changes the chosen link and no other."""
    cluster = make_cluster(DAC20, 2, "ring", "520n-channel", 250)
    assert cluster.link.latency_ns == 250
    assert cluster.profile.link("dac20-ring") == DAC20.link("dac20-ring")
    assert cluster.profile.link("520n-channel").ns_per_byte == DAC20.link("520n-channel").ns_per_byte


def test_every_topology_has_a_limit() -> None:
    """No topology is without a largest number of FPGAs."""
    assert set(MOST_FPGAS) == set(TOPOLOGIES)


@pytest.mark.parametrize("fpgas", [1, 2, 3, 4, 6, 8, 9, 12, 16, 64])
def test_torus_takes_products(fpgas: int) -> None:
    """A torus takes 1 to 3 cards and every number that is a product."""
    assert make_cluster(DAC20, fpgas, "torus-2d").fpgas == fpgas


@pytest.mark.parametrize(
    ("topology", "fpgas", "found"),
    [
        ("ring", 0, "fpgas: got 0; expected 1 or more"),
        ("ring", -3, "fpgas: got -3; expected 1 or more"),
        ("ring", 1025, "got 1025; topology ring takes 1024 at most"),
        ("torus-2d", 5, "5 is prime; use 4 or 6"),
        ("torus-2d", 7, "7 is prime; use 6 or 8"),
        ("fully-connected", 6, "4 network ports, so it takes 5 at most"),
        ("switch", 65, "topology switch takes 64 at most"),
        ("host-star", 65, "topology host-star takes 64 at most"),
        ("rng", 2, "unknown topology 'rng'; did you mean 'ring'"),
    ],
)
def test_refused(topology: str, fpgas: int, found: str) -> None:
    """A cluster that the topology does not allow is refused with the reason."""
    with pytest.raises(UserError, match=re.escape(found)):
        make_cluster(DAC20, fpgas, topology)


def test_ports_limit_fully_connected() -> None:
    """Four ports join five cards; a profile without a port limit is not held to it."""
    assert make_cluster(DAC20, 5, "fully-connected").fpgas == 5
    assert make_cluster(NX, 8, "fully-connected").fpgas == 8


def test_unknown_link() -> None:
    """An unknown link is answered with the profile's links."""
    with pytest.raises(UserError, match="profile s10-gx2800-dac20 has: dac20-ring, 520n-channel"):
        make_cluster(DAC20, 2, "ring", "infiniband")


@pytest.mark.parametrize("latency", [-1.0, float("nan"), float("inf")])
def test_bad_latency(latency: float) -> None:
    """A latency below 0, or none at all, is refused."""
    with pytest.raises(UserError, match="link latency"):
        make_cluster(DAC20, 2, "ring", None, latency)
