"""`bench import`: what an ONNX file holds that this suite can run, and the commands that run it."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import typer
from rich.console import Console
from rich.table import Table

from bench.errors import UserError
from bench.files import shown
from bench.workloads.describe import counted, joined_feeds
from bench.workloads.onnx_import.importer import Imported, Options, import_onnx, not_accelerated
from bench.workloads.write import workload_text

SHOWN_OPERATORS = 12
"""Operators around the layers that are listed."""


def import_file(path: Path, options: Options, out: Path | None, *, force: bool) -> None:
    """Print what ``path`` holds, and write it as a workload file to ``out``.

    Raises UserError as `import_onnx`, or if ``out`` exists and ``force`` is not given.
    """
    if out and out.exists() and not force:
        raise UserError(f"{shown(out)}: exists; give --force to replace it, or another --out")
    imported = import_onnx(path, **vars(options))
    text = workload_text(imported.workload)
    if out:
        _write(out, text)
    _print(imported, path, reference(path, options), out)


def parse_pairs(flag: str, pairs: Iterable[str]) -> dict[str, str]:
    """``NAME=VALUE`` texts as a mapping; UserError for one that is none."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, _, value = pair.rpartition("=")
        good = value in ("then", "else") if flag == "--branch" else value.isdecimal() and int(value) > 0
        if not name or not good:
            example = "If_0=else" if flag == "--branch" else "frames=100"
            raise UserError(f"{flag} {pair!r}: expected NAME=VALUE, for example {example}")
        found[name] = value
    return found


def reference(path: Path, options: Options) -> str:
    """The name under which the workload can be used: the file, with the options behind a colon."""
    given = {"steps": options.steps, "batch": options.batch, **options.dims, **options.branches}
    texts = [f"{quote(name, safe='/.')}={value}" for name, value in given.items() if value is not None]
    return f"{path}:{','.join(texts)}" if texts else str(path)


def _print(imported: Imported, path: Path, name: str, out: Path | None) -> None:
    workload = imported.workload
    typer.echo(
        f"{path}: {counted(len(workload.layers), 'layer')}, {counted(workload.steps, 'time step')}, "
        f"batch {workload.batch}, {workload.weights:,} weights"
    )
    layers = Table(box=None, pad_edge=False)
    for number, heading in enumerate(("layer", "cell", "direction", "input", "hidden", "steps", "weights")):
        layers.add_column(heading, justify="right" if number > 2 else "left", overflow="fold")
    layers.add_column("fed by", overflow="fold")
    for layer in workload.layers:
        cell = f"{layer.cell}, reset {layer.reset}" if layer.cell == "gru" else layer.cell
        sizes = (layer.input_size, layer.hidden_size, layer.steps)
        row = [layer.name, cell, layer.direction, *map(str, sizes), f"{layer.weights:,}", joined_feeds(layer)]
        layers.add_row(*row)
    console = Console(highlight=False, markup=False)
    console.print(layers)
    console.print(f"\n{not_accelerated(imported.surroundings, workload.macs)}", soft_wrap=True)
    total = workload.macs + sum(macs or 0 for _, _, macs in imported.surroundings)
    around = Table(box=None, pad_edge=False)
    for number, heading in enumerate(("operator", "count", "multiply-accumulates", "share")):
        around.add_column(heading, justify="right" if number else "left")
    for kind, number, macs in imported.surroundings[:SHOWN_OPERATORS]:
        work = ("shape not known", "?") if macs is None else (f"{macs:,}", f"{macs / total:.1%}")
        around.add_row(kind, str(number), *work)
    if imported.surroundings:
        console.print(around)
    rest = len(imported.surroundings) - SHOWN_OPERATORS
    if rest > 0:
        typer.echo(f"and {rest} more kinds without multiply-accumulates")
    if imported.notes:
        typer.echo("\nnotes")
    for note in imported.notes:
        typer.echo(f"- {note}")
    typer.echo("\nnext")
    usable = str(out) if out else name
    if out:
        typer.echo(f"  {out} is written; it holds the same workload")
    typer.echo(f"  bench run --workload {shlex.quote(usable)} --fpgas 4 --partitioner full")
    typer.echo(f"  in a configuration:  workloads: [{yaml_item(usable)}]")


def yaml_item(text: str) -> str:
    """A text as an item of a YAML list: quoted if it has signs that mean something there."""
    return f'"{text}"' if any(sign in text for sign in ",[]{}#&*!|>'%@` ") else text


def _write(path: Path, text: str) -> None:
    """Write at once or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(path)
    except OSError as error:
        raise UserError(f"{shown(path)}: cannot be written ({error.strerror})") from None
    finally:
        part.unlink(missing_ok=True)
