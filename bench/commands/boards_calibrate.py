"""`bench boards calibrate`: a profile fitted to measured points, as a new file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

import typer
from rich.console import Console
from rich.table import Table

from bench.boards.calibrate import Fitted, calibrate
from bench.boards.calibrated_file import check_name, check_out, in_file, percent, write_profile
from bench.boards.free import DEFAULT, NAMES, free_parameters, value_of
from bench.boards.measured_points import Measured, Measurements, read_measurements
from bench.boards.retime import Retimed
from bench.commands.run import in_seconds
from bench.errors import UserError
from bench.files import shown
from bench.hardware.files import load_profile
from bench.hardware.profile import Profile


def calibrate_profile(
    files: Sequence[Path],
    base: str,
    out: Path,
    free: Sequence[str],
    *,
    any_device: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Fit, write ``out`` and print. Raises UserError before anything is written."""
    wrong = [name for name in free if name not in NAMES]
    if wrong:
        raise UserError(f"--free {wrong[0]!r}: expected one of {', '.join(NAMES)}")
    profile = load_profile(base)
    check_out(out, base, force=force)
    with Console(stderr=True).status("planning the measured points ..."):
        measurements = read_measurements(files, profile, any_device=any_device)
    check_name(out, measurements.on.kind)
    points = measurements.points
    timed = [Retimed(point) for point in points]
    before = [one.latency_s(profile) for one in timed]
    several = [point for point in points if point.cluster.fpgas > 1] or points
    frees = free_parameters(free or DEFAULT, [point.point.link for point in several])
    with Console(stderr=True).status(f"fitting to {len(points)} points ..."):
        found = calibrate(profile, points, frees)
    if not any(one.determined for one in found.fitted):
        raise UserError(f"the points determine none of {', '.join(map(str, frees))}; nothing was written")
    near = [one.latency_s(found.profile) for one in timed]
    quality = f"emulated latencies are {_off(points, near)} (before: {_off(points, before)})"
    written = write_profile(out, base, found, measurements, quality)
    after = [one.latency_s(written) for one in timed]
    if as_json:
        typer.echo(
            json.dumps(_object(out, base, measurements, found.fitted, written, before, after), indent=2)
        )
    else:
        _show(base, measurements, found.fitted, written, before, after)
        typer.echo(f"{shown(out)}: {written.name}, extends {base}; {quality}")


def _deviation(measured_s: float, emulated_s: float) -> float:
    return measured_s / emulated_s - 1


def _off(points: Sequence[Measured], latencies: Sequence[float]) -> str:
    off = [abs(_deviation(point.latency_s, one)) for point, one in zip(points, latencies, strict=True)]
    return f"{median(off):.2%} off at the median, {max(off):.2%} at most"


def _show(
    base: str,
    measurements: Measurements,
    fitted: Sequence[Fitted],
    written: Profile,
    before: Sequence[float],
    after: Sequence[float],
) -> None:
    console = Console()
    typer.echo(f"{len(measurements.points)} points measured on {measurements.on}")
    for reason, count in measurements.left_out.items():
        typer.echo(f"left out: {count} {'row' if count == 1 else 'rows'} {reason}")
    values = Table("parameter", "before", "after", "", "may be off by", box=None, pad_edge=False)
    for one in fitted:
        before_it, unit = in_file(base, one.free, one.before)
        if one.determined:
            value, _ = in_file(base, one.free, value_of(written, one.free))
            off = "not known" if one.error is None else percent(one.error)
            values.add_row(str(one.free), f"{before_it:.5g}", f"{value:.5g}", unit, off)
        else:
            values.add_row(str(one.free), f"{before_it:.5g}", "as it was", unit, "these points do not tell")
    console.print(values, highlight=False)
    typer.echo("")
    table = Table("point", "FPGAs", "measured", "before", "", "after", "", box=None, pad_edge=False)
    for point, old, new in zip(measurements.points, before, after, strict=True):
        table.add_row(
            f"{point.point.workload} {point.point.partitioner}",
            str(point.point.fpgas),
            in_seconds(point.latency_s),
            in_seconds(old),
            f"{_deviation(point.latency_s, old):+.1%}",
            in_seconds(new),
            f"{_deviation(point.latency_s, new):+.1%}",
        )
    console.print(table, highlight=False)


def _object(
    out: Path,
    base: str,
    measurements: Measurements,
    fitted: Sequence[Fitted],
    written: Profile,
    before: Sequence[float],
    after: Sequence[float],
) -> dict[str, Any]:
    return {
        "profile": str(out),
        "measured_on": {"device_kind": str(measurements.on.kind), "name": measurements.on.name},
        "left_out": measurements.left_out,
        "parameters": [
            {
                "name": one.free.name,
                "link": one.free.link,
                "unit": in_file(base, one.free, one.before)[1],
                "before": in_file(base, one.free, one.before)[0],
                "after": in_file(base, one.free, value_of(written, one.free))[0],
                "determined": one.determined,
                "relative_error": one.error,
            }
            for one in fitted
        ],
        "points": [
            {
                "workload": point.point.workload,
                "partitioner": point.point.partitioner,
                "topology": point.point.topology,
                "link": point.point.link,
                "fpgas": point.point.fpgas,
                "latency_s": point.latency_s,
                "emulated_before_s": old,
                "emulated_after_s": new,
            }
            for point, old, new in zip(measurements.points, before, after, strict=True)
        ],
    }
