"""Data parallelism: copies of the network, each with a share of the batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.emulator.timing import count_cycles
from bench.errors import InvalidPlan, Unsupported
from bench.experiments import Point
from bench.hardware.cables import PORTS
from bench.hardware.profile import Cluster
from bench.numerics.check import make_network, verdict
from bench.numerics.formats import load_format
from bench.numerics.scale_down import scale_down
from bench.partitioners.build import assemble, own_rows, share_batch
from bench.plans.files import read_plan, save_plan
from bench.plans.lower import lower
from bench.plans.memory import weight_bytes
from bench.plans.plan import Copy, Plan
from bench.plans.program import Unit
from bench.plans.validate import validate
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Input, Layer, Workload
from tests.strategies import plans, small_profile, workloads

STEPS = 4
TOPOLOGIES = ["ring", "ring-bidirectional", "chain", "torus-2d", "fully-connected", "switch", "host-star"]


def network(batch: int, *cells: str) -> Workload:
    """Layers l0, l1, ... of these cells on top of each other, all of eight elements."""
    names = ["input", *(f"l{n}" for n in range(len(cells)))]
    layers = [
        Layer(f"l{n}", cell, 8, 8, STEPS, (Input(names[n], 8),))  # type: ignore[arg-type]
        for n, cell in enumerate(cells)
    ]
    return Workload("stack", tuple(layers), batch)


def rows(workload: Workload, fpgas: int) -> Plan:
    """Rows of every layer on all devices."""
    devices = range(fpgas)
    return assemble("test", workload, [own_rows(layer, devices) for layer in workload.layers], [devices])


def cycles(plan: Plan, workload: Workload, fpgas: int, topology: str = "ring") -> int:
    """How long a valid plan takes."""
    cluster = Cluster(small_profile(), fpgas, topology)
    validate(plan, workload, cluster)
    return count_cycles(lower(plan, workload, cluster), cluster.profile.overlay)


def right(plan: Plan, workload: Workload, cluster: Cluster) -> bool:
    """Whether the plan is valid, and every copy gives each item every bit of the network without a plan."""
    validate(plan, workload, cluster)
    return verdict(plan, cluster, make_network(workload, load_format("int8"))) == "exact"


@pytest.mark.parametrize("topology", TOPOLOGIES)
def test_copies_take_as_long_as_one_with_its_share(topology: str) -> None:
    """Two copies on two devices each, six items: as long as three items on two devices."""
    workload = network(6, "lstm", "gru")
    plan = rows(workload, 2)
    alone = cycles(plan, replace(workload, batch=3), 2, "chain" if topology == "torus-2d" else topology)
    assert cycles(share_batch(plan, 6, 2, 2), workload, 4, topology) == alone


def test_the_largest_share_decides() -> None:
    """Seven items over three copies: as long as the copy with three."""
    workload = network(7, "lstm")
    plan = rows(workload, 2)
    shared = share_batch(plan, 7, 2, 3)
    assert [copy.items for copy in shared.copies] == [3, 2, 2]
    assert cycles(shared, workload, 6) == cycles(plan, replace(workload, batch=3), 2)
    assert cycles(plan, replace(workload, batch=2), 2) < cycles(plan, replace(workload, batch=3), 2)


def test_passes_and_messages_follow_the_share() -> None:
    """Copies of three items and of one: thrice the passes, and messages of thrice the bytes."""
    workload = network(4, "rnn_tanh")
    plan = replace(share_batch(rows(workload, 2), 4, 2, 2), copies=(Copy(3, (0, 1)), Copy(1, (2, 3))))
    validate(plan, workload, cluster := Cluster(small_profile(), 4, "ring"))
    (phase,) = lower(plan, workload, cluster).phases
    sizes = {i.device: i.size_bytes for i in phase.instructions if i.unit is Unit.LINK}
    passes = {i.device: i.blocks for i in phase.instructions if i.unit is Unit.MATRIX}
    assert sizes == {0: 12, 1: 12, 2: 4, 3: 4}
    assert passes == {0: 3, 1: 3, 2: 1, 3: 1}


def test_weights_are_on_every_copy() -> None:
    """Each device of a copy holds what that of a cluster of the copy's size would."""
    workload = network(4, "lstm")
    plan = rows(workload, 2)
    cluster = Cluster(small_profile(), 4, "ring")
    held = weight_bytes(plan, cluster)
    assert weight_bytes(share_batch(plan, 4, 2, 2), cluster) == {n: held[n % 2] for n in range(4)}


def test_copies_may_be_split_in_different_ways() -> None:
    """One copy by rows on two devices, one whole on a third, with different skews and other shares."""
    workload = network(5, "lstm", "gru")
    split, whole = rows(workload, 2), [own_rows(layer, [2]) for layer in workload.layers]
    plan = replace(
        split,
        blocks=(*split.blocks, *(block for share in whole for block in share.blocks)),
        vectors=(*split.vectors, *(owned for share in whole for owned in share.vectors)),
        groups=((0, 1), (2,)),
        copies=(Copy(3, (0, 1)), Copy(2, (2,))),
    )
    assert right(plan, workload, Cluster(small_profile(), 3, "ring"))
    each = (
        cycles(split, replace(workload, batch=3), 2),
        cycles(rows(workload, 1), replace(workload, batch=2), 1),
    )
    assert cycles(plan, workload, 3) == max(each)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_copies_of_any_plan_give_the_right_numbers(data: st.DataObject) -> None:
    """Whatever a copy's plan is, and whether copies meet on links: every item of each copy is exact."""
    fpgas, copies = data.draw(st.integers(1, 3)), data.draw(st.integers(2, 3))
    workload = replace(data.draw(workloads(most_steps=4)), batch=data.draw(st.integers(copies, copies + 2)))
    small = Cluster(small_profile(), fpgas, "ring")
    plan: Plan = data.draw(plans(workload, small))
    topology = data.draw(st.sampled_from([name for name in TOPOLOGIES if name != "torus-2d"]))
    cluster = Cluster(small_profile(), fpgas * copies, topology)
    assert right(share_batch(plan, workload.batch, fpgas, copies), workload, cluster)


