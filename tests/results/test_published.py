"""Tests of bench.results.published."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import UserError
from bench.results.published import FIGURES, read_figures, read_gpu_latencies, read_parameters


def test_figures_are_typed_and_complete() -> None:
    """All result figures are there, with cells in our words and the assumed sizes marked."""
    frame = read_figures()
    assert set(frame["figure"]) == set(FIGURES)
    assert set(frame["cell"]) == {"lstm", "gru"}
    assert len(frame) == 262
    assert set(frame.loc[frame["hidden_assumed"], "figure"]) == {"4b", "5c"}
    assert (frame["digitisation_step"] > 0).all()


def test_headline_stands_in_figure_8() -> None:
    """BLSTM-4 on 8 FPGAs reads 4.284 over 1.776."""
    rows = read_figures().query("figure == '8' and model == 'BLSTM-4' and num_fpgas == 8")
    values = rows.set_index("series")["value"]
    assert values["layer/row-wise + sw pipelining (ours)"] / values["layer-wise"] == pytest.approx(
        2.41, abs=0.01
    )


def test_parameters_and_gpu_latencies() -> None:
    """The set-up holds the clock, and each of three GPUs has 69 latencies."""
    parameters = read_parameters().set_index("parameter")
    assert parameters.loc["clock", "value"] == "275"
    assert read_gpu_latencies().groupby("device").size().tolist() == [69, 69, 69]


def test_missing_or_changed_files_are_named(tmp_path: Path) -> None:
    """A file that is gone, or has other columns, is a user error with the fix."""
    with pytest.raises(UserError, match="git checkout"):
        read_figures(tmp_path)
    (tmp_path / "published_dac20_parameters.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="columns"):
        read_parameters(tmp_path)
