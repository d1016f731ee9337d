"""Points that were measured, read back from the rows of `bench pipeline measure`, each with its plan."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bench.boards.platforms import Kind
from bench.errors import UserError, describe
from bench.evaluate import emulated_cycles
from bench.experiments import Point, read_profile, read_workload
from bench.files import read_text, shown
from bench.hardware.profile import Cluster, Profile
from bench.plans.plan import Plan
from bench.plans.validate import validate
from bench.rows import make_plan
from bench.sealed import find_damage
from bench.workloads.model import Workload

Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class MeasuredRow(BaseModel):
    """What a calibration reads of a row; the other columns do not matter to it."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    point_id: str
    workload: str
    profile: str
    topology: str
    link: str
    link_latency_ns: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    fpgas: Annotated[int, Field(gt=0)]
    partitioner: str
    reference: str | None = None
    """What the point named: a partitioner's name, file or folder of plans."""
    parameters: str
    device_kind: Kind = Field(strict=False)
    status: str
    termination: str
    emulated_latency_s: Seconds | None
    latency_median_s: Seconds | None = None
    latency_p99_s: Seconds | None = None
    board: str | None = None
    device: str | None = None


@dataclass(frozen=True)
class Measured:
    """One measured point and the plan that was run there."""

    point: Point
    workload: Workload
    plan: Plan
    cluster: Cluster
    """As the plan was made for."""
    latency_s: float
    """Median over the runs."""
    spread: float
    """By what part of the median the slowest hundredth of the runs is over it."""
    file: Path


@dataclass(frozen=True)
class MeasuredOn:
    """What ran the points of a calibration."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return self.name if self.kind is Kind.BOARD else f"{self.kind} ({self.name}), no board"


@dataclass(frozen=True)
class Measurements:
    """Usable points of some files."""

    points: tuple[Measured, ...]
    on: MeasuredOn
    left_out: dict[str, int]
    """Why -> how many rows."""
    sha256: dict[Path, str]


def read_measurements(files: Sequence[Path], profile: Profile, *, any_device: bool) -> Measurements:
    """The rows of ``files`` that were measured with plans for ``profile``, on boards or else ``any_device``.

    Raises UserError: a file is missing, cut short or changed, or has a line that is no such row, no row is
    usable, or the rows come from several kinds of devices.
    """
    rows = [(file, row) for file in dict.fromkeys(files) for row in _read(file)]
    left_out: Counter[str] = Counter()
    points: list[Measured] = []
    devices: dict[MeasuredOn, Path] = {}
    for file, row in rows:
        reason = _why_not(row, profile, any_device=any_device)
        found = _planned(file, row) if reason is None else reason
        if isinstance(found, str):
            left_out[found] += 1
        else:
            points.append(found)
            devices.setdefault(MeasuredOn(row.device_kind, row.board or row.device or "no name"), file)
    if not points:
        reasons = "; ".join(f"{count} x {reason}" for reason, count in left_out.items()) or "no rows at all"
        names = ", ".join(shown(file) for file in dict.fromkeys(files))
        raise UserError(f"{names}: no row to calibrate {profile.name} by: {reasons}")
    if len(devices) > 1:
        named = ", ".join(f"{on} ({shown(file)})" for on, file in devices.items())
        raise UserError(
            f"the rows were measured on several kinds of devices: {named}; a profile is of one, so give "
            "the rows of one"
        )
    sums = {file: hashlib.sha256(file.read_bytes()).hexdigest() for file in dict.fromkeys(files)}
    return Measurements(tuple(points), next(iter(devices)), dict(left_out), sums)


def _read(file: Path) -> list[MeasuredRow]:
    lines = read_text(file).splitlines()
    if damage := find_damage(file):
        raise UserError(
            f"{shown(file)}: {damage}; expected a file that `bench pipeline measure` wrote, as it was written"
        )
    rows = []
    for number, line in enumerate(lines[:-1], start=1):
        try:
            rows.append(MeasuredRow.model_validate(json.loads(line)))
        except ValidationError as failure:
            first = failure.errors(include_url=False)[0]
            key = ".".join(map(str, first["loc"]))
            got = "" if first["type"] == "missing" else f", got {first['input']!r}"
            raise UserError(
                f"{shown(file)}: line {number}: {key}: {first['msg'].lower()}{got}; expected a row of "
                "`bench pipeline measure`"
            ) from None
    return rows


def _why_not(row: MeasuredRow, profile: Profile, *, any_device: bool) -> str | None:
    """Why a row is of no use, before anything is planned."""
    if row.device_kind is not Kind.BOARD and not any_device:
        return f"measured on {row.device_kind}, no board (--any-device takes it)"
    if row.status != "ok" or row.termination != "none" or row.latency_median_s is None:
        return "without a latency"
    try:
        own = read_profile(row.profile)
    except UserError:
        return f"of profile {row.profile}, which is not here"
    return None if own == profile else f"of profile {row.profile}"


def _planned(file: Path, row: MeasuredRow) -> Measured | str:
    """The point with its plan, made again as it was then, or why that is not to be had."""
    assert row.latency_median_s is not None
    point = Point(
        row.workload,
        row.profile,
        row.topology,
        row.link,
        float(row.link_latency_ns),
        row.fpgas,
        row.reference or row.partitioner,
        row.parameters,
    )
    if point.point_id != row.point_id:
        return f"of partitioner {row.partitioner}, which is no built-in one: its plan is not known here"
    try:
        workload, cluster = read_workload(point.workload), point.cluster
        plan = make_plan(point)
        validate(plan, workload, cluster)
        cycles = emulated_cycles(workload, cluster, plan)
    except MemoryError:
        raise
    except Exception as error:  # a partitioner may raise anything
        reason = str(error) if isinstance(error, UserError) else describe(error)
        return f"that cannot be planned here: {reason}"
    emulated_s = cycles / (cluster.profile.clock_mhz * 1e6)
    if row.emulated_latency_s is None or not math.isclose(emulated_s, row.emulated_latency_s, rel_tol=1e-9):
        return "whose plan has changed since: it was emulated with another latency than it is now"
    slow = row.latency_p99_s or row.latency_median_s
    spread = max(0.0, slow / row.latency_median_s - 1)
    return Measured(point, workload, plan, cluster, row.latency_median_s, spread, file)
