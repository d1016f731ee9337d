"""`bench boards`: OpenCL devices, boards among them, and bitstreams for boards."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from bench.cli_options import Json
from bench.errors import UserError

boards = typer.Typer(
    help="FPGA boards and other OpenCL devices: what is there, what it could run, bitstreams.",
    epilog="Example: bench boards",
)

CablesFile = Annotated[
    Path | None,
    typer.Option("--cables", help="YAML file that says which boards are cabled (docs/boards.md)."),
]
Emulate = Annotated[
    int | None, typer.Option("--emulate", metavar="N", help="Show N of Intel's emulated FPGAs instead.")
]


@boards.callback(invoke_without_command=True)
def _boards(
    context: typer.Context, cables: CablesFile = None, emulate: Emulate = None, as_json: Json = False
) -> None:
    """List the devices if no command is named."""
    if context.invoked_subcommand is None:
        show_devices(cables, emulate, as_json=as_json)
    elif cables or emulate is not None or as_json:
        raise UserError(f"options come after the command: bench boards {context.invoked_subcommand} ...")


@boards.command(
    "list", epilog="Example: bench boards list --emulate 8, or: bench boards list --cables boards.yaml"
)
def list_devices(cables: CablesFile = None, emulate: Emulate = None, as_json: Json = False) -> None:
    """List OpenCL platforms and devices, links, tools, and what is missing."""
    show_devices(cables, emulate, as_json=as_json)


def show_devices(cables: Path | None, emulate: int | None, *, as_json: bool) -> None:
    """Print what is there; with ``emulate``, a process of its own does, with so many emulated FPGAs."""
    from bench.boards.discovery import as_lines, as_object, discover

    if emulate is not None:
        raise typer.Exit(_list_emulated(cables, emulate, as_json=as_json))
    found = discover(cables)
    typer.echo(json.dumps(as_object(found), indent=2) if as_json else "\n".join(as_lines(found)))


def _list_emulated(cables: Path | None, devices: int, *, as_json: bool) -> int:
    """The exit status of the listing with emulated FPGAs; OpenCL reads its settings once a process."""
    from bench.boards.intel_emulator import emulator_environment

    options = [*(["--cables", str(cables)] if cables else []), *(["--json"] if as_json else [])]
    command = [sys.executable, "-m", "bench", "boards", "list", *options]
    return subprocess.run(
        command, env={**os.environ, **emulator_environment(devices)}, check=False
    ).returncode
