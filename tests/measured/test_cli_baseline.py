"""Tests of `bench baseline`."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.baselines import measure
from bench.baselines.engines import ENGINES
from bench.baselines.stored import Row, read_machines
from bench.baselines.timed import Task
from bench.cli import app
from bench.errors import UserError

TINY = ["--workload", "gru-8-b1-t2", "--seconds", "0", "--label", "here"]


def invoke(*arguments: object) -> tuple[int, str]:
    """Exit code and output of `bench baseline` with these arguments; a UserError comes through."""
    result = CliRunner().invoke(app, ["baseline", *map(str, arguments)], catch_exceptions=False)
    return result.exit_code, result.output


def test_times_are_stored(tmp_path: Path) -> None:
    """A tiny GRU on two engines: progress, a line at the end, rows and description; --add keeps them."""
    code, said = invoke(
        *TINY, "--engine", "numpy", "--engine", "onnxruntime", "--threads", 1, "--out", tmp_path
    )
    assert code == 0
    assert "1/2 gru-8-b1-t2, numpy, 1 thread: " in said
    assert "2 of 2 timed: " in said
    assert json.loads((tmp_path / "here.json").read_text())["packages"]["numpy"]
    code, _ = invoke(*TINY, "--engine", "numpy", "--threads", 2, "--add", "--out", tmp_path)
    assert code == 0
    rows = read_machines(tmp_path)
    assert list(zip(rows["engine"], rows["threads"], strict=True)) == [
        ("numpy", 1),
        ("onnxruntime", 1),
        ("numpy", 2),
    ]


def test_interrupt_keeps_what_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C after the first row stores it; before it, nothing is written."""

    def interrupted(tasks: Sequence[Task], done: Callable[[Row], None]) -> list[Row]:
        if len(tasks) > 1:
            done(Row(tasks[0].workload, "numpy", "2", "cpu", "float32", 1, 1, 1, "unsupported", "no"))
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "measure", interrupted)
    engines = ["--engine", "numpy", "--engine", "onnxruntime"]
    assert invoke(*TINY, *engines[:2], "--out", tmp_path / "none")[0] == 130
    assert not (tmp_path / "none").exists()
    assert invoke(*TINY, *engines, "--out", tmp_path / "one")[0] == 130
    assert len(read_machines(tmp_path / "one")) == 1


def test_mistakes_write_nothing(tmp_path: Path) -> None:
    """A wrong label, workload or engine is said before anything is timed."""
    for wrong in (["--label", "A B"], ["--workload", "no-such"], ["--engine", "no-such"]):
        with pytest.raises(UserError):
            invoke(*TINY, "--out", tmp_path / "out", *wrong)
    assert not (tmp_path / "out").exists()


def test_engine_that_cannot_run_says_why(tmp_path: Path) -> None:
    """An engine that is asked for and missing is a mistake, and the message says what is missing."""
    missing = [name for name, each in ENGINES.items() if each.missing()]
    if not missing:
        pytest.skip("every engine runs here")
    with pytest.raises(UserError, match=f"--engine {missing[0]}: .*PyTorch"):
        invoke(*TINY, "--engine", missing[0], "--out", tmp_path)


def test_help_has_an_example() -> None:
    """The help has the options and an example."""
    code, said = invoke("--help")
    assert code == 0
    text = " ".join(said.split())
    assert "Example: bench baseline --engine onnxruntime" in text
    assert "--add" in text
