"""Trying partitioners on points, apart from this process: what came of each point, and how soon."""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.experiments import Limits, Point
from bench.isolation.answer import Answer
from bench.isolation.client import Plugins
from bench.rows import Row
from bench.runner import run_points

ENOUGH = {"timeout": 1, "out of memory": 1, "crash": 3, "misbehaved": 3}
"""Points that may end so before no other is tried: these take long, or do harm; others may all fail."""

EVALUATION = Limits()
"""To emulate a plan and check its numbers: what a configuration has that says nothing of limits. A
partitioner that is to answer within half a second is not to blame for what the emulator takes."""


@dataclass(frozen=True)
class Outcome:
    """One point's row, and what the partitioner answered."""

    point: Point
    row: Row
    answer: Answer

    @property
    def seconds(self) -> float:
        """Until the last plan came; 0 if none did."""
        return self.answer.plans[-1].seconds if self.answer.plans else 0.0

    @property
    def kind(self) -> tuple[str, str]:
        """Status and termination."""
        return self.row["status"], self.row["termination"]

    @property
    def good(self) -> bool:
        """Whether the plan was timed and has the right numbers."""
        return self.kind == ("ok", "none")

    @property
    def declined(self) -> bool:
        """Whether the partitioner has said that it cannot."""
        return self.kind == ("unsupported", "none")


class _Recorder(Plugins):
    """Plug-ins whose answers are kept."""

    def __init__(self, limits: Limits, logs: Path) -> None:
        super().__init__(limits, logs)
        self.answers: dict[Point, Answer] = {}

    def ask(self, point: Point) -> Answer:
        self.answers[point] = super().ask(point)
        return self.answers[point]


def try_points(wanted: Mapping[str, Sequence[Point]], limits: Limits) -> dict[str, list[Outcome]]:
    """The outcomes of each reference's points, in order, until it has failed often enough.

    Every partitioner plans in a process of its own with these ``limits``, built-in ones too. The plans
    are read, timed and run with numbers in another process, which has those of `EVALUATION`.
    """
    outcomes: dict[str, list[Outcome]] = defaultdict(list)

    def pending() -> Iterator[Point]:
        for reference, points in wanted.items():
            for point in points:
                if gave_up(outcomes[reference]):
                    break
                yield point

    with tempfile.TemporaryDirectory() as logs, _Recorder(limits, Path(logs)) as plugins:
        for point, row in run_points(pending(), EVALUATION, plugins=plugins):
            outcomes[point.partitioner].append(Outcome(point, row, plugins.answers.pop(point)))
    return outcomes


def gave_up(outcomes: Sequence[Outcome]) -> bool:
    """Whether a partitioner has failed so often that other points are not tried."""
    failures = Counter(outcome.row["termination"] for outcome in outcomes)
    return any(failures[termination] >= most for termination, most in ENOUGH.items())
