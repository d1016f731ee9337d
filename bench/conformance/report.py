"""What a check has found, as values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["passed", "failed", "not reached"]


@dataclass(frozen=True)
class Problem:
    """What is wrong at a ``place`` (a point or a file), what mends it, and a command that shows it again."""

    place: str
    reason: str
    fix: str
    again: str = ""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. ``problems`` are the first few of ``count``."""

    name: str
    status: Status
    detail: str = ""
    problems: tuple[Problem, ...] = ()
    count: int = 0


@dataclass(frozen=True)
class Report:
    """All that a check has found about ``target``.

    ``declined``: point and reason of those that it has refused properly. ``remarks``: what is no
    failure and could be better. ``tried`` of ``points`` were planned; the others not, after failures.
    """

    target: str
    name: str
    findings: tuple[Finding, ...]
    points: int = 0
    tried: int = 0
    declined: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether nothing failed."""
        return not any(finding.status == "failed" for finding in self.findings)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Those of all findings."""
        return tuple(problem for finding in self.findings for problem in finding.problems)

    def as_object(self) -> dict[str, Any]:
        """As ``--json`` prints it."""
        declined = [{"place": place, "reason": reason} for place, reason in self.declined]
        return {"passed": self.passed, **asdict(self), "declined": declined}


KEPT = 3
"""Problems of one kind that are shown, each with another reason."""


def finding(name: str, problems: Sequence[Problem], detail: str, *, reached: bool = True) -> Finding:
    """Failed if there are problems; not reached if nothing came so far that it could be looked at."""
    status: Status = "failed" if problems else "passed" if reached else "not reached"
    different = list({problem.reason: problem for problem in reversed(problems)}.values())[::-1]
    return Finding(name, status, detail, tuple(different[:KEPT]), len(problems))
