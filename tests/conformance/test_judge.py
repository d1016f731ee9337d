"""From a point's ending to the rule that it has broken, also for endings that no plug-in can bring about."""

from __future__ import annotations

import pytest

from bench.conformance.judge import FIXES, FORM, SAME, command, judge, rule_of
from bench.conformance.trial import Outcome, gave_up
from bench.experiments import Limits, Point
from bench.isolation.answer import Answer, HandedIn, Peak
from bench.rows import failure

POINT = Point(
    "my net.yaml:a", "s10-gx2800-dac20", "ring", "dac20-ring", 1000.0, 2, "mine/a.py", '{"deep":true,"n":3}'
)

RULES = {
    ("ok", "none"): "",
    ("unsupported", "none"): "",
    ("error", "none"): "answers",
    ("error", "timeout"): "time",
    ("error", "out of memory"): "memory",
    ("error", "crash"): "conduct",
    ("error", "misbehaved"): "conduct",
    ("ok", "misbehaved"): "conduct",
    ("ok", "invalid plan"): "valid plans",
    ("ok", "timeout"): "emulation",
    ("ok", "out of memory"): "emulation",
    ("ok", "crash"): "emulation",
    ("ok", "does not fit"): "emulation",
    ("ok", "wrong numbers"): "numbers",
}
"""Status and termination of a row -> rule."""


def outcome(status: str, termination: str) -> Outcome:
    """A point that ended so."""
    plans = () if status == "unsupported" else (HandedIn(0.5, "{}"),)
    answer = Answer(plans, status, peak=Peak(120, 800))
    return Outcome(POINT, failure(status, termination, "because"), answer)


@pytest.mark.parametrize(("ending", "rule"), RULES.items())
def test_each_ending_has_its_rule(ending: tuple[str, str], rule: str) -> None:
    """The finding of that rule fails, with reason, fix and command; no other does."""
    one = outcome(*ending)
    assert rule_of(one) == rule
    found = judge([one, outcome("ok", "none")], Limits())
    assert [finding.name for finding in found if finding.status == "failed"] == ([rule] if rule else [])
    for finding in found:
        for problem in finding.problems:
            assert (problem.reason, problem.fix) == ("because", FIXES[rule])


def test_every_rule_has_a_fix() -> None:
    """Nothing is called wrong without a word on what to do."""
    assert set(FIXES) == {rule for rule in RULES.values() if rule} | {SAME, FORM}
    assert all(FIXES.values())


def test_time_and_memory_are_told() -> None:
    """The most of all points, beside the limit."""
    details = {one.name: one.detail for one in judge([outcome("ok", "none")], Limits(memory_mib=2048))}
    assert details["time"] == "0.50 s at most, of 60 s"
    assert details["memory"] == "800 MiB of address space at most, of 2,048; 120 resident"


def test_what_is_costly_ends_the_trial() -> None:
    """One timeout is enough, three crashes are, and other failures never are."""
    assert gave_up([outcome("error", "timeout")])
    assert not gave_up([outcome("error", "crash")] * 2)
    assert gave_up([outcome("error", "crash")] * 3)
    assert not gave_up([outcome("ok", "invalid plan"), outcome("error", "none")] * 50)


def test_the_command_can_be_pasted() -> None:
    """Blanks are quoted, and parameters are as `--param` reads them."""
    text = command(POINT)
    assert "--workload 'my net.yaml:a' " in text
    assert text.endswith("--topology ring --param deep=true --param n=3")
