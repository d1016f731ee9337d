"""Tests of bench.results.output."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench.results.output import csv_text, latex_escape, latex_text, markdown_text, shown, write_table

TABLE = pd.DataFrame(
    {"name": ["a_b", "c|d"], "value": [1 / 3, float("nan")], "n": [1, 20], "ok": [True, False]}
)


def test_csv_keeps_six_digits_and_leaves_missing_empty() -> None:
    """Numbers are cut to six significant digits, integers stay whole, nothing is nothing."""
    assert csv_text(TABLE) == "name,value,n,ok\na_b,0.333333,1,true\nc|d,,20,false\n"


def test_markdown_and_latex_escape_and_align() -> None:
    """Pipes and underscores survive, numbers are right-aligned, long tables break over pages."""
    text = markdown_text(TABLE, title="T", note="N")
    assert "| --- | ---: | ---: | --- |" in text
    assert r"| c\|d | – | 20 | no |" in text
    latex = latex_text(TABLE, title="T")
    assert r"\begin{tabular}{lrrl}" in latex
    assert r"a\_b & 0.333 & 1 & yes \\" in latex
    assert r"\begin{longtable}" in latex_text(pd.DataFrame({"x": range(60)}), title="T")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1.00"),
        (12.345, "12.3"),
        (1234.5, "1234"),
        (1e-7, "1.00e-07"),
        (None, "–"),
        (3, "3"),
    ],
)
def test_shown_values(value: object, text: str) -> None:
    """Three significant digits, integers as they are, a dash for nothing."""
    assert shown(value) == text


def test_latex_escape() -> None:
    """Every special sign is escaped once."""
    assert latex_escape(r"50 % & a_b \ –") == r"50 \% \& a\_b \textbackslash{} --"


def test_three_files_with_the_same_bytes_each_time(tmp_path: Path) -> None:
    """CSV, Markdown and LaTeX appear, identical on a second writing, with no leftovers."""
    write_table(TABLE, tmp_path / "t", title="T")
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    write_table(TABLE, tmp_path / "t", title="T")
    assert first == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert sorted(first) == ["t.csv", "t.md", "t.tex"]
