"""The plans that `full` chooses from compute the network, and its search finds the fastest of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from bench.errors import Unsupported
from bench.evaluate import emulated_cycles
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Cluster
from bench.numerics.check import make_network, verdict
from bench.numerics.formats import load_format
from bench.partitioners import load_partitioner
from bench.partitioners.full import _floor, _search
from bench.partitioners.space import Candidate, build, first_schedules, layouts, more_schedules
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


def space(workload: Workload, fpgas: int) -> Iterator[Candidate]:
    """Every layout with every schedule."""
    schedules = dict.fromkeys((*first_schedules(workload), *more_schedules(workload)))
    for groups, split in layouts(workload, fpgas):
        for schedule in schedules:
            yield Candidate(groups, split, schedule)


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
        for candidate in space(workload, fpgas):
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
            floors: dict[object, int] = {}
            for candidate in space(workload, fpgas):
                layout = candidate.groups, candidate.split
                if layout not in floors:
                    floors[layout] = _floor(candidate, workload, cluster)
                cycles = emulated_cycles(workload, cluster, build(workload, candidate))
                assert floors[layout] <= cycles, f"{fpgas} devices, {latency_ns} ns, {candidate}"


def test_floors_of_a_layer_without_recurrence() -> None:
    """A linear layer's rows meet nowhere, so latency is no part of its floor."""
    cluster = Cluster(small_profile(1000.0), 4)
    for candidate in space(LINEAR, 4):
        cycles = emulated_cycles(LINEAR, cluster, build(LINEAR, candidate))
        assert _floor(candidate, LINEAR, cluster) <= cycles, candidate


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
    """All layouts with all schedules, each emulated: the best is no more than 2 % faster than the answer."""
    workload = SEARCHED[name]
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), fpgas, topology)
    times = {c: emulated_cycles(workload, cluster, build(workload, c)) for c in space(workload, fpgas)}
    answer = _search(workload, cluster)
    assert answer is not None
    best = min(times, key=lambda candidate: times[candidate])
    assert times[answer[0]] <= 1.02 * times[best], f"{answer[0]}, but best is {best}"
