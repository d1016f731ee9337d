"""`bench new`: a starting point in the user's folder, and the commands to go on with."""

from __future__ import annotations

import shlex
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from bench.errors import UserError

SNAKEFILE = Path(__file__).resolve().parents[2] / "Snakefile"


class Made(StrEnum):
    """What `bench new` can make."""

    PARTITIONER = "partitioner"
    PROFILE = "profile"
    WORKLOAD = "workload"


def new(
    what: Made,
    name: Annotated[str, typer.Argument(help="Its name in tables, as my-split.")],
    folder: Annotated[Path, typer.Argument(help="Where to; made if it is not there.")] = Path(),
    package: Annotated[
        bool, typer.Option("--package", help="A partitioner as an installable package, in a folder NAME.")
    ] = False,
) -> None:
    """Write a partitioner, hardware profile or workload of your own to start from; no file is replaced."""
    from bench.files import shown
    from bench.starters.write import starting_point, write_new

    if package and what is not Made.PARTITIONER:
        raise UserError(f"--package: a {what.value} is one file; leave it out")
    name, texts = starting_point("package" if package else what.value, name)
    write_new(folder, texts)
    for file in texts:
        typer.echo(f"written: {shown(folder / file)}")
    start = folder / name if package else folder
    commands = [] if start.resolve() == Path.cwd() else [["cd", shown(start)]]
    commands += _next(what, name, package=package)
    typer.echo("\nnext")
    for command in commands:
        typer.echo(f"  {shlex.join(command)}")


def _next(what: Made, name: str, *, package: bool) -> list[list[str]]:
    """Commands for the folder that the files are in."""
    if what is Made.PROFILE:
        file = f"./{name}.yaml"
        run = ["bench", "run", "--workload", "lstm-1024-b1-t25", "--partitioner", "single", "--profile", file]
        return [["bench", "validate", file], ["bench", "show", "profile", file], run]
    if what is Made.WORKLOAD:
        file = f"{name}.yaml"
        run = ["bench", "run", "--workload", file, "--fpgas", "4", "--partitioner", "full"]
        return [["bench", "validate", file], ["bench", "show", "workload", file], run]
    file = f"{name.replace('-', '_')}.py"
    install = ["pip", "install", "--no-deps", "--no-build-isolation", "-e", "."]
    run = ["bench", "run", "--workload", "dac20/lstm-2048", "--fpgas", "4", "--partitioner"]
    return [
        *([install] if package else []),
        [*run, name if package else file],
        ["bench", "check", name if package else file],
        ["pytest"] if package else ["pytest", f"test_{file}"],
        ["snakemake", "reproduce-all", "-s", str(SNAKEFILE), "--configfile", "config.yaml"],
    ]
