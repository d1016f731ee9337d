"""What emulation, lowering and search cost; `make bench` times them, `make test` runs each once."""

from __future__ import annotations

import timeit

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.emulator.timing import count_cycles
from bench.evaluate import evaluate
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Cluster
from bench.partitioners import full, load_partitioner
from bench.partitioners.space import Candidate, Layout, Schedule, Split, build
from bench.plans.lower import lower
from bench.plans.plan import Plan
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Workload

PROFILE = load_profile("s10-gx2800-dac20")
LSTM = "dac20/lstm-2048"
SHORT, LONG = "gru-2816-b1-t187", "gru-2816-b1-t1500"


def question(name: str, fpgas: int, partitioner: str) -> tuple[Workload, Cluster, Plan]:
    """A workload, a ring of FPGAs, and a plan for them."""
    workload, cluster = load_workload(name), make_cluster(PROFILE, fpgas, "ring")
    return workload, cluster, load_partitioner(partitioner).plan(workload, cluster)


def seconds_to_emulate(name: str, fpgas: int, partitioner: str) -> float:
    """The least of several runs, on a program that has been emulated before."""
    workload, cluster, plan = question(name, fpgas, partitioner)
    program = lower(plan, workload, cluster)
    return min(timeit.repeat(lambda: count_cycles(program, PROFILE.overlay), number=5, repeat=20)) / 5


def test_emulate_lstm_on_eight_fpgas(benchmark: BenchmarkFixture) -> None:
    """LSTM-2048 over 32 steps, rows on 8 FPGAs, from a lowered program: under a millisecond."""
    workload, cluster, plan = question(LSTM, 8, "row-wise")
    program = lower(plan, workload, cluster)
    cycles = count_cycles(program, PROFILE.overlay)
    assert benchmark(count_cycles, program, PROFILE.overlay) == cycles
    assert seconds_to_emulate(LSTM, 8, "row-wise") < 1e-3


@pytest.mark.parametrize("name", [SHORT, LONG])
def test_emulate_gru(benchmark: BenchmarkFixture, name: str) -> None:
    """GRU-2816 on one FPGA over 187 and over 1,500 steps."""
    workload, cluster, plan = question(name, 1, "single")
    program = lower(plan, workload, cluster)
    assert benchmark(count_cycles, program, PROFILE.overlay) > workload.steps


@pytest.mark.parametrize(("fpgas", "partitioner"), [(1, "single"), (8, "row-wise")])
def test_long_runs_cost_no_more_than_short_ones(fpgas: int, partitioner: str) -> None:
    """GRU-2816 over 1,500 steps costs at most twice what it costs over 187."""
    short, long = (seconds_to_emulate(name, fpgas, partitioner) for name in (SHORT, LONG))
    assert long <= 2 * short


def test_lower(benchmark: BenchmarkFixture) -> None:
    """From the plan of LSTM-2048 on 8 FPGAs to its program."""
    workload, cluster, plan = question(LSTM, 8, "row-wise")
    program = benchmark(lower, plan, workload, cluster)
    assert program.devices == 8


def test_lower_streamed_decoder(benchmark: BenchmarkFixture) -> None:
    """Eight layers in a feedback loop on 3 + 3 FPGAs, products in two parts: over a thousand instructions."""
    workload = load_workload("dac20/decoder-8")
    cluster = make_cluster(PROFILE, 8, "ring-bidirectional")
    schedule = Schedule(pipelined=True, parts=2, wavefront=True)
    plan = build(workload, Candidate(Layout((Split("spread", (3, 3)),)), schedule))
    program = benchmark(lower, plan, workload, cluster)
    assert sum(len(phase.instructions) for phase in program.phases) > 1000


def test_lower_encoder_on_many(benchmark: BenchmarkFixture) -> None:
    """Encoder-8 on 64 FPGAs, eight to a layer."""
    workload, cluster, plan = question("dac20/encoder-8", 64, "full-dac20")
    program = benchmark(lower, plan, workload, cluster)
    assert program.devices == 64


def test_evaluate(benchmark: BenchmarkFixture) -> None:
    """The same plan validated, lowered, and emulated with links and without."""
    workload, cluster, plan = question(LSTM, 8, "row-wise")
    timing = benchmark(evaluate, workload, cluster, plan)
    assert timing.devices_used == 8


@pytest.mark.parametrize("name", [LSTM, "dac20/blstm-4"])
def test_search(benchmark: BenchmarkFixture, name: str) -> None:
    """The whole search of `full` on 8 FPGAs, nothing remembered from searches before."""
    workload, cluster = load_workload(name), make_cluster(PROFILE, 8, "ring")
    plan = benchmark.pedantic(
        full.plan, args=(workload, cluster), setup=full._finished.cache_clear, rounds=3, warmup_rounds=1
    )
    assert plan.partitioner == "full"
