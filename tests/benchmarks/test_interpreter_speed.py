"""What runs with numbers cost; `make bench` times them, `make test` runs each once on fewer steps.

The full-size run alone: ``pytest tests/benchmarks/test_interpreter_speed.py --benchmark-enable``.
"""

from __future__ import annotations

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.hardware.files import load_profile, make_cluster
from bench.numerics import check
from bench.numerics.check import check_plan, find_deviation, make_network
from bench.numerics.formats import load_format
from bench.numerics.interpreter import interpret
from bench.numerics.numbers import Numbers
from bench.numerics.scale_down import scale_down
from bench.partitioners import load_partitioner
from bench.plans.lower import lower
from bench.workloads.catalogue import load_workload
from bench.workloads.variants import limit_steps

CLUSTER = make_cluster(load_profile("s10-gx2800-dac20"), 8, "ring")
MOST_SECONDS = 30.0
"""For Encoder-8 at full size in int8 on eight devices, on two cores, the run without a plan included."""


@pytest.mark.slow
def test_interpret_encoder(benchmark: BenchmarkFixture) -> None:
    """Encoder-8 in int8: at full size if timed (15 s, 2 GB), else scaled down and over four steps."""
    workload = load_workload("dac20/encoder-8")
    plan = load_partitioner("full-dac20").plan(workload, CLUSTER)
    if benchmark.disabled:
        plan, workload = scale_down(plan, limit_steps(workload, 4))
    fmt = load_format("int8")

    def run() -> str:
        of = make_network(workload, fmt)
        numbers = Numbers(fmt, workload, of.parameters, of.ranges)
        found = interpret(lower(plan, workload, CLUSTER), plan, workload, numbers, of.inputs)
        return find_deviation(of, plan, found, 0.0)

    assert benchmark.pedantic(run, rounds=1) == ""
    if not benchmark.disabled:
        assert benchmark.stats.stats.max < MOST_SECONDS


def test_check_scaled_plan(benchmark: BenchmarkFixture) -> None:
    """The check of a plan as a reproduction runs it, nothing remembered from checks before."""
    workload = load_workload("dac20/encoder-8")
    plan = load_partitioner("full-dac20").plan(workload, CLUSTER)
    found = benchmark.pedantic(
        check_plan, args=(plan, workload, CLUSTER), setup=check._verdict.cache_clear, rounds=3
    )
    assert found.verdict == "exact"
    assert not found.full_size
