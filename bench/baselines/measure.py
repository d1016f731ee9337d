"""Timing all that is asked for, in processes of their own: a library reads its threads when it starts."""

from __future__ import annotations

import fnmatch
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from bench.baselines.engines import ENGINES
from bench.baselines.stored import Row
from bench.baselines.timed import Task, unfinished
from bench.errors import UserError, unknown_name
from bench.experiments import read_workload
from bench.threads import VARIABLES
from bench.workloads.catalogue import workload_names

WORKLOADS = ("deepbench/inference_server/*-b1-*", "dac20/*")
"""DeepBench's inference-server problems at batch 1, and the paper's networks."""

PACKAGES = ("numpy", "onnx", "onnxruntime", "torch", "pytest-benchmark")


def chosen_workloads(patterns: Sequence[str]) -> list[str]:
    """Names that ``patterns`` mean, in their order; UserError for one that means none."""
    names = workload_names()
    found: dict[str, None] = {}
    for pattern in patterns:
        if any(sign in pattern for sign in "*?["):
            matching = fnmatch.filter(names, pattern)
            if not matching:
                raise UserError(f"--workload {pattern!r}: no workload is called so (`bench list workloads`)")
            found |= dict.fromkeys(matching)
        else:
            read_workload(pattern)
            found[pattern] = None
    return list(found)


def chosen_engines(names: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Engines to run, and why others cannot run here. None named: all that can.

    Raises UserError for a name that is unknown or cannot run.
    """
    left_out = {name: why for name, each in ENGINES.items() if (why := each.missing())}
    for name in names:
        if name not in ENGINES:
            raise unknown_name("engine", name, ENGINES)
        if name in left_out:
            raise UserError(f"--engine {name}: {left_out[name]}")
    wanted = list(names) or [name for name in ENGINES if name not in left_out]
    return wanted, left_out


def make_tasks(
    workloads: Sequence[str], engines: Sequence[str], threads: Sequence[int], seconds: float
) -> list[list[Task]]:
    """The tasks of each number of threads; a GPU's are run once, with the first."""
    return [
        [
            Task(workload, name, count, seconds)
            for workload in workloads
            for name in engines
            if ENGINES[name].on == "cpu" or count == threads[0]
        ]
        for count in threads
    ]


def measure(tasks: Sequence[Task], done: Callable[[Row], None]) -> list[Row]:
    """A row for each of ``tasks``, which have one number of threads; ``done`` is told of each.

    A process that dies costs the row that it was at, which says how it died; the others go on in a new one.
    """
    rows: list[Row] = []
    while len(rows) < len(tasks):
        waiting = tasks[len(rows) :]
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as log:
            ended = yield_rows(waiting, log)
            for row in ended:
                rows.append(row)
                done(row)
            if len(rows) < len(tasks):
                log.seek(0)
                rows.append(_died(tasks[len(rows)], log.read()))
                done(rows[-1])
    return rows


def yield_rows(tasks: Sequence[Task], log: Any) -> Iterator[Row]:
    """Rows of one process as they come; it is ended with whoever reads them."""
    count = str(tasks[0].threads)
    environment = {**os.environ, **dict.fromkeys(VARIABLES, count)}
    command = [sys.executable, "-m", "bench.baselines.child", json.dumps([astuple(task) for task in tasks])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, env=environment) as process:
        try:
            for line in process.stdout or ():
                yield Row(**json.loads(line))
        finally:
            process.terminate()


def _died(task: Task, said: str) -> Row:
    """The row of a task whose process ended without one; the last line of what it said."""
    lines = [line for line in said.splitlines() if line.strip()]
    errors = [line[1:] for line in lines if line.startswith("E ")]  # pytest marks exceptions so
    reason = (errors or lines or ["nothing was said: out of memory?"])[-1].strip()
    return unfinished(task, f"the process ended: {reason[:200]}")


def describe_machine(machine: Mapping[str, Any], left_out: Mapping[str, str]) -> dict[str, Any]:
    """``machine`` with what the times depend on besides: system, versions, GPU. No host name.

    ``machine``: of `bench.results.provenance.machine`; ``left_out``: of `chosen_engines`.
    """
    return {
        **{key: value for key, value in machine.items() if key != "release"},  # a kernel may name its owner
        "system": _system(),
        "gpu": _gpu(),
        "packages": {name: _installed(name) for name in PACKAGES},
        "numpy_products": _blas(),
        "engines_left_out": dict(left_out),
    }


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _gpu() -> str | None:
    if ENGINES["torch-cuda"].missing():
        return None
    import torch  # type: ignore[import-not-found, unused-ignore]

    return str(torch.cuda.get_device_name())


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _blas() -> str:
    import numpy as np

    found: Any = np.show_config(mode="dicts")
    blas = found.get("Build Dependencies", {}).get("blas", {})
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()
