"""`bench validate`: what kind of file it is, and everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import typer
import yaml

from bench.errors import InvalidPlan, UserError
from bench.files import read_text

if TYPE_CHECKING:
    from bench.hardware.profile import Cluster
    from bench.plans.plan import Plan
    from bench.workloads.model import Workload

KINDS: dict[str, frozenset[str]] = {
    "file of cables": frozenset({"boards", "cables"}),
    "configuration": frozenset({"experiments", "limits"}),
    "plan": frozenset({"plan_format", "blocks", "vectors", "groups", "software_pipelined"}),
    "profile": frozenset(
        {"extends", "overlay", "clock", "links", "memory", "elements", "device", "status", "board_power"}
    ),
    "sweep": frozenset({"axes", "zip", "when", "check_numbers_up_to_fpgas", "shard_seconds"}),
    "workload": frozenset({"layers", "workloads", "family", "modes", "sets", "assumptions"}),
}
"""Keys that tell the kinds of file apart; the kind with the most of them in a file is meant."""


def validate_files(files: list[Path]) -> None:
    """Print a line for each good file; UserError with the mistakes of all bad ones."""
    problems = []
    for path in files:
        try:
            typer.echo(f"{path}: {validate_file(path)}")
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError("\n".join(problems))


def validate_file(path: Path) -> str:
    """What a good file is, and a note on it; UserError with its mistakes, a line each."""
    kind = kind_of(path)
    note = _CHECKS[kind](path)
    return f"valid {kind}" + (f"; {note}" if note else "")


def kind_of(path: Path) -> str:
    """The kind of file, by its keys; UserError if nothing tells, or for an ONNX file."""
    if path.suffix == ".onnx" and path.is_file():
        raise UserError(f"{path}: an ONNX file is not checked here; `bench import {path}` says what it holds")
    try:
        value = yaml.load(read_text(path), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        keys = set(value) if isinstance(value, dict) else set()
    except yaml.YAMLError:  # cut off, most likely: the keys at the start of lines still tell
        lines = read_text(path).splitlines()
        keys = {line.partition(":")[0] for line in lines if ":" in line and line[:1].isalpha()}
    scores = {kind: len(keys & known) for kind, known in KINDS.items()}
    best = max(scores, key=lambda kind: scores[kind])
    if scores[best]:
        return best
    expected = "; ".join(f"a {kind} has {', '.join(sorted(known))}" for kind, known in KINDS.items())
    raise UserError(f"{path}: cannot tell what kind of file this is from its keys ({expected})")


def _check_config(path: Path) -> None:
    from bench.experiments import load_config

    load_config(path)


def _check_plan(path: Path) -> str:
    from bench.numerics.check import check_plan
    from bench.numerics.report import verdict_text

    plan, workload, cluster = saved_plan(path)
    numerics = check_plan(plan, workload, cluster)
    if not numerics.right:
        raise UserError(f"{path}: wrong numbers: {numerics.verdict.removeprefix('failed: ')}")
    return "numbers " + verdict_text(numerics.verdict, numerics.full_size, cluster.profile)


def saved_plan(path: Path) -> tuple[Plan, Workload, Cluster]:
    """A plan from a file with what it is for; UserError if it breaks a rule."""
    from bench.experiments import Point, read_workload
    from bench.plans.files import read_plan
    from bench.plans.validate import validate

    file = read_plan(path)
    point = Point(
        file.workload, file.profile, file.topology, file.link, file.link_latency_ns, file.fpgas, "", "{}"
    )
    plan, workload, cluster = file.plan(), read_workload(file.workload), point.cluster
    try:
        validate(plan, workload, cluster)
    except InvalidPlan as error:
        raise UserError(f"{path}: no plan for {workload.name}: {error}") from None
    return plan, workload, cluster


def _check_profile(path: Path) -> str | None:
    from bench.hardware.describe import remarks
    from bench.hardware.files import load_profile

    return "; ".join(remarks(load_profile(str(path)))) or None


def _check_sweep(path: Path) -> str:
    from bench.sweeps.expand import load_sweep

    return f"{load_sweep(path).count:,} points"


def _check_workload(path: Path) -> None:
    from bench.workloads.catalogue import workloads_in_file

    workloads_in_file(path)


def _check_cables(path: Path) -> None:
    from bench.boards.cables import load_cables

    load_cables(path)


_CHECKS: dict[str, Callable[[Path], str | None]] = {
    "file of cables": _check_cables,
    "configuration": _check_config,
    "plan": _check_plan,
    "profile": _check_profile,
    "sweep": _check_sweep,
    "workload": _check_workload,
}
