"""Synthetic results that several tests read; made once."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.results import report
from bench.results.figures.fidelity import fidelity_figures
from bench.results.figures.paper import paper_figures
from bench.results.figures.studies import study_figures
from bench.results.figures.sweeps import deepbench_figures, large_figures
from bench.results.frames import prepare
from bench.results.store import read_results, write_results

from .factory import fidelity_rows, other_rows, paper_rows, study_rows


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with four shards: the paper's experiments, single FPGAs, the studies, and the others."""
    folder = tmp_path_factory.mktemp("results")
    write_results(paper_rows(), folder / "paper.parquet")
    write_results(fidelity_rows(), folder / "fidelity.parquet")
    write_results(study_rows(), folder / "studies.parquet")
    write_results(other_rows(), folder / "other.parquet")
    return folder


@pytest.fixture
def frame(results: Path) -> pd.DataFrame:
    """The prepared rows of ``results``."""
    return prepare(read_results(results))


@pytest.fixture(scope="session")
def reports(results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables and figures of the synthetic results."""
    folder = tmp_path_factory.mktemp("reports")
    report.main(["--results", str(results), "--out", str(folder / "tables")])
    paper_figures(results, folder / "figures")
    fidelity_figures(results, folder / "figures")
    deepbench_figures(results, folder / "figures")
    large_figures(results, folder / "figures")
    study_figures(results, folder / "figures")
    return folder
