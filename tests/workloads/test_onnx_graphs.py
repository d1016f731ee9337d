"""How layers of ONNX files are connected: data movements, sums, reversals, files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from bench.numerics.whole import run_whole
from bench.workloads.check import check_workload
from bench.workloads.model import EXTERNAL, Input
from bench.workloads.onnx_import.importer import Imported, import_onnx
from tests.workloads.onnx_models import Draft, Network, network, worst

TOLERANCE = 1e-5
T, B, X, H = 6, 2, 3, 4


def data(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Numbers to feed."""
    return np.random.default_rng(3).uniform(-1, 1, shape).astype(np.float32)


def difference(net: Network) -> float:
    """Between the workload computed here and the values in ONNX Runtime."""
    check_workload(net.imported.workload)
    return worst(run_whole(net.imported.workload, net.parameters, net.inputs), net.expected)


def feeds(imported: Imported, layer: str) -> list[str]:
    """Producers of a layer's inputs."""
    return [feed.producer for feed in imported.workload.layer(layer).inputs]


def torch_merge(draft: Draft, y: str, name: str) -> str:
    """How PyTorch's exporter joins the directions of Y: (T, D, B, H) to (T, B, D * H)."""
    moved = draft.add("Transpose", [y], f"{name}.t", perm=[0, 2, 1, 3])
    return draft.add("Reshape", [moved, draft.constant(f"{name}.shape", [0, 0, -1])], f"{name}.joined")


@pytest.mark.parametrize("symbolic", [False, True])
def test_bidirectional_stack(symbolic: bool, tmp_path: Path) -> None:
    """Two bidirectional layers, joined as PyTorch does: both directions feed both, in order."""
    draft = Draft()
    x = draft.input("x", *(("time", "items") if symbolic else (T, B)), X)
    low = draft.rnn("LSTM", x, (X, H), "low", direction="bidirectional")
    top = draft.rnn("LSTM", torch_merge(draft, low, "low"), (2 * H, 5), "top", direction="bidirectional")
    path = draft.save(tmp_path / "m.onnx", top)
    sizes = {"steps": T, "batch": B} if symbolic else {}
    net = network(path, {"x": data(T, B, X)}, **sizes)
    assert net.imported.workload.layer("top.bwd").inputs == (Input("low.fwd", H), Input("low.bwd", H))
    assert not any(net.imported.workload.layer(name).after for name in ("top.fwd", "top.bwd"))
    assert not net.imported.notes
    assert difference(net) < TOLERANCE


def test_interleaved_directions(tmp_path: Path) -> None:
    """Elements of both directions in turn are the same network with the columns of W in another order."""
    draft = Draft()
    low = draft.rnn("GRU", draft.input("x", T, B, X), (X, H), "low", direction="bidirectional")
    moved = draft.add("Transpose", [low], "moved", perm=[0, 2, 3, 1])
    mixed = draft.add("Reshape", [moved, draft.constant("shape", [0, 0, 2 * H])], "mixed")
    top = draft.rnn("GRU", mixed, (2 * H, H), "top")
    net = network(draft.save(tmp_path / "m.onnx", top), {"x": data(T, B, X)})
    assert feeds(net.imported, "top") == ["low.fwd", "low.bwd"]
    assert difference(net) < TOLERANCE


def test_mixed_up_items(tmp_path: Path) -> None:
    """A reshape that mixes batch items and elements is no feed: the input counts as external."""
    draft = Draft()
    low = draft.rnn("GRU", draft.input("x", T, B, X), (X, H), "low")
    mixed = draft.add("Transpose", [low], "moved", perm=[0, 1, 3, 2])
    mixed = draft.add("Reshape", [mixed, draft.constant("shape", [T, B, H])], "mixed")
    top = draft.rnn("GRU", mixed, (H, H), "top")
    net = network(draft.save(tmp_path / "m.onnx", top), {"x": data(T, B, X)})
    assert feeds(net.imported, "top") == [EXTERNAL]
    assert net.imported.workload.layer("top").after == ("low",)
    assert "depends on low through operators" in net.imported.notes[0]
    assert difference(net) < TOLERANCE


