from __future__ import annotations

import math
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest

from bench import cli
from bench.commands.export_onnx import with_steps
from bench.errors import UserError
from bench.numerics import onnx_files
from bench.numerics.export import OPSETS, external_inputs, loops_in_order, to_onnx
from bench.numerics.onnx_files import write_model
from bench.numerics.random import random_inputs, random_parameters
from bench.numerics.references import run_onnxruntime
from bench.numerics.whole import run_whole
from bench.workloads.catalogue import load_workload, workload_names
from bench.workloads.check import check_workload, delivered_size
from bench.workloads.model import EXTERNAL, Input, Layer, Workload
from tests.numerics.networks import NETWORKS, deviation


def shrunk(workload: Workload) -> Workload:
    """The same structure with a few elements, steps and batch items."""
    common = math.gcd(*(layer.steps for layer in workload.layers))
    small = {n: 3 if n < 1024 else 4 for layer in workload.layers for n in _sizes(layer)}
    pending = [
        replace(
            layer,
            hidden_size=small[layer.hidden_size],
            projection_size=small[layer.projection_size] - 1 if layer.projection_size else None,
            steps=layer.steps // common * 2,
        )
        for layer in workload.layers
    ]
    made = {layer.name: layer for layer in pending}
    layers = []
    for layer in pending:
        feeds = tuple(
            replace(
                feed,
                size=small[feed.size]
                if feed.producer == EXTERNAL
                else delivered_size(feed, made[feed.producer]),
            )
            for feed in layer.inputs
        )
        width = feeds[0].size if layer.combine == "sum" else sum(feed.size for feed in feeds)
        layers.append(replace(layer, inputs=feeds, input_size=width))
    result = Workload("shrunk", tuple(layers), batch=min(workload.batch, 2))
    check_workload(result)
    return result


def _sizes(layer: Layer) -> list[int]:
    return [layer.hidden_size, layer.projection_size or 1, *(feed.size for feed in layer.inputs)]


@cache
def catalogue() -> dict[Workload, str]:
    """Every distinct structure in the catalogue, small, with the name of one workload that has it."""
    return {shrunk(load_workload(name)): name for name in reversed(workload_names())}


@pytest.mark.parametrize("name", NETWORKS)
def test_models_are_valid(name: str) -> None:
    """Every cell and structure: valid, and ONNX infers the shapes that the model states."""
    workload = NETWORKS[name]
    model = to_onnx(workload, random_parameters(workload))
    onnx.checker.check_model(model, full_check=True)
    stated = {value.name: value for value in model.graph.output}
    assert list(stated) == [layer.name for layer in workload.layers]
    del model.graph.output[:]
    model.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in stated)
    inferred = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph.output
    for layer, value in zip(workload.layers, inferred, strict=True):
        shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
        assert shape == [layer.steps, workload.batch, layer.output_size]
        assert value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


@pytest.mark.parametrize("workload", catalogue(), ids=catalogue().values())
def test_the_catalogue(workload: Workload) -> None:
    """Every structure of the catalogue, scaled down: a valid model that computes what run_whole does."""
    parameters, inputs = random_parameters(workload), random_inputs(workload)
    model = to_onnx(workload, parameters)
    onnx.checker.check_model(model, full_check=True)
    assert deviation(run_onnxruntime(model, inputs), run_whole(workload, parameters, inputs)) < 1e-5


@pytest.mark.parametrize("opset", OPSETS)
def test_operator_sets(opset: int) -> None:
    """Models in each operator set that is offered are valid, and ONNX Runtime takes them."""
    workload = NETWORKS["pyramid, summed"]
    parameters, inputs = random_parameters(workload), random_inputs(workload)
    model = to_onnx(workload, parameters, opset=opset)
    onnx.checker.check_model(model, full_check=True)
    assert model.opset_import[0].version == opset
    assert deviation(run_onnxruntime(model, inputs), run_whole(workload, parameters, inputs)) < 1e-5


def test_other_operator_sets_are_refused() -> None:
    """An operator set in which these nodes mean something else is not written."""
    workload = NETWORKS["lstm"]
    with pytest.raises(ValueError, match="opset 12; expected 13 to"):
        to_onnx(workload, random_parameters(workload), opset=12)


@pytest.mark.parametrize("name", ["stack", "bidirectional", "decoder of all cells"])
def test_the_same_bytes(name: str) -> None:
    """Two exports are equal byte by byte; another seed is not."""
    workload = NETWORKS[name]
    first, second, other = (
        to_onnx(workload, random_parameters(workload, seed), seed=seed).SerializeToString()
        for seed in (7, 7, 8)
    )
    assert first == second
    assert first != other


def test_standard_nodes() -> None:
    """What ONNX has a node for is that node, so that other tools see LSTM, GRU and RNN."""
    kinds = {
        name: [node.op_type for node in to_onnx(workload, random_parameters(workload)).graph.node]
        for name, workload in NETWORKS.items()
    }
    assert kinds["lstm backward"] == ["LSTM", "Squeeze"]
    assert kinds["gru, reset before"] == kinds["gru, reset after"] == ["GRU", "Squeeze"]
    assert kinds["rnn with relu"] == ["RNN", "Squeeze"]
    assert kinds["projection"] == kinds["mlstm"] == ["Scan"]
    assert kinds["bidirectional"].count("LSTM") == 6


