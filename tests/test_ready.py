"""A worker is ready when the engine is compiled, which processes of a checkout do one after the other."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import ready


def test_a_process_that_is_ready_has_the_engine_compiled(root: Path) -> None:
    """Beside the one that was made to be ready, a point's emulation needs no other version of the engine."""
    code = (
        "from bench.ready import get_ready; get_ready()\n"
        "from bench.emulator.engine import simulate\n"
        "before = list(simulate.signatures)\n"
        "from bench.experiments import Point\n"
        "from bench.rows import evaluate_point\n"
        "cluster = ('s10-gx2800-dac20', 'ring', 'dac20-ring', 1000.0, 2)\n"
        "row = evaluate_point(Point('lstm-64-b1-t2', *cluster, 'row-wise'))\n"
        "assert row['termination'] == 'none', row\n"
        "assert len(before) == 1 and list(simulate.signatures) == before, simulate.signatures\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_one_process_is_alone_and_another_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second one gets in when the first is through, or when it has waited long enough."""
    waits: list[float] = []
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(ready, "sleep", waits.append)
    with ready._alone():
        assert len(list(tmp_path.iterdir())) == 1
        assert not waits
        with ready._alone(longest_wait_s=0.0):
            pass
        times = iter([0.0, 1.0, 3.0])
        monkeypatch.setattr(ready, "monotonic", lambda: next(times))
        with ready._alone(longest_wait_s=2.0):
            assert waits[-1] > 0
    waits.clear()
    monkeypatch.setattr(ready, "monotonic", lambda: 0.0)
    with ready._alone():
        assert not waits


def test_a_place_that_cannot_be_written_is_no_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a place for the lock nobody waits: a link that somebody has put there is not followed."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ready._alone():
        (lock,) = tmp_path.iterdir()
    lock.unlink()
    lock.symlink_to(tmp_path / "elsewhere")
    with ready._alone():
        assert not os.path.lexists(tmp_path / "elsewhere")
