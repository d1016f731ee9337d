"""Bitstreams for boards: what to compile and how, and which compiled file is the right one.

A file is found by content: its record (a ``.json`` beside it) holds a hash of kernel sources, board and
compiler options, and the SHA-256 of the file itself. The script that compiles writes both.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from bench.boards.assemble import MOST_BITS
from bench.boards.known import KNOWN_BOARDS, MOST_CHANNELS, compile_target, io_channels
from bench.boards.sources import INT8, kernel_source
from bench.errors import UserError
from bench.files import FileModel, shown
from bench.numerics.formats import NumberFormat

OPTIONS = ("-v", "-report")
"""For `aoc`. Nothing that reorders or relaxes arithmetic: boards must give the interpreter's bits."""

BITSTREAMS = Path("bitstreams")
"""Where they are unless a user says otherwise: below the working directory."""

SHOWN_FILES = 3
"""A refusal names so many files of a folder and counts the rest."""


@dataclass(frozen=True)
class Kernel:
    """Kernel sources for a board, as the offline compiler gets them."""

    board: str
    channels: tuple[int, ...]
    source: str = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 over all that decides what is compiled: board, options, sources."""
        return hashlib.sha256("\0".join([self.board, *OPTIONS, self.source]).encode()).hexdigest()

    @property
    def stem(self) -> str:
        """The name of its files, without suffix."""
        return f"{self.board}-{self.digest[:16]}"

    @property
    def command(self) -> tuple[str, ...]:
        """The offline compile command, to be run where its files are."""
        return ("aoc", *OPTIONS, f"-board={self.board}", "-o", f"{self.stem}.aocx", f"{self.stem}.cl")


class Record(FileModel):
    """What the file beside a bitstream says."""

    board: str
    kernel_sha256: str
    aocx_sha256: str
    aoc_version: str


@dataclass(frozen=True)
class Bitstream:
    """A bitstream that is the right one: its bytes were compared with its record."""

    path: Path
    record: Record
    content: bytes = field(repr=False)


def board_kernel(board: str, channels: tuple[int, ...] | None = None, fmt: NumberFormat = INT8) -> Kernel:
    """The kernels for ``board``: a name that `aoc` takes, or what the board calls itself.

    ``channels``: numbers of the I/O channels, by default all that the board has. ``fmt``: what they
    compute in. Raises UserError: a name that is none, a board that is not known without ``channels``,
    channels that it does not have, a format that is not of integers.
    """
    target = compile_target(board)
    if not re.fullmatch(r"[A-Za-z]\w*", target):
        raise UserError(f"--board {board!r}: expected the name of a board as `aoc -list-boards` prints it")
    known = io_channels(target)
    if channels is None and known is None:
        names = ", ".join(KNOWN_BOARDS)
        raise UserError(f"--board {board}: not one of {names}; say its I/O channels: --channels 0,1 or none")
    used = tuple(range(known or 0)) if channels is None else tuple(sorted(set(channels)))
    most = MOST_CHANNELS if known is None else known
    if outside := [number for number in used if not 0 <= number < most]:
        there = f"channels 0 to {most - 1}" if most else "no I/O channels: --channels none"
        raise UserError(f"--channels {outside[0]}: {target} has {there}")
    if not fmt.is_integer or fmt.accumulator_bits > MOST_BITS:
        raise UserError(f"--format {fmt.name}: boards compute in int8, with sums of {MOST_BITS} bits at most")
    return Kernel(target, used, kernel_source(used, fmt))


def write_build(folder: Path, kernel: Kernel) -> tuple[Path, Path]:
    """Write sources and the script that compiles them; their paths.

    The same kernel writes the same files. Raises UserError if the folder cannot be written.
    """
    source, script = folder / f"{kernel.stem}.cl", folder / f"{kernel.stem}.sh"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        source.write_text(kernel.source, encoding="utf-8")
        script.write_text(_script(kernel), encoding="utf-8")
    except OSError as error:
        raise UserError(f"{shown(folder)}: cannot be written ({error.strerror})") from None
    return source, script


def find_bitstream(folder: Path, kernel: Kernel) -> Bitstream:
    """The bitstream of ``kernel`` in ``folder``, whatever its name.

    Raises UserError where there is none, with the reason why each file there is another one: no
    record, another board, stale, or not the file that was built.
    """
    found = search(folder, kernel)
    if isinstance(found, Bitstream):
        return found
    reasons = list(found[:SHOWN_FILES])
    if len(found) > SHOWN_FILES:
        reasons.append(f"and {len(found) - SHOWN_FILES} more")
    what = "; ".join(reasons) or ("no .aocx file" if folder.is_dir() else "no such folder")
    raise UserError(
        f"{shown(folder)}: no bitstream of these kernels for {kernel.board}: {what}; "
        f"`bench boards build --board {kernel.board}` makes one"
    )


def search(folder: Path, kernel: Kernel) -> Bitstream | tuple[str, ...]:
    """The bitstream of ``kernel`` in ``folder``, or why each file there is another one."""
    refusals = []
    for path in sorted(folder.glob("*.aocx")):
        found = _judged(path, kernel)
        if isinstance(found, Bitstream):
            return found
        refusals.append(f"{path.name} {found}")
    return tuple(refusals)


def _judged(path: Path, kernel: Kernel) -> Bitstream | str:
    """The bitstream, or why it is not that of ``kernel``."""
    beside = path.with_suffix(".json")
    try:
        record = Record.model_validate_json(beside.read_bytes())
        if record.board != kernel.board:
            return f"is for {record.board}"
        if record.kernel_sha256 != kernel.digest:
            return "is stale: kernel sources or compiler options have changed since"
        content = path.read_bytes()
    except FileNotFoundError:
        return f"is foreign: no {beside.name} beside it says what it was built from"
    except ValidationError:
        return f"is foreign: {beside.name} beside it is not what `bench boards build` writes"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if hashlib.sha256(content).hexdigest() != record.aocx_sha256:
        return "is not the file that was built: its SHA-256 is not the one in its record"
    return Bitstream(path, record, content)


def _script(kernel: Kernel) -> str:
    """Shell commands that compile ``kernel`` and then write the record, so that half a build has none."""
    stem = kernel.stem
    return f"""#!/bin/sh
# Compiles the kernels for {kernel.board}: hours. Needed on PATH: aoc, with the board's support package.
# Afterwards keep {stem}.aocx and {stem}.json together.
set -eu
cd "$(dirname "$0")"
rm -f {stem}.json
{" ".join(kernel.command)}
version=$(aoc -version 2>&1 | sed -n 's/.*[Vv]ersion  *\\([0-9][0-9A-Za-z.]*\\).*/\\1/p' | head -n 1)
sum=$(sha256sum {stem}.aocx | cut -d ' ' -f 1)
printf '{{"board": "%s", "kernel_sha256": "%s", "aocx_sha256": "%s", "aoc_version": "%s"}}\\n' \\
  {kernel.board} {kernel.digest} "$sum" "${{version:-unknown}}" > {stem}.json.part
mv {stem}.json.part {stem}.json
"""
