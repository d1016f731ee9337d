"""Runs of the pipeline to disturb: what is run, how it is started, what it must give in the end."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

LIMIT_S = 280.0


@dataclass(frozen=True)
class Drill:
    """A target of the Snakefile with its configuration, written to a folder of its own ("{out}")."""

    target: str
    settings: tuple[str, ...]
    """As after Snakemake's ``--config``."""
    pieces: str = "shards/*.jsonl"
    """What jobs write one by one, as a glob within that folder."""
    tables: str = "tables/**/*"
    """What must be the same bytes however the run went."""


SMOKE = Drill("reproduce-all", ("config=config/smoke.yaml",))

SMALL = Drill("{out}/tables", ("config=small.yaml",))
"""`small.yaml` is written by the fixture `project`: seconds of work in five shards."""


def start(
    drill: Drill, folder: Path, out: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start Snakemake in ``folder``; stdout and stderr together, in a session of its own."""
    program = [sys.executable, "-m", "snakemake", drill.target.format(out=out), *arguments]
    settings = {**(environment or os.environ), "PYTHONPATH": str(folder)}
    settings.pop("PYTHONDONTWRITEBYTECODE", None)  # each start of Snakemake would compile its modules again
    return subprocess.Popen(
        [*program, "--config", *drill.settings, f"out={out}"],
        cwd=folder,
        env=settings,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for the end of a run that must succeed; what it said."""
    said, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, said[-4000:]
    return said


def run(
    drill: Drill, folder: Path, out: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> str:
    """A run from start to end that must succeed; what it said."""
    return finish(start(drill, folder, out, *arguments, environment=environment))


def tables(drill: Drill, folder: Path, out: str) -> dict[str, bytes]:
    """Every table's bytes, by name."""
    found = {
        path.name: path.read_bytes()
        for path in (folder / out).glob(drill.tables)
        if path.is_file() and path.name[0] != "."
    }
    assert found
    return found


def pieces(drill: Drill, folder: Path, out: str) -> dict[str, int]:
    """When each finished piece was written (ns), by name."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / out).glob(drill.pieces)}


def wait_until(happened: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait for something to happen while a run goes on."""
    deadline = time.monotonic() + LIMIT_S
    while not happened():
        assert process.poll() is None, process.stdout and process.stdout.read()[-3000:]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
