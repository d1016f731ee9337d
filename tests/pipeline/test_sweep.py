"""A sweep through the pipeline: run, run again, and run elsewhere from the same cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SWEEP = """
check_numbers_up_to_fpgas: 0
shard_seconds: 0.01
axes:
  workload: [lstm-96-b1-t9, gru-96-b1-t9]
  profile: [s10-gx2800-dac20]
  fpgas: [1, 2]
  profile.link.latency_ns: [50, 500]
  partitioner: [single, row-wise]
"""


def snakemake(root: Path, folder: Path, *config: str) -> subprocess.CompletedProcess[str]:
    """``snakemake sweep`` in ``folder``, on the project's own Snakefile."""
    command = [sys.executable, "-m", "snakemake", "sweep", "-c2", "-s", str(root / "Snakefile")]
    if config:
        command += ["--config", *config]
    environment = os.environ | {"PYTHONPATH": str(root)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


@pytest.mark.slow
def test_sweep_runs_once(root: Path, tmp_path: Path) -> None:
    """All points, then nothing to be done; in another folder the same bytes, with nothing computed."""
    (tmp_path / "small.yaml").write_text(SWEEP, encoding="utf-8")
    first = snakemake(root, tmp_path, "sweep=small.yaml", "out=a", "cache=shared")
    assert first.returncode == 0, first.stderr
    assert "16 points, 16 with a result" in first.stdout
    assert "0 from the cache, 16 computed" in first.stdout
    again = snakemake(root, tmp_path, "sweep=small.yaml", "out=a", "cache=shared")
    assert "Nothing to be done" in again.stderr
    other = snakemake(root, tmp_path, "sweep=small.yaml", "out=b", "cache=shared")
    assert other.returncode == 0, other.stderr
    assert "16 from the cache, 0 computed" in other.stdout
    files = [path.relative_to(tmp_path / "a") for path in (tmp_path / "a" / "sweep").rglob("*.*")]
    assert len([path for path in files if path.parent.name == "points"]) > 1
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


@pytest.mark.slow
def test_what_to_sweep_must_be_said(root: Path, tmp_path: Path) -> None:
    """Without a sweep file, or with a wrong one, a message says what to do, without a trace of Python."""
    (tmp_path / "config").mkdir()
    (tmp_path / "config/default.yaml").write_text((root / "config/smoke.yaml").read_text(), encoding="utf-8")
    (tmp_path / "wrong.yaml").write_text(SWEEP.replace("fpgas: [1, 2]", "fpgas: [1, 0]"), encoding="utf-8")
    for config, message in (
        ((), "name a sweep file: snakemake sweep --config sweep=config/sweep.yaml"),
        (("sweep=wrong.yaml",), "wrong.yaml: axes.fpgas: got 0, expected whole numbers of 1 or more"),
        (("sweep=none.yaml",), "none.yaml: no such file"),
    ):
        done = snakemake(root, tmp_path, *config)
        assert done.returncode != 0
        assert message in done.stderr
        assert "Traceback" not in done.stderr
