"""The plans that `full` chooses from compute the network, and its search finds the fastest of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench.errors import Unsupported, UserError
from bench.evaluate import emulated_cycles
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Cluster
from bench.numerics.check import make_network, verdict
from bench.numerics.formats import load_format
from bench.partitioners import load_partitioner
from bench.partitioners.floors import floor
from bench.partitioners.search import RINGS, Known, search
from bench.partitioners.space import IDEAS, Candidate, Layout, build, layouts, schedules
from bench.partitioners.uneven import uneven_layouts
from bench.plans.validate import validate
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Input, Layer, Workload
from tests.numerics.networks import bidirectional, decoder, single, stack
from tests.strategies import small_profile

SMALL: dict[str, Workload] = {
    "stack": stack("lstm", "rnn_tanh"),
    "decoder": decoder("lstm", "rnn_tanh", external=2),
    "decoder with an mLSTM": decoder("mlstm", "lstm"),
    "bidirectional pair": bidirectional("lstm", depth=1),
    "gru, reset before": single("gru"),
    "gru, reset after": single("gru", reset="after"),
    "lstm, projection": single("lstm", projection_size=2),
    "rnn, skip input": single("rnn_tanh", skip_input=True),
}
"""Small networks; three steps are the first, one between and the last."""
SMALL = {
    name: replace(of, layers=tuple(replace(layer, steps=3) for layer in of.layers))
    for name, of in SMALL.items()
}
LINEAR = replace(single("linear"), layers=(replace(single("linear").layers[0], steps=3),))


def space(workload: Workload, cluster: Cluster) -> Iterator[Candidate]:
    """Every layout with every schedule."""
    for layout in (*layouts(workload, cluster.fpgas), *uneven_layouts(workload, cluster)):
        for schedule in schedules(workload):
            yield Candidate(layout, schedule)


def test_weights_that_fit_nowhere_are_refused_at_once() -> None:
    """The refusal names the fewest devices that have room for the weights."""
    workload = load_workload("lstm-64-b1-t2")  # 2 x 4 x 64 x 64 weights, a byte each
    profile = replace(small_profile(), weight_memory_bytes=10_000)
    with pytest.raises(Unsupported, match="need 4 FPGAs at least; the cluster has 3"):
        load_partitioner("full").plan(workload, Cluster(profile, 3))
    plan = load_partitioner("full").plan(workload, Cluster(profile, 4))
    assert plan.devices == (0, 1, 2, 3)


@pytest.mark.parametrize("name", SMALL)
def test_every_candidate_computes_the_network(name: str) -> None:
    """On one to five devices: valid, and equal to the network in every bit."""
    workload = SMALL[name]
    network = make_network(workload, load_format("int8"))
    known = set()
    for fpgas in range(1, 6):
        cluster = Cluster(small_profile(), fpgas)
        for candidate in space(workload, cluster):
            if candidate in known:
                continue  # with a device more, which is idle
            known.add(candidate)
            plan = build(workload, candidate)
            validate(plan, workload, cluster)
            found = verdict(plan, cluster, network)
            assert found == "exact", f"{fpgas} devices, {candidate}: {found}"
    assert len(known) > 20


@pytest.mark.parametrize("topology", ["ring", "ring-bidirectional", "chain", "host-star"])
@pytest.mark.parametrize("name", SMALL)
def test_floors_are_floors(name: str, topology: str) -> None:
    """No candidate is faster than its floor, with any schedule, where work counts and where latency does."""
    workload = SMALL[name]
    for latency_ns in (0.0, 1000.0):
        for fpgas in (2, 4):
            cluster = Cluster(small_profile(latency_ns), fpgas, topology)
            floors: dict[Layout, int] = {}
            for candidate in space(workload, cluster):
                layout = candidate.layout
                if layout not in floors:
                    floors[layout] = floor(layout, workload, cluster)
                cycles = emulated_cycles(workload, cluster, build(workload, candidate))
                assert floors[layout] <= cycles, f"{fpgas} devices, {latency_ns} ns, {candidate}"


@pytest.mark.parametrize("topology", RINGS)
@pytest.mark.parametrize("name", SMALL)
def test_idle_devices_of_a_ring_make_no_difference(name: str, topology: str) -> None:
    """A candidate takes the same time, with the same floor, on its devices alone as on a larger ring."""
    workload = SMALL[name]
    large = Cluster(small_profile(), 6, topology)
    idle = 0
    for candidate in space(workload, Cluster(small_profile(), 3, topology)):
        layout, plan = candidate.layout, build(workload, candidate)
        own = replace(large, fpgas=sum(split.devices for split in layout.splits))
        idle += large.fpgas - own.fpgas
        assert emulated_cycles(workload, own, plan) == emulated_cycles(workload, large, plan)
        assert floor(layout, workload, own) == floor(layout, workload, large)
    assert idle


def test_an_ablation_finds_the_same_behind_another_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a search knows from one before it neither adds candidates to its answer nor takes any away."""
    workload, cluster = SEARCHED["gru-2560"], Cluster(small_profile(), 4)
    without = frozenset(IDEAS) - {"splits"}
    *_, alone = search(workload, cluster, without)
    *_, every = search(workload, cluster)
    monkeypatch.setattr("bench.partitioners.search._known", lambda *of: Known())
    assert [*search(workload, cluster, without)][-1] == alone
    assert [*search(workload, cluster)][-1] == every


