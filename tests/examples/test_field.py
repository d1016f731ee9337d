"""Partitioners from the field: right plans, the same every time, the best of their own models."""

from __future__ import annotations

import sys
from dataclasses import replace
from functools import partial
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import Unsupported, UserError
from bench.evaluate import evaluate
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Cluster
from bench.numerics.check import check_plan
from bench.plans.plan import Plan
from bench.plans.validate import validate
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Input, Layer, Workload
from tests.examples.loading import load_example
from tests.numerics import networks
from tests.strategies import clusters, small_profile, workloads

Variant = tuple[str, dict[str, Any], str]
"""An example's name, its parameters, and the package it needs, or ""."""

VARIANTS: dict[str, Variant] = {
    "pipedream": ("pipedream", {}, ""),
    "pipedream, whole layers": ("pipedream", {"rows": False}, ""),
    "megatron": ("megatron", {}, ""),
    "FiC-RNN": ("fic_rnn", {}, ""),
    "random": ("random_rows", {"seed": 7}, ""),
    "greedy": ("greedy_depth_first", {}, ""),
    "ILP": ("alpa_ilp", {}, "ortools"),
    "METIS, folded": ("graph_cut", {"tool": "metis"}, "pymetis"),
    "METIS, unrolled": ("graph_cut", {"tool": "metis", "form": "unrolled"}, "pymetis"),
    "Mt-KaHyPar, folded": ("graph_cut", {"tool": "mt-kahypar"}, "mtkahypar"),
    "Mt-KaHyPar, unrolled": ("graph_cut", {"tool": "mt-kahypar", "form": "unrolled"}, "mtkahypar"),
}
NEED_A_PACKAGE = {name: variant for name, variant in VARIANTS.items() if variant[2]}
NEED_NOTHING = sorted(VARIANTS.keys() - NEED_A_PACKAGE.keys())

BATTERY = {
    name: networks.NETWORKS[name]
    for name in (
        "lstm",
        "gru, reset before",
        "gru, reset after",
        "gru, skip input",
        "mlstm",
        "projection",
        "batch 4",
        "stack",
        "bidirectional",
        "pyramid, summed",
        "decoder of one layer",
        "decoder of all cells",
        "inputs summed",
        "one after the other",
    )
}
PAPER = load_profile("s10-gx2800-dac20")


def needs(package: str) -> None:
    """Skip the test where the package is missing."""
    pytest.importorskip(package, reason=f"{package} is not installed (`make field`)")


def planner(variant: str) -> Any:
    """The variant's plan function with its parameters; skips where a package is missing."""
    name, parameters, package = VARIANTS[variant]
    if package:
        needs(package)
    return partial(load_example(name).plan, **parameters)


def check(plan: Plan, workload: Workload, cluster: Cluster) -> None:
    """The plan is valid, can be timed, and computes the right numbers."""
    validate(plan, workload, cluster)
    assert evaluate(workload, cluster, plan).cycles > 0
    assert check_plan(plan, workload, cluster).right, workload.name


@pytest.mark.parametrize("fpgas", [1, 2, 3, 4, 8])
@pytest.mark.parametrize("variant", VARIANTS)
def test_plans_are_right_and_repeatable(variant: str, fpgas: int) -> None:
    """Every cell and every way of joining layers, also with more FPGAs than rows."""
    make = planner(variant)
    cluster = Cluster(small_profile(), fpgas)
    for workload in BATTERY.values():
        plan = make(workload, cluster)
        assert plan == make(workload, cluster)
        check(plan, workload, cluster)


@pytest.mark.parametrize("variant", NEED_NOTHING)
@settings(max_examples=15)
@given(st.data())
def test_plans_are_right_on_any_workload(variant: str, data: st.DataObject) -> None:
    """The same on workloads and clusters that nobody has chosen."""
    workload, cluster = data.draw(workloads(most_steps=8)), data.draw(clusters())
    check(planner(variant)(workload, cluster), workload, cluster)


