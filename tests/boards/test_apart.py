"""Looking for devices in a process of its own: answers come through, and drivers that fail cost nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.boards import apart
from bench.boards.apart import as_text, find_devices_apart
from bench.boards.platforms import Platforms, read_devices
from tests.boards.opencl import requires_pyopencl
from tests.boards.test_platforms import D5005, SDK, a_device, a_platform


def bad_driver(folder: Path, code: str) -> dict[str, str]:
    """An environment in which importing pyopencl does ``code``."""
    (folder / "pyopencl.py").write_text(code, encoding="utf-8")
    return {"PYTHONPATH": f"{folder}:{Path(apart.__file__).parents[2]}"}


def test_an_answer_comes_back_as_it_was() -> None:
    """Every value of a device, and every problem, survives the way through text."""
    said = read_devices([a_platform(SDK, a_device(), a_device(D5005 + " x", 2, "")), a_platform("Empty")])
    assert len(said.problems) == 1
    assert apart._from_text(as_text(said)) == said
    assert apart._from_text(as_text(Platforms(()))) == Platforms(())


@requires_pyopencl
@pytest.mark.parametrize(
    ("code", "limit_s", "problem"),
    [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", 60.0, "(signal 11)"),
        ("import os\nos._exit(0)", 60.0, "without an answer"),
        ("import sys\nsys.exit('firmware is gone')", 60.0, "(exit status 1): firmware is gone"),
        ("raise ImportError('libOpenCL.so.1')", 60.0, "pyopencl cannot be imported: libOpenCL.so.1"),
        ("import time\ntime.sleep(600)", 2.0, "did not answer within 2 s: a driver or a board hangs"),
    ],
)
def test_a_driver_that_fails_costs_a_process(tmp_path: Path, code: str, limit_s: float, problem: str) -> None:
    """No device, and a sentence that says what happened."""
    found = find_devices_apart(bad_driver(tmp_path, code), limit_s)
    assert found.devices == ()
    assert [problem in text for text in found.problems] == [True]


@requires_pyopencl
def test_what_a_driver_prints_is_no_answer(tmp_path: Path) -> None:
    """A driver may write to standard output; the answer has a line of its own, known by its start."""
    noisy = """
import atexit
atexit.register(print, "closing")
class Error(Exception): pass
def get_platforms():
    print("WARNING: board", end="")
    return []
"""
    found = find_devices_apart(bad_driver(tmp_path, noisy))
    assert found == Platforms((), ("no OpenCL platform is installed",))