def test_pyramid(tmp_path: Path) -> None:
    """Two steps of a bidirectional layer joined into one: time reduction."""
    draft = Draft()
    low = draft.rnn("LSTM", draft.input("x", T, B, X), (X, H), "low", direction="bidirectional")
    joined = torch_merge(draft, low, "low")
    batch_first = draft.add("Transpose", [joined], "b", perm=[1, 0, 2])
    pairs = draft.add("Reshape", [batch_first, draft.constant("half", [B, T // 2, 4 * H])], "pairs")
    again = draft.add("Transpose", [pairs], "again", perm=[1, 0, 2])
    top = draft.rnn("LSTM", again, (4 * H, H), "top", direction="bidirectional")
    net = network(draft.save(tmp_path / "m.onnx", top), {"x": data(T, B, X)})
    layer = net.imported.workload.layer("top.bwd")
    assert layer.steps == T // 2
    assert [feed.time_reduction for feed in layer.inputs] == [2, 2]
    assert difference(net) < TOLERANCE


@pytest.mark.parametrize("merge", ["concat", "sum"])
def test_summed_pyramid(merge: str, tmp_path: Path) -> None:
    """Two steps of both directions, side by side or summed, added up: time reduction by a sum."""
    draft = Draft()
    low = draft.rnn("LSTM", draft.input("x", T, B, X), (X, H), "low", direction="bidirectional")
    if merge == "sum":
        joined, width = draft.add("ReduceSum", [low, draft.constant("ways", [1])], "joined", keepdims=0), H
    else:
        joined, width = torch_merge(draft, low, "low"), 2 * H
    pairs = draft.add("Reshape", [joined, draft.constant("half", [T // 2, 2, B, width])], "pairs")
    summed = draft.add("ReduceSum", [pairs, draft.constant("two", [1])], "summed", keepdims=0)
    top = draft.rnn("GRU", summed, (width, H), "top")
    net = network(draft.save(tmp_path / "m.onnx", top), {"x": data(T, B, X)})
    layer = net.imported.workload.layer("top")
    assert [(feed.producer, feed.reduction) for feed in layer.inputs] == [
        ("low.fwd", "sum"),
        ("low.bwd", "sum"),
    ]
    assert layer.combine == merge
    assert difference(net) < TOLERANCE


def test_every_second_step(tmp_path: Path) -> None:
    """A layer over every second step of another is not fed by all of it: it waits."""
    draft = Draft()
    low = draft.rnn("LSTM", draft.input("x", T, B, X), (X, H), "low")
    low = draft.add("Squeeze", [low, draft.constant("one", [1])], "low.s")
    ends = [draft.constant(n, [v]) for n, v in (("a", 0), ("b", T), ("c", 0), ("d", 2))]
    top = draft.rnn("GRU", draft.add("Slice", [low, *ends], "half"), (H, H), "top")
    net = network(draft.save(tmp_path / "m.onnx", top), {"x": data(T, B, X)})
    assert feeds(net.imported, "top") == [EXTERNAL]
    assert net.imported.workload.layer("top").steps == T // 2
    assert net.imported.workload.layer("top").after == ("low",)
    assert difference(net) < TOLERANCE


def test_concat_with_data_from_outside(tmp_path: Path) -> None:
    """Several producers and other data side by side."""
    draft = Draft()
    x = draft.input("x", T, B, X)
    squeeze = draft.constant("one", [1])
    a, b = (draft.add("Squeeze", [draft.rnn("RNN", x, (X, H), n), squeeze], f"{n}s") for n in ("a", "b"))
    side = draft.input("side", T, B, 2)
    joined = draft.add("Concat", [b, side, a, side], "joined", axis=-1)
    top = draft.rnn("LSTM", joined, (2 * H + 4, H), "top")
    net = network(draft.save(tmp_path / "m.onnx", top), {"x": data(T, B, X), "side": data(T, B, 2)})
    assert net.imported.workload.layer("top").inputs == (Input("b", H), Input(EXTERNAL, 4), Input("a", H))
    assert difference(net) < TOLERANCE


@pytest.mark.parametrize("outside", [False, True])
def test_residual(outside: bool, tmp_path: Path) -> None:
    """A residual Add is a sum of inputs, of two layers or of a layer and data from outside."""
    draft = Draft()
    x = draft.input("x", T, B, H)
    squeeze = draft.constant("one", [1])
    low = draft.add("Squeeze", [draft.rnn("LSTM", x, (H, H), "low"), squeeze], "low.s")
    if outside:
        top = draft.rnn("LSTM", draft.add("Add", [low, x], "sum"), (H, H), "top")
    else:
        mid = draft.add("Squeeze", [draft.rnn("LSTM", low, (H, H), "mid"), squeeze], "mid.s")
        top = draft.rnn("LSTM", draft.add("Add", [mid, low], "sum"), (H, H), "top")
    net = network(draft.save(tmp_path / "m.onnx", top), {"x": data(T, B, H)})
    layer = net.imported.workload.layer("top")
    assert layer.combine == "sum"
    assert feeds(net.imported, "top") == (["low", EXTERNAL] if outside else ["mid", "low"])
    assert layer.after == ()
    assert difference(net) < TOLERANCE


@pytest.mark.parametrize("between", ["Relu", "MatMul", "half"])
def test_other_operators_between(between: str, tmp_path: Path) -> None:
    """What is computed between two layers makes the second one wait, and is noted; a part of h too."""
    draft = Draft()
    low = draft.rnn("LSTM", draft.input("x", T, B, X), (X, H), "low")
    low = draft.add("Squeeze", [low, draft.constant("one", [1])], "low.s")
    width = H
    if between == "half":
        ends = [draft.constant(n, [v]) for n, v in (("start", 0), ("end", H // 2), ("axis", 2))]
        mid, width = draft.add("Slice", [low, *ends], "mid"), H // 2
    else:
        mid = draft.add(between, [low, *([draft.floats("w", H, H)] if between == "MatMul" else [])], "mid")
    top = draft.rnn("LSTM", mid, (width, H), "top")
    net = network(draft.save(tmp_path / "m.onnx", top), {"x": data(T, B, X)})
    assert net.imported.workload.layer("top").after == ("low",)
    assert feeds(net.imported, "top") == [EXTERNAL]
    if between == "MatMul":
        assert net.imported.surroundings[0] == ("MatMul", 1, T * B * H * H)
    assert difference(net) < TOLERANCE


def test_decoder_state(tmp_path: Path) -> None:
    """A decoder whose initial state is the encoder's last waits for it; fed by it, too."""
    draft = Draft()
    encoder = draft.rnn("GRU", draft.input("x", T, B, X), (X, H), "encoder")
    words = draft.input("words", 3, B, X)
    top = draft.rnn("GRU", words, (X, H), "decoder", ["", "encoder.Y_h"])
    net = network(draft.save(tmp_path / "m.onnx", top, encoder), {"x": data(T, B, X), "words": data(3, B, X)})
    assert net.imported.workload.layer("decoder").after == ("encoder",)
    assert any("initial h is given at run time" in note for note in net.imported.notes)
    assert difference(net) < TOLERANCE


@pytest.mark.parametrize("operator", ["ReverseSequence", "Slice"])
def test_time_reversal(operator: str, tmp_path: Path) -> None:
    """A forward node between two reversals is a backward layer, side by side with a forward one."""
    draft = Draft()
    x = draft.input("x", T, B, X)
    squeeze = draft.constant("one", [1])
    lengths = draft.constant("lengths", [T] * B)
    ends = [draft.constant(n, [v]) for n, v in (("a", -1), ("b", -(2**31)), ("c", 0), ("d", -1))]

    def turned(value: str) -> str:
        rest, options = ([lengths], {"time_axis": 0, "batch_axis": 1}) if operator[0] == "R" else (ends, {})
        return draft.add(operator, [value, *rest], f"{value}.turned", **options)

    fwd = draft.add("Squeeze", [draft.rnn("LSTM", x, (X, H), "ahead"), squeeze], "f")
    bwd = draft.add("Squeeze", [draft.rnn("LSTM", turned(x), (X, H), "behind"), squeeze], "g")
    top = draft.rnn("GRU", draft.add("Concat", [fwd, turned(bwd)], "both", axis=2), (2 * H, H), "top")
    net = network(draft.save(tmp_path / "m.onnx", top), {"x": data(T, B, X)})
    assert [layer.direction for layer in net.imported.workload.layers] == ["forward", "backward", "forward"]
    assert feeds(net.imported, "top") == ["ahead", "behind"]
    assert "behind: its input is in reversed order of time" in net.imported.notes[0]
    assert difference(net) < TOLERANCE


def test_one_sided_reversal(tmp_path: Path) -> None:
    """Both orders of a layer's output in one input: no feed, the layer waits instead."""
    draft = Draft()
    low = draft.rnn("LSTM", draft.input("x", T, B, X), (X, H), "low")
    low = draft.add("Squeeze", [low, draft.constant("one", [1])], "s")
    options = {"time_axis": 0, "batch_axis": 1}
    turned = draft.add("ReverseSequence", [low, draft.constant("l", [T] * B)], "turned", **options)
    top = draft.rnn("GRU", draft.add("Concat", [low, turned], "both", axis=2), (2 * H, H), "top")
    net = network(draft.save(tmp_path / "m.onnx", top), {"x": data(T, B, X)})
    assert feeds(net.imported, "top") == [EXTERNAL]
    assert net.imported.workload.layer("top").after == ("low",)
    assert difference(net) < TOLERANCE


def test_external_data(tmp_path: Path) -> None:
    """Weights in a file beside the model."""
    draft = Draft()
    y = draft.rnn("LSTM", draft.input("x", T, B, X), (X, H), "n")
    plain = draft.save(tmp_path / "plain.onnx", y)
    onnx.save(
        onnx.load(plain), tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0
    )
    one, two = (import_onnx(p, keep_weights=True).parameters for p in (plain, tmp_path / "m.onnx"))
    assert one is not None
    assert two is not None
    for key, values in one.weights.items():
        np.testing.assert_array_equal(values, two.weights[key])


def test_surroundings(tmp_path: Path) -> None:
    """Every kind of product around the layers is counted with its multiply-accumulates, most work first."""
    draft = Draft()
    image = draft.input("image", 1, 3, 8, 8)
    draft.add("Conv", [image, draft.floats("k", 4, 3, 3, 3)], "c", strides=[2, 2])
    draft.add("ConvTranspose", [image, draft.floats("kt", 3, 2, 2, 2)], "ct")
    a = draft.input("a", 5, 7)
    draft.add("Gemm", [a, draft.floats("g", 9, 7)], "gemm", transB=1)
    draft.add("Einsum", [a, draft.floats("e", 7, 2)], "ein", equation="ij,jk->ik")
    draft.add("Relu", [a], "r")
    draft.add("MatMul", [draft.input("odd", "n", 4), draft.floats("m", 4, 4)], "mm")
    y = draft.rnn("LSTM", draft.input("x", T, B, X), (X, H), "n")
    imported = import_onnx(draft.save(tmp_path / "m.onnx", y, "c", "ct", "gemm", "ein", "r", "mm"))
    assert imported.surroundings == (
        ("MatMul", 1, None),
        ("ConvTranspose", 1, 3 * 8 * 8 * 2 * 2 * 2),
        ("Conv", 1, 4 * 3 * 3 * 3 * 3 * 3),
        ("Gemm", 1, 5 * 7 * 9),
        ("Einsum", 1, 5 * 7 * 2),
        ("Relu", 1, 0),
    )
    assert "without MatMul, whose shapes are not known" in imported.workload.assumptions[0]


def test_keras_style(tmp_path: Path) -> None:
    """Batch-first data, transposed around each node, with shapes computed from the input's shape."""
    draft = Draft()
    x = draft.input("x", "batch", "time", X)
    x = draft.add("Transpose", [x], "xt", perm=[1, 0, 2])
    low = draft.rnn("LSTM", x, (X, H), "low")
    squeezed = draft.add("Squeeze", [low, draft.constant("one", [1])], "low.s")
    kept = draft.add("Transpose", [squeezed], "kept", perm=[1, 0, 2])
    shape = draft.add("Shape", [kept], "shape")
    parts = [draft.add("Gather", [shape, draft.constant(f"n{n}", [n])], f"dim{n}") for n in range(2)]
    target = draft.add("Concat", [*parts, draft.constant("h", [H])], "target", axis=0)
    same = draft.add("Reshape", [draft.add("Identity", [kept], "id"), target], "same")
    again = draft.add("Transpose", [same], "again", perm=[1, 0, 2])
    top = draft.rnn("GRU", again, (H, H), "top", linear_before_reset=1)
    path = draft.save(tmp_path / "m.onnx", top)
    net = network(path, {"x": data(B, T, X)}, dims={"batch": B, "time": T})
    assert feeds(net.imported, "top") == ["low"]
    assert net.imported.workload == import_onnx(path, steps=T, batch=B).workload
    assert difference(net) < TOLERANCE


@pytest.mark.parametrize("stride", [1, 2])
def test_length_behind_a_convolution(stride: int, tmp_path: Path) -> None:
    """A length that shape inference loses: the input's own where they agree, the layers' own otherwise."""
    draft = Draft()
    sound = draft.input("sound", "clips", 1, "samples")
    draft.add("Conv", [sound, draft.floats("k", X, 1, stride)], "conv", strides=[stride])
    draft.rnn("LSTM", draft.add("Transpose", ["conv"], "x", perm=[2, 0, 1]), (X, H), "n")
    path = draft.save(tmp_path / "m.onnx", "n.Y")
    imported = import_onnx(path, steps=8, batch=1)
    assert imported.workload.steps == 8
    assert imported.surroundings[0] == ("Conv", 1, 8 * X if stride == 1 else None)
    assert import_onnx(path, batch=1, dims={"samples": 16}).workload.steps == 16 // stride
