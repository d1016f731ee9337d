"""Groups in a worker process: whatever ends it ends one point."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from bench.experiments import Limits, Point
from bench.rows import Row
from bench.sweeps.group import Group
from bench.sweeps.worker import run_groups

# Written to a module of its own, because a worker must be able to import it.
FAKE = """
import os, signal, time
from pathlib import Path

def evaluate(group, reached):
    with Path("calls").open("a") as file:
        file.write(f"{len(group.points)} ")
    for point in group.points:
        if point.workload == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if point.workload == "kill-once" and not Path("killed").exists():
            Path("killed").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if point.workload == "memory":
            bytearray(2**40)
        if point.workload == "hang":
            time.sleep(60)
    return {"rows": [{"latency_s": 1.0, "termination": "none"} for point in group.points]}
"""

LIMITS = Limits(seconds_per_point=1.0, memory_mib=2048)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module whose evaluate function does what the workloads' names say, in a folder of its own."""
    (tmp_path / "fake_groups.py").write_text(FAKE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "fake_groups", raising=False)
    import fake_groups

    return fake_groups


def group(*names: str) -> Group:
    """A group of points of which only the workload matters."""
    points = tuple(Point(name, "p", "ring", "l", float(at), 1, "x") for at, name in enumerate(names))
    return Group(points, tuple(range(len(points))), False)


def run(fake: ModuleType, *groups: Group) -> list[list[Row]]:
    """The outcomes of the groups."""
    return [rows for _, rows in run_groups(groups, LIMITS, fake.evaluate, lambda line: None)]


@pytest.mark.parametrize(("what", "termination"), [("kill", "crash"), ("memory", "out of memory")])
def test_a_group_is_halved_down_to_the_point_that_ends_the_worker(
    fake: ModuleType, what: str, termination: str
) -> None:
    """The point becomes a failed row in its place; the others, and the next group, have their own."""
    names = ["a", "b", "c", what, "e"]
    rows, after = run(fake, group(*names), group("f"))
    assert [row["termination"] for row in rows] == ["none", "none", "none", termination, "none"]
    assert rows[3]["latency_s"] is None
    assert after == [{"latency_s": 1.0, "termination": "none"}]


def test_a_worker_that_was_killed_from_outside_costs_nothing(fake: ModuleType) -> None:
    """What ends a worker once is tried again: no row tells of it."""
    (rows,) = run(fake, group("a", "kill-once", "b"))
    assert [row["termination"] for row in rows] == ["none"] * 3
    assert Path("calls").read_text() == "3 3 "


def test_a_group_that_takes_too_long_goes_point_by_point(fake: ModuleType) -> None:
    """Each point then has the whole time: the one that hangs is stopped, once, and the others are not."""
    (rows,) = run(fake, group("a", "hang", "b", "c"))
    assert [row["termination"] for row in rows] == ["none", "timeout", "none", "none"]
    assert Path("calls").read_text() == "4 1 1 1 1 "
    assert "stopped after 1 s" in rows[1]["reason"]


def test_retries_have_a_limit(fake: ModuleType) -> None:
    """A point that always ends the worker is tried twice in each group that it is in, no more."""
    run(fake, group("kill", "a"))
    assert Path("calls").read_text() == "2 2 1 1 1 "
