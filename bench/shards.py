"""The steps of the pipeline that make results: evaluate one shard, collect all of them, compare formats.

A shard is a file of JSON lines, one row a line, so that its job needs no pandas;
collecting turns all of them into one Parquet file and checks that no row is missing.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from bench.digest import source_digest
from bench.errors import UserError, unknown_name
from bench.experiments import (
    Config,
    Point,
    Shard,
    accuracy_workloads,
    make_shards,
    read_config,
    read_workload,
)
from bench.isolation.client import Plugins
from bench.partitioners.sources import find_source
from bench.rows import LOGS, Row, request_columns
from bench.runner import run_points
from bench.sealed import read_sealed, write_sealed

Progress = Callable[[int, int, int], None]
"""Called with points done, points in all and points without a result so far."""


def find_shard(config: Config, name: str) -> Shard:
    """The shard called ``name``, of a configuration that need not be checked.

    Raises UserError if there is none, or something that its points name does not exist.
    """
    shards = {shard.name: shard for shard in make_shards(config)}
    if name not in shards:
        raise unknown_name("shard", name, shards)
    for point in shards[name].points:
        point.cluster  # noqa: B018 - building it is the check
    return shards[name]


def evaluate_shard(config: Config, shard: Shard, output: Path, progress: Progress) -> None:
    """Evaluate each point of a shard once and write one row an entry, as JSON lines.

    Shards have a folder of their own within that of a run's outputs, and so have plug-ins' logs.
    """
    digest = source_digest(shard.partitioner)
    logs = output.resolve().parent.parent / LOGS
    isolated = find_source(shard.partitioner).isolated
    outcomes: dict[Point, Row] = {}
    failed = 0
    with Plugins(config.limits, logs) if isolated else nullcontext() as plugins:
        for point, outcome in run_points(shard.points, config.limits, plugins=plugins):
            outcomes[point] = outcome
            failed += outcome["latency_s"] is None
            progress(len(outcomes), len(shard.points), failed)
    rows = (
        {**request_columns(name, point, digest, config.limits), **outcomes[point]}
        for name, point in shard.entries
    )
    write_sealed(rows, output)


def collect(config: Path, files: Iterable[Path], output: Path) -> None:
    """Join shards into one Parquet file.

    Raises UserError if a point of the configuration has no row, or a row no point.
    """
    from bench.results.store import write_results  # pandas takes a second to import

    rows = [row for file in files for row in read_sealed(file)]
    wanted = {(name, p.point_id) for shard in make_shards(read_config(config)) for name, p in shard.entries}
    found = {(row["experiment"], row["point_id"]) for row in rows}
    if wanted != found:
        raise UserError(
            f"the shards do not hold what {config} asks for: {len(wanted - found)} rows missing, "
            f"{len(found - wanted)} too many; remove the shards folder and run again"
        )
    write_results(rows, output)


def write_accuracy(config: Config, output: Path, progress: Progress) -> None:
    """Run each workload of the section ``accuracy`` in each format, and write JSON lines.

    Raises UserError if the configuration has no such section.
    """
    from bench.numerics.accuracy import accuracy

    wanted = config.accuracy
    if wanted is None:
        raise UserError("the configuration asks for no accuracies; add a section accuracy: to it")
    rows: list[Row] = []
    names = accuracy_workloads(wanted)
    for done, name in enumerate(names, start=1):
        for row in accuracy(read_workload(name), wanted.formats, wanted.seed, wanted.steps):
            rows.append({key: _finite(value) for key, value in row.items()} | {"workload": name})
        progress(done, len(names), 0)
    write_sealed(rows, output)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def show_progress(label: str) -> Iterator[Progress]:
    """Progress on stderr: a bar on a terminal, else a line each tenth of the way."""
    if not sys.stderr.isatty():
        yield _plain_progress(label)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(label, total=None)

        def show(done: int, total: int, failed: int) -> None:
            note = f" ({failed} without a result)" if failed else ""
            bar.update(task, completed=done, total=total, description=label + note)

        yield show


def _plain_progress(label: str) -> Progress:
    def show(done: int, total: int, failed: int) -> None:
        if done == total or done * 10 // total != (done - 1) * 10 // total:
            note = f", {failed} without a result" if failed else ""
            print(f"{label}: {done}/{total} points{note}", file=sys.stderr, flush=True)

    return show
