"""Tests of bench.results.numerics, and of what the tables, the page and the claims make of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import UserError
from bench.results import tables
from bench.results.claims import gather
from bench.results.frames import prepare
from bench.results.measures import FullSize, NumbersRight
from bench.results.numerics import by_experiment, read_accuracy
from bench.results.speedups import speedups, summary
from bench.results.tables import failures
from bench.sealed import write_sealed
from bench.site.build import write_site
from bench.site.parts import Sources

from .factory import make_row


@pytest.fixture
def mixed() -> pd.DataFrame:
    """One plan of each outcome, row-wise on two FPGAs, beside one FPGA and a slower way."""
    outcomes: dict[str, dict[str, str]] = {
        "good": {},
        "bad": {"termination": "wrong numbers", "reason": "row 3 is 1"},
        "crashed": {"termination": "crash", "reason": "the check of the numbers failed"},
        "large": {"termination": "does not fit", "reason": "too big"},
        "refused": {"status": "unsupported", "reason": "no"},
    }
    rows = []
    for name, outcome in outcomes.items():
        rows.append(make_row(experiment="mine", workload=name, latency_s=2.0))
        slow = {"fpgas": 2, "partitioner": "layer-wise", "latency_s": 2.0}
        rows.append(make_row(experiment="mine", workload=name, **slow))
        rows.append(
            make_row(
                experiment="mine", workload=name, fpgas=2, partitioner="row-wise", latency_s=1.0, **outcome
            )
        )
    rows[0] |= {"numerics": "within 1e-5", "numerics_full_size": True}
    return prepare(pd.DataFrame(rows))


def test_verdicts_are_counted(mixed: pd.DataFrame) -> None:
    """Plans that are refused, or do not fit, have no numbers to check; a crash has, and counts against."""
    (row,) = by_experiment(mixed).to_dict("records")
    assert row == {
        "experiment": "mine",
        "plans": 13,
        "exact": 10,
        "within_1e-5": 1,
        "wrong": 1,
        "unchecked": 1,
        "full_size": 1,
    }


def test_wrong_numbers_have_no_speedup(mixed: pd.DataFrame) -> None:
    """The fast and wrong plan is a failure with its reason, and counts as 1.0 where it is averaged."""
    rows = speedups(mixed, "single")
    wrong = rows[rows["termination"] == "wrong numbers"]
    assert wrong["speedup"].isna().all()
    table = summary(rows).set_index(["fpgas", "strategy"]).loc[(2, "row-wise")]
    assert (table["n_ok"], table["n"]) == (1, 5)
    assert table["geomean_all"] == pytest.approx(2.0 ** (1 / 5))
    listed = failures(mixed).set_index("workload").loc["bad"]
    assert (listed["termination"], listed["reason"]) == ("wrong numbers", "row 3 is 1")


def test_claims_about_numbers(mixed: pd.DataFrame, results: Path, tmp_path: Path) -> None:
    """One wrong plan and one crash lower the share; without plans there is none."""
    evidence = replace(gather(results, tmp_path), numerics=by_experiment(mixed))
    right = NumbersRight(measure="share of plans with right numbers")
    assert right.value(evidence) == 11 / 13
    assert FullSize(measure="rows checked at full size").value(evidence) == 1
    none = replace(evidence, numerics=by_experiment(mixed[mixed["status"] == "unsupported"]))
    assert pd.isna(right.value(none))


ACCURACY = (
    {"workload": "a", "format": "int8", "snr_db": 37.1234, "max_abs_error": 0.012345},
    {"workload": "a", "format": "bfp2", "snr_db": None, "max_abs_error": None},
)


@pytest.fixture
def accuracy(tmp_path: Path) -> Path:
    """A file as the pipeline writes it."""
    path = tmp_path / "accuracy.jsonl"
    rows = [row | {"steps": 8, "max_abs_error_any_layer": row["max_abs_error"]} for row in ACCURACY]
    write_sealed(rows, path)
    return path


def test_accuracy_is_rounded(accuracy: Path, tmp_path: Path) -> None:
    """Digits that another processor's sums may change are not in the table; a damaged file is named."""
    table = read_accuracy(accuracy)
    assert table["snr_db"].tolist()[0] == 37.1
    assert table["max_abs_error"].tolist()[0] == 0.012
    assert table.loc[1, ["snr_db", "max_abs_error"]].isna().all()
    (tmp_path / "cut.jsonl").write_text('{"workload": "a", ', encoding="utf-8")
    with pytest.raises(UserError, match=r"cut\.jsonl: cut short"):
        read_accuracy(tmp_path / "cut.jsonl")


def test_tables_and_page_show_numbers(results: Path, accuracy: Path, tmp_path: Path) -> None:
    """Both tables are written in three formats and stand on the page with how to read them."""
    folder = tmp_path / "reports"
    arguments = ["--results", str(results), "--out", str(folder / "tables"), "--accuracy", str(accuracy)]
    assert tables.main(arguments) == 0
    for name in ("numerics", "accuracy"):
        assert all((folder / "tables" / f"{name}.{kind}").is_file() for kind in ("csv", "md", "tex"))
    write_site(Sources(results, folder), tmp_path / "site")
    text = (tmp_path / "site" / "studies.html").read_text(encoding="utf-8")
    assert 'id="numbers"' in text
    assert "in every bit" in text
    assert "random and uniform" in text
    assert '<td class="number">37.1</td>' in text
