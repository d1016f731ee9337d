"""A site of synthetic results, written once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.results import claims, provenance
from bench.site.build import write_site
from bench.site.parts import Sources
from tests.results.conftest import reports, results

__all__ = ["reports", "results"]  # the same synthetic results as those of tests/results


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
