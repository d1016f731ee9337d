"""Tests of how rows come about: processes, checks before timing, and what a failure costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.baselines import timed
from bench.baselines.engines import ENGINES, Prepared
from bench.baselines.measure import describe_machine, measure
from bench.baselines.stored import Row
from bench.baselines.timed import Bench, Task, deviation, nearest_rank
from bench.results import provenance

TINY = "lstm-16-b1-t3"


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """What a process makes of a tiny LSTM on two engines, with no time to spend and with much."""
    tasks = [Task(TINY, "numpy", 1, 0.0), Task(TINY, "onnxruntime", 1, 1e3)]
    return measure(tasks, lambda row: None)


def test_rows_of_a_process(rows: list[Row]) -> None:
    """Each task has a row with its statistics, in order, and numbers that are right."""
    assert [(row.engine, row.status, row.threads, row.batch) for row in rows] == [
        ("numpy", "ok", 1, 1),
        ("onnxruntime", "ok", 1, 1),
    ]
    for row in rows:
        assert row.median_s is not None
        assert row.least_s is not None
        assert row.p99_s is not None
        assert 0 < row.least_s <= row.median_s <= row.p99_s
        assert row.macs == 3 * 4 * 16 * 32
        assert row.deviation is not None
        assert row.deviation < 1e-5


def test_rounds_follow_the_time_to_spend(rows: list[Row]) -> None:
    """No time leaves three rounds and the checked one before; much of it 200, and a tenth as warm-up."""
    assert (rows[0].rounds, rows[0].warmup_rounds) == (timed.FEWEST_ROUNDS, 1)
    assert (rows[1].rounds, rows[1].warmup_rounds) == (timed.MOST_ROUNDS, 21)


def test_a_process_that_dies_costs_one_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """The task that it was at has a row that says how it ended; those after it run in a new process."""
    monkeypatch.setitem(ENGINES, "broken", replace(ENGINES["numpy"], name="broken"))
    tasks = [Task(TINY, name, 1, 0.0) for name in ("numpy", "broken", "numpy")]
    seen: list[Row] = []
    rows = measure(tasks, seen.append)
    assert rows == seen
    assert [row.status for row in rows] == ["ok", "error", "ok"]
    assert rows[1].reason == "the process ended: KeyError: 'broken'"
    assert rows[1].median_s is None


def one_row(monkeypatch: pytest.MonkeyPatch, prepare: Callable[..., Prepared]) -> Row:
    """The row of a tiny LSTM on an engine of one's own, in this process."""
    monkeypatch.setattr(timed, "engine", lambda name: replace(ENGINES["numpy"], prepare=prepare))
    rows: list[Row] = []
    bench = Bench(rows.append)
    timed.test_latency(None, Task(TINY, "numpy", 1, 0.0), bench)  # type: ignore[arg-type]
    assert len(rows) == 1
    return rows[0]


@pytest.mark.parametrize("off", [1e-2, np.nan])
def test_wrong_numbers_are_not_timed(monkeypatch: pytest.MonkeyPatch, off: float) -> None:
    """An engine whose output is off, or is no number, runs once and gets no time."""
    runs = []

    def prepare(*arguments: Any) -> Prepared:
        right = ENGINES["numpy"].prepare(*arguments)

        def run() -> Any:
            runs.append(1)
            return right.run()

        return Prepared(run, lambda outputs: {name: h + np.float32(off) for name, h in outputs.items()})

    row = one_row(monkeypatch, prepare)
    assert (row.status, row.median_s, len(runs)) == ("wrong numbers", None, 1)
    assert "off the project's float32 numbers, 0.0001 allowed" in row.reason


def test_a_refusal_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an engine cannot run has a row with the engine's reason."""

    def prepare(*arguments: Any) -> Prepared:
        raise ValueError("layer 'lstm': not written for this engine")

    row = one_row(monkeypatch, prepare)
    assert (row.status, row.reason) == ("unsupported", "layer 'lstm': not written for this engine")


def test_memory_of_a_gpu_is_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """A RuntimeError, which is what CUDA raises, costs the row and not the process."""

    def run() -> Any:
        raise RuntimeError("CUDA out of memory")

    row = one_row(monkeypatch, lambda *arguments: Prepared(run, dict))
    assert row.status == "error"
    assert "CUDA out of memory" in row.reason


def test_pytest_of_the_caller_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options of the user's environment do not reach the process that times."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "--no-such-option")
    assert [row.status for row in measure([Task(TINY, "numpy", 1, 0.0)], lambda row: None)] == ["ok"]


def test_deviation_sees_what_is_missing() -> None:
    """A layer that is missing or has another shape is infinitely wrong."""
    values = {"a": np.zeros((2, 1, 3), np.float32)}
    assert deviation(values, values) == 0
    assert deviation({}, values) == np.inf
    assert deviation({"a": np.zeros((2, 1, 4), np.float32)}, values) == np.inf


@given(st.lists(st.floats(0, 1), min_size=1, max_size=300), st.floats(0.01, 1))
def test_nearest_rank(values: list[float], share: float) -> None:
    """At least the share of all values is no larger, and with any smaller value it would be less."""
    found = nearest_rank(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    assert sum(value < found for value in values) < share * len(values)


def test_the_slowest_of_few_is_the_99th() -> None:
    """With fewer than 100 rounds the 99th percentile is the slowest."""
    assert nearest_rank([float(value) for value in range(99)], 0.99) == 98


def test_machine_has_no_host_name() -> None:
    """The description says processor, cores, memory and versions, and nothing that names the machine."""
    import platform

    machine = describe_machine(provenance.machine(), {"torch": "not installed"})
    assert {"processor", "cores", "memory_mib", "system", "python", "packages", "gpu"} <= machine.keys()
    assert not {"node", "release", "hostname"} & machine.keys()
    assert platform.node() not in [value for value in machine.values() if isinstance(value, str)]
    assert machine["engines_left_out"] == {"torch": "not installed"}
