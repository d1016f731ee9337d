"""`bench check`: whether a partitioner, a profile or a workload file keeps to its contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.threads import use_one_thread

if TYPE_CHECKING:
    from bench.conformance import Report

FILES = (".yaml", ".yml")


def check(
    target: Annotated[
        str, typer.Argument(help="A partitioner as --partitioner takes it; a profile or workload in YAML.")
    ],
    param: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A parameter for all points; repeatable."),
    ] = None,
    every: Annotated[
        int, typer.Option(min=1, help="Try each workload on every Nth cluster alone, to be sooner.")
    ] = 1,
    seconds: Annotated[float, typer.Option(min=0.1, help="Limit for one plan.")] = 20.0,
    memory_mib: Annotated[int, typer.Option(min=256, help="Limit for one plan: address space.")] = 4096,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Try a partitioner on small workloads and awkward clusters: what passed, and what mends the rest.

    Exit code 1: something failed.
    """
    use_one_thread()
    passed = check_target(
        target, param or [], every=every, seconds=seconds, memory_mib=memory_mib, as_json=as_json
    )
    raise typer.Exit(0 if passed else 1)


def check_target(
    target: str, parameters: list[str], *, every: int, seconds: float, memory_mib: int, as_json: bool
) -> bool:
    """Check and print; whether it conforms."""
    from rich.console import Console

    from bench.commands.run import parse_parameter
    from bench.conformance import check as check_partitioner
    from bench.conformance.show import show

    values = dict(parse_parameter(text) for text in parameters)
    with Console(stderr=True).status(f"checking {target} ..."):
        if Path(target).suffix in FILES:
            report = check_file(Path(target), seconds, memory_mib)
        else:
            report = check_partitioner(target, values, every=every, seconds=seconds, memory_mib=memory_mib)
    if as_json:
        print(json.dumps(report.as_object(), indent=2))
    else:
        show(report, Console())
    return report.passed


def check_file(path: Path, seconds: float, memory_mib: int) -> Report:
    """What `bench validate` says of a YAML file; then whether a profile or workload runs on a few FPGAs."""
    from bench.commands.validate import kind_of, validate_file
    from bench.conformance import Report
    from bench.conformance.report import Finding, Problem, finding
    from bench.conformance.trying import try_profile, try_workloads
    from bench.errors import UserError
    from bench.experiments import Limits

    found: list[Finding] = []
    try:
        found.append(finding("form", [], validate_file(path)))
        limits = Limits(seconds_per_point=seconds, memory_mib=memory_mib)
        tries = {"profile": try_profile, "workload": try_workloads}.get(kind_of(path))
        tried, findings = tries(path, limits) if tries else (0, [])
    except UserError as error:
        lines = [line.removeprefix(f"{path}: ") for line in str(error).splitlines()]
        fix = "mend what the line names; `bench validate` says the same"
        tried, findings = 0, []
        found = [finding("form", [Problem(str(path), line, fix) for line in lines], "")]
    return Report(str(path), path.stem, (*found, *findings), points=tried, tried=tried)
