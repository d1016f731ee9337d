"""What a run that was killed leaves behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench import leftovers
from bench.leftovers import date_now, register_run, remove_damaged
from bench.sealed import write_sealed

KILLED = "import os; from bench.leftovers import register_run; register_run(); os.kill(os.getpid(), 9)"


@pytest.fixture
def folder(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a run was killed while it held Snakemake's lock."""
    monkeypatch.chdir(tmp_path)
    # this process goes on after its test: nothing to remove at its end
    monkeypatch.setattr(leftovers.atexit, "register", lambda *_, **__: None)
    subprocess.run([sys.executable, "-c", KILLED], check=False, env={**os.environ, "PYTHONPATH": str(root)})
    leftovers.LOCKS.mkdir(parents=True)
    (leftovers.LOCKS / "0.output.lock").touch()
    return tmp_path


def locked() -> bool:
    """Whether a lock of Snakemake's is left."""
    return any(leftovers.LOCKS.iterdir())


def test_lock_of_a_killed_run_is_removed(folder: Path) -> None:
    """The process that held it is gone, so the lock goes, with a word about it; the next run has its own."""
    (line,) = register_run()
    assert "the run before was killed" in line
    assert not locked()
    (leftovers.LOCKS / "0.output.lock").touch()
    assert register_run() == []
    assert locked()


@pytest.mark.parametrize("other", ["elsewhere-01234567.1.1", "live"])
def test_lock_that_another_run_may_hold_stays(folder: Path, other: str) -> None:
    """A run that is alive, or that another machine has started, keeps the folder locked."""
    here, pid = leftovers._here(), os.getppid()
    name = f"{here}.{pid}.{leftovers._started(pid)}" if other == "live" else other
    (leftovers.RUNS / name).touch()
    assert register_run() == []
    assert locked()


def test_damaged_shards_are_removed(tmp_path: Path) -> None:
    """What is damaged is named and removed, what is whole or missing is left alone."""
    whole, cut, missing = (tmp_path / f"{name}.jsonl" for name in ("whole", "cut", "missing"))
    for path in (whole, cut):
        write_sealed([{"a": 1}], path)
    cut.write_bytes(cut.read_bytes()[:-5])
    (line,) = remove_damaged([whole, cut, missing])
    assert line.startswith(f"{cut}: cut short")
    assert whole.exists()
    assert not cut.exists()


def test_files_dated_ahead(tmp_path: Path) -> None:
    """A file from a fast clock is dated now and named, others keep their time."""
    ahead, before, missing = tmp_path / "ahead", tmp_path / "before", tmp_path / "missing"
    for path, offset in ((ahead, 3600), (before, -3600)):
        path.touch()
        os.utime(path, (time.time() + offset,) * 2)
    written = before.stat().st_mtime_ns
    said = date_now([ahead, before, missing])
    assert len(said) == 1
    assert "ahead: dated ahead of this machine's clock" in said[0]
    assert ahead.stat().st_mtime <= time.time()
    assert before.stat().st_mtime_ns == written
