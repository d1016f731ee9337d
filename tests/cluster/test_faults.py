"""Faults of the machine: a re-run gives the same tables, and computes only what was lost."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bench.sweeps.keys import workload_digest
from tests.cluster.conftest import LOCAL
from tests.cluster.drill import (
    LIMIT_S,
    SMALL,
    SWEEP,
    computed,
    finish,
    forget_logs,
    pieces,
    run,
    start,
    tables,
    to_compute,
    wait_until,
)

pytestmark = pytest.mark.slow

ONE_BY_ONE = ("--cores", "1")
HOUR_S = 3600


def commands(folder: Path) -> dict[int, str]:
    """Command lines of the processes in ``folder`` by id, without shells."""
    found = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                line = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                here = (path / "cwd").readlink() == folder
            except OSError:
                continue
            if here and "bash" not in line:
                found[int(path.name)] = line
    return found


def workers(folder: Path) -> list[int]:
    """Processes that evaluate points for a job."""
    return [pid for pid, line in commands(folder).items() if "spawn_main" in line]


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


def at_work(folder: Path, out: str) -> list[int]:
    """The processes of a job that has not written its points: Snakemake is done with the one before."""
    done = "|".join(name[:5] for name in pieces(SWEEP, folder, out)) or "none"
    return [
        pid
        for pid, line in commands(folder).items()
        if re.search(rf" sweep evaluate \S+ (?!{done})\d+ {out}/", line)
    ]


def kill(pids: list[int]) -> None:
    """End processes as the kernel does that is out of memory."""
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def test_killed_worker_and_killed_job(swept: Path) -> None:
    """A killed worker's points go to another, a killed job starts again; no others are repeated."""
    process = start(SWEEP, swept, "killed", *ONE_BY_ONE)
    logs = swept / "killed/logs/sweep/swept"
    wait_until(lambda: any("20/200" in log.read_text("utf-8") for log in logs.glob("*")), process)
    kill(workers(swept))
    wait_until(lambda: pieces(SWEEP, swept, "killed"), process)
    assert ": crash, " in "".join(log.read_text("utf-8") for log in logs.glob("*"))
    wait_until(lambda: at_work(swept, "killed"), process)
    kept = pieces(SWEEP, swept, "killed")
    kill(at_work(swept, "killed"))
    finish(process)
    after = pieces(SWEEP, swept, "killed")
    assert {name: after[name] for name in kept} == kept
    assert set(computed(swept, "killed").values()) == {200}
    assert tables(SWEEP, swept, "killed") == tables(SWEEP, swept, LOCAL)


def test_killed_snakemake_is_gone_on_with(swept: Path) -> None:
    """The same command needs no --unlock, beside jobs that live on; it computes what is in no cache yet."""
    process = start(SWEEP, swept, "halted", *ONE_BY_ONE)
    wait_until(lambda: len(pieces(SWEEP, swept, "halted")) >= 2, process)
    wait_until(lambda: at_work(swept, "halted"), process)
    process.kill()
    process.wait()
    kept, missing = pieces(SWEEP, swept, "halted"), to_compute(swept, "halted")
    forget_logs(swept, "halted")  # an orphan writes on into the log that it has
    said = run(SWEEP, swept, "halted")
    assert "the run before was killed: its lock is removed" in said
    after = pieces(SWEEP, swept, "halted")
    assert {name: after[name] for name in kept} == kept
    assert 0 < sum(computed(swept, "halted").values()) <= missing <= 400
    assert tables(SWEEP, swept, "halted") == tables(SWEEP, swept, LOCAL)


def test_full_disk(swept: Path) -> None:
    """On a full disk the run fails and says so; with room again it computes what is missing."""
    with small_disk(swept / "full", "200k") as resize:
        process = start(SWEEP, swept, "full/it", *ONE_BY_ONE)
        said, _ = process.communicate(timeout=LIMIT_S)
        assert process.returncode != 0
        assert "No space left on device" in said
        kept, missing = pieces(SWEEP, swept, "full/it"), to_compute(swept, "full/it")
        assert 0 < missing < 800
        resize("16m")
        forget_logs(swept, "full/it")
        run(SWEEP, swept, "full/it")
        after = pieces(SWEEP, swept, "full/it")
        assert {name: after[name] for name in kept} == kept
        assert sum(computed(swept, "full/it").values()) == missing
        assert tables(SWEEP, swept, "full/it") == tables(SWEEP, swept, LOCAL)


def damage(cut: Path, changed: Path) -> None:
    """Take the end from a file, turn a bit of another one over."""
    cut.write_bytes(cut.read_bytes()[:-40])
    data = bytearray(changed.read_bytes())
    data[len(data) // 2] ^= 1
    changed.write_bytes(data)


def test_damaged_files_and_skewed_clocks(swept: Path) -> None:
    """Damaged points are made again from the cache, damaged parts of that are computed, nothing else is."""
    before = tables(SWEEP, swept, LOCAL)
    cut, changed, future, past = sorted((swept / LOCAL / "sweep/swept/points").glob("*.parquet"))
    (workload,) = set(pq.read_table(cut, columns=["workload"])["workload"].to_pylist())
    damage(cut, changed)
    damage(*sorted((swept / f"{LOCAL}-cache").glob(f"{workload_digest(workload)[:12]}-*/*.parquet"))[:2])
    later, earlier = time.time() + HOUR_S, time.time() - 24 * HOUR_S
    os.utime(future, (later, later))
    os.utime(past, (earlier, earlier))
    missing = to_compute(swept, LOCAL)
    forget_logs(swept, LOCAL)
    said = run(SWEEP, swept, LOCAL)
    assert f"{cut.name}: cut short" in said
    assert f"{changed.name}: changed since it was written" in said
    assert f"{future.name}: dated ahead" in said
    assert len(pieces(SWEEP, swept, LOCAL)) == 4
    assert computed(swept, LOCAL) == {cut.stem: missing, changed.stem: 0}
    assert 0 < missing < 200
    assert tables(SWEEP, swept, LOCAL) == before
    assert "Nothing to be done" in run(SWEEP, swept, LOCAL)


def test_damaged_shards(local: Path) -> None:
    """In the pipeline, too, a cut and a changed shard are computed again, no other."""
    before = tables(SMALL, local, LOCAL)
    cut, changed, *others = sorted((local / LOCAL / "shards").iterdir())
    damage(cut, changed)
    kept = {path.name: path.stat().st_mtime_ns for path in others}
    said = run(SMALL, local, LOCAL)
    assert f"{cut.name}: cut short" in said
    assert f"{changed.name}: changed since it was written" in said
    after = pieces(SMALL, local, LOCAL)
    assert len(after) == 2 + len(others)
    assert {name: after[name] for name in kept} == kept
    assert tables(SMALL, local, LOCAL) == before
