"""Faults of the machine: a re-run gives the same tables, and computes only what was lost."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.conftest import LOCAL
from tests.cluster.drill import SMALL, finish, pieces, run, start, tables, wait_until

pytestmark = pytest.mark.slow

ONE_BY_ONE = ("--cores", "1")
HOUR_S = 3600


def processes(folder: Path, *words: str) -> list[int]:
    """Ids of the processes in ``folder`` whose command line holds all words."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                here = (path / "cwd").readlink() == folder
            except OSError:
                continue
            if here and all(word in line for word in words) and "bash" not in line:
                found.append(int(path.name))
    return found


@contextmanager
def small_disk(folder: Path, size: str) -> Iterator[Callable[[str], None]]:
    """A file system of this size in ``folder``; gives a function that changes its size."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "drill", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("no file system can be mounted here: not root, or not allowed")
    try:
        yield (
            lambda new: (
                subprocess.run(["mount", "-o", f"remount,size={new}", str(folder)], check=True) and None
            )
        )
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_killed_jobs_are_retried(local: Path) -> None:
    """A job that is killed with its worker starts again within the same run."""
    process = start(SMALL, local, "killed", *ONE_BY_ONE)
    wait_until(lambda: processes(local, "pipeline evaluate"), process)
    for pid in processes(local, "pipeline evaluate"):
        os.kill(pid, signal.SIGKILL)
    said = finish(process)
    assert "Trying to restart job" in said or "rror" in said
    assert tables(SMALL, local, "killed") == tables(SMALL, local, LOCAL)


def test_killed_snakemake_is_gone_on_with(local: Path) -> None:
    """The same command again needs no --unlock, keeps what was finished, and gives the same tables."""
    process = start(SMALL, local, "halted", *ONE_BY_ONE)
    wait_until(lambda: len(pieces(SMALL, local, "halted")) >= 2, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    kept = dict(sorted(pieces(SMALL, local, "halted").items(), key=lambda piece: piece[1])[:1])
    said = run(SMALL, local, "halted")
    assert "the run before was killed: its lock is removed" in said
    after = pieces(SMALL, local, "halted")
    assert all(after[name] == written for name, written in kept.items())
    assert tables(SMALL, local, "halted") == tables(SMALL, local, LOCAL)


def test_full_disk(local: Path) -> None:
    """On a full disk the run fails and says so; with room again it computes what is missing."""
    with small_disk(local / "full", "24k") as resize:
        process = start(SMALL, local, "full", *ONE_BY_ONE)
        said, _ = process.communicate(timeout=250)
        assert process.returncode != 0
        assert "No space left on device" in said
        kept = pieces(SMALL, local, "full")
        resize("16m")
        run(SMALL, local, "full")
        after = pieces(SMALL, local, "full")
        assert all(after[name] == written for name, written in kept.items())
        assert tables(SMALL, local, "full") == tables(SMALL, local, LOCAL)


def test_damaged_shards_and_skewed_clocks(local: Path) -> None:
    """A cut and a changed shard are computed again, no other; after a fast clock a run still ends."""
    before = tables(SMALL, local, LOCAL)
    cut, changed, future, *others = sorted((local / LOCAL / "shards").iterdir())
    cut.write_bytes(cut.read_bytes()[:-40])
    data = bytearray(changed.read_bytes())
    data[len(data) // 2] ^= 1
    changed.write_bytes(data)
    later, earlier = time.time() + HOUR_S, time.time() - 24 * HOUR_S
    os.utime(future, (later, later))
    os.utime(others[0], (earlier, earlier))
    kept = {path.name: path.stat().st_mtime_ns for path in (future, *others)}
    said = run(SMALL, local, LOCAL)
    assert f"{cut.name}: cut short" in said
    assert f"{changed.name}: changed since it was written" in said
    after = pieces(SMALL, local, LOCAL)
    assert {name: after[name] for name in kept} == kept
    assert tables(SMALL, local, LOCAL) == before
    assert "Nothing to be done" in run(SMALL, local, LOCAL)
