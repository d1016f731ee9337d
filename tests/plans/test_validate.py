"""Validation refuses what a plan must not be, and says where."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import InvalidPlan
from bench.hardware.profile import Cluster
from bench.partitioners import load_partitioner
from bench.plans.plan import Block, Plan, VectorRange
from bench.plans.validate import validate
from bench.workloads.catalogue import load_workload
from tests.strategies import clusters, plans, small_profile, workloads

WORKLOAD = load_workload("lstm-64-b1-t4")
CLUSTER = Cluster(small_profile(), 4)
LAYER = WORKLOAD.layers[0].name
PLAN = load_partitioner("row-wise").plan(WORKLOAD, CLUSTER)


def broken(**change: object) -> str:
    """What validation says about the row-wise plan with ``change``."""
    with pytest.raises(InvalidPlan) as refused:
        validate(replace(PLAN, **change), WORKLOAD, CLUSTER)
    return str(refused.value)


def test_gap_is_named() -> None:
    """A missing block is reported with layer, matrix, rows and columns."""
    gap = next(b for b in PLAN.blocks if b.matrix == "f.h" and b.rows == (16, 32))
    message = broken(blocks=tuple(b for b in PLAN.blocks if b != gap))
    assert all(part in message for part in (LAYER, "f.h", "rows 16:32", "columns 0:64", "no device"))


def test_overlap_is_named() -> None:
    """Blocks that overlap without being equal are refused."""
    extra = Block(LAYER, "g.x", (8, 24), (0, 64), 3)
    message = broken(blocks=(*PLAN.blocks, extra))
    assert all(part in message for part in (LAYER, "g.x", "8:24", "overlap"))


def test_replication_is_allowed() -> None:
    """Two devices may own the same block."""
    block = PLAN.blocks[0]
    copy = block._replace(device=(block.device + 1) % 4)
    validate(replace(PLAN, blocks=(*PLAN.blocks, copy)), WORKLOAD, CLUSTER)


def test_same_block_twice_on_a_device_is_refused() -> None:
    """A device owns a block once."""
    assert "2 times" in broken(blocks=(*PLAN.blocks, PLAN.blocks[0]))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"groups": ((0, 1, 2),)}, ["device 3", "groups"]),
        ({"groups": ((0, 1, 2, 3), (3,))}, ["device 3", "2 groups"]),
        ({"groups": ((0, 1, 2, 3, 4),)}, ["device 4", "0 to 3"]),
        ({"blocks": (*PLAN.blocks, Block("l9", "i.x", (0, 1), (0, 1), 0))}, ["l9"]),
        ({"blocks": (*PLAN.blocks, Block(LAYER, "z.x", (0, 1), (0, 1), 0))}, ["z.x", "i.x"]),
        ({"blocks": (*PLAN.blocks, Block(LAYER, "i.x", (60, 80), (0, 64), 0))}, ["60:80", "outside 64 x 64"]),
        ({"vectors": PLAN.vectors[1:]}, ["vector 'h'", "0:16"]),
        ({"vectors": (*PLAN.vectors, VectorRange(LAYER, "rh", (0, 1), 0))}, ["rh"]),
        ({"software_pipelined": frozenset({"nobody"})}, ["nobody"]),
    ],
)
def test_refusals_name_what_is_wrong(change: dict[str, object], words: list[str]) -> None:
    """Each mistake's message names the thing and the rule."""
    message = broken(**change)
    assert all(word in message for word in words), message


@given(st.data())
def test_random_ownership_maps_are_valid(data: st.DataObject) -> None:
    """The strategy's plans pass, and any one of their vector ranges taken away leaves a gap or a replica."""
    workload = data.draw(workloads())
    cluster = data.draw(clusters())
    plan: Plan = data.draw(plans(workload, cluster))
    validate(plan, workload, cluster)
    gone = data.draw(st.sampled_from(plan.vectors))
    rest = tuple(v for v in plan.vectors if v != gone)
    replicated = any((v.layer, v.stage, v.rows) == (gone.layer, gone.stage, gone.rows) for v in rest)
    if replicated:
        validate(replace(plan, vectors=rest), workload, cluster)
    else:
        with pytest.raises(InvalidPlan):
            validate(replace(plan, vectors=rest), workload, cluster)
