"""Processes that a plug-in, or what watches over it, has left."""

from __future__ import annotations

import os

from bench.isolation.processes import PROC

VARIABLE = "BENCH_TEST_RUN"
"""Set to something unique before plug-ins are run; whatever is started then has it."""


def marked(value: str) -> list[int]:
    """Ids of all processes that were started with this value of `VARIABLE`, but for this one."""
    found = []
    for path in PROC.iterdir():
        if path.name.isdigit() and int(path.name) != os.getpid():
            try:
                settings = (path / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            found += [int(path.name)] if f"{VARIABLE}={value}".encode() in settings else []
    return found
