"""`bench sweep plan`: what a sweep would take."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import typer

from bench.progress import in_words
from bench.sweeps.cache import look_up_keys
from bench.sweeps.estimate import START_S
from bench.sweeps.expand import load_sweep, unit_points
from bench.sweeps.shard import addresses_of
from bench.sweeps.shards import make_shards
from bench.workloads.describe import counted


def show_plan(file: Path, cache: Path, *, as_json: bool) -> None:
    """Print points, jobs, what is in the cache and the time for the rest; UserError for a wrong file."""
    sweep = load_sweep(file)
    shards = make_shards(sweep)
    known, left_s = 0, 0.0
    for shard in shards:
        there = 0
        if cache.is_dir():  # without one, millions of points are counted at once
            points = [point for unit in shard.units for point in unit_points(unit)]
            there = look_up_keys(cache, addresses_of(points, sweep), _say)
        known += there
        left_s += START_S + shard.seconds * (1 - there / shard.count)
    value = {
        "points": sweep.count,
        "jobs": len(shards),
        "cached": known,
        "to_compute": sweep.count - known,
        "processor_s": round(left_s),
    }
    if as_json:
        typer.echo(json.dumps(value, indent=2))
        return
    typer.echo(f"{sweep.count:,} points in {counted(len(shards), 'job')}")
    typer.echo(f"{known:,} of them are in the cache {cache}, {sweep.count - known:,} to compute")
    typer.echo(f"{in_words(left_s)} of one processor")


def _say(line: str) -> None:
    print(line, file=sys.stderr)
