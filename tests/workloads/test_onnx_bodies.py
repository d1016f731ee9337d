"""Layers in the bodies of ONNX files' operators (If, Scan, Loop) and in functions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from bench.numerics.whole import run_whole
from bench.workloads.model import Input
from bench.workloads.onnx_import.importer import import_onnx
from tests.workloads.onnx_models import FLOAT, INT64, Draft, network, run_model
from tests.workloads.test_onnx_graphs import TOLERANCE, data, difference, feeds

T, B, X, H = 6, 2, 3, 4


def branch(name: str, kind: str) -> onnx.GraphProto:
    """A body with a recurrent node over the outer value ``x``."""
    inner = Draft(rng=np.random.default_rng(len(name)))
    y = inner.rnn(kind, "x", (X, H), f"{name}.rnn")
    return inner.graph([inner.add("Identity", [y], f"{name}.out")], name)


@pytest.mark.parametrize("side", [None, "then", "else"])
def test_if_body(side: str | None, tmp_path: Path) -> None:
    """Of two branches with recurrent nodes one runs: the then branch, or the one that is named."""
    draft = Draft()
    draft.input("x", T, B, X)
    draft.inputs.append(helper.make_tensor_value_info("which", onnx.TensorProto.BOOL, ()))
    draft.add(
        "If", ["which"], "y", name="choice",
        then_branch=branch("first", "LSTM"), else_branch=branch("second", "GRU"),
    )  # fmt: skip
    path = draft.save(tmp_path / "m.onnx", "y")
    taken = side or "then"
    values = {"x": data(T, B, X), "which": np.asarray(taken == "then")}
    branches = {"choice": side} if side else None
    net = network(path, values, {"choice": taken}, branches=branches)
    (layer,) = net.imported.workload.layers
    assert layer.name == ("first-rnn" if taken == "then" else "second-rnn")
    assert len(net.imported.notes) == (0 if side else 1)
    assert difference(net) < TOLERANCE


def test_if_with_a_constant_condition(tmp_path: Path) -> None:
    """A condition on shapes is decided once the shapes are known."""
    draft = Draft()
    x = draft.input("x", "time", B, X)
    length = draft.add("Gather", [draft.add("Shape", [x], "s"), draft.constant("zero", 0)], "length")
    draft.add(
        "If", [draft.add("Equal", [length, draft.constant("one", 1)], "single")], "y", name="choice",
        then_branch=branch("first", "LSTM"), else_branch=branch("second", "GRU"),
    )  # fmt: skip
    path = draft.save(tmp_path / "m.onnx", "y")
    for steps, cell in ((1, "lstm"), (2, "gru")):
        imported = import_onnx(path, steps=steps)
        assert imported.workload.layers[0].cell == cell
        assert not imported.notes


def scan_body(layers: int) -> onnx.GraphProto:
    """One step of a stack of LSTMs: states h and c of each, x of the step; puts out the top's h."""
    inner = Draft()
    for n in range(layers):
        inner.input(f"h{n}", 1, B, H)
        inner.input(f"c{n}", 1, B, H)
    x = inner.input("x_t", B, X)
    value = inner.add("Unsqueeze", [x, inner.constant("front", [0])], "x_1")
    outputs: list[str] = []
    for n in range(layers):
        y = inner.rnn("LSTM", value, (X if n == 0 else H, H), f"cell{n}", ["", f"h{n}", f"c{n}"])
        value = inner.add("Squeeze", [y, inner.constant(f"d{n}", [1])], f"v{n}")
        outputs += [f"cell{n}.Y_h", f"cell{n}.Y_c"]
    top = inner.add("Squeeze", [value, inner.constant("t", [0])], "top_t")
    graph = inner.graph([*outputs, top], "body")
    for output, shape in zip(graph.output, [(1, B, H)] * len(outputs) + [(B, H)], strict=True):
        output.CopyFrom(helper.make_tensor_value_info(output.name, FLOAT, shape))
    return graph


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("symbolic", [False, True])
def test_scan_body(back: bool, symbolic: bool, tmp_path: Path) -> None:
    """Steps in a Scan's body: its iterations are the time steps, layers in it and behind it are fed."""
    draft = Draft()
    x = draft.input("x", "time" if symbolic else T, B, X)
    zero = draft.constant("zero", np.zeros((1, B, H), np.float32))
    made = [f"last{n}" for n in range(4)]
    ways = {"scan_input_directions": [1], "scan_output_directions": [1]} if back else {}
    draft.add(
        "Scan", [zero] * 4 + [x], *made, "ys", name="loop", num_scan_inputs=1, body=scan_body(2), **ways
    )
    top = draft.rnn("GRU", "ys", (H, H), "behind")
    path = draft.save(tmp_path / "m.onnx", top)
    imported = import_onnx(path, steps=T if symbolic else None, keep_weights=True)
    assert [layer.steps for layer in imported.workload.layers] == [T] * 3
    directions = ["backward" if back else "forward"] * 2 + ["forward"]
    assert [layer.direction for layer in imported.workload.layers] == directions
    assert [feeds(imported, name) for name in ("cell1", "behind")] == [["cell0"], ["cell1"]]
    assert sum("iterations are taken as time steps" in note for note in imported.notes) == 2
    assert imported.parameters is not None
    values = run_model(onnx.load(path), {"x": data(T, B, X)}, ["ys", "behind.Y"])
    found = run_whole(imported.workload, imported.parameters, {"cell0": data(T, B, X)})
    assert np.abs(found["cell1"] - values["ys"]).max() < TOLERANCE
    assert np.abs(found["behind"] - values["behind.Y"][:, 0]).max() < TOLERANCE


