"""`bench check`: whether a partitioner, a profile or a workload file keeps to its contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.threads import use_one_thread

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
    """Check and print; whether it conforms. A YAML file is checked as `bench validate` does."""
    from rich.console import Console

    from bench.cli_run import parse_parameter
    from bench.cli_validate import validate_files
    from bench.conformance import check as check_partitioner
    from bench.conformance.show import show

    if Path(target).suffix in FILES:
        validate_files([Path(target)])
        return True
    values = dict(parse_parameter(text) for text in parameters)
    with Console(stderr=True).status(f"checking {target} ..."):
        report = check_partitioner(target, values, every=every, seconds=seconds, memory_mib=memory_mib)
    if as_json:
        print(json.dumps(report.as_object(), indent=2))
    else:
        show(report, Console())
    return report.passed
