"""Other people's implementations of the same networks, as references for float32.

ONNX Runtime and onnx's reference evaluator run what `bench.numerics.export` writes; PyTorch is given
the layers one by one. All return each layer's h, (steps, batch, output_size), in order of time.
"""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.numerics.conventions import TORCH_GATES, stack_gates
from bench.numerics.export import LAYERS_OF_INPUT, external_size, loops_in_order
from bench.workloads.model import EXTERNAL, Input, Layer, Workload
from bench.workloads.parameters import Floats, Parameters, Sequences

if TYPE_CHECKING:
    import onnx


def run_onnxruntime(model: onnx.ModelProto | Path, inputs: Sequences) -> dict[str, Floats]:
    """Outputs of a model of `to_onnx`, or of its file, in ONNX Runtime on one thread.

    Nothing is rewritten before the run, so what runs are the nodes of the model. Raises ValueError if
    layers that share a graph input are given different data, or if some of it is missing.
    """
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    layers = json.loads(session.get_modelmeta().custom_metadata_map[LAYERS_OF_INPUT])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, _feeds(layers, inputs)), strict=True))


def run_onnx_reference(model: onnx.ModelProto, inputs: Sequences) -> dict[str, Floats]:
    """Outputs of a model of `to_onnx` in the evaluator that comes with onnx, in plain numpy.

    It knows no ReLU in RNN nodes: export with ``relu_nodes=False``. Raises ValueError as
    `run_onnxruntime` does.
    """
    from onnx.reference import ReferenceEvaluator

    properties = {item.key: item.value for item in model.metadata_props}
    feeds = _feeds(json.loads(properties[LAYERS_OF_INPUT]), inputs)
    names = [output.name for output in model.graph.output]
    values = ReferenceEvaluator(model).run(names, feeds)
    return dict(zip(names, (np.asarray(value) for value in values), strict=True))


def _feeds(layers_of_input: dict[str, list[str]], inputs: Sequences) -> dict[str, Floats]:
    """Data by graph input."""
    feeds: dict[str, Floats] = {}
    for name, layers in layers_of_input.items():
        missing = [layer for layer in layers if layer not in inputs]
        if missing:
            raise ValueError(f"layer {missing[0]!r} takes data from outside, and none is given")
        feeds[name] = inputs[layers[0]]
        for layer in layers[1:]:
            if not np.array_equal(feeds[name], inputs[layer]):
                raise ValueError(f"layers {layers[0]!r} and {layer!r} share an input, and their data differ")
    return feeds


def run_torch(workload: Workload, parameters: Parameters, inputs: Sequences) -> dict[str, Floats]:
    """Each layer's h with torch.nn.LSTM, GRU, RNN or torch's linear function, one layer after the other.

    Raises ValueError where PyTorch has no module for a layer: mLSTM, a GRU that resets before the
    product, a projection with a bias, and layers on a feedback loop. ModuleNotFoundError: PyTorch
    is not in the lock; `make torch` installs it.
    """
    outputs: dict[str, Floats] = {}
    for group in loops_in_order(workload):
        layer = group[0]
        if len(group) > 1 or any(feed.producer == layer.name for feed in layer.inputs):
            raise ValueError(f"layer {layer.name!r} is on a feedback loop, which no PyTorch module runs")
        x = _joined(layer, [_part(workload, parameters, layer, n, inputs, outputs) for n in _numbers(layer)])
        backward = layer.direction == "backward"
        h = _torch_layer(layer, parameters, x[::-1] if backward else x)
        outputs[layer.name] = h[::-1] if backward else h
    return outputs


def _numbers(layer: Layer) -> range:
    return range(len(layer.inputs))


