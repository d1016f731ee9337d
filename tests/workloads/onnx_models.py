"""Small ONNX models with recurrent nodes, and what ONNX Runtime computes in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from bench.workloads.model import EXTERNAL
from bench.workloads.onnx_import.importer import Imported, import_onnx
from bench.workloads.onnx_import.reading import read_model
from bench.workloads.parameters import Floats, Parameters

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
GATES = {"RNN": 1, "LSTM": 4, "GRU": 3}


@dataclass
class Draft:
    """A graph while it is put together; weights are random, of a fixed seed."""

    opset: int = 17
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)
    inputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(7))

    def input(self, name: str, *dims: int | str | None, kind: int = FLOAT) -> str:
        """A graph input."""
        self.inputs.append(helper.make_tensor_value_info(name, kind, dims))
        return name

    def constant(self, name: str, values: Any) -> str:
        """An initialiser: float32, or int64 for integers."""
        array = np.asarray(values)
        array = array.astype(np.int64 if array.dtype.kind in "iu" else array.dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def floats(self, name: str, *shape: int) -> str:
        """An initialiser of random numbers."""
        return self.constant(name, self.rng.uniform(-0.5, 0.5, shape).astype(np.float32))

    def add(self, kind: str, inputs: Sequence[str], *outputs: str, **options: Any) -> str:
        """A node; the name of its first output."""
        self.nodes.append(helper.make_node(kind, list(inputs), list(outputs), **options))
        return outputs[0]

    def rnn(
        self,
        kind: str,
        x: str,
        sizes: tuple[int, int],
        name: str,
        extra: Sequence[str] = (),
        bias: bool = True,
        **options: Any,
    ) -> str:
        """A recurrent node of (input, hidden) sizes with inputs ``extra`` behind B; the name of its Y."""
        width, hidden = sizes
        ways = 2 if options.get("direction") == "bidirectional" else 1
        rows = GATES[kind] * hidden
        weights = [self.floats(f"{name}.W", ways, rows, width), self.floats(f"{name}.R", ways, rows, hidden)]
        biases = [self.floats(f"{name}.B", ways, 2 * rows)] if bias else [""] if extra else []
        outputs = [f"{name}.Y", f"{name}.Y_h", f"{name}.Y_c"][: 3 if kind == "LSTM" else 2]
        node = [x, *weights, *biases, *extra]
        return self.add(kind, node, *outputs, name=name, hidden_size=hidden, **options)

    def graph(self, outputs: Sequence[str], name: str = "graph") -> onnx.GraphProto:
        """The graph, its outputs of types that are left to inference."""
        made = [onnx.ValueInfoProto(name=output) for output in outputs]
        return helper.make_graph(self.nodes, name, self.inputs, made, self.constants)

    def model(self, *outputs: str, functions: Sequence[onnx.FunctionProto] = ()) -> onnx.ModelProto:
        """The model."""
        domains = [helper.make_opsetid("", self.opset)]
        domains += [helper.make_opsetid(domain, 1) for domain in sorted({f.domain for f in functions})]
        result = helper.make_model(
            self.graph(outputs), opset_imports=domains, functions=functions, ir_version=8
        )
        return onnx.shape_inference.infer_shapes(result)

    def save(self, path: Path, *outputs: str, **options: Any) -> Path:
        """Write the model."""
        onnx.save(self.model(*outputs, **options), path)
        return path


@dataclass(frozen=True)
class Network:
    """An imported network with what its layers take from outside, and what they must put out."""

    imported: Imported
    inputs: Mapping[str, Floats]
    expected: Mapping[str, Floats]

    @property
    def parameters(self) -> Parameters:
        """The weights, which were kept."""
        assert self.imported.parameters is not None
        return self.imported.parameters


def run_model(model: onnx.ModelProto, feeds: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Values inside a model as ONNX Runtime computes them, without its optimisations."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.output[:]
    copy.graph.output.extend(onnx.ValueInfoProto(name=name) for name in names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(copy.SerializeToString(), options, ["CPUExecutionProvider"])
    return dict(zip(names, session.run(list(names), dict(feeds)), strict=True))


def with_branches(graph: onnx.GraphProto, sides: Mapping[str, str]) -> onnx.GraphProto:
    """The graph with the taken branch of each named If node in its place, so that its values can be seen."""
    nodes: list[onnx.NodeProto] = []
    result = onnx.GraphProto()
    result.CopyFrom(graph)
    for node in graph.node:
        if node.op_type != "If" or node.name not in sides:
            nodes.append(node)
            continue
        body = next(item.g for item in node.attribute if item.name == f"{sides[node.name]}_branch")
        inner = with_branches(body, sides)
        nodes += inner.node
        result.initializer.extend(inner.initializer)
        nodes += [
            helper.make_node("Identity", [made.name], [name])
            for made, name in zip(body.output, node.output, strict=True)
        ]
    del result.node[:]
    result.node.extend(nodes)
    return result


def network(
    path: Path, feeds: Mapping[str, Any], sides: Mapping[str, str] | None = None, **options: Any
) -> Network:
    """A model imported with its weights, and the values in it when it runs on ``feeds``.

    ``sides``: If nodes whose branch is put in their place, so that nodes inside can be seen.
    """
    imported = import_onnx(path, keep_weights=True, **options)
    assert imported.parameters is not None
    model = read_model(path)
    model.graph.CopyFrom(with_branches(model.graph, sides or {}))
    wanted = {
        name
        for node in imported.nodes.values()
        for name in (node.inputs[0], node.outputs[0], *node.inputs[5:7])
        if name
    }
    values = run_model(model, feeds, sorted(wanted))
    inputs: dict[str, Floats] = {}
    expected: dict[str, Floats] = {}
    initial = dict(imported.parameters.initial)
    for layer in imported.workload.layers:
        node = imported.nodes[layer.name]
        x, y = values[node.inputs[0]], values[node.outputs[0]]
        if node.layout:
            x, y = x.swapaxes(0, 1), y.transpose(1, 2, 0, 3)
        if node.turned:
            x, y = x[::-1], y[::-1]
        expected[layer.name] = y[:, node.way]
        if any(feed.producer == EXTERNAL for feed in layer.inputs):
            fed = [feed.producer for feed in layer.inputs if feed.producer != EXTERNAL]
            summed = sum(expected[name] for name in fed) if layer.combine == "sum" else 0
            inputs[layer.name] = np.ascontiguousarray(x[..., node.outside] - summed, dtype=np.float32)
        for name, state in zip(node.inputs[5:7], "hc", strict=False):
            if name:
                initial[layer.name, state] = (
                    values[name][:, node.way] if node.layout else values[name][node.way]
                )
    return Network(
        replace(imported, parameters=replace(imported.parameters, initial=initial)), inputs, expected
    )


def worst(found: Mapping[str, Floats], expected: Mapping[str, Floats]) -> float:
    """The largest difference between two networks' outputs, layer by layer."""
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name].shape == values.shape
    return max(float(np.abs(found[name] - values).max()) for name, values in expected.items())
