"""The worker that plug-ins run in: whatever they do becomes a row."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from bench.experiments import Limits, Point
from bench.rows import Row
from bench.runner import run_points

# Written to a module of its own, because a worker must be able to import it.
FAKE = """
import os, signal, time

def evaluate(point, reached):
    what = point.workload
    if what == "hang":
        time.sleep(60)
    reached("emulating")
    if what == "hang-later":
        while True:
            pass
    reached("checking the numbers")
    if what == "hang-at-last":
        time.sleep(60)
    if what == "exit":
        os._exit(3)
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "memory":
        bytearray(2**40)
    if what.startswith("kill-once:"):
        if not os.path.exists(what[10:]):
            open(what[10:], "w").close()
            os.kill(os.getpid(), signal.SIGKILL)
    return {"latency_s": 1.0, "pid": os.getpid(), "pandas": "pandas" in __import__("sys").modules}
"""

LIMITS = Limits(seconds_per_point=1.0, memory_mib=2048)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module whose evaluate function does what the workload's name says."""
    (tmp_path / "fake_evaluate.py").write_text(FAKE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "fake_evaluate", raising=False)
    import fake_evaluate

    return fake_evaluate


def point(workload: str) -> Point:
    """A point of which only the workload matters."""
    return Point(workload, "p", "ring", "l", 0.0, 1, "x")


def outcomes(evaluate: Callable[[Point, Callable[[str], None]], Row], *names: str) -> list[Row]:
    """Rows of the points with these workloads."""
    return [row for _, row in run_points([point(name) for name in names], LIMITS, evaluate)]


def test_one_warm_worker(fake: ModuleType) -> None:
    """Points that behave share one process, and it has no pandas."""
    rows = outcomes(fake.evaluate, "a", "b", "c")
    assert len({row["pid"] for row in rows}) == 1
    assert not any(row["pandas"] for row in rows)


@pytest.mark.parametrize(
    ("what", "status", "termination", "reason"),
    [
        ("hang", "error", "timeout", "stopped after 1 s, while planning"),
        ("hang-later", "ok", "timeout", "stopped after 1 s, while emulating"),
        ("hang-at-last", "ok", "timeout", "stopped after 1 s, while checking the numbers"),
        ("exit", "ok", "crash", "the worker process ended with exit code 3"),
        ("kill", "ok", "crash", "the worker process was ended by SIGKILL; the system may be out of memory"),
        ("memory", "ok", "out of memory", "more than 2048 MiB needed"),
    ],
)
def test_misbehaviour_is_a_row(
    fake: ModuleType, what: str, status: str, termination: str, reason: str
) -> None:
    """A point that hangs, dies or eats memory gets its row, and the next one is evaluated."""
    bad, good = outcomes(fake.evaluate, what, "good")
    assert (bad["status"], bad["termination"], bad["reason"]) == (status, termination, reason)
    assert bad["latency_s"] is None
    assert good["latency_s"] == 1.0


def test_killed_worker_is_replaced_once(fake: ModuleType, tmp_path: Path) -> None:
    """A worker that something else has killed takes no row with it; a point that is killed again has one."""
    (row,) = outcomes(fake.evaluate, f"kill-once:{tmp_path / 'mark'}")
    assert row["latency_s"] == 1.0


def test_worker_that_cannot_start() -> None:
    """If workers cannot start at all, that is the harness's failure, not a row."""
    broken = eval("lambda point, reached: {}")  # cannot be sent to another process
    with pytest.raises(Exception, match=r"pickle|start"):
        outcomes(broken, "a")