def _part(
    workload: Workload,
    parameters: Parameters,
    layer: Layer,
    number: int,
    inputs: Sequences,
    outputs: Sequences,
) -> Floats:
    """What input ``number`` brings to ``layer``, (steps, batch, size)."""
    feed: Input = layer.inputs[number]
    if feed.producer == EXTERNAL:
        start = sum(other.size for other in layer.inputs[:number] if other.producer == EXTERNAL)
        assert inputs[layer.name].shape[2] == external_size(layer)
        return inputs[layer.name][:, :, start : start + feed.size]
    values = _reduced(feed, outputs[feed.producer])
    if not feed.delay:
        return values
    first = np.zeros((1, *values.shape[1:]), np.float32)
    first[:] = parameters.initial.get((feed.producer, "h"), 0)
    parts = [values[1:], first] if layer.direction == "backward" else [first, values[:-1]]
    return np.concatenate(parts)


def _reduced(feed: Input, values: Floats) -> Floats:
    """Each ``time_reduction`` steps as one."""
    steps = [values[first :: feed.time_reduction] for first in range(feed.time_reduction)]
    return _summed(steps) if feed.reduction == "sum" else np.concatenate(steps, axis=2)


def _joined(layer: Layer, parts: list[Floats]) -> Floats:
    return _summed(parts) if layer.combine == "sum" else np.concatenate(parts, axis=2)


def _summed(parts: list[Floats]) -> Floats:
    return np.asarray(np.sum(parts, axis=0, dtype=np.float32))


def _torch_layer(layer: Layer, parameters: Parameters, x: Floats) -> Floats:
    """One layer over ``x`` (steps, batch, input) from the first element on."""
    torch = importlib.import_module("torch")

    def tensor(values: Floats) -> Any:
        return torch.from_numpy(np.array(values, dtype=np.float32))

    with torch.inference_mode():
        if layer.cell == "linear":
            weight = tensor(parameters.weights[layer.name, "h.x"])
            bias = parameters.biases.get((layer.name, "h"))
            added = None if bias is None else tensor(bias)
            return np.asarray(torch.nn.functional.linear(tensor(x), weight, added).numpy())
        module = torch_module(layer, parameters)
        states = []
        for name, size in (("h", layer.output_size), ("c", layer.hidden_size)):
            zeros = np.zeros((x.shape[1], size), np.float32)
            states.append(tensor(parameters.initial.get((layer.name, name), zeros))[None])
        output, _ = module(tensor(x), tuple(states) if layer.cell == "lstm" else states[0])
        return np.asarray(output.numpy())


def torch_module(layer: Layer, parameters: Parameters) -> Any:
    """The torch.nn.LSTM, GRU or RNN of one direction that computes ``layer``, with its weights.

    Raises ValueError if there is none.
    """
    nn = importlib.import_module("torch.nn")
    torch = importlib.import_module("torch")
    if layer.cell not in TORCH_GATES or (layer.cell == "gru" and layer.reset == "before"):
        detail = ", reset before" if layer.cell == "gru" else ""
        raise ValueError(f"layer {layer.name!r}: PyTorch has no module for {layer.cell}{detail}")
    if np.any(parameters.biases.get((layer.name, "p"), 0)):
        raise ValueError(f"layer {layer.name!r}: PyTorch's projection has no bias")
    if layer.cell == "lstm":
        module = nn.LSTM(layer.input_size, layer.hidden_size, proj_size=layer.projection_size or 0)
    elif layer.cell == "gru":
        module = nn.GRU(layer.input_size, layer.hidden_size)
    else:
        kind = layer.cell.removeprefix("rnn_")
        module = nn.RNN(layer.input_size, layer.hidden_size, nonlinearity=kind)
    stacked = stack_gates(layer, parameters, TORCH_GATES[layer.cell])
    values = {
        "weight_ih_l0": stacked.W,
        "weight_hh_l0": stacked.R,
        "bias_ih_l0": stacked.Wb,
        "bias_hh_l0": stacked.Rb,
    }
    if layer.projection_size:
        values["weight_hr_l0"] = parameters.weights[layer.name, "p.mem"]
    module.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in values.items()})
    return module
