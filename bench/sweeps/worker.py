"""Groups of points in a worker process; what ends the process ends one point, not the sweep.

A worker that dies is started again, and its group tried once more, since what killed it may have
come from outside. If it dies again the group is halved, down to the point that it dies of, which
becomes a failed row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

from bench.experiments import Limits
from bench.rows import Row
from bench.runner import Worker
from bench.sweeps.group import Group

Evaluate = Callable[..., Row]


def run_groups(
    groups: Iterable[Group], limits: Limits, evaluate: Evaluate, say: Callable[[str], None]
) -> Iterator[tuple[Group, list[Row]]]:
    """Yield each group with the outcomes of its points, in order.

    ``evaluate`` runs in the worker, so it must be importable there: `bench.sweeps.evaluate.evaluate_group`.
    A group has the time of one point, since what its points share takes most of it; one that takes
    longer is evaluated point by point.
    """
    runner = _Runner(limits, evaluate, say)
    try:
        for group in groups:
            yield group, runner.settle(group)
    finally:
        runner.stop()


class _Runner:
    """The worker in use, if any."""

    def __init__(self, limits: Limits, evaluate: Evaluate, say: Callable[[str], None]) -> None:
        self._limits, self._evaluate, self._say = limits, evaluate, say
        self._worker: Worker | None = None

    def settle(self, group: Group) -> list[Row]:
        """The outcomes of a group, of which those that end the worker are failures."""
        rows, end = self._attempt(group)
        if rows is None and end["termination"] != "timeout":
            rows, end = self._attempt(group)
        if rows is not None:
            return rows
        size = len(group.points)
        if size == 1:
            return [end]
        step = 1 if end["termination"] == "timeout" else (size + 1) // 2
        parts = [(group.points[at : at + step], group.places[at : at + step]) for at in range(0, size, step)]
        return [row for part in parts for row in self.settle(replace(group, points=part[0], places=part[1]))]

    def stop(self) -> None:
        """End the worker."""
        if self._worker:
            self._worker.stop()
            self._worker = None

    def _attempt(self, group: Group) -> tuple[list[Row] | None, Row]:
        self._worker = self._worker or Worker(self._limits)
        row, usable = self._worker.run(self._evaluate, group)
        if "rows" in row:
            return row["rows"], row
        self._say(f"{len(group.points)} points from {group.points[0]}: {row['termination']}, {row['reason']}")
        if not usable:
            self.stop()
        return None, row
