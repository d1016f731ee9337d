"""What `bench boards build` hands to the offline compiler, built by the two compilers that are at hand."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.boards.bitstreams import board_kernel, write_build
from bench.boards.known import KNOWN_BOARDS
from tests.boards.opencl import requires_intel_emulator, requires_pocl, seeing_emulated, seeing_pocl

BUILD = """
import pathlib, sys
import pyopencl
context = pyopencl.Context(pyopencl.get_platforms()[0].get_devices()[:1])
program = pyopencl.Program(context, pathlib.Path(sys.argv[1]).read_text()).build()
print(*sorted(kernel.function_name for kernel in program.all_kernels()))
"""


def kernels(source: Path, environment: dict[str, str]) -> list[str]:
    """The kernels that ``source`` has once it is built where ``environment`` says."""
    done = subprocess.run(
        [sys.executable, "-c", BUILD, source],
        env=environment | {"PYOPENCL_NO_CACHE": "1"},
        text=True,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()


@requires_intel_emulator
@pytest.mark.parametrize("board", KNOWN_BOARDS)
def test_the_vendors_emulation_builds_it(tmp_path: Path, board: str) -> None:
    """Channels included: units of a board that are joined by them are kernels of their own."""
    source, _ = write_build(tmp_path, board_kernel(board))
    found = kernels(source, seeing_emulated(tmp_path, 1))
    assert "run" in found
    assert (len(found) > 1) == bool(KNOWN_BOARDS[board].io_channels)


@requires_pocl
def test_pocl_builds_what_has_no_channels(tmp_path: Path) -> None:
    """Kernels for a board without channels are plain OpenCL."""
    source, _ = write_build(tmp_path, board_kernel("pac_s10_dc"))
    assert kernels(source, seeing_pocl(tmp_path)) == ["run"]
