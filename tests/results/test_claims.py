"""Tests of bench.results.claims and bench.results.measures."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.errors import UserError
from bench.results import tables
from bench.results.claims import EXPECTED, accept, claim_text, evaluate, gather, load_claims, main
from bench.results.measures import HOLDS
from bench.results.paper import write_paper

ONE = """claims:
  - id: ratio
    claim: "row-wise over one FPGA"
    how: {measure: speedup ratio, workload: dac20/lstm-4096, fpgas: 4, strategy: row-wise, over: single}
    relation: %s
    expected: %s
    source: test
  - id: tables
    claim: "tables are the committed ones"
    how: {measure: tables that differ, files: [paper_summary.csv]}
    expected: 0
    source: test
"""


@pytest.fixture
def written(results: Path, tmp_path: Path) -> Path:
    """Fresh tables of the synthetic results."""
    tables.write_tables(results, tmp_path / "tables")
    write_paper(results, tmp_path / "tables")
    return tmp_path / "tables"


def test_committed_claims_are_read_and_evaluated(results: Path, written: Path) -> None:
    """Every claim of the project yields a number and a verdict on complete results."""
    claims = load_claims(EXPECTED / "claims.yaml")
    table = evaluate(claims, gather(results, written))
    assert table["got"].notna().all()
    assert set(table["result"]) <= {"pass", "fail"}
    assert f"of {len(table)} claims hold" in claim_text(table)


def test_exit_status_accept_and_report_only(
    results: Path, written: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A failed claim gives 1 and the table is still written; accepting the tables mends it."""
    expected = tmp_path / "expected"
    expected.mkdir()
    (expected / "claims.yaml").write_text(ONE % ("at least", 2.0))
    out = tmp_path / "claims.csv"
    arguments = ["--results", str(results), "--tables", str(written), "--expected", str(expected)]
    arguments += ["--out", str(out)]
    assert main(arguments) == 1
    assert pd.read_csv(out)["result"].tolist() == ["pass", "fail"]
    assert main([*arguments, "--report-only"]) == 0
    assert main([*arguments, "--accept"]) == 0
    assert main(arguments) == 0
    assert "2 of 2 claims hold" in capsys.readouterr().out


def test_accept_refuses_before_it_writes(tmp_path: Path) -> None:
    """Without fresh tables nothing is copied."""
    (tmp_path / "claims.yaml").write_text(ONE % ("at least", 2.0))
    with pytest.raises(UserError, match=r"paper_summary.csv missing"):
        accept(tmp_path / "none", tmp_path)
    assert not (tmp_path / "tables").exists()


def test_a_claim_without_results_fails(results: Path, written: Path, tmp_path: Path) -> None:
    """A point that nobody solved cannot hold a claim."""
    text = (ONE % ("at least", 0.0)).replace("lstm-4096, fpgas: 4", "lstm-4096, fpgas: 16")
    (tmp_path / "claims.yaml").write_text(text)
    table = evaluate(load_claims(tmp_path / "claims.yaml"), gather(results, written))
    assert pd.isna(table["got"][0])
    assert table["result"][0] == "fail"


def test_mistakes_in_the_file_are_named(tmp_path: Path) -> None:
    """An unknown relation and a repeated id are user errors."""
    path = tmp_path / "claims.yaml"
    path.write_text(ONE % ("about", 2.0))
    with pytest.raises(UserError, match="relation"):
        load_claims(path)
    path.write_text((ONE % ("at least", 2.0)).replace("id: tables", "id: ratio"))
    with pytest.raises(UserError, match="used twice"):
        load_claims(path)


@pytest.mark.parametrize(
    ("relation", "got", "holds"),
    [("within", 2.5, True), ("within", 2.6, False), ("at least", 1.6, True), ("at most", 2.6, False)],
)
def test_relations(relation: str, got: float, holds: bool) -> None:
    """Expected 2.0 with a tolerance of 0.5; NaN never holds."""
    assert HOLDS[relation](got, 2.0, 0.5) is holds
    assert not HOLDS[relation](float("nan"), 2.0, 0.5)
