"""What the Snakefile needs to know of a sweep."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path

from bench.sweeps.expand import load_sweep
from bench.sweeps.form import values_of
from bench.sweeps.shards import make_shards, shard_digests

SAFE = 10
"""Times the estimate of a job that it may take: estimates are rough, and machines differ."""

LEAST_MINUTES = 10
"""On top of that."""


@dataclass(frozen=True)
class Job:
    """A job: its points, the minutes after which it may be stopped, a hash over what its rows depend on."""

    points: int
    minutes: int
    digest: str


@dataclass(frozen=True)
class Swept:
    """A sweep's name, its jobs by name, and the profiles of its axis."""

    name: str
    jobs: dict[str, Job]
    profiles: tuple[str, ...]


def read_sweep(path: Path) -> Swept:
    """The jobs of a sweep file; UserError for a mistake in it."""
    sweep = load_sweep(path)
    shards = make_shards(sweep)
    digests = shard_digests(sweep, shards)
    return Swept(
        sweep.name,
        {
            shard.name: Job(shard.count, LEAST_MINUTES + ceil(SAFE * shard.seconds / 60), digests[shard.name])
            for shard in shards
        },
        tuple(map(str, values_of(sweep.form, "profile", path))),
    )
