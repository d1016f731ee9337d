"""The profile file that a calibration writes: what was fitted, with its sources; the rest is the base's."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from bench.boards.calibrate import Calibration, Fitted
from bench.boards.free import BANDWIDTH, CLOCK, CYCLES, LATENCY, Free
from bench.boards.measured_points import Measured, Measurements
from bench.boards.platforms import Kind
from bench.errors import UserError
from bench.files import shown
from bench.hardware.extends import read_whole
from bench.hardware.files import profile_file
from bench.hardware.profile import Profile
from bench.hardware.quantities import Bandwidth, Duration, Frequency
from bench.hardware.schema import PROJECTION

HEADER = "# Written by `bench boards calibrate` (docs/boards.md).\n"

DIGITS = 6
"""Significant ones of a fitted number."""


def check_out(out: Path, base: str, *, force: bool) -> None:
    """UserError if no profile that extends ``base`` can be written to ``out``: its name, or what is there."""
    if out.suffix not in (".yaml", ".yml"):
        raise UserError(f"--out {out}: expected a file that ends in .yaml")
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]*", out.stem):
        raise UserError(
            f"--out {out}: a profile is called as its file, in lower-case letters, digits, dots and dashes"
        )
    if not out.parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {shown(out.parent)}")
    if out.resolve() == _path(base).resolve():
        raise UserError(f"--out {out}: is the profile that the new one extends; choose another name")
    if out.exists() and not force:
        raise UserError(f"{shown(out)}: exists; give --force to replace it, or another --out")


def check_name(out: Path, kind: Kind) -> None:
    """UserError if the name of the file would say the wrong thing of points measured on ``kind``."""
    if kind is Kind.BOARD and out.stem.endswith(PROJECTION):
        raise UserError(f"--out {out}: {PROJECTION} ends the names of profiles that nobody has measured")
    if kind is not Kind.BOARD and not out.stem.endswith(PROJECTION):
        better = out.with_name(out.stem + PROJECTION + out.suffix)
        raise UserError(
            f"--out {out}: the points were measured on no board, so the profile is a projection and its "
            f"name says so in every table; write it to {better}"
        )


def write_profile(
    out: Path, base: str, calibration: Calibration, measurements: Measurements, quality: str
) -> Profile:
    """Write the profile that extends ``base`` (a name or a file), and return it as it reads back.

    ``quality`` says how well it fits. The file appears by rename.
    """
    path = _path(base)
    whole = read_whole(path, profile_file)
    extends = os.path.relpath(path.resolve(), out.resolve().parent) if _is_file(base) else base
    data = {"extends": extends, "name": out.stem} | _stated(whole.data, calibration, measurements, quality)
    text = HEADER + yaml.safe_dump(data, sort_keys=False, width=100, allow_unicode=True)
    partial = out.with_name(out.name + ".partial")
    try:
        partial.write_text(text, encoding="utf-8")
        profile = read_whole(partial, profile_file).profile()
        partial.replace(out)
    except OSError as error:
        raise UserError(f"{shown(out)}: cannot be written ({error.strerror})") from None
    finally:
        partial.unlink(missing_ok=True)
    return profile


def _is_file(name: str) -> bool:
    return name.endswith((".yaml", ".yml"))


def _path(name: str) -> Path:
    return Path(name) if _is_file(name) else profile_file(name)


def _stated(
    base: Mapping[str, Any], calibration: Calibration, measurements: Measurements, quality: str
) -> dict[str, Any]:
    """What the new file states beside its base and its name."""
    on = measurements.on
    data: dict[str, Any] = {"status": None if on.kind is Kind.BOARD else "projection"}
    if data["status"] == base.get("status"):
        del data["status"]
    data["summary"] = f"{base['name']} calibrated to {len(measurements.points)} points measured on {on}"
    links = copy.deepcopy(base["links"])
    for one in calibration.fitted:
        if not one.determined:
            continue
        unit = _place(one.free, base)["unit"]
        stated = {
            "value": _rounded(_in_unit(one.free.name, one.after, unit)),
            "unit": unit,
            "kind": "fitted",
            "source": _source(one, base, measurements, quality),
            "fitted_on": fitted_on(measurements),
        }
        if one.free.name == CLOCK:
            data["clock"] = stated
        elif one.free.name in CYCLES:
            data.setdefault("overlay", {})[one.free.name] = stated
        else:
            link = next(link for link in links if link["name"] == one.free.link)
            link[_link_key(one.free, link)] = stated
    if links != base["links"]:
        data["links"] = links
    return data


def in_file(base: str, free: Free, value: float) -> tuple[float, str]:
    """``value``, as `bench.boards.free.value_of` has it, in the unit that ``base`` states; and that unit."""
    unit = _place(free, read_whole(_path(base), profile_file).data)["unit"]
    return _in_unit(free.name, value, unit), unit


def _place(free: Free, base: Mapping[str, Any]) -> Mapping[str, Any]:
    """The number of the base that ``free`` is."""
    if free.name == CLOCK:
        found = base["clock"]
    elif free.name in CYCLES:
        found = base["overlay"][free.name]
    else:
        link = next(link for link in base["links"] if link["name"] == free.link)
        found = link[_link_key(free, link)]
    assert isinstance(found, Mapping)
    return found


def _link_key(free: Free, link: Mapping[str, Any]) -> str:
    if free.name == LATENCY:
        return "latency"
    return "bandwidth" if link.get("bandwidth") is not None else "inverse_bandwidth"


def _in_unit(name: str, value: float, unit: str) -> float:
    """``value`` in MHz, ns, ns/byte or cycles, in another unit of the same."""
    if name == CLOCK:
        return value / Frequency.factors[unit]
    if name == LATENCY:
        return value / Duration.factors[unit]
    if name == BANDWIDTH and unit in Bandwidth.factors:
        return 1 / value / Bandwidth.factors[unit]
    return value


def _rounded(value: float) -> float | int:
    """To `DIGITS` significant digits."""
    number = float(f"{value:.{DIGITS}g}")
    return int(number) if number.is_integer() else number


def percent(part: float) -> str:
    """A part as people read it."""
    return f"{part:.2%}" if part >= 1e-4 else "less than 0.01%"


def _source(one: Fitted, base: Mapping[str, Any], measurements: Measurements, quality: str) -> str:
    place = _place(one.free, base)
    off = "how far off it may be is not known" if one.error is None else f"may be off by {percent(one.error)}"
    return (
        f"least squares (soft L1, of logarithms) over {len(measurements.points)} latencies measured on "
        f"{measurements.on}; {quality}; {off}; {base['name']} has {place['value']:g} {place['unit']}"
    )


def fitted_on(measurements: Measurements) -> list[str]:
    """One line a file: its name, its hash, its points."""
    lines = []
    for file, digest in measurements.sha256.items():
        points = [one for one in measurements.points if one.file == file]
        if points:
            lines.append(f"{file.name} (SHA-256 {digest}): {_described(points)}")
    return lines


def _described(points: list[Measured]) -> str:
    workloads = ", ".join(dict.fromkeys(one.point.workload for one in points))
    partitioners = ", ".join(dict.fromkeys(one.point.partitioner for one in points))
    fpgas = ", ".join(map(str, sorted({one.point.fpgas for one in points})))
    return f"{len(points)} points: {workloads} on {fpgas} FPGAs, {partitioners}"
