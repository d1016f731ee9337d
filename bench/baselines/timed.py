"""The benchmark that pytest runs for `bench baseline`: one test for each workload and engine.

pytest finds this file because `bench.baselines.child` names it; it is no test of the suite.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np
from pytest_benchmark.fixture import BenchmarkFixture

from bench.baselines.engines import engine
from bench.baselines.stored import Row
from bench.errors import describe
from bench.experiments import read_workload
from bench.numerics.random import random_inputs, random_parameters
from bench.numerics.whole import run_whole
from bench.workloads.model import Workload
from bench.workloads.parameters import Parameters, Sequences

MOST_ROUNDS = 200
FEWEST_ROUNDS = 3
"""However long a run takes."""


@dataclass(frozen=True)
class Task:
    """What to time: a workload's name, an engine's, threads, and about how many seconds to spend."""

    workload: str
    engine: str
    threads: int
    seconds: float


def unfinished(task: Task, reason: str = "") -> Row:
    """The task's row as long as there is no time: status ``error``."""
    workload, chosen = read_workload(task.workload), engine(task.engine)
    return Row(
        workload=task.workload,
        engine=chosen.name,
        version=chosen.version(),
        device=chosen.on,
        precision=chosen.precision,
        threads=task.threads,
        batch=workload.batch,
        macs=workload.macs,
        status="error",
        reason=reason,
    )


@dataclass
class Bench:
    """What the tests of a session share: where rows go, and the last workload with its numbers."""

    write: Callable[[Row], None]
    name: str = ""
    workload: Workload | None = None
    parameters: Parameters = field(default_factory=lambda: Parameters({}))
    inputs: Sequences = field(default_factory=dict)
    expected: Sequences = field(default_factory=dict)

    def load(self, name: str) -> Workload:
        """The workload called ``name``; its numbers are made once, the last one's are dropped."""
        if self.workload is None or self.name != name:
            self.workload = None
            self.parameters, self.inputs, self.expected = Parameters({}), {}, {}
            workload = read_workload(name)
            self.parameters, self.inputs = random_parameters(workload), random_inputs(workload)
            self.expected = run_whole(workload, self.parameters, self.inputs)
            self.name, self.workload = name, workload
        return self.workload


def test_latency(benchmark: BenchmarkFixture, task: Task, bench: Bench) -> None:
    """One row: the times of a workload on an engine whose numbers are right, or why there are none."""
    workload = bench.load(task.workload)
    chosen = engine(task.engine)
    row = unfinished(task)
    try:
        prepared = chosen.prepare(workload, bench.parameters, bench.inputs, task.threads)
    except ValueError as refusal:
        bench.write(replace(row, status="unsupported", reason=str(refusal)))
        return
    try:
        start = perf_counter()
        outputs = prepared.run()
        once = perf_counter() - start
        deviates = deviation(prepared.outputs(outputs), bench.expected)
        if not deviates <= chosen.tolerance:
            reason = f"{deviates:.2g} off the project's float32 numbers, {chosen.tolerance:g} allowed"
            bench.write(replace(row, status="wrong numbers", reason=reason))
            return
        bench.write(_timed(benchmark, prepared.run, replace(row, deviation=deviates), once, task.seconds))
    except (RuntimeError, MemoryError) as error:  # a GPU out of memory is a RuntimeError
        bench.write(replace(row, reason=describe(error)))


def _timed(
    benchmark: BenchmarkFixture, run: Callable[[], object], row: Row, once: float, seconds: float
) -> Row:
    """``row`` with the statistics of pytest-benchmark; one run has been before, and took ``once`` seconds."""
    rounds = max(FEWEST_ROUNDS, min(MOST_ROUNDS, int(seconds / max(once, 1e-9))))
    warmup = rounds // 10
    benchmark.pedantic(run, rounds=rounds, iterations=1, warmup_rounds=warmup)  # type: ignore[no-untyped-call]
    assert benchmark.stats is not None
    stats = benchmark.stats.stats
    return replace(
        row,
        status="ok",
        rounds=rounds,
        warmup_rounds=1 + warmup,
        median_s=stats.median,
        least_s=stats.min,
        iqr_s=stats.iqr,
        p99_s=nearest_rank(stats.data, 0.99),
        load_average=round(os.getloadavg()[0], 2),
    )


def nearest_rank(values: Sequence[float], share: float) -> float:
    """The least value that ``share`` of all do not exceed.

    >>> nearest_rank([4.0, 1.0, 3.0, 2.0], 0.5)
    2.0
    """
    return sorted(values)[max(math.ceil(share * len(values)), 1) - 1]


def deviation(found: Sequences, expected: Sequences) -> float:
    """The largest difference of any element, as a share of its layer's largest where that is over 1.

    Infinite where a layer is missing, has another shape, or is not a number.
    """
    largest = 0.0
    for name, values in expected.items():
        if name not in found or found[name].shape != values.shape:
            return math.inf
        difference = float(np.max(np.abs(found[name] - values)) / max(1.0, np.max(np.abs(values))))
        if math.isnan(difference):
            return math.inf
        largest = max(largest, difference)
    return largest
