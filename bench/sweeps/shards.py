"""The jobs of a sweep: consecutive units, so many that starting a job costs little beside them.

A unit that would take much longer than the others is cut in pieces.

A job depends on the sweep file alone, not on what a cache holds, so every process that reads the
file finds the same jobs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import chain

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

    most, check = sweep.form.shard_seconds, sweep.form.check_numbers_up_to_fpgas
    for unit, needed in chain.from_iterable(_pieces(whole, 2 * most, check) for whole in units(sweep)):
        if seconds + needed / 2 > most:
            close()
        members.append(unit)
        seconds += needed
    close()
    return tuple(found)


def _pieces(unit: Unit, most_s: float, check: int) -> Iterator[tuple[Unit, float]]:
    """A unit in pieces of so many seconds at most, with what they take; their points are in its order."""
    seconds = unit_seconds(unit, check)
    parts = [at for at, (_, rows) in enumerate(unit.inner) if len(rows) > 1]
    if seconds <= most_s or not parts:
        yield unit, seconds
        return
    axes, rows = unit.inner[parts[0]]
    middle = (len(rows) + 1) // 2
    for half in (rows[:middle], rows[middle:]):
        inner = (*unit.inner[: parts[0]], (axes, half), *unit.inner[parts[0] + 1 :])
        yield from _pieces(replace(unit, inner=inner), most_s, check)


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
