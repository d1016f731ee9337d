"""What a search pays for a plan: lowering and emulation of what `full` tries; lowering for many devices."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.emulator.timing import cycles_of
from bench.evaluate import emulated_cycles
from bench.hardware import topology
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Cluster
from bench.partitioners.search import search
from bench.partitioners.space import Candidate, Layout, Schedule, Split, build
from bench.plans import cuts, lower, outline, ownership, setting, sums
from bench.plans.plan import Plan
from bench.plans.program import SERVER, UNIT, Unit
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Workload

PROFILE = load_profile("s10-gx2800-dac20")
NETWORKS = ("encoder-8", "decoder-8", "blstm-4", "blstm-pyramid-4", "lstm-2048", "gru-2048")
MANY = 1024


@lru_cache
def candidates(name: str) -> tuple[Workload, Cluster, list[Plan], list[int]]:
    """What `full` emulates for a network on 8 FPGAs: workload, cluster, plans, and their cycles."""
    workload = load_workload(f"dac20/{name}")
    cluster = make_cluster(PROFILE, 8, "ring-bidirectional")
    *_, end = search(workload, cluster)
    plans = [build(workload, candidate) for candidate, _ in end.ranked]
    return workload, cluster, plans, [cycles for _, cycles in end.ranked]


def forget() -> None:
    """Let nothing be known of plans evaluated before."""
    lower.timed.clear()
    for module in (topology, cuts, outline, ownership, setting, sums):
        for found in vars(module).values():
            if hasattr(found, "cache_clear"):
                found.cache_clear()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("known", [False, True])
def test_candidates(benchmark: BenchmarkFixture, name: str, known: bool) -> None:
    """All candidates of a search, from nothing; ``known``: again, when each has been evaluated before."""
    workload, cluster, plans, cycles = candidates(name)

    def evaluate_all() -> list[int]:
        return [emulated_cycles(workload, cluster, plan) for plan in plans]

    forget()
    setup = None if known else forget
    assert benchmark.pedantic(evaluate_all, setup=setup, rounds=5, warmup_rounds=1) == cycles
    if not benchmark.disabled:
        benchmark.extra_info["candidates_per_second"] = round(len(plans) / benchmark.stats.stats.min)


@pytest.mark.parametrize("name", NETWORKS)
def test_emulation(benchmark: BenchmarkFixture, name: str) -> None:
    """The emulator alone: cycles of all candidates whose programs are there."""
    workload, cluster, plans, cycles = candidates(name)
    programs = [
        (
            [body.arrays for body in lower.loop_bodies(plan, workload, cluster)],
            (cluster.fpgas, topology.routes(cluster, plan.groups).servers, len(plan.groups)),
        )
        for plan in plans
    ]

    def emulate_all() -> list[int]:
        return [cycles_of(iter(bodies), sizes, PROFILE.overlay) for bodies, sizes in programs]

    assert benchmark.pedantic(emulate_all, rounds=5, warmup_rounds=1) == cycles
    if not benchmark.disabled:
        benchmark.extra_info["candidates_per_second"] = round(len(plans) / benchmark.stats.stats.min)


@pytest.mark.parametrize(
    "devices", [16, pytest.param(MANY // 8, marks=pytest.mark.slow)], ids=["groups-of-16", "all"]
)
def test_gnmt_on_many(benchmark: BenchmarkFixture, devices: int) -> None:
    """GNMT-8 in eight groups of a cluster of 1,024: of 16 devices, or so large that all are used."""
    workload = load_workload("large/gnmt-8")
    cluster = make_cluster(PROFILE, MANY, "ring-bidirectional")
    schedule = Schedule(pipelined=True, parts=1, wavefront=True)
    plan = build(workload, Candidate(Layout((Split("rows", (devices,)),) * 8), schedule))
    bodies = benchmark.pedantic(lower.loop_bodies, args=(plan, workload, cluster), setup=forget, rounds=1)
    fields = np.concatenate([body.arrays.fields for body in bodies])
    benchmark.extra_info["instructions"] = len(fields)
    assert len(set(fields[fields[:, UNIT] == Unit.MATRIX, SERVER])) == 8 * devices
