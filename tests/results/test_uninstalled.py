"""Tests of comparing tables where a partitioner's package was missing."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.results.frames import prepare
from bench.results.uninstalled import same_table, uninstalled

from .factory import make_row

MISSING = frozenset({"cut"})


@pytest.fixture
def write(tmp_path: Path) -> Path:
    """A folder with one table, twice: by rows and by columns."""
    (tmp_path / "rows.csv").write_text("strategy,mean\ncut,2\nrows,3\n")
    (tmp_path / "columns.csv").write_text('fpgas,cut,"cut, least",rows\n2,5,4,3\n')
    return tmp_path


def test_a_missing_package_is_told_from_other_refusals() -> None:
    """Only what declined for want of a package is left out of comparisons."""
    reasons = {"cut": "pymetis is not installed: install it with `make field`", "halves": "one layer only"}
    rows = [make_row(partitioner=name, status="unsupported", reason=why) for name, why in reasons.items()]
    rows.append(make_row(partitioner="pipe", reason="the tool is not installed, so by hand"))
    assert uninstalled(prepare(pd.DataFrame(rows))) == MISSING


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rows.csv", "strategy,mean\ncut,\nrows,3\n"),
        ("rows.csv", "strategy,mean\nrows,3\n"),
        ("columns.csv", 'fpgas,cut,"cut, least",rows\n2,,,3\n'),
        ("columns.csv", "fpgas,cut,rows\n2,,3\n"),
    ],
)
def test_strategies_without_their_package_do_not_count(write: Path, name: str, text: str) -> None:
    """What is said of the others is the same; with all packages there, the bytes must be."""
    (write / "fresh.csv").write_text(text)
    assert same_table(write / "fresh.csv", write / name, MISSING)
    assert not same_table(write / "fresh.csv", write / name)


@pytest.mark.parametrize("text", ["strategy,mean\ncut,2\nrows,4\n", "strategy,mean\ncut,2\n"])
def test_all_others_count(write: Path, text: str) -> None:
    """Another value, or a row too few, is a difference whoever is missing."""
    (write / "fresh.csv").write_text(text)
    assert not same_table(write / "fresh.csv", write / "rows.csv", MISSING)
    assert not same_table(write / "none.csv", write / "rows.csv", MISSING)
    assert same_table(write / "rows.csv", write / "rows.csv")
