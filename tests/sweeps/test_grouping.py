"""Points that are timed together have the rows that they have one by one."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.emulator.timing import count_cycles, without_links
from bench.experiments import Point
from bench.hardware.files import load_profile
from bench.hardware.profile import Cluster, ExternalMemory
from bench.partitioners import load_partitioner
from bench.plans.lower import lower
from bench.rows import explain_point
from bench.sweeps.evaluate import evaluate_group
from bench.sweeps.group import CHOSEN, FIXED, Group, make_groups, timeless
from bench.sweeps.retime import lower_once
from tests.strategies import clusters, plans, workloads

PROFILE = "s10-gx2800-dac20"

OTHER = "s10-mx2100"

references = st.sampled_from(
    [
        "lstm-96-b1-t9",
        "gru-200-b2-t12",
        "rnn-64-b1-t40",
        "dac20/blstm-4?hidden_size=64",
        "dac20/decoder-8?hidden_size=32&steps=8",
        "dac20/blstm-pyramid-4?hidden_size=64",
    ]
)


@st.composite
def timings(draw: st.DrawFn) -> tuple[str, float]:
    """A profile with another bandwidth or clock, and a latency."""
    profile = draw(st.sampled_from([PROFILE, OTHER]))
    changes = []
    if draw(st.booleans()):
        changes.append(f"clock_mhz={draw(st.sampled_from([100, 250, 333.3]))}")
    if draw(st.booleans()):
        changes.append(f"link.ns_per_byte={draw(st.floats(0.01, 9))}")
    latency = draw(st.one_of(st.just(0.0), st.floats(0, 20_000)))
    return profile + ("?" + "&".join(changes) if changes else ""), latency


@settings(max_examples=40)
@given(
    workload=references,
    partitioner=st.sampled_from([*FIXED, *CHOSEN]),
    topology=st.sampled_from(["ring", "ring-bidirectional", "torus-2d", "switch", "chain"]),
    fpgas=st.sampled_from([1, 2, 3, 4, 6, 8]),
    pipelined=st.booleans(),
    timed=st.lists(timings(), min_size=2, max_size=5),
)
def test_groups_equal_points_one_by_one(
    workload: str,
    partitioner: str,
    topology: str,
    fpgas: int,
    pipelined: bool,
    timed: list[tuple[str, float]],
) -> None:
    """Every column of every row, cycle for cycle, whatever link, bandwidth and clock."""
    parameters = json.dumps({"software_pipelining": True}) if pipelined else "{}"
    points = [
        Point(workload, profile, topology, link_of(profile), latency, fpgas, partitioner, parameters)
        for profile, latency in timed
    ]
    groups = make_groups(enumerate(points), 0)
    assert sorted(place for group in groups for place in group.places) == list(range(len(points)))
    for group in groups:
        rows = evaluate_group(group)["rows"]
        assert rows == [explain_point(point, numbers=False)[0] for point in group.points]


def link_of(profile: str) -> str:
    """The name of a profile's first link."""
    return load_profile(profile).links[0].name


@settings(max_examples=60)
@given(data=st.data())
def test_any_program_can_be_timed_again(data: st.DataObject) -> None:
    """A program lowered once has, under any link and clock, the cycles of one lowered for them."""
    workload = data.draw(workloads(most_steps=12))
    cluster = data.draw(clusters())
    spills = data.draw(st.booleans())
    if spills:  # stalls then depend on the clock, which is the group's own
        memory = ExternalMemory(10**12, data.draw(st.floats(1e6, 1e9)))
        profile = replace(cluster.profile, weight_memory_bytes=20, external_memory=memory)
        cluster = replace(cluster, profile=profile)
    plan = data.draw(plans(workload, cluster))
    program = lower_once(plan, workload, timeless(cluster))
    for _ in range(3):
        other = with_link(
            cluster,
            data.draw(st.floats(0, 5_000)),
            data.draw(st.floats(1e-3, 50)),
            cluster.profile.clock_mhz if spills else data.draw(st.floats(10, 900)),
        )
        assert timeless(other) == timeless(cluster)
        whole = lower(plan, workload, other)
        assert program.cycles(other) == count_cycles(whole, other.profile.overlay)
        assert program.cycles_without_links(other) == count_cycles(
            without_links(whole), other.profile.overlay
        )


def with_link(cluster: Cluster, latency_ns: float, ns_per_byte: float, clock_mhz: float) -> Cluster:
    """The cluster with another link and clock."""
    link = replace(cluster.link, latency_ns=latency_ns, ns_per_byte=ns_per_byte)
    links = tuple(link if one.name == link.name else one for one in cluster.profile.links)
    return replace(cluster, profile=replace(cluster.profile, links=links, clock_mhz=clock_mhz))


