"""`bench run`: one point, emulated and explained."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from bench.errors import UserError
from bench.experiments import ClusterKey, Limits, Point, canonical, read_profile, read_workload
from bench.files import FileModel, parse_yaml
from bench.hardware.files import make_cluster
from bench.isolation.client import ask_once
from bench.numerics.report import verdict_text
from bench.partitioners.choices import check_parameters
from bench.partitioners.parameters import Scalar
from bench.partitioners.sources import find_source
from bench.plans.files import save_plan
from bench.rows import Row, explain_point

if TYPE_CHECKING:
    from bench.emulator.timing import Timing


SHOWN_UNITS = 16
"""Devices' units, and links, that the explanation lists."""


class _Parameter(FileModel):
    value: Scalar


def make_point(
    workload: str,
    cluster: tuple[str, str, str | None, float | None, int],
    partitioner: str,
    parameters: Iterable[str],
) -> Point:
    """The point that the options of `bench run` mean; UserError for whatever does not exist."""
    profile_name, topology, link_name, latency, fpgas = cluster
    profile = read_profile(profile_name)
    link = make_cluster(profile, fpgas, topology, link=link_name, link_latency_ns=latency).link
    source = find_source(partitioner)
    values = check_parameters(source.reference, dict(parse_parameter(text) for text in parameters))
    read_workload(workload)
    key: ClusterKey = (profile_name, topology, link.name, link.latency_ns, fpgas)
    return Point(workload, *key, source.reference, canonical(values))


def parse_parameter(text: str) -> tuple[str, Scalar]:
    """``key=value``, the value as YAML would read it."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip() or not value.strip():
        raise UserError(f"--param {text!r}: expected KEY=VALUE, for example software_pipelining=true")
    parsed = parse_yaml(f"value: {value}\n", f"--param {key}", _Parameter).value
    return key.strip().replace("-", "_"), parsed


def run_point(
    workload: str,
    cluster: tuple[str, str, str | None, float | None, int],
    partitioner: str,
    parameters: Iterable[str],
    plan_file: Path | None,
    *,
    as_json: bool,
) -> bool:
    """Evaluate and print; whether there is a result. What a plug-in prints goes to standard error."""
    point = make_point(workload, cluster, partitioner, parameters)
    source = find_source(point.partitioner)
    answer, printed = None, ""
    with Console(stderr=True).status(f"{source.name} plans {workload} for {point.fpgas} FPGAs ..."):
        if source.isolated:
            answer, printed = ask_once(point, Limits())
        row, plan, timing = explain_point(point, answer=answer)
    if printed:
        print(f"{source.name} printed:\n{printed.rstrip()}", file=sys.stderr)
    if plan_file and plan:
        save_plan(plan_file, plan, point)
    if as_json:
        print(json.dumps(as_object(point, row), indent=2))
    elif timing:
        _explain(Console(), point, row, timing)
    else:
        said = {"ok": row["termination"], "error": f"{source.name} failed", "unsupported": "unsupported"}
        print(f"no result: {said[row['status']]}: {row['reason']}")
    return timing is not None


def as_object(point: Point, row: Row) -> dict[str, Any]:
    """What ``--json`` prints."""
    return {
        "workload": point.workload,
        "profile": point.profile,
        "fpgas": point.fpgas,
        "topology": point.topology,
        "link": point.link,
        "link_latency_ns": point.link_latency_ns,
        "partitioner": find_source(point.partitioner).name,
        "parameters": json.loads(point.parameters),
        "backend": "emulated",
        **row,
        "point_id": point.point_id,
    }


def asked(point: Point) -> str:
    """Workload and cluster of a point, in a line."""
    link = f", {point.link} ({point.link_latency_ns:g} ns)" if point.fpgas > 1 else ""
    return f"{point.workload} on {point.fpgas} x {point.profile}, {point.topology}{link}"


def _explain(console: Console, point: Point, row: Row, timing: Timing) -> None:
    console.print(f"{asked(point)}, {find_source(point.partitioner).name}", highlight=False)
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_row("latency", in_seconds(timing.latency_s))
    facts.add_row("cycles", f"{timing.cycles:,} ({timing.cycles_per_step:,.1f} a time step)")
    bound = row["bound_cycles"]
    facts.add_row("bound", f"{bound:,} cycles: no plan takes fewer, this one {timing.cycles / bound:.2f} x")
    facts.add_row("utilization", f"{timing.utilization:.1%} of all multipliers of {point.fpgas} FPGAs")
    facts.add_row("communication", f"{timing.communication_share:.1%} of the time")
    facts.add_row("devices used", str(timing.devices_used))
    fits = "on chip" if timing.fits_on_chip else "more than fits on chip"
    facts.add_row("weights", f"{timing.weight_bytes_per_device / 1e6:.1f} MB on the fullest device ({fits})")
    facts.add_row("plan", f"{row['plan_id']}  {row['plan_notes']}")
    profile = read_profile(point.profile)
    facts.add_row("numbers", verdict_text(row["numerics"], row["numerics_full_size"], profile))
    console.print(facts)
    console.print(_busy("device", timing), _busy("link", timing), sep="\n")


def _busy(what: str, timing: Timing) -> Table:
    """How busy each device's units, or each link, is; the busiest first where there are many."""
    units = [unit for unit in timing.units if (unit.unit == "link") == (what == "link")]
    table = Table(box=None, pad_edge=False, title_justify="left")
    if not units:
        return table
    headings = (
        ("link", "busy", "cycles", "messages", "bytes") if what == "link" else ("unit", "busy", "cycles")
    )
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left", min_width=24 if not number else None)
    for unit in sorted(units, key=lambda unit: -unit.busy_cycles)[:SHOWN_UNITS]:
        share = (f"{unit.busy_cycles / timing.cycles:.1%}", f"{unit.busy_cycles:,}")
        if what == "link":
            name = f"{unit.device} -> {unit.to_device}"
            table.add_row(name, *share, f"{unit.messages:,}", f"{unit.bytes:,}")
        else:
            table.add_row(f"device {unit.device}, {unit.unit} unit", *share)
    if len(units) > SHOWN_UNITS:
        table.add_row(f"{len(units) - SHOWN_UNITS} more, less busy")
    return table


def in_seconds(value: float) -> str:
    """Seconds with a unit that reads well.

    >>> in_seconds(0.0012345)
    '1.2345 ms'
    """
    if value <= 0:
        return f"{value:g} s"
    power = min(max(math.floor(math.log10(value) / 3), -3), 0)
    return f"{value / 1000**power:.5g} {['s', 'ms', 'us', 'ns'][-power]}"
