"""Timelines say what the emulator computes: no overlap, nothing missing, and a path that explains the end."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.emulator.timing import count_cycles, unit_times
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Cluster
from bench.partitioners import load_partitioner
from bench.plans.lower import lower
from bench.plans.program import Program
from bench.timeline.spans import MATRIX, RECEIVE, SEND, UNITS, Span, Timeline
from bench.timeline.timelines import of_program, steady_step, whole_run
from bench.workloads.catalogue import load_workload
from tests.emulator.test_exactness import overlays, programs
from tests.strategies import clusters, plans, small_profile, workloads


def busy(spans: tuple[Span, ...], unit: str) -> dict[tuple[int, int], int]:
    """Device and peer -> cycles in spans of a unit."""
    found: dict[tuple[int, int], int] = defaultdict(int)
    for span in spans:
        if span.unit == unit:
            found[span.device, span.device if span.peer is None else span.peer] += span.end - span.start
    return {key: cycles for key, cycles in found.items() if cycles}


def check_timeline(timeline: Timeline) -> None:
    """What holds of every timeline of a whole run."""
    tracks: dict[object, list[Span]] = defaultdict(list)
    for span in timeline.spans:
        assert 0 <= span.start <= span.end <= timeline.cycles
        assert span.unit in UNITS
        tracks[span.track].append(span)
    for track in tracks.values():
        assert all(before.end <= after.start for before, after in pairwise(track))
    assert timeline.path[0].start == 0
    assert timeline.path[-1].end == timeline.cycles
    assert all(before.end == after.start for before, after in pairwise(timeline.path))
    assert all(part.start < part.end for part in timeline.path)
    ends: dict[int | None, list[Span]] = defaultdict(list)
    for span in timeline.spans:
        if span.unit in (SEND, RECEIVE):
            ends[span.message].append(span)
    for pair in ends.values():
        sent, received = sorted(pair, key=lambda span: span.unit, reverse=True)
        assert (sent.unit, received.unit) == (SEND, RECEIVE)
        assert (sent.device, sent.peer) == (received.peer, received.device)
        assert sent.end <= received.end
        assert sent.size_bytes == received.size_bytes


def check_busy(timeline: Timeline, program: Program, cluster: Cluster) -> None:
    """Matrix units and links are busy for as long as the emulator's account says."""
    units = unit_times(program, cluster.profile.overlay)
    for kind, unit in (("matrix", MATRIX), ("link", SEND)):
        stated = {(u.device, u.to_device): u.busy_cycles for u in units if u.unit == kind and u.busy_cycles}
        assert busy(timeline.spans, unit) == stated


def test_any_plan() -> None:
    """Random plans: the emulated latency, units that do one thing at a time, messages with two ends."""
    messages: list[int] = []

    @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
    @given(st.data())
    def check(data: st.DataObject) -> None:
        workload, cluster = data.draw(workloads(most_steps=8)), data.draw(clusters())
        program = lower(data.draw(plans(workload, cluster)), workload, cluster)
        timeline = of_program(program, cluster)
        assert timeline.cycles == count_cycles(program, cluster.profile.overlay)
        check_timeline(timeline)
        check_busy(timeline, program, cluster)
        messages.append(sum(span.unit == SEND for span in timeline.spans))

    check()
    assert len([count for count in messages if count]) > 50


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_program(data: st.DataObject) -> None:
    """Programs that no plan has: each time is explained by an earlier one, back to the start."""
    program, overlay = data.draw(programs()), data.draw(overlays())
    profile = replace(small_profile(), overlay=overlay)
    timeline = of_program(program, Cluster(profile, program.devices))
    assert timeline.cycles == count_cycles(program, overlay)
    assert sum(part.end - part.start for part in timeline.path) == timeline.cycles


@pytest.mark.parametrize("partitioner", ["row-wise", "full"])
def test_batch_core(partitioner: str) -> None:
    """A batch core's units, tags and reloaded programs: the same holds."""
    workload = (
        load_workload("gru-512-b4-t1500") if partitioner == "row-wise" else load_workload("lstm-1024-b1-t25")
    )
    cluster = make_cluster(load_profile("s10-nx2100"), 2, "ring")
    plan = load_partitioner(partitioner).plan(workload, cluster)
    program = lower(plan, workload, cluster)
    timeline = of_program(program, cluster)
    assert timeline.cycles == count_cycles(program, cluster.profile.overlay)
    check_timeline(timeline)


def test_one_steady_step() -> None:
    """A window as long as a time step in the middle: each matrix unit works in it as long as a step needs."""
    workload = load_workload("dac20/lstm-1024")
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 4, "ring")
    plan = load_partitioner("row-wise").plan(workload, cluster)
    timeline, whole = steady_step(plan, workload, cluster), whole_run(plan, workload, cluster)
    assert timeline.cycles == whole.cycles
    assert timeline.path[0].start == timeline.start
    assert timeline.path[-1].end == timeline.end
    assert all(span.start < timeline.end and span.end > timeline.start for span in timeline.spans)
    inside = tuple(
        replace(span, start=max(span.start, timeline.start), end=min(span.end, timeline.end))
        for span in timeline.spans
    )
    for unit in (MATRIX, SEND):
        a_step = {key: cycles // workload.steps for key, cycles in busy(whole.spans, unit).items()}
        assert busy(inside, unit) == a_step
    assert any(span.critical for span in timeline.spans)


def test_a_chain_of_products_by_hand() -> None:
    """One device, one step: the second product's sum waits at the multifunction units for the first's."""
    workload = load_workload("rnn-240-b1-t1")
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 1, "ring")
    overlay = cluster.profile.overlay
    timeline = whole_run(load_partitioner("single").plan(workload, cluster), workload, cluster)
    through = [
        ("multifunction", overlay.multifunction_latency_cycles),
        ("loader", overlay.writeback_latency_cycles),
    ]
    # 240 rows are 2 blocks; 240 columns over 4 tiles of 40 lanes are 2 words, with 3 cycles a block besides
    both = 2 * (2 + 3) + overlay.matrix_latency_cycles
    assert [(part.why, part.end - part.start) for part in timeline.path] == [
        ("load", overlay.input_load_cycles),
        ("matrix", both),
        *through,
        *through,
    ]
    assert [part.what for part in timeline.path] == ["", *["h.x"] * 3, *["h.h"] * 2]