def test_floors_of_a_layer_without_recurrence() -> None:
    """A linear layer's rows meet nowhere, so latency is no part of its floor."""
    cluster = Cluster(small_profile(1000.0), 4)
    for candidate in space(LINEAR, cluster):
        cycles = emulated_cycles(LINEAR, cluster, build(LINEAR, candidate))
        assert floor(candidate.layout, LINEAR, cluster) <= cycles, candidate


def layer(name: str, cell: str, size: int, below: str = "input", **options: object) -> Layer:
    """A layer of ``size`` elements and as many inputs, over 16 steps."""
    made = Layer(name, cell, size, size, 16, (Input(below, size),))  # type: ignore[arg-type]
    return replace(made, **options)  # type: ignore[arg-type]


SEARCHED: dict[str, Workload] = {
    "lstm-512": Workload("one", (layer("a", "lstm", 512),)),
    "lstm-2048": Workload("one", (layer("a", "lstm", 2048),)),
    "gru-2560": Workload("one", (layer("a", "gru", 2560),)),
    "rnn-1024": Workload("one", (layer("a", "rnn_tanh", 1024),)),
    "stack of two": Workload("two", (layer("a", "lstm", 1024), layer("b", "lstm", 1024, "a"))),
    "uneven stack": Workload("two", (layer("a", "gru", 1536), layer("b", "rnn_tanh", 1536, "a"))),
    "both directions": Workload(
        "two", (layer("a", "lstm", 1024), layer("b", "lstm", 1024, direction="backward"))
    ),
    "decoder of two": Workload(
        "two",
        (
            replace(layer("a", "lstm", 1024), inputs=(Input("b", 1024, delay=1),)),
            layer("b", "lstm", 1024, "a"),
        ),
    ),
}
"""One layer or two, of the paper's sizes."""


@pytest.mark.parametrize("topology", ["ring", "ring-bidirectional"])
@pytest.mark.parametrize("fpgas", [2, 3, 4])
@pytest.mark.parametrize("name", SEARCHED)
def test_search_finds_what_exhaustive_search_finds(name: str, fpgas: int, topology: str) -> None:
    """All layouts with all schedules, each emulated: none is faster than the answer."""
    workload = SEARCHED[name]
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), fpgas, topology)
    times = {c: emulated_cycles(workload, cluster, build(workload, c)) for c in space(workload, cluster)}
    *_, last = search(workload, cluster)
    best = min(times, key=lambda candidate: times[candidate])
    assert times[last.best] <= times[best], f"{last.best}, but best is {best}"


def test_a_search_improves_and_ends_with_all_it_knows() -> None:
    """Each step of a search is faster than the one before; what it yields first is a plan already."""
    workload = SEARCHED["stack of two"]
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 4, "ring-bidirectional")
    *steps, last = search(workload, cluster)
    times = [step.ranked[0][1] for step in steps]
    assert times == sorted(set(times), reverse=True)
    assert [step.finished for step in (*steps, last)] == [False] * len(steps) + [True]
    assert last.best == steps[-1].best
    validate(build(workload, steps[0].best), workload, cluster)


@pytest.mark.parametrize("idea", IDEAS)
def test_an_idea_left_out_is_not_used(idea: str) -> None:
    """What `without` names is in no candidate, and the answer is no faster for it."""
    workload = SEARCHED["gru-2560"] if idea in ("replicas", "ahead") else SEARCHED["stack of two"]
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 4, "ring-bidirectional")
    *_, everything = search(workload, cluster)
    *_, last = search(workload, cluster, frozenset(IDEAS) - {idea})
    assert last.ranked[0][1] >= everything.ranked[0][1]
    used = {
        "groups": lambda c: len(c.layout.splits) > 1,
        "helpers": lambda c: c.layout.splits[0].kind == "spread",
        "mesh": lambda c: c.layout.splits[0].kind == "mesh",
        "splits": lambda c: c.layout.splits[0].kind in ("sources", "grid", "columns", "gates"),
        "replicas": lambda c: c.layout.splits[0].kind == "reset",
        "pipelining": lambda c: c.schedule.pipelined,
        "streaming": lambda c: c.schedule.parts is not None,
        "parts": lambda c: (c.schedule.parts or 1) > 1,
        "ahead": lambda c: c.schedule.ahead > 0,
        "wavefront": lambda c: c.schedule.wavefront,
    }[idea]
    assert not any(used(candidate) for candidate, _ in last.ranked)
    assert any(used(candidate) for candidate, _ in everything.ranked)


def test_unknown_ideas_are_refused() -> None:
    """A name that is no idea is named, with those that are."""
    workload, cluster = SEARCHED["lstm-512"], Cluster(small_profile(), 2)
    with pytest.raises(UserError, match="without: 'magic' is no idea of the search; there are: groups,"):
        load_partitioner("full").plan(workload, cluster, without="magic")
