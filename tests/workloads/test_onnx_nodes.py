"""Recurrent nodes of ONNX files in all their forms compute the same here as in ONNX Runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from bench.numerics.whole import run_whole
from bench.workloads.model import Input
from bench.workloads.onnx_import.importer import import_onnx
from tests.workloads.onnx_models import Draft, Network, network, worst

TOLERANCE = 1e-5
T, B, X, H = 5, 2, 3, 4


def data(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Numbers to feed."""
    return np.random.default_rng(3).uniform(-1, 1, shape).astype(np.float32)


def difference(net: Network) -> float:
    """Between the workload computed here and the values in ONNX Runtime."""
    found = run_whole(net.imported.workload, net.parameters, net.inputs)
    return worst(found, net.expected)


@pytest.mark.parametrize("direction", ["forward", "reverse", "bidirectional"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {}),
        ("GRU", {"linear_before_reset": 0}),
        ("GRU", {"linear_before_reset": 1}),
        ("RNN", {}),
        ("RNN", {"activations": "Relu"}),
    ],
)
def test_cells_and_directions(kind: str, options: dict[str, Any], direction: str, tmp_path: Path) -> None:
    """Each operator in each direction: cell, direction, reset and every number are right."""
    ways = 2 if direction == "bidirectional" else 1
    if "activations" in options:
        options = {"activations": [options["activations"]] * ways}
    draft = Draft()
    y = draft.rnn(kind, draft.input("x", T, B, X), (X, H), "node", direction=direction, **options)
    net = network(draft.save(tmp_path / "m.onnx", y), {"x": data(T, B, X)})
    layers = net.imported.workload.layers
    assert [layer.name for layer in layers] == (["node.fwd", "node.bwd"] if ways == 2 else ["node"])
    directions = {"forward": ["forward"], "reverse": ["backward"], "bidirectional": ["forward", "backward"]}
    assert [layer.direction for layer in layers] == directions[direction]
    cells = {"LSTM": "lstm", "GRU": "gru", "RNN": "rnn_relu" if options else "rnn_tanh"}
    assert {layer.cell for layer in layers} == {cells[kind]}
    assert layers[0].reset == ("after" if options.get("linear_before_reset") else "before")
    assert difference(net) < TOLERANCE


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("lengths", [None, T])
def test_initial_states(kind: str, lengths: int | None, tmp_path: Path) -> None:
    """Constant initial states become the parameters' initial states; full sequence lengths change nothing."""
    draft = Draft()
    states = [draft.floats("h0", 2, B, H)] + ([draft.floats("c0", 2, B, H)] if kind == "LSTM" else [])
    length = "" if lengths is None else "lengths"
    if lengths:
        draft.constants.append(numpy_helper.from_array(np.full(B, lengths, np.int32), "lengths"))
    y = draft.rnn(kind, draft.input("x", T, B, X), (X, H), "n", [length, *states], direction="bidirectional")
    path = draft.save(tmp_path / "m.onnx", y)
    kept = import_onnx(path, keep_weights=True)
    assert kept.parameters is not None
    assert len(kept.parameters.initial) == 2 * len(states)
    assert kept.notes == ()
    net = network(path, {"x": data(T, B, X)})
    for key, values in net.parameters.initial.items():
        np.testing.assert_array_equal(kept.parameters.initial[key], values)
    assert difference(net) < TOLERANCE


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_layout(kind: str, tmp_path: Path) -> None:
    """Layout 1 (batch first) is the network of layout 0 with the same weights."""
    workloads, outputs = [], []
    for layout, shape in ((0, (T, B, X)), (1, (B, T, X))):
        draft = Draft()
        y = draft.rnn(kind, draft.input("x", *shape), (X, H), "n", layout=layout)
        path = draft.save(tmp_path / f"m{layout}.onnx", y)
        imported = import_onnx(path, keep_weights=True)
        assert imported.parameters is not None
        workloads.append(imported.workload.layers)
        x = data(T, B, X)
        outputs.append(run_whole(imported.workload, imported.parameters, {"n": x})["n"])
        (expected,) = ReferenceEvaluator(onnx.load(path)).run([y], {"x": x.swapaxes(0, 1) if layout else x})
        expected = expected.transpose(1, 2, 0, 3) if layout else expected
        assert np.abs(outputs[-1] - expected[:, 0]).max() < TOLERANCE
    assert workloads[0] == workloads[1]


@pytest.mark.parametrize("opset", [7, 9, 11, 13, 14, 15, 18, 21, 22, 23])
def test_opsets(opset: int, tmp_path: Path) -> None:
    """Opsets 7 and newer: squeezing and slicing changed their form in between."""
    draft = Draft(opset=opset)
    y = draft.rnn("LSTM", draft.input("x", T, B, X), (X, H), "low")
    axes = draft.constant("axes", [1]) if opset >= 13 else ""
    squeezed = draft.add("Squeeze", [y, axes] if axes else [y], "s", **({} if axes else {"axes": [1]}))
    top = draft.rnn("GRU", squeezed, (H, H), "high", linear_before_reset=1)
    net = network(draft.save(tmp_path / "m.onnx", top), {"x": data(T, B, X)})
    assert net.imported.workload.layer("high").inputs == (Input("low", H),)
    assert not net.imported.notes
    assert difference(net) < TOLERANCE


def test_old_opset(tmp_path: Path) -> None:
    """An opset before 7 is read, with a note that says how."""
    draft = Draft(opset=6)
    y = draft.rnn("LSTM", draft.input("x", T, B, X), (X, H), "n")
    imported = import_onnx(draft.save(tmp_path / "m.onnx", y))
    assert imported.workload.layers[0].steps == T
    assert imported.notes == ("opset 6 is older than 7: nodes are read as in that one",)


