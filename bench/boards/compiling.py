"""Running the offline compiler: hours, with a time limit, its output kept, nothing left running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.files import shown

GRACE_S = 5.0
"""Between asking the compiler's processes to end and ending them."""
LAST_LINES = 3
"""Of the log, in the message of a failure."""


class BuildFailed(Exception):
    """The offline compiler failed or ran into its time limit; the text says why and names the log."""


def run_script(script: Path, limit_s: float) -> Path:
    """Run a script of `write_build`; the path of its log. Raises BuildFailed.

    The compiler and all that it starts have ended when this returns, and also when it is
    interrupted or terminated.
    """
    log = script.with_suffix(".log")
    with log.open("wb") as output, _terminated_like_interrupted():
        process = subprocess.Popen(
            ["sh", script.resolve()],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait(timeout=limit_s)
        except subprocess.TimeoutExpired:
            hours = f"{limit_s / 3600:g} h"
            raise BuildFailed(
                f"aoc: not done within {hours} and ended; give more with --hours; log: {shown(log)}"
            ) from None
        finally:
            _end(process)
    if status:
        raise BuildFailed(
            f"aoc: exit status {status}; log: {shown(log)}; its last lines:\n{_last_lines(log)}"
        )
    return log


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Within it SIGTERM raises SystemExit, so that what was started is ended first."""
    before = signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what is left of the process group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            break
        try:
            process.wait(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            continue
    process.wait()


def _last_lines(log: Path) -> str:
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return "\n".join(f"  {line}" for line in lines[-LAST_LINES:]) or "  (no output)"
