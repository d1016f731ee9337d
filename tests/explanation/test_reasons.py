"""What `bench explain` says is what the figures say."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.explanation.ablation import ablations, ideas_used
from bench.explanation.compare import Comparison, best_conventional, compare
from bench.explanation.figures import Figures, exchanges_per_step, farthest_owners, figures
from bench.explanation.reasons import differences, reasons
from bench.explanation.words import describe_layout, schedule_difference
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.topology import routes
from bench.partitioners import CONVENTIONAL, load_partitioner
from bench.partitioners import floors as search_floors
from bench.partitioners.space import (
    ALL,
    IDEAS,
    Candidate,
    Layout,
    Schedule,
    Split,
    build,
    cabling,
    layouts,
    schedules,
)
from bench.workloads.catalogue import load_workload
from bench.workloads.model import feedback_layers

FAST = Schedule(True, 1, 0, True)


def comparison(name: str, fpgas: int, topology: str = "ring") -> Comparison:
    """What is explained of a workload on the DAC 2020 profile."""
    return compare(load_workload(name), make_cluster(load_profile("s10-gx2800-dac20"), fpgas, topology))


@pytest.mark.parametrize("name", ["gru-256-b1-t6", "lstm-256-b1-t6", "dac20/decoder-8"])
@pytest.mark.parametrize("topology", ["ring", "ring-bidirectional"])
def test_exchanges_and_hops_are_those_of_the_floors(name: str, topology: str) -> None:
    """Read off the plan, they are what the search's floor counts, where it counts each one."""
    workload = load_workload(name)
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 6, topology)
    kinds = {"rows", "spread", "reset"}
    if not feedback_layers(workload):
        kinds.add("sources")  # on a loop of layers its sums travel as well as its rows
    checked = 0
    for layout in layouts(workload, 6):
        split = layout.splits[0]
        if len(layout.splits) > 1 or split.kind not in kinds:
            continue
        plan = build(workload, Candidate(layout, FAST))
        ways = routes(cluster, plan.groups)
        owners = [layout.members[0][rank] for rank in split.owners]
        for layer in workload.layers:
            expected = search_floors.exchanges_per_step(layer, split) if len(owners) > 1 else 0
            assert exchanges_per_step(layer, plan, workload) == expected, str(layout)
            assert farthest_owners(layer, plan, ways) == search_floors._farthest(ways, owners)
        assert plan.groups == tuple(map(tuple, cabling(layout)))
        checked += 1
    assert checked > 5


@pytest.mark.parametrize(
    ("partitioner", "lstm", "gru"), [("layer-wise", 0, 0), ("gate-wise", 1, 3), ("column-wise", 1, 2)]
)
def test_exchanges_of_other_plans(partitioner: str, lstm: int, gru: int) -> None:
    """A plan without a split inside layers has none; gates apart exchange sums; columns add partial sums."""
    for name, expected in (("lstm-256-b1-t6", lstm), ("gru-256-b1-t6", gru)):
        workload = load_workload(name)
        cluster = make_cluster(load_profile("s10-gx2800-dac20"), 3, "ring")
        plan = load_partitioner(partitioner).plan(workload, cluster)
        assert exchanges_per_step(workload.layers[0], plan, workload) == expected


SIZES = st.integers(0, 10_000)


@st.composite
def some_figures(draw: st.DrawFn) -> Figures:
    """Figures whose parts are free."""
    work, waiting, links = draw(SIZES) + 1, draw(SIZES), draw(SIZES)
    cycles = work + waiting + links
    return Figures(cycles, 2.0, 1, work, links / cycles, 1, 1.0, 0, 0)


@given(some_figures(), some_figures())
def test_differences_add_up(one: Figures, other: Figures) -> None:
    """The cycles in the sentence add up to the difference of the times, but for what is left out."""
    said = differences(one, other)
    found = [(int(n.replace(",", "")), word) for n, word in re.findall(r"([\d,]+) (more|fewer)", said)]
    total = sum(number if word == "more" else -number for number, word in found)
    left_out = (3 - len(found)) * 0.005 * one.cycles
    assert abs(total - (other.cycles - one.cycles)) <= left_out + 1e-9


