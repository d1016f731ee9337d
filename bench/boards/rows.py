"""Measured rows of the pipeline: points of a configuration on boards, each beside its emulated latency."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bench.boards.found import Boards
from bench.boards.measure import Effort, measure
from bench.boards.wanted import boards_of, wanted_points
from bench.digest import source_digest
from bench.errors import UserError
from bench.experiments import Config, Point, read_workload
from bench.rows import Row, explain_point, request_columns

Progress = Callable[[int, int, int], None]
"""Called with points done, points in all and points without a result so far."""


def measured_rows(config: Config, progress: Progress) -> list[Row]:
    """One row a point, whatever goes wrong; none, and a line on standard error, without devices.

    Raises UserError: the configuration has no section ``boards``, or its file of cables is wrong.
    """
    settings = config.boards
    if settings is None:
        raise UserError("the configuration measures nothing; add a section boards: to it")
    boards = boards_of(settings)
    if isinstance(boards, str):
        print(f"nothing measured: {boards}", file=sys.stderr)
        return []
    effort = Effort(settings.repeats, settings.warm_up, settings.seconds)
    points = wanted_points(config)
    rows: list[Row] = []
    failed = 0
    for point, experiment in points.items():
        rows.append(_row(config, experiment, point, boards, effort))
        failed += rows[-1]["termination"] != "none"
        progress(len(rows), len(points), failed)
    return rows


def _row(config: Config, experiment: str, point: Point, boards: Boards, effort: Effort) -> Row:
    emulated, plan, timing = explain_point(point)
    request = request_columns(experiment, point, source_digest(point.partitioner), config.limits)
    row = {
        **request,
        "reference": point.partitioner,
        "backend": str(boards.kind),
        "emulated_latency_s": emulated["latency_s"],
    }
    if plan is None or timing is None:
        gone = {key: emulated[key] for key in ("status", "termination", "reason")}
        return row | {"device_kind": str(boards.kind)} | gone
    return row | measure(plan, read_workload(point.workload), point.cluster, boards, effort)
