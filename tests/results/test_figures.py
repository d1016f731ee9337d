"""Tests of the figures, the notebooks that make them, and the provenance file."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from bench.results import provenance
from bench.results.figures.fidelity import fidelity_figures
from bench.results.figures.paper import FIGURES
from bench.results.figures.studies import study_figures
from bench.results.figures.style import house_style, new_figure, save
from bench.results.figures.sweeps import deepbench_figures, large_figures
from bench.results.frames import prepare
from bench.results.paper import compare
from bench.results.published import read_figures
from bench.results.store import write_results

from .factory import make_row

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"


def test_figures_are_complete_and_carry_no_date(reports: Path) -> None:
    """Each figure is an SVG and a PNG, and nothing in the SVG changes from day to day."""
    names = {path.stem for path in (reports / "figures").glob("*.svg")}
    assert names == {path.stem for path in (reports / "figures").glob("*.png")}
    assert len(names) == 27
    for path in (reports / "figures").glob("*.svg"):
        text = path.read_text()
        assert "<dc:date>" not in text
        assert "matplotlib.org" not in text.split("<metadata>")[-1].split("</metadata>")[0]


def test_figures_have_the_same_bytes_each_time(results: Path, reports: Path, tmp_path: Path) -> None:
    """A second drawing gives identical files."""
    large_figures(results, tmp_path)
    assert list(tmp_path.iterdir())
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (reports / "figures" / path.name).read_bytes()


def test_saving_leaves_a_figure_as_it_was(tmp_path: Path) -> None:
    """A saved figure is laid out again when it changes."""
    with house_style():
        figure, _ = new_figure(2)
        layout = figure.get_layout_engine()
        save(figure, tmp_path, "empty")
    assert figure.get_layout_engine() is layout is not None


@pytest.mark.filterwarnings("error")
def test_figures_of_other_results_are_drawn_empty(tmp_path: Path) -> None:
    """Results without the paper's points give figures with the published marks alone."""
    points = compare(prepare(pd.DataFrame([make_row(workload="other")])), read_figures())
    with house_style():
        for name, draw in FIGURES.items():
            draw(points[points["figure"] == name]).draw_without_rendering()
    write_results([make_row(workload="other")], tmp_path / "a.parquet")
    assert large_figures(tmp_path, tmp_path) == {}
    assert deepbench_figures(tmp_path, tmp_path) == {}
    assert fidelity_figures(tmp_path, tmp_path) == {}
    assert study_figures(tmp_path, tmp_path) == {}


def code_cells(name: str) -> list[str]:
    """The code of a notebook that is committed without outputs, its parameters first."""
    book = json.loads((NOTEBOOKS / f"{name}.ipynb").read_text())
    cells = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells)
    assert cells[0]["metadata"]["tags"] == ["parameters"]
    return ["".join(cell["source"]) for cell in cells]


@pytest.mark.parametrize("name", ["paper_figures", "fidelity", "deepbench", "large_rnns", "studies"])
def test_notebooks_are_clean_and_run(name: str, results: Path, tmp_path: Path) -> None:
    """Committed without outputs, parameters on top, and every code cell runs with others."""
    parameters, *cells = code_cells(name)
    scope: dict[str, object] = {}
    exec(parameters, scope)
    assert set(scope) >= {"results", "out"}
    scope |= {"results": str(results), "out": str(tmp_path)}
    for cell in cells[:-1]:  # the last one only shows the figures
        exec(cell, scope)
    assert scope["figures"]
    assert len(list(tmp_path.glob("*.svg"))) == len(scope["figures"])


@pytest.mark.parametrize("columns", [1, 2])
def test_figures_for_a_paper_come_from_committed_tables(
    columns: int, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a run there are vector figures of a column's width, and a table for LaTeX."""
    monkeypatch.chdir(NOTEBOOKS.parent)
    parameters, *cells = code_cells("for_a_paper")
    scope: dict[str, object] = {}
    exec(parameters, scope)
    scope |= {"out": str(tmp_path), "columns": columns}
    for cell in (cells[0], cells[-1]):
        exec(cell, scope)
    assert {path.name for path in tmp_path.glob("*.pdf")} == {"print_beyond.pdf", "print_geomeans.pdf"}
    points = {1: "252", 2: "518.4"}[columns]  # 72 an inch
    for path in tmp_path.glob("*.pdf"):
        assert f"/MediaBox [ 0 0 {points} ".encode() in path.read_bytes()
        assert b"/FontFile2" in path.read_bytes()
    assert r"\toprule" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["walkthrough", "own_partitioner"])
def test_notebooks_that_teach_run(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cell runs after those above it, and needs no results."""
    monkeypatch.chdir(NOTEBOOKS.parent)
    scope: dict[str, object] = {}
    parameters, *cells = code_cells(name)
    exec(parameters, scope)
    for cell in cells:
        exec(cell, scope)
    assert scope["timing"]


def test_provenance_names_no_host_or_user(tmp_path: Path, results: Path) -> None:
    """It holds hashes, versions and the machine's kind, and nothing that identifies a person."""
    config = tmp_path / "default.yaml"
    config.write_text("experiments: []\n")
    out = tmp_path / "provenance.json"
    assert provenance.main(["--config", str(config), "--results", str(results), "--out", str(out)]) == 0
    found = json.loads(out.read_text())
    assert found["config_sha256"] == provenance.file_hash(config)
    assert found["packages"]["numpy"]
    assert found["results_written"]["first"] <= found["results_written"]["last"]
    assert not {"node", "hostname", "user"} & set(found["machine"])