def test_a_loop_is_a_scan_of_single_steps() -> None:
    """A decoder's layers are nodes of one step in the body of one Scan."""
    workload = NETWORKS["decoder"]
    (scan,) = to_onnx(workload, random_parameters(workload)).graph.node
    body = next(attribute.g for attribute in scan.attribute if attribute.name == "body")
    assert [node.op_type for node in body.node].count("LSTM") == 2


def test_metadata() -> None:
    """A model says what it is: producer, workload and seed."""
    workload = NETWORKS["lstm"]
    model = to_onnx(workload, random_parameters(workload, 3), seed=3)
    properties = {item.key: item.value for item in model.metadata_props}
    assert model.producer_name == "rnn-fpga-bench"
    assert properties["workload"] == "single"
    assert properties["seed"] == "3"


def test_graph_inputs() -> None:
    """Two directions share an input; other layers, and directions of different width, do not."""
    assert external_inputs(NETWORKS["bidirectional"]) == {"l0/x": ("l0.fwd", "l0.bwd")}
    assert external_inputs(NETWORKS["decoder"]) == {}
    one = Layer("a.fwd", "lstm", 3, 4, 5)
    other = Layer("a.bwd", "lstm", 2, 4, 5, direction="backward")
    third = Layer("a/x", "lstm", 2, 4, 5)
    apart = external_inputs(Workload("apart", (one, other, third)))
    assert sorted(apart.values()) == [("a.bwd",), ("a.fwd",), ("a/x",)]
    assert len({*apart, "a.fwd", "a.bwd", "a/x"}) == 6


def test_loops_are_found() -> None:
    """A loop's layers come together, after what they need; a delay alone is no loop."""
    names = [[layer.name for layer in group] for group in loops_in_order(NETWORKS["delayed input"])]
    assert names == [["below"], ["above"]]
    late = Layer("late", "lstm", 2, 2, 3)
    early = Layer("early", "lstm", 2, 2, 3, (Input("late", 2, delay=1),))
    workload = Workload("late", (early, late))
    check_workload(workload)
    assert [[layer.name for layer in group] for group in loops_in_order(workload)] == [["late"], ["early"]]
    parameters, inputs = random_parameters(workload), random_inputs(workload)
    model = to_onnx(workload, parameters)
    onnx.checker.check_model(model, full_check=True)
    assert deviation(run_onnxruntime(model, inputs), run_whole(workload, parameters, inputs)) < 1e-5


# --- files and the command ------------------------------------------------------------------


def test_large_weights_are_external_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights beyond a protobuf message go to a file beside the model, and nothing else changes."""
    monkeypatch.setattr(onnx_files, "ONE_FILE_LIMIT", 1000)
    workload = replace(NETWORKS["lstm"], layers=(Layer("l", "lstm", 16, 16, 3),))
    parameters, inputs = random_parameters(workload), random_inputs(workload)
    expected = run_onnxruntime(to_onnx(workload, parameters), inputs)
    path = tmp_path / "large.onnx"
    files = write_model(to_onnx(workload, parameters), path)
    assert [file.name for file in files] == ["large.onnx", "large.onnx.data"]
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert files[0].stat().st_mode == files[1].stat().st_mode
    assert path.stat().st_size < 4000 < files[1].stat().st_size
    onnx.checker.check_model(str(path), full_check=True)
    found = run_onnxruntime(path, inputs)
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails half way leaves the old file and nothing else."""
    path = tmp_path / "model.onnx"
    path.write_text("old")

    def fail(model: object, target: Path, **_: object) -> None:
        target.write_text("half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(onnx, "save_model", fail)
    workload = NETWORKS["lstm"]
    with pytest.raises(UserError, match=r"model\.onnx: cannot be written \(No space left on device\)"):
        write_model(to_onnx(workload, random_parameters(workload)), path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def export(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Exit code of `bench export`."""
    monkeypatch.setattr(sys, "argv", ["bench", "export", *arguments])
    with pytest.raises(SystemExit) as done:
        cli.main()
    return int(done.value.code or 0)


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command writes a valid model of the steps asked for, says what it wrote, and repeats itself."""
    paths = [tmp_path / "a.onnx", tmp_path / "b.onnx"]
    for path in paths:
        code = export(monkeypatch, "--workload", "lstm-16-b2-t25", "--out", str(path), "--steps", "3")
        assert code == 0
    onnx.checker.check_model(str(paths[0]), full_check=True)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    out = capsys.readouterr().out
    assert "nodes    1 LSTM, 1 Squeeze" in out
    assert "weights  2,048, made up from seed 0" in out
    assert "input    lstm/x (3, 2, 16)" in out
    assert "output   lstm (3, 2, 16)" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--workload", "lstm-16-b1-t5", "--out", "no/such/m.onnx"],
            "its folder does not exist; make it first",
        ),
        (["--workload", "lstm-16-b1-t5", "--out", "."], "is a folder; name a file in it"),
        (["--workload", "dac20/nothing", "--out", "m.onnx"], "unknown workload 'dac20/nothing'"),
        (["--workload", "large/rnn-t", "--out", "m.onnx", "--steps", "3"], "give a multiple of 2"),
    ],
)
def test_mistakes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    """A mistake is one line that says what to do, exit code 2, and no file."""
    monkeypatch.chdir(tmp_path)
    assert export(monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_steps_keep_their_shares() -> None:
    """With other steps the layers of a pyramid keep their rates."""
    workload = load_workload("dac20/blstm-pyramid-4")
    assert [layer.steps for layer in with_steps(workload, 8).layers] == [8, 8, 4, 4, 2, 2, 1, 1]
