"""A walk through a model in the order in which it runs, into the bodies of If, Loop and Scan.

It collects the recurrent nodes with what is known of their inputs, and what is around them.
"""

from __future__ import annotations

import math
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import onnx
from onnx import numpy_helper

from bench.errors import UserError
from bench.workloads.onnx_import.loops import enter, leave
from bench.workloads.onnx_import.macs import macs
from bench.workloads.onnx_import.nodes import infer, outputs_of, reversed_axis
from bench.workloads.onnx_import.reading import all_nodes, label, subgraphs
from bench.workloads.onnx_import.recurrent import (
    GATES,
    Loop,
    Recurrent,
    Size,
    quantised,
    read_recurrent,
    with_lengths,
)
from bench.workloads.onnx_import.sources import Sources
from bench.workloads.onnx_import.values import (
    UNKNOWN,
    Value,
    bound,
    common,
    constant,
    joined,
    tensor_type,
)

Scope = ChainMap[str, Value]


@dataclass(frozen=True)
class Settings:
    """What is asked for: sizes of symbolic dimensions, of those without a name, branches of If nodes."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    steps: int | None = None
    batch: int | None = None
    branches: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Walk:
    """One walk; ``found`` in the order in which nodes run, ``around`` (operator, MACs or None)."""

    model: onnx.ModelProto
    file: str
    settings: Settings
    found: list[Recurrent] = field(default_factory=list)
    around: list[tuple[str, int | None]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)
    symbols: dict[str, None] = field(default_factory=dict)
    sources: Sources = field(default_factory=Sources)
    loops: tuple[Loop, ...] = ()

    def run(self) -> None:
        """Walk the whole graph. Raises UserError for a recurrent node that is not supported."""
        graph = self.model.graph
        scope: Scope = ChainMap({})
        for value in graph.input:
            kind = bound(value.type, dict(self.settings.sizes), value.name)
            named = bound(value.type, {}, value.name)
            self.symbols |= dict.fromkeys(str(d) for d in Value(named).dims or () if isinstance(d, str))
            scope[value.name] = Value(kind)
        self._graph(graph, scope)

    def _graph(self, graph: onnx.GraphProto, scope: Scope) -> list[Value]:
        """Walk one graph in a scope of its own; the values of its outputs."""
        for tensor in graph.initializer:
            try:
                scope[tensor.name] = constant(numpy_helper.to_array(tensor))
            except (ValueError, TypeError, KeyError):
                raise UserError(
                    f"{self.file}: the data of {tensor.name!r} does not fit its shape and type; "
                    "export the model again"
                ) from None
        sizes = dict(self.settings.sizes)
        stated = {value.name: bound(value.type, sizes) for value in (*graph.value_info, *graph.output)}
        for node in graph.node:
            inputs = {name: scope.get(name, UNKNOWN) for name in node.input if name}
            outputs = self._node(node, inputs, scope)
            for name, value in zip(node.output, outputs, strict=False):
                kind = joined(value.type, stated.get(name, value.type))
                scope[name] = value if value.data is not None else replace(value, type=kind)
        return [scope.get(value.name, UNKNOWN) for value in graph.output]

    def _node(self, node: onnx.NodeProto, inputs: dict[str, Value], scope: Scope) -> list[Value]:
        standard = node.domain in ("", "ai.onnx")
        if quantised(node):
            domain = f"{node.domain}." if node.domain else ""
            raise UserError(
                f"{self.file}: node {label(node)!r} is a {domain}{node.op_type}, which is not supported; "
                "import the model as it was before quantisation (RNN, LSTM and GRU nodes of standard ONNX)"
            )
        if standard and node.op_type in GATES:
            return self._recurrent(read_recurrent(node, inputs, self.loops, self.file))
        if standard and node.op_type == "If":
            return self._if(node, inputs, scope)
        if standard and node.op_type == "Loop":
            return self._loop(node, inputs, scope)
        if standard and node.op_type == "Scan":
            return self._scan(node, inputs, scope)
        axis = reversed_axis(node, inputs)
        if axis is not None and inputs[node.input[0]].trace is None:
            name, value = node.input[0], inputs[node.input[0]]
            inputs = {**inputs, name: self.sources.outside(value, axis, len(self.loops))}
        outputs = outputs_of(node, inputs, self.model)
        if any(value.data is None for value in outputs):
            given = [inputs.get(name, UNKNOWN) for name in node.input]
            self._beside(node, macs(node, given, outputs[0]))
        after = frozenset[int]().union(*(value.after for value in inputs.values()))
        for body in subgraphs(node):  # an operator with a body that is not read: what it may depend on
            after |= frozenset[int]().union(
                *(scope.get(n, UNKNOWN).after for inner in all_nodes(body) for n in inner.input)
            )
            if _recurrent_in(body):
                self.notes.append(f"recurrent nodes in {node.op_type} {label(node)!r} are not read")
        return [value if value.data is not None else replace(value, after=after) for value in outputs]

    def _beside(self, node: onnx.NodeProto, count: int | None) -> None:
        trips = [loop.trips for loop in self.loops]
        known = [trip for trip in trips if isinstance(trip, int)]
        times = math.prod(known) if len(known) == len(trips) else None
        if count is not None and count and times is None:
            count = None
        self.around.append((node.op_type, count if not count else count * (times or 1)))

    def _recurrent(self, recurrent: Recurrent) -> list[Value]:
        sizes = (recurrent.steps, recurrent.batch)
        forced = (self.settings.steps, self.settings.batch)
        steps, batch = (
            size if isinstance(size, int) or given is None else given
            for size, given in zip(sizes, forced, strict=True)
        )
        if (steps, batch) != sizes:
            x = replace(recurrent.values[0], type=with_lengths(recurrent, steps, batch))
            recurrent = replace(recurrent, steps=steps, batch=batch, values=(x, *recurrent.values[1:]))
        number = len(self.found)
        self.found.append(recurrent)
        for text in recurrent.notes:
            self.notes.append(f"{recurrent.label}: {text}")
        node = recurrent.node
        inputs = {name: value for name, value in zip(node.input, recurrent.values, strict=True) if name}
        hidden, ways = recurrent.hidden_size, len(recurrent.backward)
        element = recurrent.values[0].type.tensor_type.elem_type or onnx.TensorProto.FLOAT
        whole = (batch, steps, ways, hidden) if recurrent.layout else (steps, ways, batch, hidden)
        last = (batch, ways, hidden) if recurrent.layout else (ways, batch, hidden)
        types = infer(node, inputs, self.model)
        shapes = (whole, last, last)
        traces = self.sources.layers(number, recurrent)
        if traces is None and recurrent.input(0).shape is not None:
            self.notes.append(
                f"{recurrent.label}: its output is too large to be followed; what it feeds counts as external"
            )
        return [
            Value(joined(kind, tensor_type(element, shape)), None, trace, frozenset({number}))
            for kind, shape, trace in zip(types, shapes, traces or (None, None, None), strict=False)
        ]

    def _if(self, node: onnx.NodeProto, inputs: dict[str, Value], scope: Scope) -> list[Value]:
        bodies = {item.name.removesuffix("_branch"): item.g for item in node.attribute}
        condition = inputs[node.input[0]]
        self.choices.append(label(node))
        if condition.data is not None:
            taken = "then" if bool(condition.data.all()) else "else"
            if self.settings.branches.get(label(node), taken) != taken:
                raise UserError(
                    f"{self.file}: If node {label(node)!r} takes its {taken} branch with these sizes, "
                    f"whatever the data; leave out {label(node)}={self.settings.branches[label(node)]}"
                )
            return self._graph(bodies[taken], scope.new_child())
        holders = [name for name in ("then", "else") if _recurrent_in(bodies[name])]
        taken = self.settings.branches.get(label(node), holders[0] if holders else "then")
        other = "else" if taken == "then" else "then"
        if len(holders) == 2 and label(node) not in self.settings.branches:
            self.notes.append(
                f"both branches of If {label(node)!r} hold recurrent nodes, and which one runs depends on "
                f"the data: the then branch is taken ({label(node)}=else takes the other)"
            )
        outputs = self._graph(bodies[taken], scope.new_child())
        if holders:
            return [replace(value, after=value.after | condition.after) for value in outputs]
        silent = Walk(self.model, self.file, self.settings, sources=self.sources, loops=self.loops)
        others = silent._graph(bodies[other], scope.new_child())
        return [
            Value(common(one.type, two.type), after=one.after | two.after | condition.after)
            for one, two in zip(outputs, others, strict=True)
        ]

    def _loop(self, node: onnx.NodeProto, inputs: dict[str, Value], scope: Scope) -> list[Value]:
        body = next(item.g for item in node.attribute if item.name == "body")
        given = [inputs.get(name, UNKNOWN) for name in node.input]
        states = given[2:]
        inner = scope.new_child()
        most = given[0].data if node.input[0] else None
        if most is not None and int(most.item()) < 1 << 31:
            trips: Size = int(most.item())
        else:
            trips = self.settings.sizes.get(label(node), label(node))
            self.symbols[label(node)] = None
        inner[body.input[0].name] = Value(tensor_type(onnx.TensorProto.INT64, ()))
        inner[body.input[1].name] = Value(tensor_type(onnx.TensorProto.BOOL, ()))
        for name, state in zip(body.input[2:], states, strict=False):
            inner[name.name] = Value(joined(state.type, name.type), after=state.after)
        outputs = self._body(node, body, trips, inner)
        if _recurrent_in(body) and not _runs_on(body):
            self.notes.append(f"Loop {label(node)!r} may end before its {trips} iterations")
        finals = [replace(value, trace=None) for value in outputs[1 : 1 + len(states)]]
        return [*finals, *(leave(value, 0, trips, len(self.loops)) for value in outputs[1 + len(states) :])]

    def _scan(self, node: onnx.NodeProto, inputs: dict[str, Value], scope: Scope) -> list[Value]:
        options = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        body, count = options["body"], int(options["num_scan_inputs"])
        given = [inputs.get(name, UNKNOWN) for name in node.input]
        if "directions" in options or len(given) != len(body.input):
            raise UserError(
                f"{self.file}: Scan node {label(node)!r} has the form of opset 8; convert the model to a "
                "newer opset first (onnx.version_converter)"
            )
        states, scanned = given[: len(given) - count], given[len(given) - count :]
        axes = options.get("scan_input_axes", [0] * count)
        turned = options.get("scan_input_directions", [0] * count)
        inner = scope.new_child()
        trips: Size = None
        for name, state in zip(body.input, states, strict=False):
            inner[name.name] = Value(joined(state.type, name.type), after=state.after)
        for name, whole, axis, back in zip(body.input[len(states) :], scanned, axes, turned, strict=True):
            value = self.sources.outside(whole, axis, len(self.loops)) if back and not whole.trace else whole
            slice_, size = enter(value, axis, bool(back), len(self.loops))
            inner[name.name] = replace(slice_, type=joined(slice_.type, name.type))
            trips = size if isinstance(size, int) or trips is None else trips
        if trips is None:
            trips = self.settings.sizes.get(label(node), label(node))
            self.symbols[label(node)] = None
        outputs = self._body(node, body, trips, inner)
        results = [replace(value, trace=None) for value in outputs[: len(states)]]
        made = outputs[len(states) :]
        axes = options.get("scan_output_axes", [0] * len(made))
        turned = options.get("scan_output_directions", [0] * len(made))
        for value, axis, back in zip(made, axes, turned, strict=True):
            results.append(leave(value, axis, trips, len(self.loops), bool(back)))
        return results

    def _body(self, node: onnx.NodeProto, body: onnx.GraphProto, trips: Size, scope: Scope) -> list[Value]:
        """Walk a body once, for all of its iterations."""
        first = len(self.found)
        self.loops = (*self.loops, Loop(label(node), node.op_type, trips))
        outputs = self._graph(body, scope)
        self.loops = self.loops[:-1]
        for recurrent in self.found[first:]:
            carried = recurrent.has(5) and recurrent.input(5).data is None
            state = "h and c carried from one to the next"
            if not carried:
                state = "although h and c start anew in each: the time is right, numbers are not"
            self.notes.append(
                f"{recurrent.label} is in the body of {node.op_type} {label(node)!r}: the {trips} iterations "
                f"are taken as time steps, {state}"
            )
        return outputs


def _recurrent_in(graph: onnx.GraphProto) -> bool:
    return any(node.op_type in GATES or quantised(node) for node in all_nodes(graph))


def _runs_on(body: onnx.GraphProto) -> bool:
    """Whether a Loop's condition is passed on as it is, or is constant."""
    condition = body.output[0].name
    made = [node for node in body.node if condition in node.output]
    return not made or made[0].op_type in ("Identity", "Constant")
