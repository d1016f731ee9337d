"""The pipeline through a real Slurm on loopback: the local run's bytes, also when nodes die."""

from __future__ import annotations

import importlib.util
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.conftest import LOCAL
from tests.cluster.drill import SMALL, SMOKE, finish, pieces, run, start, tables, wait_until
from tests.cluster.slurm import ETC, MARK, Slurm, belonging, loopback, why_not

REASON = why_not() or (
    None
    if importlib.util.find_spec("snakemake_executor_plugin_slurm")
    else "snakemake-executor-plugin-slurm is not installed: make slurm"
)

pytestmark = [pytest.mark.slow, pytest.mark.skipif(REASON is not None, reason=str(REASON))]

THROUGH_SLURM = (
    *("--profile", "profiles/slurm", "--slurm-init-seconds-before-status-checks", "1"),
    *("--seconds-between-status-checks", "1", "--latency-wait", "20"),
    # each job starts Snakemake twice: a few of several shards, where a cluster would have one a shard
    *("--groups", "evaluate=shards", "accuracy=report", "collect=report", "tables=report"),
    *("figures=report", "provenance=report", "site=report", "--group-components", "shards=3"),
    *("--set-resources", "evaluate:gres=fpga:1"),
)


@pytest.fixture
def state() -> Iterator[Path]:
    """A folder for a Slurm with a short path: below it are sockets, whose names may have 107 characters."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder) / "loopback-slurm"


def nothing_is_left(state: Path) -> bool:
    """Whether no link and no process remains of the Slurm in ``state``."""
    return not (ETC / "slurm.conf").is_symlink() and not belonging(MARK, str(state), state)


def busy(slurm: Slurm, node: str) -> bool:
    """Whether a job runs on this node."""
    return bool(slurm.running_on(node))


def test_same_tables_as_locally(local: Path, state: Path) -> None:
    """Two nodes share the shards, each with a board for its job; every table has the local run's bytes."""
    run(SMOKE, local, "smoke")
    with loopback(state) as slurm:
        run(SMOKE, local, "via", *THROUGH_SLURM, environment=slurm.environment())
        jobs = slurm.ask("squeue", "-h", "-t", "all", "-o", "%T %N %b")
    assert {line.split()[0] for line in jobs.splitlines()} == {"COMPLETED"}, jobs
    assert {line.split()[1] for line in jobs.splitlines()} == set(slurm.nodes)
    assert "fpga:1" in jobs
    assert tables(SMOKE, local, "via") == tables(SMOKE, local, "smoke")
    assert nothing_is_left(slurm.state)


def test_nodes_that_die_and_fall_silent(local: Path, state: Path) -> None:
    """One node loses power and one its network, midway: both jobs start again elsewhere, same tables."""
    with loopback(state, nodes=3) as slurm:
        process = start(SMALL, local, "torn", *THROUGH_SLURM, environment=slurm.environment())
        wait_until(lambda: busy(slurm, "node1") or busy(slurm, "node2"), process)
        wait_until(lambda: pieces(SMALL, local, "torn"), process)
        kept = pieces(SMALL, local, "torn")
        struck = [node for node in slurm.nodes if busy(slurm, node)]
        assert len(struck) >= 2, struck
        dead, silent = struck[:2]
        killed = slurm.kill_node(dead)
        os.kill(slurm.daemons[silent].pid, signal.SIGSTOP)  # answers nobody; its steps go on
        said = finish(process)
        nodes = slurm.ask("sinfo", "-h", "-N", "-o", "%N %T")
    assert len(killed) > 1, "no job was on the node"
    assert "down" in nodes, nodes
    assert tables(SMALL, local, "torn") == tables(SMALL, local, LOCAL), said
    assert kept
    assert nothing_is_left(slurm.state)


def test_machine_with_a_slurm_is_left_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A slurm.conf that somebody else wrote is a reason not to start."""
    (tmp_path / "slurm.conf").write_text("ClusterName=theirs\n", encoding="utf-8")
    monkeypatch.setattr("tests.cluster.slurm.ETC", tmp_path)
    assert "a Slurm of its own" in str(why_not())
    assert (tmp_path / "slurm.conf").read_text(encoding="utf-8") == "ClusterName=theirs\n"
