"""Finding workloads, and what a wrong name or file is told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.workloads.catalogue import load_workload, workload_from_yaml, workload_names

FAMILY = """\
family: mine
defaults: {steps: 10}
workloads:
- name: a
  layers: [{name: l, cell: lstm, input_size: 4, hidden_size: 8}]
- name: b
  batch: 2
  layers: [{name: l, cell: gru, input_size: 4, hidden_size: 8, reset: after}]
"""
SINGLE = "name: own\nsteps: 7\nlayers: [{name: l, cell: lstm, input_size: 4, hidden_size: 8}]\n"


def test_names_are_sorted_and_each_loads() -> None:
    """The catalogue lists 125 DeepBench problems twice, and the named models."""
    names = workload_names()
    assert names == sorted(set(names))
    assert len([name for name in names if name.startswith("deepbench")]) == 250
    assert {"dac20/blstm-4", "large/gnmt-8", "deepbench/inference_server/lstm-2048-b1-t25"} <= set(names)
    assert all(load_workload(name).name == name for name in names)


@pytest.mark.parametrize(
    ("name", "cell", "hidden", "batch", "steps"),
    [
        ("lstm-1024-b1-t25", "lstm", 1024, 1, 25),
        ("gru-100-b2-t3", "gru", 100, 2, 3),
        ("rnn-7-b1-t1", "rnn_tanh", 7, 1, 1),
        ("gemv-512-b6-t1", "linear", 512, 6, 1),
    ],
)
def test_a_single_layer_may_be_spelled_out(name: str, cell: str, hidden: int, batch: int, steps: int) -> None:
    """Input as wide as hidden, no product skipped."""
    workload = load_workload(name)
    (layer,) = workload.layers
    assert (layer.cell, layer.input_size, layer.hidden_size) == (cell, hidden, hidden)
    assert (workload.name, workload.batch, workload.steps) == (name, batch, steps)
    assert not layer.skip_input


@pytest.mark.parametrize("name", ["lstm-0-b1-t25", "lstm-8-b0-t25", "lstm-8-b1-t0"])
def test_a_single_layer_of_nothing_is_refused(name: str) -> None:
    """Zero is no size."""
    with pytest.raises(UserError, match="is 0; expected 1 or more"):
        load_workload(name)


def test_an_unknown_name_gets_its_neighbours() -> None:
    """A mistyped name is answered with near ones."""
    with pytest.raises(UserError, match=r"unknown workload 'dac20/blstm4'; did you mean 'dac20/blstm-4'"):
        load_workload("dac20/blstm4")


def test_a_file_with_one_workload_needs_no_name(tmp_path: Path) -> None:
    """A path alone is enough."""
    path = tmp_path / "own.yaml"
    path.write_text(SINGLE)
    assert load_workload(str(path)).name == "own"
    assert load_workload(f"{path}:own").steps == 7


def test_a_file_with_several_needs_a_name(tmp_path: Path) -> None:
    """With and without the family; the message says how to name one."""
    path = tmp_path / "mine.yaml"
    path.write_text(FAMILY)
    assert load_workload(f"{path}:b").batch == 2
    assert workload_from_yaml(path, "mine/b").layers[0].reset == "after"
    with pytest.raises(
        UserError, match=r"holds 2 workloads; name one as .*mine.yaml:NAME \(mine/a, mine/b\)"
    ):
        load_workload(str(path))
    with pytest.raises(UserError, match="holds no workload 'mine/c'; did you mean mine/"):
        load_workload(f"{path}:mine/c")


def test_a_folder_of_models_is_a_catalogue(tmp_path: Path) -> None:
    """A file found under its family; another file's mistake does not matter then."""
    (tmp_path / "mine.yaml").write_text(FAMILY)
    (tmp_path / "wrong.yaml").write_text("name: [\n")
    assert load_workload("mine/a", models=tmp_path).steps == 10
    with pytest.raises(UserError, match=r"wrong\.yaml"):
        workload_names(models=tmp_path)


def test_an_edited_file_is_read_anew(tmp_path: Path) -> None:
    """Loading remembers contents, not names."""
    path = tmp_path / "own.yaml"
    path.write_text(SINGLE)
    assert load_workload(str(path)).steps == 7
    path.write_text(SINGLE.replace("steps: 7", "steps: 8"))
    assert load_workload(str(path)).steps == 8


def test_a_missing_or_cut_off_file_is_refused(tmp_path: Path) -> None:
    """Each with one message that names the file."""
    with pytest.raises(UserError, match="no such file"):
        load_workload(str(tmp_path / "none.yaml"))
    path = tmp_path / "cut.yaml"
    path.write_text(SINGLE[:-20])
    with pytest.raises(UserError, match=r"cut\.yaml: line 3"):
        load_workload(str(path))


def test_messages_name_files_relative_to_where_they_are_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No absolute path shows for a file below the working directory."""
    (tmp_path / "own.yaml").write_text(SINGLE.replace("cell: lstm", "cell: lstn"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        load_workload(str(tmp_path / "own.yaml"))
    assert str(caught.value).startswith("own.yaml: layers[0].cell: should be 'lstm', 'gru'")


def test_the_whole_catalogue_loads_quickly(root: Path) -> None:
    """Reading every file takes well under the time a command may take to start."""
    code = (
        "import bench.workloads.catalogue as c, time; t = time.process_time(); "
        "c.workload_names(); print(time.process_time() - t)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert float(run.stdout) < 0.3