@pytest.mark.parametrize("lengths", [(4, 2), (3, 3)])
def test_shorter_sequences(lengths: tuple[int, int], tmp_path: Path) -> None:
    """Sequence lengths below that of X: the workload has the longest one's steps, and a note says so."""
    draft = Draft()
    draft.constants.append(numpy_helper.from_array(np.asarray(lengths, np.int32), "lengths"))
    y = draft.rnn("LSTM", draft.input("x", T, B, X), (X, H), "n", ["lengths"])
    imported = import_onnx(draft.save(tmp_path / "m.onnx", y))
    assert imported.workload.steps == max(lengths)
    (note,) = imported.notes
    assert ("shorter ones are padded to 4" if lengths[0] > lengths[1] else "all sequences have 3") in note


def test_lengths_at_run_time(tmp_path: Path) -> None:
    """Sequence lengths that are an input of the model are noted, and every sequence counts as full."""
    draft = Draft()
    lengths = draft.input("lengths", B, kind=onnx.TensorProto.INT32)
    y = draft.rnn("GRU", draft.input("x", T, B, X), (X, H), "n", [lengths])
    imported = import_onnx(draft.save(tmp_path / "m.onnx", y))
    assert imported.workload.steps == T
    assert "sequence lengths are given at run time" in imported.notes[0]


def test_folded_weights(tmp_path: Path) -> None:
    """Weights that are sliced, transposed and joined out of others in PyTorch's order are folded."""
    draft = Draft()
    x = draft.input("x", T, B, X)
    order = ("i", "o", "f", "g")
    made = {}
    for operand, width in (("ih", X), ("hh", H)):
        whole = draft.floats(f"weight_{operand}", width, 4 * H)
        turned = draft.add("Transpose", [whole], f"t_{operand}", perm=[1, 0])
        parts = []
        for gate in order:
            start = "ifgo".index(gate) * H
            ends = [
                draft.constant(f"{operand}{gate}{n}", [v]) for n, v in ((0, start), (1, start + H), (2, 0))
            ]
            parts.append(draft.add("Slice", [turned, *ends], f"{operand}_{gate}"))
        joined = draft.add("Concat", parts, f"j_{operand}", axis=0)
        draft.constant(f"axes_{operand}", [0])
        made[operand] = draft.add("Unsqueeze", [joined, f"axes_{operand}"], f"u_{operand}")
    bias = helper.make_tensor("b", onnx.TensorProto.FLOAT, (1, 8 * H), draft.rng.uniform(-1, 1, 8 * H))
    draft.add("Constant", [], "B", value=bias)
    draft.add("LSTM", [x, made["ih"], made["hh"], "B"], "Y", hidden_size=H)
    net = network(draft.save(tmp_path / "m.onnx", "Y"), {"x": data(T, B, X)})
    assert [layer.name for layer in net.imported.workload.layers] == ["y"]
    assert net.imported.surroundings == ()
    assert difference(net) < TOLERANCE


def test_weights_from_shapes(tmp_path: Path) -> None:
    """Sizes come from shapes where weights are an input of the model."""
    draft = Draft()
    values = [draft.input("x", T, B, X), draft.input("W", 1, 4 * H, X), draft.input("R", 1, 4 * H, H)]
    draft.add("LSTM", values, "Y", hidden_size=H)
    layer = import_onnx(draft.save(tmp_path / "m.onnx", "Y")).workload.layers[0]
    assert (layer.input_size, layer.hidden_size) == (X, H)


def test_half_precision_and_no_bias(tmp_path: Path) -> None:
    """float16 weights are kept as float32; a node without B has no biases."""
    draft = Draft()
    y = draft.rnn("LSTM", draft.input("x", T, B, X), (X, H), "n", bias=False)
    net = network(draft.save(tmp_path / "m.onnx", y), {"x": data(T, B, X)})
    assert net.parameters.biases == {}
    assert difference(net) < TOLERANCE
    half = [
        numpy_helper.from_array(numpy_helper.to_array(c).astype(np.float16), c.name) for c in draft.constants
    ]
    draft.constants = half
    draft.inputs = [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT16, (T, B, X))]
    kept = import_onnx(draft.save(tmp_path / "half.onnx", y), keep_weights=True).parameters
    assert kept is not None
    assert all(values.dtype == np.float32 for values in kept.weights.values())


@settings(max_examples=40)
@given(
    st.sampled_from(["LSTM", "GRU", "RNN"]),
    st.sampled_from(["forward", "reverse", "bidirectional"]),
    st.tuples(*[st.integers(1, 9)] * 4),
    st.integers(0, 1),
)
def test_random_sizes(
    tmp_path_factory: pytest.TempPathFactory,
    kind: str,
    direction: str,
    sizes: tuple[int, int, int, int],
    reset: int,
) -> None:
    """Random sizes come back as they went in, and compute the same."""
    steps, batch, width, hidden = sizes
    draft = Draft()
    options = {"linear_before_reset": reset} if kind == "GRU" else {}
    x = draft.input("x", "steps", "batch", width)
    y = draft.rnn(kind, x, (width, hidden), "n", direction=direction, **options)
    path = draft.save(tmp_path_factory.mktemp("models") / "m.onnx", y)
    net = network(path, {"x": data(steps, batch, width)}, steps=steps, batch=batch)
    layer = net.imported.workload.layers[0]
    assert (layer.steps, net.imported.workload.batch) == (steps, batch)
    assert (layer.input_size, layer.hidden_size) == (width, hidden)
    assert difference(net) < TOLERANCE
