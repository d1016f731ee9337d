"""`bench list` and `bench show`: what there is, and all values of one of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from bench.hardware.describe import remarks
from bench.hardware.profile import TOPOLOGIES, Profile
from bench.workloads.model import Workload

if TYPE_CHECKING:
    from bench.numerics.formats import NumberFormat

TOPOLOGY_SUMMARIES = {
    "ring": "links used in one direction, as in DAC 2020",
    "ring-bidirectional": "links used in both directions",
    "chain": "a line of devices, links used in both directions",
    "torus-2d": "rows and columns of rings",
    "fully-connected": "a link between any two devices",
    "switch": "one link from each device to a switch",
    "host-star": "every message goes through the host",
}

ACTIVATIONS = {
    "table": "a table",
    "table-linear": "a table, interpolated",
    "piecewise": "piecewise linear",
}


def list_names(what: str, *, as_json: bool) -> None:
    """Print the names of one catalogue with a line about each."""
    entries = {
        "workloads": _workloads,
        "profiles": _profiles,
        "partitioners": _partitioners,
        "topologies": _topologies,
        "formats": _formats,
    }[what]()
    if as_json:
        typer.echo(json.dumps(entries, indent=2))
        return
    width = max((len(str(entry["name"])) for entry in entries), default=0)
    for entry in entries:
        typer.echo(f"{entry['name']:<{width}}  {entry['summary']}".rstrip())


def show(what: str, name: str, *, as_json: bool) -> None:
    """Print every value of one workload or profile; UserError if there is no such."""
    if what == "workload":
        from bench.workloads.catalogue import load_workload

        workload = load_workload(name)
        value, summary = asdict(workload), workload_summary(workload)
    else:
        from bench.hardware.files import load_profile

        profile = load_profile(name)
        value, summary = asdict(profile), profile_summary(profile)
    if as_json:
        typer.echo(json.dumps(value, indent=2))
        return
    typer.echo(f"{name}: {summary}")
    for line in _lines(value):
        typer.echo(line)


def workload_summary(workload: Workload) -> str:
    """A workload in one line."""
    cells = "+".join(dict.fromkeys(layer.cell for layer in workload.layers))
    sizes = "/".join(str(size) for size in sorted({layer.hidden_size for layer in workload.layers}))
    layers = f"{len(workload.layers)} layers" if len(workload.layers) > 1 else "1 layer"
    skip = ", recurrent products only" if all(layer.skip_input for layer in workload.layers) else ""
    return (
        f"{cells} {sizes}, {layers}, {workload.steps} steps, batch {workload.batch}, "
        f"{workload.weights / 1e6:.1f} M weights{skip}"
    )


def profile_summary(profile: Profile) -> str:
    """A hardware profile in one line."""
    overlay = profile.overlay
    shape = f"{overlay.tiles}T-{overlay.engines}D-{overlay.lanes}L"
    cores = f"{overlay.cores} cores of " if overlay.cores > 1 else ""
    links = ", ".join(link.name for link in profile.links)
    line = f"{profile.device}, {cores}{shape} at {profile.clock_mhz:g} MHz; links: {links}"
    return "; ".join([profile.summary or line, *remarks(profile)])


def _workloads() -> list[dict[str, Any]]:
    from bench.workloads.catalogue import load_workload, workload_names

    found = [(name, load_workload(name)) for name in workload_names()]
    return [
        {
            "name": name,
            "summary": workload_summary(workload),
            "layers": len(workload.layers),
            "steps": workload.steps,
            "batch": workload.batch,
            "weights": workload.weights,
            "macs": workload.macs,
        }
        for name, workload in found
    ]


def _profiles() -> list[dict[str, Any]]:
    from bench.hardware.files import load_profile, profile_names

    found = [(name, load_profile(name)) for name in profile_names()]
    return [
        {
            "name": name,
            "summary": profile_summary(profile),
            "status": profile.status,
            "extends": list(profile.extends),
        }
        for name, profile in found
    ]


def _partitioners() -> list[dict[str, Any]]:
    from bench.partitioners.sources import all_sources

    return [{"name": source.name, "summary": source.interface.summary} for source in all_sources()]


def _topologies() -> list[dict[str, Any]]:
    return [{"name": name, "summary": TOPOLOGY_SUMMARIES.get(name, "")} for name in TOPOLOGIES]


def _formats() -> list[dict[str, Any]]:
    from bench.numerics.formats import FORMATS

    return [{"name": fmt.name, "summary": format_summary(fmt)} for fmt in FORMATS.values()]


def format_summary(fmt: NumberFormat) -> str:
    """A number format in one line."""
    bits = fmt.magnitude_bits
    scales = {"int8": "a scale a row", "int8-tensor": "one scale a matrix"}
    if bits:
        matrix = f"a sign and {bits} bits, one exponent a native vector"
    elif fmt.is_integer:
        matrix = f"8-bit integers, {scales[fmt.matrix]}, {fmt.accumulator_bits}-bit sums"
    else:
        matrix = fmt.matrix
    activation = "" if fmt.activation == "exact" else f"; sigmoid and tanh: {ACTIVATIONS[fmt.activation]}"
    return f"products: {matrix}; vectors: {fmt.vector}{activation}"


def _lines(value: Any, indent: str = "  ") -> Iterable[str]:
    """A nested value as indented ``key: value`` lines."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        label = key if isinstance(value, dict) else "-"
        if isinstance(item, dict | list | tuple) and item:
            flat = not any(isinstance(part, dict | list | tuple) for part in item)
            if flat and not isinstance(item, dict):
                yield f"{indent}{label}: {', '.join(map(str, item))}"
            else:
                yield f"{indent}{label}:"
                yield from _lines(item, indent + "  ")
        elif item not in ((), [], {}, None, ""):
            yield f"{indent}{label}: {item}"
