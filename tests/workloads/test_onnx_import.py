"""`bench import`, names of ONNX files as workloads, and workload files written from them."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings

from bench.errors import UserError
from bench.numerics.export import to_onnx
from bench.numerics.onnx_files import write_model
from bench.numerics.random import random_parameters
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Workload
from bench.workloads.onnx_import.importer import import_onnx
from bench.workloads.onnx_import.names import layer_names
from bench.workloads.write import workload_text
from tests.docs.markdown import examples, read, run, workplace
from tests.numerics.networks import NETWORKS
from tests.strategies import workloads
from tests.workloads.onnx_models import Draft
from tests.workloads.test_onnx_graphs import torch_merge

T, B, X, H = 6, 1, 8, 16


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A speech network of open length in the working directory: convolution, two layers, a product."""
    monkeypatch.chdir(tmp_path)
    draft = Draft()
    sound = draft.input("sound", 1, 1, "frames")
    frames = draft.add("Conv", [sound, draft.floats("k", X, 1, 1)], "conv")
    x = draft.add("Transpose", [frames], "x", perm=[2, 0, 1])
    low = draft.rnn("LSTM", x, (X, H), "/net/low", direction="bidirectional")
    top = draft.rnn("GRU", torch_merge(draft, low, "m"), (2 * H, H), "/net/top", linear_before_reset=1)
    draft.add("MatMul", [top, draft.floats("w", H, 10)], "words")
    return draft.save(Path("speech.onnx"), "words")


def test_prints_what_it_found(model: Path) -> None:
    """Layers with their sizes, what is not accelerated with its share, and what to type next."""
    code, output = run(f"bench import {model} --steps 6")
    assert code == 0
    lines = output.splitlines()
    assert lines[0] == "speech.onnx: 3 layers, 6 time steps, batch 1, 5,376 weights"
    assert [line.split()[0] for line in lines[2:5]] == ["low.fwd", "low.bwd", "top"]
    assert lines[4].endswith("low.fwd,")
    assert lines[5].endswith("low.bwd")
    macs = 6 * 5376
    around = 6 * X + 6 * H * 10
    assert f"with {around / (around + macs):.1%} of all multiply-accumulates" in output
    assert [line.split() for line in lines if line.startswith("MatMul")] == [
        ["MatMul", "1", "960", f"{960 / (around + macs):.1%}"]
    ]
    (command,) = (line.strip() for line in lines if line.startswith("  bench run"))
    assert command == "bench run --workload speech.onnx:steps=6 --fpgas 4 --partitioner full"
    assert run(command)[0] == 0
    assert run("bench show workload speech.onnx:steps=6")[0] == 0


def test_same_bytes_each_time(model: Path) -> None:
    """Importing twice prints and writes the same."""
    first, second = (run(f"bench import {model} --dim frames=6 --out {name}.yaml") for name in "ab")
    assert first[1].replace("a.yaml", "b.yaml") == second[1]
    assert Path("a.yaml").read_bytes() == Path("b.yaml").read_bytes()


def test_writes_a_workload(model: Path) -> None:
    """The file holds the same workload, passes validation, and is not replaced without --force."""
    command = f"bench import {model} --steps 6 --out speech.yaml"
    assert run(command)[0] == 0
    assert load_workload("speech.yaml") == import_onnx(model, steps=6).workload
    assert run("bench validate speech.yaml")[0] == 0
    Path("speech.yaml").write_text("mine\n", encoding="utf-8")
    assert run(command)[0] == 2
    assert Path("speech.yaml").read_text(encoding="utf-8") == "mine\n"
    assert run(f"{command} --force")[0] == 0
    assert load_workload("speech.yaml").steps == 6
    assert run(f"bench import {model} --steps 6 --out nowhere/speech.yaml")[0] == 2
    assert sorted(path.name for path in Path().iterdir()) == ["speech.onnx", "speech.yaml"]


@pytest.mark.parametrize(
    "options", ["", "--dim frames", "--dim frames=x", "--dim frames=0", "--steps 6 --branch If_0=maybe"]
)
def test_wrong_options(model: Path, options: str) -> None:
    """Missing and wrong options end with exit code 2."""
    assert run(f"bench import {model} {options}")[0] == 2


def test_help_says_how_to_export() -> None:
    """The help has an example, and the lines for PyTorch and Keras."""
    code, output = run("bench import --help")
    text = " ".join(output.split())
    assert code == 0
    assert "Example: bench import model.onnx" in text
    assert 'torch.onnx.export(model, args, "model.onnx")' in text
    assert 'model.export("model.onnx", format="onnx")' in text
    assert "tf2onnx.convert" in text


