"""A job of a sweep: its points from the cache or computed, as one Parquet file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from bench.errors import UserError
from bench.experiments import Limits, Point
from bench.isolation.client import Plugins
from bench.partitioners.sources import find_source
from bench.rows import LOGS, Row
from bench.runner import run_points
from bench.sweeps.cache import keep, look_up
from bench.sweeps.evaluate import evaluate_group
from bench.sweeps.expand import Sweep, unit_points
from bench.sweeps.group import make_groups
from bench.sweeps.keys import Address, address
from bench.sweeps.shards import Shard
from bench.sweeps.store import encode_sealed, rows_table, write_whole
from bench.sweeps.worker import run_groups

Progress = Callable[[int, int, int], None]
"""Called with points done, points in all and points without a result so far."""

KEPT_EVERY_S = 60.0
"""Seconds after which what was computed is put into the cache, so that a job that is killed loses no more."""


@dataclass(frozen=True)
class Counts:
    """How a shard came about."""

    points: int
    known: int
    computed: int
    failed: int

    def __str__(self) -> str:
        return (
            f"{self.points} points: {self.known} from the cache, {self.computed} computed, "
            f"{self.failed} without a result"
        )


def evaluate_shard(
    sweep: Sweep,
    shard: Shard,
    output: Path,
    cache: Path | None,
    say: Callable[[str], None],
    progress: Progress,
) -> Counts:
    """Write the rows of a shard to ``output``; what is not in the ``cache`` is computed and put there.

    Raises UserError if the file cannot be written.
    """
    points = [point for unit in shard.units for point in unit_points(unit)]
    addresses = addresses_of(points, sweep)
    found = look_up(cache, addresses, say) if cache else {}
    missing = [(at, point) for at, point in enumerate(points) if addresses[at] not in found]
    known = len(points) - len(missing)
    fresh: dict[Address, Row] = {}
    done, failed, kept = known, 0, monotonic()
    progress(done, len(points), failed)
    for at, row in _compute(missing, sweep, output, say):
        found[addresses[at]] = fresh[addresses[at]] = row
        done += 1
        failed += row["latency_s"] is None
        progress(done, len(points), failed)
        if cache and monotonic() - kept > KEPT_EVERY_S:
            keep(cache, fresh, say)
            fresh.clear()
            kept = monotonic()
    if cache:
        keep(cache, fresh, say)
    table = rows_table(points, addresses, [found[one] for one in addresses], sweep.columns)
    try:
        write_whole(encode_sealed(table), output)
    except OSError as error:
        raise UserError(
            f"{output}: cannot be written ({error.strerror}); its points are in the cache"
        ) from None
    without = sum(found[one]["latency_s"] is None for one in addresses)
    return Counts(len(points), known, len(missing), without)


def addresses_of(points: list[Point], sweep: Sweep) -> list[Address]:
    """Where the points' results are kept."""
    most = sweep.form.check_numbers_up_to_fpgas
    limits: Limits = sweep.form.limits
    return [address(point, limits, check=point.fpgas <= most) for point in points]


def _compute(
    missing: list[tuple[int, Point]], sweep: Sweep, output: Path, say: Callable[[str], None]
) -> Iterator[tuple[int, Row]]:
    limits = sweep.form.limits
    outside = [(at, point) for at, point in missing if find_source(point.partitioner).isolated]
    within = [(at, point) for at, point in missing if not find_source(point.partitioner).isolated]
    groups = make_groups(within, sweep.form.check_numbers_up_to_fpgas)
    for group, rows in run_groups(groups, limits, evaluate_group, say):
        yield from zip(group.places, rows, strict=True)
    if outside:
        with Plugins(limits, output.resolve().parent.parent / LOGS) as plugins:
            outcomes = run_points([point for _, point in outside], limits, plugins=plugins)
            for (at, _), (_, row) in zip(outside, outcomes, strict=True):
                yield at, row
