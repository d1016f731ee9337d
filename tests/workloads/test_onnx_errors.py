"""What cannot be imported ends in one line that names the file, the node and the way out."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper

from bench.errors import UserError
from bench.workloads.catalogue import load_workload
from bench.workloads.onnx_import.importer import import_onnx, parse_options
from tests.workloads.onnx_models import Draft
from tests.workloads.test_onnx_bodies import branch

T, B, X, H = 5, 2, 3, 4


def message(path: Path, **options: Any) -> str:
    """The one line that importing ends with."""
    with pytest.raises(UserError) as caught:
        import_onnx(path, **options)
    text = str(caught.value)
    assert "\n" not in text
    assert path.name in text
    return text


def single(path: Path, kind: str = "LSTM", dims: tuple[Any, ...] = (T, B, X), **options: Any) -> Path:
    """A model of one node called ``only``."""
    draft = Draft()
    return draft.save(path, draft.rnn(kind, draft.input("x", *dims), (X, H), "only", **options))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "the file is empty"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "not an ONNX model"),
        (b"import torch\n", "not an ONNX model"),
        (b"\x08\x08", "no ONNX model, or one that is cut off"),
    ],
)
def test_no_model(content: bytes, expected: str, tmp_path: Path) -> None:
    """An empty file, a picture, a program, and a model without a graph."""
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    assert expected in message(path)


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there, and a folder."""
    assert "no such file" in message(tmp_path / "m.onnx")
    (tmp_path / "folder.onnx").mkdir()
    assert "is a folder" in message(tmp_path / "folder.onnx")


@given(st.floats(0, 1))
def test_cut_off(tmp_path_factory: pytest.TempPathFactory, share: float) -> None:
    """A model cut off at any byte is said to be cut off, or to be no whole model."""
    folder = tmp_path_factory.mktemp("cut")
    whole = single(folder / "whole.onnx").read_bytes()
    path = folder / "m.onnx"
    path.write_bytes(whole[: max(2, int(share * (len(whole) - 1)))])
    assert "cut off" in message(path)


@given(st.binary(max_size=200))
def test_any_bytes(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """No content of a file ends in anything but such a line."""
    path = tmp_path_factory.mktemp("bytes") / "m.onnx"
    path.write_bytes(content)
    assert message(path)


@settings(max_examples=150)
@given(st.data())
def test_damaged(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """A model with some bytes changed is read, or ends in one such line."""
    folder = tmp_path_factory.mktemp("damaged")
    content = bytearray(single(folder / "whole.onnx", direction="bidirectional").read_bytes())
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    path = folder / "m.onnx"
    path.write_bytes(content)
    with suppress(UserError):
        assert import_onnx(path).workload.layers
        return
    assert message(path)


def test_external_data(tmp_path: Path) -> None:
    """External data that is missing, and that is too short."""
    plain = single(tmp_path / "plain.onnx")
    path, beside = tmp_path / "m.onnx", tmp_path / "m.data"
    onnx.save(onnx.load(plain), path, save_as_external_data=True, location="m.data", size_threshold=0)
    beside.write_bytes(beside.read_bytes()[:-8])
    assert "it is cut off" in message(path)
    beside.unlink()
    assert "is in 'm.data', which is not beside it" in message(path)


def test_no_recurrent_node(tmp_path: Path) -> None:
    """A model of other operators: which ones it has."""
    draft = Draft()
    x = draft.input("x", 2, 2)
    draft.add("Relu", [draft.add("Relu", [x], "a")], "b")
    draft.add("Tanh", ["b"], "c")
    assert "no RNN, LSTM or GRU node (it has 2 Relu, 1 Tanh)" in message(draft.save(tmp_path / "m.onnx", "c"))


@pytest.mark.parametrize(
    ("kind", "options", "expected"),
    [
        ("LSTM", {"activations": ["Sigmoid", "Relu", "Tanh"]}, "activations are sigmoid, relu, tanh"),
        ("GRU", {"activations": ["HardSigmoid", "Tanh"]}, "activations are hardsigmoid, tanh"),
        ("RNN", {"activations": ["Affine"]}, "expected tanh or relu"),
        ("LSTM", {"activation_alpha": [0.2, 1.0, 1.0]}, "activation_alpha is"),
        ("LSTM", {"activation_beta": [0.5, 1.0, 1.0]}, "activation_beta is"),
        ("GRU", {"clip": 3.0}, "clip is 3"),
        ("LSTM", {"input_forget": 1}, "input_forget couples"),
        ("LSTM", {"direction": "sideways"}, "direction is 'sideways'"),
    ],
)
def test_unsupported_options(kind: str, options: dict[str, Any], expected: str, tmp_path: Path) -> None:
    """Activations, scaled activations, clipping and coupled gates are refused, naming the node."""
    text = message(single(tmp_path / "m.onnx", kind, **options))
    assert f"{kind} node 'only'" in text
    assert expected in text


@pytest.mark.parametrize("zero", [False, True])
def test_peepholes(zero: bool, tmp_path: Path) -> None:
    """Peephole weights are refused, unless all are zero."""
    draft = Draft()
    peepholes = draft.constant("P", np.full((1, 3 * H), 0 if zero else 0.5, np.float32))
    y = draft.rnn("LSTM", draft.input("x", T, B, X), (X, H), "only", ["", "", "", peepholes])
    path = draft.save(tmp_path / "m.onnx", y)
    if zero:
        assert import_onnx(path).workload.steps == T
    else:
        assert "LSTM node 'only': has peephole weights" in message(path)


def test_two_activations(tmp_path: Path) -> None:
    """Directions with different activations are no one layer."""
    path = single(tmp_path / "m.onnx", "RNN", direction="bidirectional", activations=["Tanh", "Relu"])
    assert "different activations" in message(path)


@pytest.mark.parametrize("kind", ["DynamicQuantizeLSTM", "QLinearGRU"])
def test_quantised(kind: str, tmp_path: Path) -> None:
    """Quantised recurrent operators of ONNX Runtime: import the model before quantisation."""
    draft = Draft()
    draft.add(kind, [draft.input("x", T, B, X)], "y", name="quantised", domain="com.microsoft")
    model = helper.make_model(
        draft.graph(["y"]),
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)],
    )
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    assert f"node 'quantised' is a com.microsoft.{kind}" in message(path)


