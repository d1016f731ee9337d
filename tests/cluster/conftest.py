"""A local run, with which disturbed ones are compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.drill import SMALL, run
from tests.pipeline.copies import copy_project

LOCAL = "local"
"""The output folder of the local run."""

CONFIG = """
experiments:
  - name: small
    group: small
    workloads: [lstm-128-b1-t25, gru-128-b1-t5]
    profiles: [s10-gx2800-dac20]
    fpgas: [2, 4]
    partitioners: [row-wise, column-wise, layer-wise, gate-wise]
"""


@pytest.fixture(scope="session")
def project(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project."""
    folder = tmp_path_factory.mktemp("project")
    copy_project(root, folder)
    (folder / "small.yaml").write_text(CONFIG, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def local(project: Path) -> Path:
    """The folder in which `SMALL` has been run locally, undisturbed, into `LOCAL`."""
    run(SMALL, project, LOCAL)
    return project