def test_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command of the page works, one after the other."""
    workplace(tmp_path)
    monkeypatch.chdir(tmp_path)
    commands = [example.command for example in examples(read("docs/import-onnx.md"))]
    assert len(commands) == 4
    assert [run(command)[0] for command in commands] == [0] * 4


def test_names() -> None:
    """Names are made from paths: short, unique, and none that has a meaning in workload files."""
    labels = ["/a/rnn/LSTM", "/b/rnn/LSTM", "Encoder", "Encoder", "input", "8", "below", "", "x/Y:0"]
    names = layer_names(labels)
    assert names[:4] == ["a-rnn-lstm", "b-rnn-lstm", "encoder", "encoder-2"]
    assert len(set(names)) == len(labels)
    assert all(name[0].isalpha() and name not in ("input", "below") for name in names)


def test_onnx_is_imported_late() -> None:
    """Naming a workload of the catalogue does not load the onnx package."""
    code = (
        "import sys; from bench.workloads.catalogue import load_workload; load_workload('lstm-8-b1-t2'); "
        "sys.exit('onnx' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_refuses_what_a_file_cannot_say() -> None:
    """Half of a bidirectional layer has no form in a workload file."""
    whole = load_workload("dac20/blstm-4")
    with pytest.raises(UserError, match="no half of a bidirectional one"):
        workload_text(Workload("half", whole.layers[:1]))


@pytest.mark.parametrize("name", ["dac20/blstm-4", "dac20/blstm-pyramid-4", "dac20/decoder-8", "large/rnn-t"])
def test_catalogue_round_trip(name: str, tmp_path: Path) -> None:
    """Workloads of the catalogue, written as files, are read again as the same layers."""
    workload = load_workload(name)
    path = tmp_path / "w.yaml"
    path.write_text(workload_text(Workload("w", workload.layers, workload.batch)), encoding="utf-8")
    again = load_workload(str(path))
    assert {layer.name: layer for layer in again.layers} == {layer.name: layer for layer in workload.layers}


STANDARD = (
    "lstm", "lstm backward", "lstm, one step", "gru, reset before", "gru, reset after", "gru after, backward",
    "rnn with tanh", "rnn with relu", "rnn with relu, backward", "batch 4",
    "bidirectional", "bidirectional gru, summed", "pyramid, summed", "pyramid, concatenated",
)  # fmt: skip


@pytest.mark.parametrize("name", STANDARD)
def test_export_comes_back_whole(name: str, tmp_path: Path) -> None:
    """Exported layers of ONNX's own cells come back under their names, number for number."""
    workload = NETWORKS[name]
    parameters = random_parameters(workload)
    path = tmp_path / "m.onnx"
    write_model(to_onnx(workload, parameters), path)
    imported = import_onnx(path, keep_weights=True)
    # an only input has nothing to be combined with
    layers = [replace(x, combine="concat") if len(x.inputs) == 1 else x for x in workload.layers]
    assert list(imported.workload.layers) == layers
    assert imported.workload.batch == workload.batch
    assert imported.parameters is not None
    for kind in ("weights", "biases", "initial"):
        found, expected = getattr(imported.parameters, kind), getattr(parameters, kind)
        assert {key for key in found if found[key].any()} == set(expected)
        assert all(np.array_equal(found[key], values) for key, values in expected.items())
    (tmp_path / "m.yaml").write_text(workload_text(imported.workload), encoding="utf-8")
    assert load_workload(str(tmp_path / "m.yaml")) == imported.workload


@pytest.mark.parametrize("other", ["input", "cell", "direction"])
def test_names_alone_make_no_pair(other: str, tmp_path: Path) -> None:
    """Nodes called as two directions are such only on the same input, with the same cell, both ways."""
    draft = Draft()
    x = draft.input("x", T, B, X)
    y = draft.input("y", T, B, X) if other == "input" else x
    fwd = draft.rnn("LSTM", x, (X, H), "a.fwd")
    kind, direction = "GRU" if other == "cell" else "LSTM", "forward" if other == "direction" else "reverse"
    bwd = draft.rnn(kind, y, (X, H), "a.bwd", direction=direction)
    workload = import_onnx(draft.save(tmp_path / "m.onnx", fwd, bwd)).workload
    assert [layer.name for layer in workload.layers] == ["fwd", "bwd"]
    assert workload_text(workload)


@settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
@given(workloads())
def test_export_round_trip(tmp_path_factory: pytest.TempPathFactory, workload: Workload) -> None:
    """Networks that `bench export` writes come back: cells, sizes, directions, steps, who feeds whom."""
    plain = {"lstm", "gru", "rnn_tanh", "rnn_relu"}
    assume(all(layer.cell in plain and not layer.projection_size for layer in workload.layers))
    assume(not any(feed.delay for layer in workload.layers for feed in layer.inputs))
    path = tmp_path_factory.mktemp("export") / "m.onnx"
    write_model(to_onnx(workload, random_parameters(workload, 1), seed=1), path)
    found = import_onnx(path).workload
    assert found.batch == workload.batch
    assert len(found.layers) == len(workload.layers)
    names = dict(zip((layer.name for layer in workload.layers), (x.name for x in found.layers), strict=True))
    for mine, theirs in zip(found.layers, workload.layers, strict=True):
        assert (mine.cell, mine.steps, mine.direction) == (theirs.cell, theirs.steps, theirs.direction)
        assert (mine.input_size, mine.hidden_size) == (theirs.input_size, theirs.hidden_size)
        assert mine.reset == (theirs.reset if theirs.cell == "gru" else "before")
        producers = [names.get(feed.producer, "input") for feed in theirs.inputs]
        assert [feed.producer for feed in mine.inputs] == producers
        assert [feed.time_reduction for feed in mine.inputs] == [
            feed.time_reduction for feed in theirs.inputs
        ]
        assert [f.reduction for f in mine.inputs if f.time_reduction > 1] == [
            f.reduction for f in theirs.inputs if f.time_reduction > 1
        ]
