"""What a killed run leaves behind, cleared before the next one: its lock, damaged and misdated files.

A lock of Snakemake's is a file, so that it outlives a process that is killed. Each run therefore writes down
its process in ``.snakemake/runs``; where all that did are gone, so is what they locked.
"""

from __future__ import annotations

import atexit
import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from bench.sealed import find_damage

LOCKS = Path(".snakemake/locks")
RUNS = Path(".snakemake/runs")
LEAST_FREE_BYTES = 64 * 1024


def register_run() -> list[str]:
    """Write down that this process runs here; remove the locks of runs that were killed on this machine.

    Returns a line on each thing removed. Whether runs of other machines that share the folder are alive
    cannot be seen: where one is written down, locks stay, and Snakemake says how to remove them.
    """
    said = []
    locks = list(LOCKS.glob("*.lock"))
    dead = [run for run in _runs() if _host(run) == _here() and not _alive(run)]
    if locks and dead and len(dead) == len(_runs()):
        for lock in locks:
            lock.unlink(missing_ok=True)
        said.append("the run before was killed: its lock is removed, and what it has finished is kept")
    for run in dead:
        run.unlink(missing_ok=True)
    RUNS.mkdir(parents=True, exist_ok=True)
    mine = RUNS.absolute() / f"{_here()}.{os.getpid()}.{_started(os.getpid())}"
    mine.touch()
    atexit.register(mine.unlink, missing_ok=True)
    return said


def remove_damaged(shards: Iterable[Path]) -> list[str]:
    """Remove shards that are not as they were written, so that they are computed again; a line on each."""
    said = []
    for path in shards:
        if path.exists() and (damage := find_damage(path)):
            path.unlink()
            said.append(f"{path}: {damage}; it is computed again")
    return said


def date_now(files: Iterable[Path]) -> list[str]:
    """Give files that are dated ahead of this machine's clock the time that it is; a line on each.

    A node with a fast clock has written them. Snakemake fails where what it makes of them is older than they.
    """
    said = []
    for path in files:
        if path.exists() and path.stat().st_mtime > time.time():
            path.touch()
            said.append(f"{path}: dated ahead of this machine's clock; it is dated now")
    return said


def say_if_full(folder: Path) -> list[str]:
    """A line if the file system of ``folder`` has no room: the jobs' own messages may be lost with it."""
    free = shutil.disk_usage(folder).free if folder.exists() else LEAST_FREE_BYTES
    if free >= LEAST_FREE_BYTES:
        return []
    return [f"{folder}: No space left on device; make room and run again: what is finished is kept"]


def _runs() -> list[Path]:
    return list(RUNS.glob("*.*.*"))


def _here() -> str:
    """This machine since its last start; nothing in it is a dot."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii")[:8]
    except OSError:
        boot = "unknown"
    return f"{os.uname().nodename.replace('.', '_')}-{boot}"


def _host(run: Path) -> str:
    return run.name.rpartition(".")[0].rpartition(".")[0]


def _alive(run: Path) -> bool:
    _, pid, started = run.name.rsplit(".", 2)
    return _started(int(pid)) == started


def _started(pid: int) -> str:
    """When a process was started, in clock ticks; another one with the same id has another time."""
    try:
        fields = (
            Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        )
    except OSError:
        return "gone"
    return "gone" if fields[0] in "ZX" else fields[19]
