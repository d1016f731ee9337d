"""The pipeline through a real Slurm on loopback: the local run's bytes, also when nodes die."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cluster.conftest import LOCAL
from tests.cluster.drill import (
    SMALL,
    SMOKE,
    SWEEP,
    computed,
    finish,
    pieces,
    run,
    start,
    tables,
    to_compute,
    wait_until,
)
from tests.cluster.slurm import ETC, MARK, Slurm, Unavailable, having, loopback, why_not

REASON = why_not() or (
    None
    if importlib.util.find_spec("snakemake_executor_plugin_slurm")
    else "snakemake-executor-plugin-slurm is not installed: make slurm"
)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=str(REASON))]

THROUGH_SLURM = (
    *("--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "1"),
    *("--seconds-between-status-checks", "1", "--latency-wait", "20"),
)
# Each job starts Snakemake twice: a few of several shards, where a cluster would have one a shard.
TOGETHER = (
    *("--groups", "evaluate=shards", "accuracy=report", "collect=report", "tables=report"),
    *("figures=report", "provenance=report", "site_ahead=report", "site=report"),
    *("--group-components", "shards=3"),
    *("--set-resources", "evaluate:gres=fpga:1"),
)
# A node has one board, so one job at a time.
ALONE = ("--set-resources", "sweep_shard:gres=fpga:1")


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder for a Slurm with a short path: below it are sockets, whose names may have 107 characters."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "loopback-slurm"


@contextmanager
def brought_up(state: Path) -> Iterator[Slurm]:
    """A Slurm of two nodes, of which nothing is left; where it does not start the test is skipped."""
    try:
        with loopback(state, nodes=2) as slurm:
            yield slurm
    except Unavailable as reason:
        pytest.skip(str(reason))
    assert nothing_is_left(state)


def nothing_is_left(state: Path) -> bool:
    """Whether no link and no process remains of the Slurm in ``state``."""
    return not (ETC / "slurm.conf").is_symlink() and not having(f"{MARK}={state}") and not state.exists()


def shards_on(slurm: Slurm, *state: str) -> list[str]:
    """Of each job that evaluates a shard of a sweep, in the order they were given: the shard."""
    said = slurm.ask("squeue", "-h", "-S", "i", *state, "-o", "%k").splitlines()
    return [line.rpartition("_")[2] for line in said if "sweep_shard" in line]


def midway(slurm: Slurm, folder: Path, out: str) -> bool:
    """Whether a sweep has finished a shard, and both nodes are at others."""
    done, running = {name[:5] for name in pieces(SWEEP, folder, out)}, shards_on(slurm, "-t", "R")
    return bool(done) and len(running) == 2 and done.isdisjoint(running)


def test_same_tables_as_locally(project: Path, state: Path) -> None:
    """Two nodes share the shards, each with a board for its job; every table has the local run's bytes."""
    run(SMOKE, project, "smoke")
    with brought_up(state) as slurm:
        run(SMOKE, project, "via", *THROUGH_SLURM, *TOGETHER, environment=slurm.environment())
        jobs = slurm.ask("squeue", "-h", "-t", "all", "-o", "%T %N %b")
    assert {line.split()[0] for line in jobs.splitlines()} == {"COMPLETED"}, jobs
    assert {line.split()[1] for line in jobs.splitlines()} == set(slurm.nodes)
    assert "fpga:1" in jobs
    assert tables(SMOKE, project, "via") == tables(SMOKE, project, "smoke")


def test_sweep_with_a_node_that_dies(swept: Path, state: Path) -> None:
    """Of two nodes one loses power midway: its shard alone is computed again; the same bytes."""
    with brought_up(state) as slurm:
        process = start(SWEEP, swept, "torn", *THROUGH_SLURM, *ALONE, environment=slurm.environment())
        wait_until(lambda: midway(slurm, swept, "torn"), process)
        dead = slurm.nodes[0]
        lost = shards_on(slurm, "-t", "R", "-w", dead)
        killed = slurm.kill_node(dead)
        missing = to_compute(swept, "torn")
        said = finish(process)
        started = Counter(shards_on(slurm, "-t", "all"))
        nodes = slurm.ask("sinfo", "-h", "-N", "-o", "%N %T")
    assert len(killed) > 1, "no job was on the node"
    assert f"{dead} down" in nodes, nodes
    assert 0 < missing < 800
    assert started == Counter(["00000", "00001", "00002", "00003", *lost]), said
    # a job may have been killed when its points were in the cache, before it has ended
    assert all(count == 200 for job, count in computed(swept, "torn").items() if job not in lost)
    assert tables(SWEEP, swept, "torn") == tables(SWEEP, swept, LOCAL)


def test_node_that_falls_silent(local: Path, state: Path) -> None:
    """A node that has lost its network is given up: its job starts again on the other one, same tables."""
    with brought_up(state) as slurm:
        process = start(SMALL, local, "silent", *THROUGH_SLURM, *TOGETHER, environment=slurm.environment())
        wait_until(lambda: slurm.running_on(slurm.nodes[0]), process)
        os.kill(slurm.daemons[slurm.nodes[0]].pid, signal.SIGSTOP)  # answers nobody; its steps go on
        said = finish(process)
        states = slurm.ask("squeue", "-h", "-t", "all", "-o", "%T").split()
        nodes = slurm.ask("sinfo", "-h", "-N", "-o", "%N %T")
    assert f"{slurm.nodes[0]} down" in nodes, nodes
    assert "NODE_FAIL" in states, said
    assert tables(SMALL, local, "silent") == tables(SMALL, local, LOCAL), said


def test_killed_with_what_it_has_started(root: Path) -> None:
    """A Slurm whose owner is killed ends all the same, with its jobs, its links and its folder."""
    command = [sys.executable, "tests/cluster/slurm.py", "--nodes", "1", "--", "srun", "sleep", "100"]
    owner = subprocess.Popen(command, cwd=root, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    link, deadline = ETC / "slurm.conf", time.monotonic() + 60
    while owner.poll() is None and not having("SLURM_JOB_ID=1", "SLURMD_NODENAME=node0"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if owner.poll() is not None:
        pytest.skip("no Slurm starts here")
    state = link.readlink().parent
    owner.kill()
    owner.wait()
    while not nothing_is_left(state):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_machine_with_a_slurm_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A slurm.conf that somebody else wrote is a reason not to start."""
    (tmp_path / "slurm.conf").write_text("ClusterName=theirs\n", encoding="utf-8")
    monkeypatch.setattr("tests.cluster.slurm.ETC", tmp_path)
    assert "a Slurm of its own" in str(why_not())
    assert (tmp_path / "slurm.conf").read_text(encoding="utf-8") == "ClusterName=theirs\n"
