"""Helpers that build plans: a core with helpers shares the work evenly."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.hardware.profile import Cluster
from bench.partitioners.build import Share, assemble, own_spread
from bench.plans.cells import cell_program, matrix_shape
from bench.plans.plan import Plan
from bench.plans.validate import validate
from bench.workloads.model import Layer, Workload
from tests.strategies import small_profile, workloads

LSTM = Layer("l", "lstm", 60, 60, 4)
CORE, HELPERS = [1, 2], [0, 3]


def work(share: Share) -> Counter[int]:
    """Weights on each device."""
    done: Counter[int] = Counter()
    for block in share.blocks:
        done[block.device] += (block.rows[1] - block.rows[0]) * (block.cols[1] - block.cols[0])
    return done


@st.composite
def spreads(draw: st.DrawFn, layer: Layer) -> tuple[Share, list[int], list[int], str]:
    """A layer on one to four core devices and up to four helpers, with any operand critical."""
    core = list(range(draw(st.integers(1, 4))))
    helpers = list(range(len(core), len(core) + draw(st.integers(0, 4))))
    critical = draw(st.sampled_from(["h", "x"]))
    return own_spread(layer, core, helpers, critical=critical), core, helpers, critical


@given(st.data())
def test_spread_plans_are_valid(data: st.DataObject) -> None:
    """Whatever the layers, the core and the helpers are, everything is owned once; vectors by the core."""
    workload: Workload = data.draw(workloads())
    shares = []
    for layer in workload.layers:
        share, core, _, _ = data.draw(spreads(layer))
        assert {vector.device for vector in share.vectors} <= set(core)
        shares.append(share)
    plan: Plan = assemble("spread", workload, shares, [range(8)])
    validate(plan, workload, Cluster(small_profile(), 8))


@given(st.data())
def test_helpers_have_nothing_that_comes_last(data: st.DataObject) -> None:
    """On helpers there are products with the other operand alone, equal work within one row a matrix."""
    workload: Workload = data.draw(workloads())
    layer = data.draw(st.sampled_from(workload.layers))
    share, _, helpers, critical = data.draw(spreads(layer))
    other = "x" if critical == "h" else "h"
    there = {block.matrix for block in share.blocks if block.device in helpers}
    products = {product.matrix: product for product in cell_program(layer).products}
    assert {products[matrix].operand for matrix in there} <= {other}
    done = work(share)
    rows = Counter((block.matrix, block.device) for block in share.blocks)
    assert rows  # every layer has a matrix
    for helper in helpers:
        # each core device's rows are split over the helpers, which differ by one row for each of them
        slack = sum(
            matrix_shape(layer, product)[1]
            for product in products.values()
            if product.operand == other
            for _ in range(min(4, matrix_shape(layer, product)[0]))
        )
        assert abs(done[helper] - done[helpers[0]]) <= slack


@given(st.data())
def test_spread_balances(data: st.DataObject) -> None:
    """Where what comes last leaves room, all devices have equal work within a row a matrix and device."""
    hidden, width = data.draw(st.integers(8, 80)), data.draw(st.integers(8, 160))
    cell = data.draw(st.sampled_from(["lstm", "gru", "rnn_tanh", "mlstm"]))
    layer = Layer("l", cell, width, hidden, 4)
    share, core, helpers, critical = data.draw(spreads(layer))
    other = "x" if critical == "h" else "h"
    shapes = {p.matrix: (p.operand == other, matrix_shape(layer, p)) for p in cell_program(layer).products}
    last = sum(rows * cols for known, (rows, cols) in shapes.values() if not known)
    early = sum(rows * cols for known, (rows, cols) in shapes.values() if known)
    even = (last + early) / (len(core) + len(helpers))
    done = work(share)
    # a row of every matrix for the split over the core, and one for each core device among the helpers
    slack = sum((1 + len(core)) * cols for _, (_, cols) in shapes.values())
    if last <= even * len(core):
        assert all(abs(done[device] - even) <= slack for device in (*core, *helpers))
    else:  # the core has no room for anything else
        assert all(abs(done[device] - last / len(core)) <= slack for device in core)
        assert all(done[device] <= even + slack for device in helpers)


@pytest.mark.parametrize(("critical", "other"), [("h", "x"), ("x", "h")])
def test_two_and_two_share_an_lstm(critical: str, other: str) -> None:
    """Half of an LSTM waits for h: two core devices have that alone, the helpers all the rest."""
    share = own_spread(LSTM, CORE, HELPERS, critical=critical)
    assert set(work(share).values()) == {4 * 60 * 60 // 2}
    operands: dict[int, set[str]] = {device: set() for device in (*CORE, *HELPERS)}
    for block in share.blocks:
        operands[block.device].add(block.matrix.split(".")[1])
    assert operands == {1: {critical}, 2: {critical}, 0: {other}, 3: {other}}


def test_a_core_keeps_what_it_has_room_for() -> None:
    """Three core devices and a helper: each core device keeps half of its input rows, the first ones."""
    share = own_spread(LSTM, [0, 1, 2], [3])
    kept = {block.device: block.rows for block in share.blocks if block.matrix == "i.x" and block.device < 3}
    helped = [block.rows for block in share.blocks if block.matrix == "i.x" and block.device == 3]
    assert kept == {0: (0, 10), 1: (20, 30), 2: (40, 50)}
    assert helped == [(10, 20), (30, 40), (50, 60)]


def test_without_helpers_it_is_rows() -> None:
    """A core alone keeps everything."""
    assert work(own_spread(LSTM, CORE, [])) == dict.fromkeys(CORE, 8 * 60 * 60 // 2)
