"""The process that holds a device (or, without channels, all of them): ``python -m bench.boards.worker``.

It runs in its folder, where `bench.boards.job` says what to do, and answers each line of standard
input with one of JSON on standard output:

``load``   build kernels, load weights: ``{"build_s": ..., "load_s": ...}``
``reset``  write inputs and states: ``{"transfer_s": ...}``
``run``    ``{"started_ns": ..., "ended_ns": ..., "kernel_s": ..., "copies_s": ...}``, by the machine's clock
``fetch``  write the memories to a file: ``{"transfer_s": ...}``

What goes wrong is ``{"error": ..., "termination": ...}``; then it ends.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.boards.job import OUTPUTS, Job, read_job
from bench.boards.opencl import DeviceRefused, Loaded, load
from bench.boards.staged import run_staged
from bench.errors import describe
from bench.isolation.processes import end_with_parent

Answer = dict[str, Any]

MEMORY_SIGNS = ("MEM_OBJECT_ALLOCATION_FAILURE", "OUT_OF_RESOURCES", "OUT_OF_HOST_MEMORY")
"""In OpenCL's own errors, where a device has too little memory."""


def main() -> int:
    """Answer requests until standard input ends; 1 after an error."""
    end_with_parent()
    folder = Path.cwd()
    # answers have a stream of their own: drivers print to what they take for standard output
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    devices: list[Loaded] = []
    for line in sys.stdin:
        try:
            answer = _answer(line.strip(), folder, devices)
        except DeviceRefused as error:
            answer = {"error": str(error), "termination": error.termination}
        except Exception as error:  # whatever a driver raises costs this run, with the reason
            memory = any(sign in str(error) for sign in MEMORY_SIGNS)
            termination = "out of memory" if memory or isinstance(error, MemoryError) else "crash"
            answer = {"error": describe(error), "termination": termination}
        print(json.dumps(answer), file=answers, flush=True)
        if "error" in answer:
            return 1
    return 0


def _answer(request: str, folder: Path, devices: list[Loaded]) -> Answer:
    started = time.perf_counter()
    if request == "load":
        job: Job = read_job(folder)
        devices += [load(assignment) for assignment in job.assignments]
        return {"build_s": sum(d.build_s for d in devices), "load_s": sum(d.load_s for d in devices)}
    if request == "reset":
        for device in devices:
            device.reset()
    elif request == "run":
        return _run(devices)
    else:
        assert request == "fetch"
        memories = {str(d.assignment.image.device): d.fetch() for d in devices}
        np.savez(folder / OUTPUTS, **memories)  # type: ignore[arg-type]  # numpy's stub of **
    return {"transfer_s": time.perf_counter() - started}


def _run(devices: list[Loaded]) -> Answer:
    started = time.monotonic_ns()
    if devices[0].assignment.channels is None:
        staging = run_staged(devices)
        ended = time.monotonic_ns()
        kernel_s, copies_s = staging.kernel_s, staging.copies_s
    else:
        events = devices[0].start()
        for event in events:
            event.wait()
        ended = time.monotonic_ns()
        kernel_s, copies_s = 1e-9 * (events[-1].profile.end - events[0].profile.start), 0.0
    return {"started_ns": started, "ended_ns": ended, "kernel_s": kernel_s, "copies_s": copies_s}


if __name__ == "__main__":
    sys.exit(main())