def test_wrong_shapes(tmp_path: Path) -> None:
    """Weights that do not fit the hidden size."""
    draft = Draft()
    values = [draft.input("x", T, B, X), draft.floats("W", 1, 4 * H, X), draft.floats("R", 1, 4 * H, H + 1)]
    draft.add("LSTM", values, "y", name="only", hidden_size=H)
    model = helper.make_model(draft.graph(["y"]), opset_imports=[helper.make_opsetid("", 17)])
    onnx.save(model, tmp_path / "m.onnx")
    assert "LSTM node 'only': R has shape (1, 16, 5); expected (1, 16, 4)" in message(tmp_path / "m.onnx")


def test_symbolic_sizes(tmp_path: Path) -> None:
    """A symbolic length and batch are asked for in the words of the command line and of a configuration."""
    path = single(tmp_path / "m.onnx", dims=("frames", "clips", X))
    text = message(path)
    assert "the sequence length (dimension 'frames') and the batch size (dimension 'clips')" in text
    assert "give --steps N --batch N" in text
    assert f"{path}:steps=N,batch=N" in text
    assert "the batch size" in message(path, steps=4)
    assert "sequence length" in message(path, batch=4)
    for options in (
        {"steps": 4, "batch": 1},
        {"dims": {"frames": 4, "clips": 1}},
        {"steps": 4, "dims": {"clips": 1}},
    ):
        assert import_onnx(path, **options).workload.steps == 4  # type: ignore[arg-type]
    assert load_workload(f"{path}:steps=4,clips=1") == import_onnx(path, steps=4, batch=1).workload


def test_nameless_sizes(tmp_path: Path) -> None:
    """Sizes without a name are those of an input's axis."""
    path = single(tmp_path / "m.onnx", dims=(None, 1, X))
    assert "dimension 'x.0'" in message(path)
    assert import_onnx(path, dims={"x.0": 9}).workload.steps == 9


def test_several_lengths(tmp_path: Path) -> None:
    """Two networks over sequences of two lengths: each is asked for by its name."""
    draft = Draft()
    outputs = [
        draft.rnn("LSTM", draft.input(name, f"len_{name}", 1, X), (X, H), f"net_{name}") for name in "ab"
    ]
    path = draft.save(tmp_path / "m.onnx", *outputs)
    assert "give --dim len_a=N --dim len_b=N" in message(path, steps=3)
    workload = import_onnx(path, dims={"len_a": 3, "len_b": 4}).workload
    assert [layer.steps for layer in workload.layers] == [3, 4]


def test_sizes_that_the_file_has(tmp_path: Path) -> None:
    """Other sizes than those of the file, and unknown dimensions, are refused."""
    path = single(tmp_path / "m.onnx")
    assert import_onnx(path, steps=T, batch=B).workload.batch == B
    assert "--steps 9: the file itself says 5" in message(path, steps=9)
    assert "--batch 9: the file itself says 2" in message(path, batch=9)
    assert "has no symbolic dimension 'frames'" in message(path, dims={"frames": 3})
    named = single(tmp_path / "named.onnx", dims=("frames", 1, X))
    assert "did you mean frames?" in message(named, dims={"frame": 3})


def test_branches(tmp_path: Path) -> None:
    """An If node that is not there, and a branch that is never taken."""
    draft = Draft()
    draft.input("x", T, B, X)
    draft.constant("yes", np.asarray(True))
    bodies = {"then_branch": branch("first", "LSTM"), "else_branch": branch("second", "GRU")}
    draft.add("If", ["yes"], "y", name="choice", **bodies)
    path = draft.save(tmp_path / "m.onnx", "y")
    assert "has no If node 'choise'; did you mean choice?" in message(path, branches={"choise": "then"})
    assert "takes its then branch with these sizes" in message(path, branches={"choice": "else"})


def test_batches(tmp_path: Path) -> None:
    """Nodes of different batch sizes are no one workload."""
    draft = Draft()
    outputs = [draft.rnn("RNN", draft.input(f"x{n}", T, n, X), (X, H), f"n{n}") for n in (1, 2)]
    assert "different batch sizes (1, 2)" in message(draft.save(tmp_path / "m.onnx", *outputs))


def test_weights_at_run_time(tmp_path: Path) -> None:
    """Weights that are inputs cannot be kept."""
    draft = Draft()
    values = [draft.input("x", T, B, X), draft.input("W", 1, 4 * H, X), draft.input("R", 1, 4 * H, H)]
    draft.add("LSTM", values, "y", name="only", hidden_size=H)
    path = draft.save(tmp_path / "m.onnx", "y")
    assert "LSTM node 'only': W is computed at run time" in message(path, keep_weights=True)


@pytest.mark.parametrize(
    "text", ["steps", "steps=", "steps=0", "steps=x", "=3", "steps=4,,batch=1", "If=maybe"]
)
def test_options(text: str) -> None:
    """Text behind the colon that is no option."""
    with pytest.raises(UserError, match="is no option; expected steps=N"):
        parse_options(text, "m.onnx")