@pytest.mark.parametrize("topology", ["chain", "torus-2d", "host-star"])
def test_copies_that_meet_on_links_are_right(topology: str) -> None:
    """Copies on devices 0, 2 and 1, 3: on a chain each one's messages pass a device of the other."""
    workload = network(4, "lstm")
    plan = share_batch(rows(workload, 2), 4, 2, 2)
    across = {0: 0, 1: 2, 2: 1, 3: 3}
    crossed = replace(
        plan,
        blocks=tuple(block._replace(device=across[block.device]) for block in plan.blocks),
        vectors=tuple(owned._replace(device=across[owned.device]) for owned in plan.vectors),
        groups=((0, 2), (1, 3)),
        copies=(Copy(2, (0, 2)), Copy(2, (1, 3))),
    )
    assert right(crossed, workload, Cluster(small_profile(), 4, topology))
    if topology == "chain":
        assert cycles(crossed, workload, 4, topology) > cycles(plan, workload, 4, topology)


def test_copies_keep_their_messages_on_a_small_network() -> None:
    """A network of a million weights in two copies shrinks to one with the same instructions."""
    workload = load_workload("lstm-512-b4-t4")
    plan = share_batch(rows(workload, 2), 4, 2, 2)
    cluster = Cluster(small_profile(), 4, "ring")
    small_plan, small = scale_down(plan, workload)
    assert right(small_plan, small, cluster)
    made = [
        [
            (i.unit, i.device, i.to_device, i.what)
            for phase in lower(*of, cluster).phases
            for i in phase.instructions
        ]
        for of in ((plan, workload), (small_plan, small))
    ]
    assert made[0] == made[1]


def test_each_copy_has_rings_of_its_own() -> None:
    """On a ring copies need no cables between them, so there may be more than a card has ports for."""
    copies = PORTS + 2
    workload = network(copies, "lstm")
    plan = share_batch(rows(workload, 3), copies, 3, copies)
    cluster = Cluster(small_profile(), 3 * copies, "ring")
    validate(plan, workload, cluster)
    (phase,) = lower(plan, workload, cluster).phases
    sent = [i for i in phase.instructions if i.unit is Unit.LINK]
    assert {(i.device, i.to_device) for i in sent} == {
        (3 * n + a, 3 * n + b) for n in range(copies) for a, b in ((0, 1), (1, 2), (2, 0))
    }
    assert len({i.server for i in sent}) == 3 * copies


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"copies": (Copy(2, (0, 1)), Copy(1, (2, 3)))}, "take 2, 1 items.* 4 in all"),
        ({"copies": (Copy(4, (0, 1)), Copy(0, (2, 3)))}, "take 4, 0 items.* 1 or more each"),
        ({"copies": (Copy(2, (0, 1, 2)), Copy(2, (2, 3)))}, "device 2 is in 2 copies"),
        ({"copies": (Copy(2, (0, 1)), Copy(2, (2,)))}, "device 3 owns blocks and is in none"),
        ({"groups": ((0,), (1, 2), (3,))}, "group 1, 2 is not within one copy"),
    ],
)
def test_wrong_copies_are_refused(change: dict[str, object], words: str) -> None:
    """Each message names what is wrong, and what is expected."""
    workload = network(4, "lstm")
    plan = replace(share_batch(rows(workload, 2), 4, 2, 2), **change)  # type: ignore[arg-type]
    with pytest.raises(InvalidPlan, match=words):
        validate(plan, workload, Cluster(small_profile(), 4, "ring"))


def test_each_copy_must_be_whole() -> None:
    """A block that only the other copy holds is a gap."""
    workload = network(4, "lstm")
    plan = share_batch(rows(workload, 2), 4, 2, 2)
    gone = next(block for block in plan.blocks if block.device == 3)
    broken = replace(plan, blocks=tuple(block for block in plan.blocks if block != gone))
    with pytest.raises(InvalidPlan, match=r"copy on devices 2, 3: layer 'l0', matrix 'i\.x'.*4:8"):
        validate(broken, workload, Cluster(small_profile(), 4, "ring"))


def test_a_batch_needs_an_item_for_each_copy() -> None:
    """Two items over three copies: the helper says what is missing."""
    with pytest.raises(Unsupported, match="batch of 2 has not an item for each of 3 copies"):
        share_batch(rows(network(2, "lstm"), 2), 2, 2, 3)


def test_a_file_brings_copies_back(tmp_path: Path) -> None:
    """Text, file and id have copies only if there are any."""
    workload = network(4, "lstm")
    plain = rows(workload, 2)
    shared = share_batch(plain, 4, 2, 2)
    assert "copies" not in plain.to_json()
    assert replace(shared, copies=()).plan_id != shared.plan_id
    for plan in (plain, shared):
        path = tmp_path / "plan.json"
        save_plan(path, plan, Point("stack", "small", "ring", "wire", 40.0, 4, "test"))
        assert ("copies" in path.read_text()) == bool(plan.copies)
        assert read_plan(path).plan() == plan
