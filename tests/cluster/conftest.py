"""Local runs, with which disturbed ones are compared."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.drill import MARK, SMALL, SWEEP, run
from tests.cluster.slurm import end_all
from tests.pipeline.copies import copy_project

LOCAL = "local"
"""The output folder of the local runs."""

CONFIG = """
experiments:
  - name: small
    group: small
    workloads: [lstm-128-b1-t25, gru-128-b1-t5]
    profiles: [s10-gx2800-dac20]
    fpgas: [2, 4]
    partitioners: [row-wise, column-wise, layer-wise, gate-wise]
"""

SWEPT = """
title: config/sweep.yaml, smaller
check_numbers_up_to_fpgas: 2
shard_seconds: 1.4
axes:
  workload: [lstm-2048-b1-t25, gru-2048-b1-t25]
  workload.hidden_size: [256, 512]
  profile: [s10-gx2800-dac20]
  topology: [ring, switch]
  fpgas: {from: 1, to: 8, factor: 2}
  profile.link.latency_ns: {from: 50, to: 5000, points: 4}
  partitioner: [single, layer-wise, input-wise, gate-wise, row-wise, column-wise, full-dac20]
when:
  - partitioner != 'single' or fpgas == 1
"""


@pytest.fixture(autouse=True)
def nothing_runs_on() -> Iterator[None]:
    """What a test has started ends with it, also when it fails."""
    yield
    end_all(MARK)


@pytest.fixture(scope="session")
def project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project."""
    folder = tmp_path_factory.mktemp("project")
    copy_project(root, folder)
    (folder / "small.yaml").write_text(CONFIG, encoding="utf-8")
    (folder / "swept.yaml").write_text(SWEPT, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def local(project: Path) -> Path:
    """The folder in which `SMALL` has been run locally, undisturbed, into `LOCAL`."""
    run(SMALL, project, LOCAL)
    return project


@pytest.fixture(scope="session")
def swept(project: Path) -> Path:
    """The folder in which `SWEEP` has been run locally, undisturbed, into `LOCAL`."""
    run(SWEEP, project, LOCAL)
    return project
