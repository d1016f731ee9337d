"""A site of synthetic results, written once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench.results import claims, provenance
from bench.results.store import write_results
from bench.site.build import write_site
from bench.site.parts import Sources
from tests.results.conftest import reports
from tests.results.conftest import results as synthetic
from tests.results.factory import make_row

__all__ = ["reports", "synthetic"]  # fixtures of tests/results

LINK = "dac20-ring"
"""Of the default profile; other synthetic rows name a link that no profile has."""


@pytest.fixture(scope="session")
def results(synthetic: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The synthetic results, and a point that can be planned again."""
    folder = Path(shutil.copytree(synthetic, tmp_path_factory.mktemp("site_results") / "results"))
    row = make_row(experiment="fig8", workload="dac20/gnmt-4", partitioner="full", fpgas=8)
    write_results([row | {"link": LINK}], folder / "plans.parquet")
    return folder


@pytest.fixture(scope="session")
def run(results: Path, reports: Path) -> Path:
    """A reports folder as a run leaves it, with claims and provenance."""
    write = ["--results", str(results), "--out"]
    claims.main(["--report-only", "--tables", str(reports / "tables"), *write, str(reports / "claims.csv")])
    provenance.main([*write, str(reports / "provenance.json")])
    assert json.loads((reports / "provenance.json").read_text())
    return reports


@pytest.fixture(scope="session")
def site(results: Path, run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site of that run."""
    folder = tmp_path_factory.mktemp("site") / "site"
    write_site(Sources(results, run), folder)
    return folder
