"""`bench boards`: OpenCL devices, boards among them, and bitstreams for boards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bench.commands.options import (
    DEFAULT_PROFILE,
    PARTITIONER_HELP,
    WORKLOAD_HELP,
    Fpgas,
    Json,
    Parameters,
    ProfileName,
    TopologyName,
)
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
    """Print what is there, or so many emulated FPGAs."""
    from bench.boards.discovery import as_lines, as_object, discover

    found = discover(cables, emulate)
    typer.echo(json.dumps(as_object(found), indent=2) if as_json else "\n".join(as_lines(found)))


@boards.command(
    epilog="Example: bench boards build --board p520_max_sg280l. The boards known are p520_max_sg280l and "
    "p520_hpc_sg280l (BittWare 520N) and pac_s10_dc (Intel PAC D5005); another one needs --channels"
)
def build(
    board: Annotated[str, typer.Option(help="The board, as `aoc -list-boards` prints it.")],
    folder: Annotated[Path, typer.Option(help="Where sources and bitstreams are.")] = Path("bitstreams"),
    channels: Annotated[
        str | None, typer.Option(metavar="N,N|none", help="I/O channels to use (default: all of the board).")
    ] = None,
    number_format: Annotated[str, typer.Option("--format", help="What the kernels compute in.")] = "int8",
    hours: Annotated[float, typer.Option(min=0.01, help="The compiler is ended after so many.")] = 24.0,
) -> None:
    """Write the kernel sources for a board and how to compile them; compile them where `aoc` is on PATH.

    A bitstream of the same kernels for the same board is kept. Exit code 1: the compiler failed.
    """
    raise typer.Exit(0 if build_bitstream(board, folder, channels, number_format, hours) else 1)


@boards.command(
    epilog="Example: bench boards run --workload lstm-512-b1-t25 --fpgas 4 --partitioner row-wise "
    "--on fpga-emulator"
)
def run(
    workload: Annotated[str | None, typer.Option(help=WORKLOAD_HELP)] = None,
    partitioner: Annotated[str | None, typer.Option(help=PARTITIONER_HELP)] = None,
    param: Parameters = None,
    profile: ProfileName = DEFAULT_PROFILE,
    fpgas: Fpgas = 1,
    topology: TopologyName = "ring",
    plan: Annotated[Path | None, typer.Option(help="A plan of `bench run --save-plan` instead.")] = None,
    on: Annotated[str, typer.Option(help="auto (boards), fpga-emulator, or opencl (a CPU or GPU).")] = "auto",
    cables: CablesFile = None,
    bitstreams: Annotated[Path, typer.Option(help="Folder of `bench boards build`.")] = Path("bitstreams"),
    repeats: Annotated[int, typer.Option(min=1, help="Runs that count.")] = 20,
    warm_up: Annotated[int, typer.Option(min=0, help="Runs before them.")] = 3,
    limit: Annotated[
        float, typer.Option(min=0.1, help="Seconds that a request to the devices may take.")
    ] = 60.0,
    as_json: Json = False,
) -> None:
    """Run a plan on boards: its numbers, bit for bit, and its latency beside the emulated one.

    Exit code 1: no result, or wrong numbers.
    """
    from bench.commands.boards_run import run_plan

    given = plan, workload, partitioner, (profile, topology, None, None, fpgas), param
    done = run_plan(given, on, cables, bitstreams, (repeats, warm_up, limit), as_json=as_json)
    raise typer.Exit(0 if done else 1)


@boards.command(
    epilog="Example: bench boards calibrate boards.jsonl --profile s10-gx2800-dac20 --out my-520n.yaml. "
    "--free takes clock, link_latency, link_bandwidth, row_block_overhead, matrix_latency, "
    "multifunction_latency and input_load"
)
def calibrate(
    measured: Annotated[
        list[Path], typer.Argument(help="Measured rows: boards.jsonl of a run, one or several.")
    ],
    out: Annotated[Path, typer.Option(help="The new profile, NAME.yaml.")],
    profile: ProfileName = DEFAULT_PROFILE,
    free: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Fit this; repeatable (default: clock and both of the link)."),
    ] = None,
    any_device: Annotated[
        bool, typer.Option("--any-device", help="Take rows of what is no board too; the file says so.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it exists.")] = False,
    as_json: Json = False,
) -> None:
    """Fit the clock and the link of a profile to measured points, and write a new profile that extends it."""
    from bench.commands.boards_calibrate import calibrate_profile

    calibrate_profile(measured, profile, out, free or [], any_device=any_device, force=force, as_json=as_json)


def build_bitstream(board: str, folder: Path, channels: str | None, number_format: str, hours: float) -> bool:
    """Write, compile if that can be done here, and print what there is now; whether nothing failed."""
    import shutil

    from bench.boards.bitstreams import Bitstream, board_kernel, find_bitstream, search, write_build
    from bench.boards.compiling import BuildFailed, run_script
    from bench.files import shown
    from bench.numerics.formats import load_format

    kernel = board_kernel(board, _numbers(channels), load_format(number_format))
    source, script = write_build(folder, kernel)
    typer.echo(f"{shown(source)}: kernel sources for {kernel.board}, {_channels_text(kernel.channels)}")
    typer.echo(f"{shown(script)}: compiles them: {' '.join(kernel.command)}")
    found = search(folder, kernel)
    if isinstance(found, Bitstream):
        typer.echo(f"{shown(found.path)}: up to date, built by aoc {found.record.aoc_version}")
        return True
    for refusal in found:
        typer.echo(f"not used: {refusal}")
    if not shutil.which("aoc"):
        typer.echo(
            f"aoc is not on PATH: where it is, run sh {script.name} beside {source.name} (hours); "
            f"then bring the .aocx and .json of that name into {shown(folder)}"
        )
        return True
    typer.echo(f"compiling, for at most {hours:g} h; log: {shown(script.with_suffix('.log'))}", err=True)
    try:
        run_script(script, hours * 3600)
    except BuildFailed as error:
        typer.echo(f"error: {error}", err=True)
        return False
    built = find_bitstream(folder, kernel)
    typer.echo(f"{shown(built.path)}: built by aoc {built.record.aoc_version}")
    return True


def _numbers(text: str | None) -> tuple[int, ...] | None:
    """Channels as typed: ``0,1``, or ``none``."""
    if text is None:
        return None
    parts = [] if text == "none" else text.split(",")
    if not all(part.isdecimal() for part in parts):
        raise UserError(f"--channels {text!r}: expected numbers like 0,1 or none")
    return tuple(map(int, parts))


def _channels_text(channels: tuple[int, ...]) -> str:
    return f"I/O channels {', '.join(map(str, channels))}" if channels else "no I/O channels"
