"""Runs of the pipeline to disturb: what is run, how it is started, what it must give in the end."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.slurm import with_parent

LIMIT_S = 180.0
"""Of a run, and of waiting for something within it."""
MARK = f"DRILL={os.getpid()}"
"""In the environment of all that is started here."""

COUNTED = re.compile(r"^(\d+): \d+ points: (\d+) from the cache, (\d+) computed", re.MULTILINE)
"""What a sweep's job says at its end (`bench.sweeps.shard.Counts`)."""


@dataclass(frozen=True)
class Drill:
    """A target of the Snakefile with its configuration, written to a folder of its own."""

    target: str
    settings: tuple[str, ...]
    """As after Snakemake's ``--config``; "{out}" is that folder."""
    pieces: str = "shards/*.jsonl"
    """What jobs write one by one, as a glob within that folder."""
    tables: str = "tables/**/*"
    """What must be the same bytes however the run went."""


SMOKE = Drill("reproduce-all", ("config=config/smoke.yaml",))

SMALL = Drill("reproduce-all", ("config=small.yaml",))
"""`small.yaml` is written by the fixture `project`: seconds of work in five shards."""

SWEEP = Drill(
    "sweep",
    ("sweep=swept.yaml", "cache={out}-cache"),
    pieces="sweep/swept/points/*.parquet",
    tables="sweep/swept/**/*",
)
"""`swept.yaml` likewise: 800 points in four jobs. Files of points are compared, too."""


def start(
    drill: Drill, folder: Path, out: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Start Snakemake in ``folder``; stdout and stderr together, in a session of its own."""
    program = [sys.executable, "-m", "snakemake", drill.target, *arguments]
    name, _, value = MARK.partition("=")
    settings = {**(environment or os.environ), "PYTHONPATH": str(folder), name: value}
    settings.pop("PYTHONDONTWRITEBYTECODE", None)  # each start of Snakemake would compile its modules again
    return subprocess.Popen(
        [*program, "--config", *(one.format(out=out) for one in drill.settings), f"out={out}"],
        cwd=folder,
        env=settings,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=with_parent(),  # noqa: PLW1509
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
        str(path.relative_to(folder / out)): path.read_bytes()
        for path in (folder / out).glob(drill.tables)
        if path.is_file() and path.name[0] != "."
    }
    assert found
    return found


def pieces(drill: Drill, folder: Path, out: str) -> dict[str, int]:
    """When each finished piece was written (ns), by name."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / out).glob(drill.pieces)}


def to_compute(folder: Path, out: str) -> int:
    """How many points of `SWEEP` are not in the cache, as `bench sweep plan` says."""
    command = [
        sys.executable,
        "-m",
        "bench",
        "sweep",
        "plan",
        "swept.yaml",
        "--cache",
        f"{out}-cache",
        "--json",
    ]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:], done.stdout[-2000:])
    return int(json.loads(done.stdout)["to_compute"])


def forget_logs(folder: Path, out: str) -> None:
    """Remove the logs of `SWEEP`'s jobs, so that `computed` counts what is done from now on."""
    for log in (folder / out / "logs/sweep/swept").glob("*.log"):
        log.unlink()


def computed(folder: Path, out: str) -> dict[str, int]:
    """Points that `SWEEP`'s jobs computed, did not find in the cache, by job, as their logs say."""
    logs = (folder / out / "logs/sweep/swept").glob("*.log")
    return {job: int(count) for log in logs for job, _, count in COUNTED.findall(log.read_text("utf-8"))}


def wait_until(happened: Callable[[], object], process: subprocess.Popen[str]) -> None:
    """Wait for something to happen while a run goes on."""
    deadline = time.monotonic() + LIMIT_S
    while not happened():
        assert process.poll() is None, process.stdout and process.stdout.read()[-3000:]
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
