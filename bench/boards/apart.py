"""Looking for OpenCL devices in a process of its own: a driver that hangs or crashes takes nothing along.

It is also how another environment is asked: the OpenCL loader reads its settings once a process.
``python -m bench.boards.apart`` is that process; drivers may print lines of their own beside its answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict

from bench.boards.intel_emulator import why_no_pyopencl
from bench.boards.platforms import Device, Kind, Platforms, find_devices

ANSWER = "devices: "
"""What the line of the answer starts with."""

LIMIT_S = 60.0
"""Drivers answer within a second or two; a board's that does not by then hangs."""


def find_devices_apart(settings: Mapping[str, str], limit_s: float = LIMIT_S) -> Platforms:
    """The devices that a process sees whose environment is this one's with ``settings``, or why none."""
    if missing := why_no_pyopencl():
        return Platforms((), (missing,))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "bench.boards.apart"],
            env={**os.environ, **settings},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=limit_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Platforms((), (f"OpenCL did not answer within {limit_s:g} s: a driver or a board hangs",))
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        status = done.returncode
        how = f"signal {-status}" if status < 0 else f"exit status {status}"
        return Platforms((), (f"OpenCL ended the process that looked for devices ({how}): {last}",))
    answer = next((line for line in done.stdout.splitlines() if line.startswith(ANSWER)), None)
    if answer is None:
        return Platforms((), ("OpenCL ended the process that looked for devices, without an answer",))
    return _from_text(answer)


def as_text(platforms: Platforms) -> str:
    """One line: `ANSWER` and JSON."""
    value = {"devices": [asdict(one) for one in platforms.devices], "problems": platforms.problems}
    return ANSWER + json.dumps(value)


def _from_text(line: str) -> Platforms:
    answer = json.loads(line.removeprefix(ANSWER))
    devices = (Device(**{**one, "kind": Kind(one["kind"])}) for one in answer["devices"])
    return Platforms(tuple(devices), tuple(answer["problems"]))


if __name__ == "__main__":
    print(f"\n{as_text(find_devices())}")
