"""The jobs of a sweep: consecutive units, so many that starting a job costs little beside them.

A job depends on the sweep file alone, not on what a cache holds, so every process that reads the
file finds the same jobs.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from bench.digest import tools
from bench.errors import unknown_name
from bench.experiments import read_profile, read_workload
from bench.sweeps.estimate import unit_seconds
from bench.sweeps.expand import Sweep, Unit, units
from bench.sweeps.keys import code_digest


@dataclass(frozen=True)
class Shard:
    """The units of one job, and what it takes of a processor, about."""

    name: str
    units: tuple[Unit, ...]
    seconds: float

    @property
    def count(self) -> int:
        """How many points it has."""
        return sum(unit.count for unit in self.units)


def make_shards(sweep: Sweep) -> tuple[Shard, ...]:
    """The jobs of a sweep, in the order of its points."""
    found: list[Shard] = []
    members: list[Unit] = []
    seconds = 0.0

    def close() -> None:
        nonlocal members, seconds
        if members:
            found.append(Shard(f"{len(found):05d}", tuple(members), seconds))
        members, seconds = [], 0.0

    for unit in units(sweep):
        needed = unit_seconds(unit, sweep.form.check_numbers_up_to_fpgas)
        if seconds + needed / 2 > sweep.form.shard_seconds:
            close()
        members.append(unit)
        seconds += needed
    close()
    return tuple(found)


def find_shard(sweep: Sweep, name: str) -> Shard:
    """The job called ``name``; UserError if there is none."""
    shards = {shard.name: shard for shard in make_shards(sweep)}
    if name not in shards:
        raise unknown_name("shard", name, shards)
    return shards[name]


def shard_digests(sweep: Sweep, shards: tuple[Shard, ...]) -> dict[str, str]:
    """Name -> a hash over all that a job's rows depend on, for Snakemake to see."""
    common = [repr(sweep.form.limits), repr(sweep.form.check_numbers_up_to_fpgas), repr(sweep.columns)]
    for reference in dict.fromkeys(reference for reference, _ in sweep.choices):
        common += [code_digest(reference), *tools(reference)]
    inner: dict[int, str] = {}
    digests = {}
    for shard in shards:
        hashed = hashlib.sha256("\n".join(common).encode())
        for unit in shard.units:
            for axes, rows in unit.inner:
                if id(rows) not in inner:
                    inner[id(rows)] = hashlib.sha256(repr((axes, rows)).encode()).hexdigest()
                hashed.update(inner[id(rows)].encode())
            workload, profile = read_workload(unit.workload), read_profile(unit.outer["profile"])
            hashed.update(repr((dict(unit.outer), workload, profile)).encode())
        digests[shard.name] = hashed.hexdigest()[:12]
    return digests