@pytest.mark.parametrize(
    ("name", "fpgas", "topology"),
    [
        ("gru-512-b1-t25", 4, "ring-bidirectional"),
        ("lstm-512-b1-t25", 4, "ring"),
        ("dac20/encoder-8", 8, "ring"),
        ("lstm-512-b1-t25", 1, "ring"),
    ],
)
def test_sentences(name: str, fpgas: int, topology: str) -> None:
    """Two to five sentences, which name the runner-up's and the conventional plan's ratio as they are."""
    value = comparison(name, fpgas, topology)
    said = reasons(value)
    assert 2 <= len(said) <= 5
    assert all(re.fullmatch(r"(The|There) .*[^.]\.", text) for text in said)
    cycles = value.winner.figures.cycles
    assert describe_layout(value.winner.candidate.layout) in said[0]
    if value.runner_up:
        assert value.runner_up.candidate.layout != value.winner.candidate.layout
        assert f"{value.runner_up.figures.cycles / cycles:.3f} times" in said[1] or "takes as long" in said[1]
    else:
        assert fpgas == 1
    assert value.conventional
    assert f"{value.conventional[0]}, takes {value.conventional[1].cycles / cycles:.2f} times" in said[-1]


def test_the_best_conventional_plan_is_the_fastest() -> None:
    """Of the three, the one with the fewest cycles."""
    workload = load_workload("lstm-512-b1-t25")
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 4, "ring-bidirectional")
    found = {
        name: figures(load_partitioner(name).plan(workload, cluster), workload, cluster).cycles
        for name in CONVENTIONAL
    }
    best = best_conventional(workload, cluster)
    assert best is not None
    assert (best[0], best[1].cycles) == min(found.items(), key=lambda item: item[1])


@pytest.mark.parametrize("name", ["gru-256-b1-t6", "dac20/encoder-8"])
def test_a_candidate_uses_no_idea_that_its_search_left_out(name: str) -> None:
    """Without an idea the space has no candidate that uses it; with all of them each idea has one."""
    workload = load_workload(name)
    for idea in IDEAS:
        rest = ALL - {idea}
        for layout in layouts(workload, 6, rest):
            for schedule in schedules(workload, rest):
                assert idea not in ideas_used(Candidate(layout, schedule))
    every = {
        idea
        for layout in layouts(workload, 6)
        for schedule in schedules(workload)
        for idea in ideas_used(Candidate(layout, schedule))
    }
    missing = {"groups"} if name.startswith("gru") else {"replicas", "ahead"}
    assert every == ALL - missing


def test_ablations_leave_one_idea_out() -> None:
    """Each idea that a plan uses is searched without, and what is found does without it."""
    workload = load_workload("gru-256-b1-t6")
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 4, "ring-bidirectional")
    winner = Candidate(Layout((Split("reset", (3, 1)),)), Schedule(True, 2, 0, True))
    found = list(ablations(workload, cluster, winner))
    assert [one.idea for one in found] == [
        "helpers", "replicas", "pipelining", "streaming", "parts", "wavefront",
    ]  # fmt: skip
    assert all(one.candidate and one.idea not in ideas_used(one.candidate) for one in found)
    assert all(one.cycles for one in found)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (FAST, FAST, ""),
        (Schedule(True, 2, 1, True), FAST, "products cut in 2 parts instead of 1, 1 instead of 0"),
        (Schedule(False), FAST, "without software pipelining, without streaming, without the wavefront"),
    ],
)
def test_schedule_difference(one: Schedule, other: Schedule, words: str) -> None:
    """Only what differs is named."""
    assert schedule_difference(one, other).startswith(words)
    assert bool(schedule_difference(one, other)) == bool(words)
