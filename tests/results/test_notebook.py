"""Executing a notebook: with parameters, and what is said when it cannot be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.results import notebook


def book(path: Path, code: str, kernel: str = "python3") -> Path:
    """A notebook of parameters and one more cell."""
    cells = [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": f"cell-{n}",
            "metadata": {"tags": ["parameters"]} if n == 0 else {},
            "outputs": [],
            "source": source,
        }
        for n, source in enumerate(['tables = "none"', code])
    ]
    about = {"kernelspec": {"display_name": "any", "language": "python", "name": kernel}}
    path.write_text(json.dumps({"cells": cells, "metadata": about, "nbformat": 4, "nbformat_minor": 5}))
    return path


def test_parameters_reach_the_cells(tmp_path: Path) -> None:
    """The executed copy holds what a cell made of the parameters."""
    given = book(tmp_path / "in.ipynb", "print(tables * 2)")
    assert notebook.main([str(given), str(tmp_path / "out.ipynb"), "--tables", "over/"]) == 0
    assert "over/over/" in (tmp_path / "out.ipynb").read_text()


@pytest.mark.parametrize(
    ("code", "kernel", "expected"),
    [
        ("1", "no-such", "in.ipynb: its kernel 'no-such' is not installed; `jupyter kernelspec list` shows"),
        ("1 / 0", "python3", "in.ipynb: cell 3 raised ZeroDivisionError: division by zero"),
    ],
)
def test_what_is_wrong_is_one_line(
    code: str, kernel: str, expected: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A kernel that is not there, a cell that raises: file and reason, and exit status 1."""
    given = book(tmp_path / "in.ipynb", code, kernel)
    assert notebook.main([str(given), str(tmp_path / "out.ipynb")]) == 1
    errors = [line for line in capfd.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert expected in errors[0]
