"""Measurements that boards with a known profile would give, as points and as rows of files."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from bench.boards.free import Free, value_of, with_values
from bench.boards.measured_points import Measured
from bench.boards.retime import Retimed
from bench.digest import source_digest
from bench.experiments import Point, read_profile, read_workload
from bench.hardware.profile import Profile
from bench.rows import make_plan, request_columns
from bench.sealed import write_sealed

BASE = "s10-gx2800-dac20"
LINK = "dac20-ring"

SEVERAL = [
    (f"lstm-{size}-b1-t5", partitioner, fpgas)
    for size in (512, 1024, 2048, 3072, 4096)
    for partitioner, fpgas in (("single", 1), ("row-wise", 2), ("gate-wise", 4))
]
"""Workload, partitioner, FPGAs: messages of 256 byte to 4 KiB, short steps and long ones."""

ONE = [(f"lstm-{size}-b1-t5", "single", 1) for size in (512, 1024, 2048)]


@cache
def planned(workload: str, partitioner: str, fpgas: int, profile: str = BASE, link: str = LINK) -> Measured:
    """A point with its plan; its latency is yet to be measured."""
    latency_ns = read_profile(profile).link(link).latency_ns
    point = Point(workload, profile, "ring", link, latency_ns, fpgas, partitioner)
    plan = make_plan(point)
    return Measured(point, read_workload(workload), plan, point.cluster, 1.0, 0.0, Path("measured.jsonl"))


def random_truth(seed: int, frees: Sequence[Free], profile: Profile) -> Profile:
    """``profile`` with each parameter between 0.6 and 1.6 times its value."""
    draw = random.Random(seed)
    return with_values(profile, frees, [value_of(profile, free) * draw.uniform(0.6, 1.6) for free in frees])


def measured_on(
    truth: Profile, points: Iterable[tuple[str, str, int]], noise: float = 0.0, seed: int = 0
) -> list[Measured]:
    """The points as boards of profile ``truth`` would give them, with Gaussian noise of a part ``noise``."""
    draw = random.Random(seed)
    found = [planned(*point) for point in points]
    return [
        replace(one, latency_s=Retimed(one).latency_s(truth) * (1 + draw.gauss(0, noise))) for one in found
    ]


def row(point: Measured, **columns: Any) -> dict[str, Any]:
    """The row that `bench pipeline measure` would have written of it, but for ``columns``."""
    own = Retimed(point).latency_s(point.cluster.profile)
    return {
        **request_columns("measured", point.point, source_digest(point.point.partitioner)),
        "backend": "board",
        "device_kind": "board",
        "board": "p520_max_sg280l",
        "device": "p520_max_sg280l : BittWare Stratix 10 OpenCL platform",
        "emulated_latency_s": own,
        "status": "ok",
        "termination": "none",
        "reason": None,
        "latency_median_s": point.latency_s,
        "latency_p99_s": point.latency_s,
        **columns,
    }


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> Path:
    """As `bench pipeline measure` does."""
    write_sealed(rows, path)
    return path
