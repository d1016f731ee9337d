"""The check of a plan: its verdicts, and when it runs at full size."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Arithmetic, Cluster
from bench.numerics import check
from bench.numerics.check import Numerics, check_plan, find_deviation, make_network, verdict
from bench.numerics.formats import FLOAT32, load_format
from bench.partitioners import load_partitioner
from bench.plans.plan import Plan
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Layer, Workload
from tests.strategies import clusters, plans, small_profile, workloads

LSTM = Workload("lstm", (Layer("rnn", "lstm", 8, 8, 5),), batch=2)
INT8 = replace(small_profile(), arithmetic=Arithmetic("int8", "fixed27", 27))


def row_wise(workload: Workload, cluster: Cluster) -> Plan:
    """The plan of the row-wise partitioner."""
    return load_partitioner("row-wise").plan(workload, cluster)


def test_verdicts_are_of_the_overlays_format() -> None:
    """Integers are exact; an overlay that computes in floats is checked in float32."""
    exact, floats = Cluster(INT8, 4, "ring"), Cluster(small_profile(), 4, "ring")
    assert check_plan(row_wise(LSTM, exact), LSTM, exact) == Numerics("exact", full_size=True)
    assert check_plan(row_wise(LSTM, floats), LSTM, floats) == Numerics("within 1e-5", full_size=True)


def test_a_broken_plan_fails_and_says_where() -> None:
    """A plan with a hole is no exception but a verdict."""
    cluster = Cluster(INT8, 4, "ring")
    plan = row_wise(LSTM, cluster)
    holed = replace(plan, blocks=tuple(b for b in plan.blocks if (b.matrix, b.device) != ("g.x", 1)))
    found = check_plan(holed, LSTM, cluster)
    assert not found.right
    assert found.verdict.startswith("failed: layer 'rnn', step 0, device 1: instruction ")
    assert found.verdict.endswith("ends sum 'g', rows 2:4, without columns 0:8 of g.x")


def test_large_networks_are_scaled_down() -> None:
    """Encoder-8 is judged on a small network; a hole in it is found there, too."""
    workload = load_workload("dac20/encoder-8")
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 8, "ring")
    plan = load_partitioner("full-dac20").plan(workload, cluster)
    assert check_plan(plan, workload, cluster) == Numerics("exact", full_size=False)
    holed = replace(plan, blocks=plan.blocks[:-1])
    lost = plan.blocks[-1]
    found = check_plan(holed, workload, cluster).verdict
    assert found.startswith(f"failed: layer {lost.layer!r}, step 0, device ")
    assert f"of {lost.matrix}" in found


@settings(max_examples=60)
@given(st.data())
def test_the_verdict_does_not_depend_on_the_size(data: st.DataObject) -> None:
    """Random plans: exact at full size, exact scaled down; the same plan with a hole fails either way."""
    workload = data.draw(workloads(most_steps=5))
    cluster = replace(data.draw(clusters()), profile=INT8)
    plan = data.draw(plans(workload, cluster))
    holed = replace(plan, blocks=plan.blocks[1:])
    unique = plan.blocks[0] not in (b._replace(device=plan.blocks[0].device) for b in plan.blocks[1:])
    with pytest.MonkeyPatch.context() as patch:
        for limit in (10**9, -1):
            patch.setattr(check, "FULL_SIZE_WEIGHTS", limit)
            assert check_plan(plan, workload, cluster) == Numerics("exact", full_size=limit > 0)
            assert not unique or not check_plan(holed, workload, cluster).right


def test_a_deviation_is_named_where_it_begins() -> None:
    """The first step that differs: the earliest time, or of a backward layer the latest."""
    for direction, time in (("forward", 1), ("backward", 3)):
        layer = replace(LSTM.layers[0], direction=direction)  # type: ignore[arg-type]
        of = make_network(replace(LSTM, layers=(layer,)), load_format("int8"))
        cluster = Cluster(INT8, 4, "ring")
        plan = row_wise(of.workload, cluster)
        found = {"rnn": of.expected["rnn"].copy()}
        for wrong in (1, 2, 3):
            found["rnn"][wrong, 1, 5] += 2.0**-19
        text = find_deviation(of, plan, found, 0.0)
        assert text.startswith(f"failed: layer 'rnn', h at time {time}, batch item 1, row 5 (device 2) is ")
        assert not find_deviation(of, plan, found, 1e-5)


def test_what_is_not_a_number_deviates() -> None:
    """NaN is not within any tolerance, nor is an infinity."""
    of = make_network(LSTM, FLOAT32)
    cluster = Cluster(small_profile(), 2, "ring")
    plan = row_wise(LSTM, cluster)
    assert verdict(plan, cluster, of) == "within 1e-5"
    for value in (np.nan, np.inf):
        found = {"rnn": of.expected["rnn"].copy()}
        found["rnn"][4, 0, 7] = value
        assert "h at time 4, batch item 0, row 7 (device 1)" in find_deviation(of, plan, found, 1e-5)


def test_names_make_no_difference() -> None:
    """Equal plans of two partitioners for equal networks are run once."""
    cluster = Cluster(INT8, 3, "ring")
    plan = row_wise(LSTM, cluster)
    check_plan(plan, LSTM, cluster)
    before = check._verdict.cache_info().misses
    check_plan(replace(plan, partitioner="other", notes=("x",)), replace(LSTM, name="other"), cluster)
    assert check._verdict.cache_info().misses == before