@pytest.mark.parametrize("variant", VARIANTS)
def test_plans_of_the_paper_s_networks_are_right(variant: str) -> None:
    """At real sizes too, where blocks are many and devices share few layers."""
    cluster = make_cluster(PAPER, 4, "ring")
    for name in ("dac20/gru-2048", "dac20/blstm-pyramid-4"):
        workload = load_workload(name)
        check(planner(variant)(workload, cluster), workload, cluster)


@pytest.mark.parametrize("variant", NEED_A_PACKAGE)
def test_a_missing_package_is_no_crash(variant: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its package a partitioner says so, and how to get it."""
    name, parameters, package = VARIANTS[variant]
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.sat.python", None)
    with pytest.raises(Unsupported, match=rf"{package} is not installed.*`make field`"):
        load_example(name).plan(BATTERY["lstm"], Cluster(small_profile(), 2), **parameters)


# --- pipelines -------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.integers(1, 5), st.integers(1, 5), st.data())
def test_pipeline_is_optimal(units: int, devices: int, data: st.DataObject) -> None:
    """No contiguous pipeline has a faster slowest stage, whatever the stages cost."""
    sizes = sorted(data.draw(st.sets(st.integers(1, devices), min_size=1)))
    keys = [(a, b, d) for b in range(1, units + 1) for a in range(b) for d in sizes]
    costs = {key: data.draw(st.integers(0, 9)) for key in keys}

    def slowest(start: int, left: int) -> float:
        if start == units:
            return 0
        ways = [(stop, d) for stop in range(start + 1, units + 1) for d in sizes if d <= left]
        every = (max(costs[start, stop, d], slowest(stop, left - d)) for stop, d in ways)
        return min(every, default=float("inf"))

    found = load_example("pipedream").best_pipeline(units, devices, sizes, lambda a, b, d: costs[a, b, d])
    assert found.cycles == slowest(0, devices)
    assert found.cycles == max(costs[s.start, s.stop, s.devices] for s in found.stages)
    assert [s.start for s in found.stages] == [0, *(s.stop for s in found.stages)][:-1]
    assert sum(s.devices for s in found.stages) <= devices


def test_pipeline_of_equal_layers_has_a_layer_a_device() -> None:
    """Eight equal layers on eight FPGAs are not split by rows: that would cost gathers."""
    workload, cluster = load_workload("dac20/encoder-8"), make_cluster(PAPER, 8, "ring")
    assert load_example("pipedream").plan(workload, cluster).groups == tuple((n,) for n in range(8))


def test_feedback_loop_is_not_pipelined() -> None:
    """A decoder's layers wait for each other: all of them are in one stage."""
    workload, cluster = load_workload("dac20/decoder-8"), make_cluster(PAPER, 8, "ring")
    assert len(load_example("pipedream").plan(workload, cluster).groups) == 1


# --- the integer program ------------------------------------------------------------------------

SMALL_MODELS = {
    "lstm": Workload("lstm", (Layer("a", "lstm", 24, 40, 5),)),
    "gru": Workload("gru", (Layer("a", "gru", 24, 40, 5),)),
    "projection": Workload("projection", (Layer("a", "lstm", 24, 40, 5, projection_size=6),)),
    "stack": replace(networks.stack("lstm", "rnn_tanh"), batch=1),
}


@pytest.mark.parametrize("memory", [None, 0.6])
@pytest.mark.parametrize("latency_ns", [0.0, 40.0, 1000.0])
@pytest.mark.parametrize("name", SMALL_MODELS)
def test_sharding_is_optimal(name: str, latency_ns: float, memory: float | None) -> None:
    """No choice of shardings costs less, in the ILP's own model; also where weights must be split."""
    needs("ortools")
    workload, ilp = SMALL_MODELS[name], load_example("alpa_ilp")
    model = ilp.make_model(workload, Cluster(small_profile(latency_ns), 3))
    model.most_weights = int(memory * workload.weights) if memory else None
    names = list(model.operators)
    choices = product(*[[option.name for option in model.operators[name]] for name in names])
    costs = [model.cycles(dict(zip(names, choice, strict=True))) for choice in choices]
    found = ilp.solve(model, 60.0)
    assert found.proven
    assert found.cycles == model.cycles(found.chosen) == min(cost for cost in costs if cost is not None)


def test_slow_links_are_not_used() -> None:
    """Where a gather costs more than all products, everything stays on one device; with fast links not."""
    needs("ortools")
    plan = load_example("alpa_ilp").plan
    assert plan(SMALL_MODELS["lstm"], Cluster(small_profile(1e6), 4)).devices == (0,)
    assert plan(SMALL_MODELS["lstm"], Cluster(small_profile(0.0, 0.0), 4)).devices == (0, 1, 2, 3)


def test_sharding_that_fits_nowhere_is_refused() -> None:
    """Less memory than the least share of the weights: unsupported, with the reason."""
    needs("ortools")
    tiny = replace(small_profile(), weight_memory_bytes=100)
    with pytest.raises(Unsupported, match="no sharding fits"):
        load_example("alpa_ilp").plan(SMALL_MODELS["lstm"], Cluster(tiny, 4))


# --- graph cuts ----------------------------------------------------------------------------------


def test_folded_graph_weighs_all_work() -> None:
    """The vertices weigh each multiply-accumulate once, and each element of each vector."""
    workload, cut = load_workload("dac20/gru-2048"), load_example("graph_cut")
    graph, _ = cut._folded(workload, make_cluster(PAPER, 4, "ring"), 8, 0)
    layer = workload.layers[0]
    assert sum(graph.work) == workload.macs + 2 * layer.hidden_size * layer.steps


@pytest.mark.parametrize("tool", ["metis", "mt-kahypar"])
def test_folded_cut_keeps_layers_whole(tool: str) -> None:
    """Between layers h passes once; inside one it is gathered: a balanced cut is one of layers."""
    needs({"metis": "pymetis", "mt-kahypar": "mtkahypar"}[tool])
    workload, cluster = load_workload("dac20/encoder-8"), make_cluster(PAPER, 4, "ring")
    plan = load_example("graph_cut").plan(workload, cluster, tool=tool)
    assert plan.groups == ((0,), (1,), (2,), (3,))


@pytest.mark.parametrize("tool", ["metis", "mt-kahypar"])
def test_unrolled_cut_is_across_time(tool: str) -> None:
    """Every row block has steps in several parts, and after the vote devices are left without work."""
    needs({"metis": "pymetis", "mt-kahypar": "mtkahypar"}[tool])
    workload, cluster = load_workload("dac20/lstm-2048"), make_cluster(PAPER, 4, "ring")
    plan = load_example("graph_cut").plan(workload, cluster, tool=tool, form="unrolled")
    assert "72 of 72 row ranges are on several parts over time" in plan.notes
    assert len(plan.devices) < 4


def test_rows_of_a_device_are_consecutive() -> None:
    """However the tool has scattered a layer's rows, each device gets one range of h."""
    needs("pymetis")
    workload = Workload("projection", (Layer("a", "lstm", 64, 96, 5, projection_size=32),))
    plan = load_example("graph_cut").plan(workload, Cluster(small_profile(), 4))
    for stage in ("mem", "h"):
        devices = [vector.device for vector in plan.vectors if vector.stage == stage]
        assert len(devices) == len(set(devices))


def test_unknown_tool_is_a_user_s_error() -> None:
    """A misspelt parameter is named, with what is expected."""
    with pytest.raises(UserError, match="'tool' is 'metiss'; expected metis or mt-kahypar"):
        load_example("graph_cut").plan(BATTERY["lstm"], Cluster(small_profile(), 2), tool="metiss")


# --- the others --------------------------------------------------------------------------------------


def test_megatron_s_pairs() -> None:
    """A GRU's reset hidden vector, and a projected LSTM's, are multiplied where they were made."""
    for name, matrix in (("gru, reset before", "n.rh"), ("projection", "p.mem"), ("lstm", "i.h")):
        workload = BATTERY[name]
        plan = load_example("megatron").plan(workload, Cluster(small_profile(), 2))
        whole = {block.matrix for block in plan.blocks if block.cols[0] == 0 and block.device == 1}
        assert matrix not in whole
        assert whole
        if name != "lstm":
            assert not any(vector.rows[0] for vector in plan.vectors if vector.device == 0)


def test_megatron_alternates_linear_layers() -> None:
    """The second of two linear layers in a row is split by columns, the third by rows again."""
    workload = networks.stack("linear", "linear", "linear")
    plan = load_example("megatron").plan(workload, Cluster(small_profile(), 2))
    starts = {block.layer: block.cols[0] for block in plan.blocks if block.device == 1}
    assert [starts[name] > 0 for name in ("l0", "l1", "l2")] == [False, True, False]


def test_random_rows_follow_their_seed() -> None:
    """Another seed is another plan."""
    make, cluster = load_example("random_rows").plan, Cluster(small_profile(), 4)
    workload = BATTERY["stack"]
    assert make(workload, cluster, seed=1) == make(workload, cluster, seed=1)
    assert make(workload, cluster, seed=1).plan_id != make(workload, cluster, seed=2).plan_id


def test_greedy_uses_as_few_devices_as_fit() -> None:
    """One device where all weights fit; as many as are needed otherwise, none of them too full."""
    workload = BATTERY["stack"]
    greedy = load_example("greedy_depth_first").plan
    assert greedy(workload, Cluster(small_profile(), 8)).devices == (0,)
    tight = Cluster(replace(small_profile(), weight_memory_bytes=workload.weights // 3), 8)
    plan = greedy(workload, tight)
    assert plan.devices == (0, 1, 2, 3)
    check(plan, workload, tight)  # raises DoesNotFit if a device is too full


def test_greedy_refuses_what_fits_nowhere() -> None:
    """Weights beyond all devices are refused, unless capacity does not count."""
    workload = BATTERY["stack"]
    greedy = load_example("greedy_depth_first").plan
    small = replace(small_profile(), weight_memory_bytes=workload.weights // 3)
    with pytest.raises(Unsupported, match="exceed 2 FPGAs"):
        greedy(workload, Cluster(small, 2))
    uncounted = Cluster(replace(small, ignore_weight_capacity=True), 2)
    check(greedy(workload, uncounted), workload, uncounted)


def test_greedy_groups_are_ones_that_a_ring_can_cable() -> None:
    """A layer on device 0 below one on seven would need seven cables at its card: one group instead."""
    layers = (Layer("a", "linear", 5, 8, 4), Layer("b", "linear", 8, 7 * 5, 4, (Input("a", 8),)))
    workload = Workload("uneven", layers)
    cluster = Cluster(replace(small_profile(), weight_memory_bytes=40), 8)
    plan = load_example("greedy_depth_first").plan(workload, cluster)
    assert plan.groups == (tuple(range(8)),)
    check(plan, workload, cluster)


def test_fic_rnn_puts_a_layer_on_each_board() -> None:
    """Boards beyond the number of layers stay idle; with fewer, each has consecutive layers."""
    workload = networks.stack("lstm", "lstm", "lstm", "lstm")
    fic = load_example("fic_rnn").plan
    assert fic(workload, Cluster(small_profile(), 6)).devices == (0, 1, 2, 3)
    homes = {block.layer: block.device for block in fic(workload, Cluster(small_profile(), 2)).blocks}
    assert [homes[f"l{n}"] for n in range(4)] == [0, 0, 1, 1]