class Reads:
    """A cluster that keeps what is read of it."""

    def __init__(self, cluster: Cluster, read: set[str]) -> None:
        self._cluster, self._read = cluster, read

    def __getattr__(self, name: str) -> object:
        self._read.add(name)
        return getattr(self._cluster, name)


@pytest.mark.parametrize("partitioner", FIXED)
@pytest.mark.parametrize("workload", ["lstm-256-b1-t25", "dac20/blstm-4", "dac20/gru-1024"])
def test_fixed_partitioners_read_the_number_of_fpgas_alone(partitioner: str, workload: str) -> None:
    """What is said of these partitioners holds: nothing else of the cluster goes into their plans."""
    read: set[str] = set()
    point = Point(workload, PROFILE, "ring", link_of(PROFILE), 100.0, 4, partitioner)
    from bench.experiments import read_workload

    load_partitioner(partitioner).plan(read_workload(workload), Reads(point.cluster, read))  # type: ignore[arg-type]
    assert read <= {"fpgas"}


def test_what_differs_in_more_than_timing_is_apart() -> None:
    """Other tiles, topologies or numbers of FPGAs are other groups; latency, bandwidth and clock are not."""
    base = Point("lstm-96-b1-t9", PROFILE, "ring", link_of(PROFILE), 100.0, 4, "row-wise")
    same = [
        base,
        replace(base, link_latency_ns=7.0),
        replace(base, profile=f"{PROFILE}?clock_mhz=100"),
        replace(base, profile=f"{PROFILE}?link.ns_per_byte=2"),
    ]
    others = [
        replace(base, profile=f"{PROFILE}?overlay.tiles=2"),
        replace(base, topology="switch"),
        replace(base, fpgas=2),
        replace(base, partitioner="column-wise"),
        replace(base, parameters='{"software_pipelining":true}'),
    ]
    groups = make_groups(enumerate([*same, *others]), 0)
    assert [len(group.points) for group in groups] == [len(same), *[1 for _ in others]]


def test_a_search_is_not_shared() -> None:
    """`full` looks at link and clock, so each of its points is planned by itself."""
    base = Point("lstm-96-b1-t9", PROFILE, "ring", link_of(PROFILE), 100.0, 2, "full")
    points = [base, replace(base, link_latency_ns=7.0)]
    groups = make_groups(enumerate(points), 0)
    assert len(groups) == 2
    (row,) = evaluate_group(groups[1])["rows"]
    assert row == explain_point(points[1], numbers=False)[0]


def test_numbers_are_checked_once_a_plan_where_asked() -> None:
    """A group on few FPGAs has the verdict of its plan in each row; wrong numbers fail each of its points."""
    base = Point("lstm-96-b1-t9", PROFILE, "ring", link_of(PROFILE), 100.0, 2, "row-wise")
    points = (base, replace(base, link_latency_ns=9.0))
    (group,) = make_groups(enumerate(points), 2)
    assert group.check
    rows = evaluate_group(group)["rows"]
    assert rows == [explain_point(point)[0] for point in points]
    assert {row["numerics"] for row in rows} == {"exact"}
    from bench.numerics.check import Numerics

    wrong = Numerics("failed: layer 'x'", True)
    with (
        patch("bench.sweeps.evaluate.check_plan", return_value=wrong),
        patch("bench.numerics.check.check_plan", return_value=wrong),
    ):
        rows = evaluate_group(group)["rows"]
    assert {row["termination"] for row in rows} == {"wrong numbers"}
    assert {row["cycles"] for row in rows} == {None}


def test_what_cannot_be_built_is_a_row() -> None:
    """A cluster that its topology does not allow, and a partitioner that declines, are rows with a reason."""
    base = Point("lstm-96-b1-t9", PROFILE, "fully-connected", link_of(PROFILE), 100.0, 64, "row-wise")
    skipped = "deepbench-skip-input/inference_server/lstm-512-b1-t25"
    declined = replace(base, workload=skipped, topology="ring", fpgas=2, partitioner="input-wise")
    for point, reason in ((base, "takes"), (declined, "skip-input")):
        (row,) = evaluate_group(Group((point,), (0,), False))["rows"]
        assert (row["status"], row["latency_s"]) == ("unsupported", None)
        assert reason in row["reason"]


def test_points_are_as_in_the_pipeline(tmp_path: Path) -> None:
    """A point of a sweep is a point of a configuration: the same value, so the same row by `bench run`."""
    point = Point(
        "lstm-96-b1-t9?batch=2", f"{PROFILE}?clock_mhz=200", "ring", link_of(PROFILE), 9.0, 2, "row-wise"
    )
    assert Point(**asdict(point)).cluster == point.cluster
    assert point.cluster.profile.clock_mhz == 200
