"""A report as a table, and below it a paragraph for whatever failed."""

from __future__ import annotations

from collections import Counter

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.conformance.report import Finding, Report

STYLES = {"passed": "green", "failed": "bold red", "not reached": "dim"}

REASONS = 3
"""Reasons for declined points that are shown, the most frequent first."""


def show(report: Report, console: Console) -> None:
    """Print the report."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for one in report.findings:
        table.add_row(one.name, Text(one.status, style=STYLES[one.status]), one.detail)
    parts: list[RenderableType] = [Text(_heading(report)), table, *_declined(report)]
    parts += [Text(f"remark: {remark}") for remark in report.remarks]
    parts += [part for one in report.findings for part in _failure(one)]
    console.print(Group(*parts, Text(verdict(report))), soft_wrap=True)


def verdict(report: Report) -> str:
    """The last line: whether it conforms, else what failed."""
    failed = [one.name for one in report.findings if one.status == "failed"]
    return f"{report.name} conforms" if not failed else f"{report.name} does not conform: {', '.join(failed)}"


def _heading(report: Report) -> str:
    untried = report.points - report.tried
    left = f"; the other {untried} were not tried after that" if untried and report.tried else ""
    return f"{report.target}: {report.tried} of {report.points} points{left}"


def _declined(report: Report) -> list[RenderableType]:
    reasons = Counter(reason for _, reason in report.declined).most_common()
    lines = [f"declined, {count} points: {reason}" for reason, count in reasons[:REASONS]]
    more = len(reasons) - REASONS
    return [Text(line) for line in [*lines, *([f"declined for {more} other reasons"] if more > 0 else [])]]


def _failure(one: Finding) -> list[RenderableType]:
    lines: list[RenderableType] = []
    for problem in one.problems:
        text = Text()
        text.append(f"{one.name}: ", style="bold red")
        text.append(f"{problem.place}: {problem.reason}")
        lines.append(text)
        if problem is one.problems[-1] or problem.fix != one.problems[-1].fix:
            fix = f"  fix: {problem.fix}" + (f"\n  {problem.again}" if problem.again else "")
            lines.append(Text(fix))
    more = one.count - len(one.problems)
    return [*lines, *([Text(f"{one.name}: {more} more")] if more else [])]
