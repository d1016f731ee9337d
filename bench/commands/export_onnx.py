"""`bench export`: a workload as an ONNX model with made-up weights."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UserError
from bench.experiments import read_workload
from bench.files import shown
from bench.numerics.export import external_inputs, external_size, to_onnx
from bench.numerics.onnx_files import write_model
from bench.numerics.random import random_parameters
from bench.workloads.model import Workload

if TYPE_CHECKING:
    import onnx


def export_workload(name: str, out: Path, seed: int, steps: int | None) -> None:
    """Write the workload called ``name`` with weights of ``seed`` to ``out``, and print what was written.

    ``steps``: time steps instead of the workload's own. Raises UserError: no such workload,
    steps that it cannot run, or a file that cannot be written.
    """
    workload = read_workload(name)
    if steps is not None:
        workload = with_steps(workload, steps)
    model = to_onnx(workload, random_parameters(workload, seed), seed=seed)
    nodes = _nodes(model.graph)
    opset = model.opset_import[0].version
    files = write_model(model, out)
    for number, file in enumerate(files):
        what = "weights, too large for one file; keep them beside it" if number else f"ONNX, opset {opset}"
        print(f"{shown(file)}: {_size(file.stat().st_size)}, {what}")
    print(f"nodes    {nodes}")
    print(f"weights  {workload.weights:,}, made up from seed {seed}")
    inputs = external_inputs(workload)
    for graph_input, layers in inputs.items():
        layer = workload.layer(layers[0])
        print(f"input    {graph_input} ({layer.steps}, {workload.batch}, {external_size(layer)})")
    if not inputs:
        print("input    none: the network feeds itself")
    for layer in workload.layers:
        print(f"output   {layer.name} ({layer.steps}, {workload.batch}, {layer.output_size})")
    print("Shapes are (time steps, batch, elements), float32.")


def with_steps(workload: Workload, steps: int) -> Workload:
    """``workload`` over ``steps`` time steps; layers that run fewer than the longest keep their share.

    Raises UserError if a layer's share is no whole number of steps.
    """
    longest = workload.steps
    unit = math.lcm(*(longest // math.gcd(layer.steps, longest) for layer in workload.layers))
    if steps % unit:
        raise UserError(
            f"--steps {steps}: layers of {workload.name} run at different rates, {longest} steps and fewer; "
            f"give a multiple of {unit}, so that each has a whole number"
        )
    layers = [replace(layer, steps=layer.steps * steps // longest) for layer in workload.layers]
    return replace(workload, layers=tuple(layers))


def _nodes(graph: onnx.GraphProto) -> str:
    """Nodes by kind, those in bodies in brackets behind."""
    kinds = Counter(node.op_type for node in graph.node)
    text = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    bodies = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return text + "".join(f" ({_nodes(body)})" for body in bodies)


def _size(count: int) -> str:
    """Bytes with a unit that reads well.

    >>> _size(134_250_000)
    '134.2 MB'
    """
    if count < 1_000:
        return f"{count} bytes"
    for unit in ("kB", "MB"):
        count_in_unit = count / {"kB": 1e3, "MB": 1e6}[unit]
        if count_in_unit < 1_000:
            return f"{count_in_unit:.1f} {unit}"
    return f"{count / 1e9:.1f} GB"
