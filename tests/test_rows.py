"""What a partitioner answers, and the row that becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from bench import rows
from bench.errors import DoesNotFit, InvalidPlan, Unsupported
from bench.experiments import Point
from bench.numerics.check import Numerics
from bench.plans.plan import Plan
from bench.results.schema import SCHEMA, STATUSES, TERMINATIONS

POINT = Point("lstm-512-b1-t25", "s10-gx2800-dac20", "ring", "dac20-ring", 1000.0, 2, "single", '{"way":1}')
PLAN = Plan("fake", (), (), ((0,),), notes=("one", "two"))


@dataclass(frozen=True)
class Fake:
    plan: Callable[..., Any]


def outcome(
    monkeypatch: pytest.MonkeyPatch, plan: Callable[..., Any], error: Exception | None = None
) -> rows.Row:
    """The outcome with ``plan`` as partitioner and an emulator that raises ``error``."""

    def evaluate(*_: object, **__: object) -> None:
        assert error is not None
        raise error

    monkeypatch.setattr(rows, "load_partitioner", lambda name: Fake(plan))
    monkeypatch.setattr("bench.evaluate.evaluate", evaluate)
    return rows.evaluate_point(POINT)


def refuse(workload: object, cluster: object, *, way: int) -> Plan:
    """Declines."""
    raise Unsupported(f"way {way} is closed")


def fail(workload: object, cluster: object, *, way: int) -> Plan:
    """Fails, noisily."""
    print("noise")
    raise ValueError("broken\nin two lines")


def leave(workload: object, cluster: object, *, way: int) -> Plan:
    """Tries to end the process."""
    raise SystemExit(1)


def no_plan(workload: object, cluster: object, *, way: int) -> Any:
    """Returns something else."""
    return {"not": "a plan"}


def good(workload: object, cluster: object, *, way: int) -> Plan:
    """Plans."""
    return PLAN


@pytest.mark.parametrize(
    ("plan", "error", "status", "termination", "reason"),
    [
        (refuse, None, "unsupported", "none", "way 1 is closed"),
        (fail, None, "error", "none", "ValueError: broken in two lines (test_rows.py:"),
        (leave, None, "error", "none", "SystemExit: 1"),
        (no_plan, None, "error", "none", "TypeError: plan() returned dict, not a Plan"),
        (good, InvalidPlan("gap in i.x"), "ok", "invalid plan", "gap in i.x"),
        (good, DoesNotFit("too big"), "ok", "does not fit", "too big"),
        (good, ZeroDivisionError("oops"), "ok", "crash", "ZeroDivisionError: oops (test_rows.py:"),
    ],
)
def test_failures_are_rows(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    plan: Callable[..., Any],
    error: Exception | None,
    status: str,
    termination: str,
    reason: str,
) -> None:
    """Whatever goes wrong has a status, a termination and one line of reason, and prints nothing."""
    row = outcome(monkeypatch, plan, error)
    assert (row["status"], row["termination"]) == (status, termination)
    assert row["reason"].startswith(reason)
    assert row["status"] in STATUSES
    assert row["termination"] in TERMINATIONS
    assert capsys.readouterr().out == ""


def test_row_has_the_schemas_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """Request and outcome columns together are the schema, no more and no less."""
    row = rows.request_columns("fig", POINT, "digest") | outcome(monkeypatch, refuse)
    assert set(row) == set(SCHEMA.names)


def test_plan_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that was thrown out still leaves its id and notes."""
    row = outcome(monkeypatch, good, InvalidPlan("gap"))
    assert (row["plan_id"], row["plan_notes"]) == (PLAN.plan_id, "one; two")


def test_a_real_point() -> None:
    """The row of a point that works has every measure."""
    row = rows.evaluate_point(
        Point("lstm-512-b1-t25", "s10-gx2800-dac20", "ring", "dac20-ring", 1000.0, 2, "row-wise")
    )
    assert (row["status"], row["termination"], row["reason"]) == ("ok", "none", "")
    assert all(row[name] is not None for name in rows.MEASURES)
    assert (row["numerics"], row["numerics_full_size"]) == ("exact", False)


REAL = Point("gru-64-b1-t5", "s10-gx2800-dac20", "ring", "dac20-ring", 1000.0, 2, "row-wise")


def test_wrong_numbers_have_no_timing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A plan that computes something else is a failure with its place, its verdict, and no measure."""
    wrong = Numerics("failed: layer 'gru', h at time 0 is 1, expected 2", full_size=True)
    monkeypatch.setattr("bench.numerics.check.check_plan", lambda *_: wrong)
    row, plan, timing = rows.explain_point(REAL)
    assert (row["status"], row["termination"]) == ("ok", "wrong numbers")
    assert row["reason"] == "layer 'gru', h at time 0 is 1, expected 2"
    assert (row["numerics"], row["numerics_full_size"]) == (wrong.verdict, True)
    assert all(row[name] is None for name in rows.MEASURES)
    assert plan is not None
    assert timing is None


def test_a_message_less_is_wrong_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that has lost a message is timed no more: its row says what was not there."""
    from bench.numerics import check
    from bench.plans.operations import Move
    from bench.plans.program import Program

    def lossy(*arguments: Any) -> Program:
        program = lower(*arguments)
        phase = program.phases[0]
        kept = tuple(
            replace(i, does=()) if any(isinstance(d, Move) for d in i.does) else i for i in phase.instructions
        )
        return replace(program, phases=(replace(phase, instructions=kept),))

    lower = check.lower
    monkeypatch.setattr(check, "lower", lossy)
    check._verdict.cache_clear()
    row = rows.evaluate_point(REAL)
    check._verdict.cache_clear()
    assert row["termination"] == "wrong numbers"
    assert "device" in row["reason"]
    assert row["latency_s"] is None


def test_a_check_that_crashes_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception in the check itself is told apart from one in the emulator."""

    def crash(*_: object) -> Numerics:
        raise IndexError("oops")

    monkeypatch.setattr("bench.numerics.check.check_plan", crash)
    row = rows.evaluate_point(REAL)
    assert row["termination"] == "crash"
    assert row["reason"].startswith("the check of the numbers failed: IndexError: oops (test_rows.py:")
    assert row["numerics"] is None
    assert row["latency_s"] is None


def test_stages_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits is told what comes next, so that a time-out says where it was."""
    stages: list[str] = []
    rows.evaluate_point(REAL, stages.append)
    assert stages == ["emulating", "checking the numbers"]