def loop_body(carried: bool = True) -> onnx.GraphProto:
    """One step of a GRU over frame ``i`` of the outer value x."""
    inner = Draft()
    inner.input("i", kind=INT64)
    inner.inputs.append(helper.make_tensor_value_info("on", onnx.TensorProto.BOOL, ()))
    inner.input("h", 1, B, H)
    frame = inner.add(
        "Gather", ["x", inner.add("Unsqueeze", ["i", inner.constant("z", [0])], "i_1")], "frame"
    )
    y = inner.rnn("GRU", frame, (X, H), "cell", ["", "h"] if carried else [])
    inner.add("Squeeze", [y, inner.constant("axes", [0, 1])], "y_t")
    inner.add("Identity", ["on"], "on_out")
    return inner.graph(["on_out", "cell.Y_h", "y_t"], "body")


@pytest.mark.parametrize("constant", [False, True])
def test_loop_body(constant: bool, tmp_path: Path) -> None:
    """Iterations of a Loop are time steps; a number that is not constant is asked for by the loop's name."""
    draft = Draft()
    draft.input("x", T, B, X)
    count = draft.constant("count", T) if constant else draft.input("count", kind=INT64)
    zero = draft.constant("zero", np.zeros((1, B, H), np.float32))
    draft.add("Loop", [count, "", zero], "last", "ys", name="walk", body=loop_body())
    path = draft.save(tmp_path / "m.onnx", "ys")
    imported = import_onnx(path, dims=None if constant else {"walk": T}, keep_weights=True)
    assert imported.workload.layers[0].steps == T
    assert constant or import_onnx(path, steps=9).workload.steps == 9
    assert imported.parameters is not None
    x = data(T, B, X)
    values = run_model(onnx.load(path), {"x": x} | ({} if constant else {"count": np.asarray(T)}), ["ys"])
    found = run_whole(imported.workload, imported.parameters, {"cell": x})["cell"]
    assert np.abs(found - values["ys"]).max() < TOLERANCE


def test_loop_without_state(tmp_path: Path) -> None:
    """A body whose node starts anew in each iteration: the note says that only the time is right."""
    draft = Draft()
    draft.input("x", T, B, X)
    zero = draft.constant("zero", np.zeros((1, B, H), np.float32))
    draft.add("Loop", [draft.constant("n", T), "", zero], "last", "ys", name="walk", body=loop_body(False))
    (note,) = import_onnx(draft.save(tmp_path / "m.onnx", "ys")).notes
    assert "start anew in each" in note


def test_function(tmp_path: Path) -> None:
    """Nodes in a model-local function, called twice: two layers, connected."""
    nodes = [
        helper.make_node("LSTM", ["x", "W", "R"], ["Y"], name="inner", hidden_size=H),
        helper.make_node("Constant", [], ["axis"], value=onnx.numpy_helper.from_array(np.asarray([1]))),
        helper.make_node("Squeeze", ["Y", "axis"], ["y"]),
    ]
    function = helper.make_function(
        "mine", "step", ["x", "W", "R"], ["y"], nodes, [helper.make_opsetid("", 17)]
    )
    draft = Draft()
    weights = [[draft.floats(f"W{n}", 1, 4 * H, H), draft.floats(f"R{n}", 1, 4 * H, H)] for n in range(2)]
    value = draft.input("x", T, B, H)
    for n in range(2):
        value = draft.add("step", [value, *weights[n]], f"out{n}", name=f"call{n}", domain="mine")
    net = network(draft.save(tmp_path / "m.onnx", value, functions=[function]), {"x": data(T, B, H)})
    first, second = net.imported.workload.layers
    assert second.inputs == (Input(first.name, H),)
    assert difference(net) < TOLERANCE
