"""Multiply-accumulates of the operators around a network's recurrent layers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx

from bench.workloads.onnx_import.values import UNKNOWN, Value

_PRODUCTS = ("MatMul", "Gemm", "Conv", "Einsum", "Attention")


def macs(node: onnx.NodeProto, inputs: Sequence[Value], output: Value) -> int | None:
    """Multiply-accumulates of one run of a node, None if a shape is not known; 0 for elementwise ones."""
    kind = node.op_type
    if not any(name in kind for name in _PRODUCTS):
        return 0
    standard = node.domain in ("", "ai.onnx")
    made = output.shape
    second = (
        inputs[3 if kind.startswith("QLinear") and len(inputs) > 3 else 1] if len(inputs) > 1 else UNKNOWN
    )
    left, right = (inputs[0] if inputs else UNKNOWN).shape, second.shape
    if kind == "Einsum":
        return _einsum(node, inputs)
    if not standard or made is None or left is None or right is None:
        return None
    if kind in ("MatMul", "MatMulInteger", "QLinearMatMul"):
        return math.prod(made) * left[-1]
    if kind == "Gemm":
        transposed = any(item.name == "transA" and item.i for item in node.attribute)
        return math.prod(made) * left[0 if transposed else 1]
    if kind in ("Conv", "ConvInteger", "QLinearConv"):
        return math.prod(made) * math.prod(right[1:])
    if kind == "ConvTranspose":
        return math.prod(left) * math.prod(right[1:])
    return None


def _einsum(node: onnx.NodeProto, inputs: Sequence[Value]) -> int | None:
    """The product of all index ranges: what a loop over them multiplies."""
    equation = next((item.s.decode() for item in node.attribute if item.name == "equation"), "")
    terms = equation.replace(" ", "").partition("->")[0].split(",")
    sizes: dict[str, int] = {}
    for term, value in zip(terms, inputs, strict=False):
        shape = value.shape
        if shape is None or len(shape) != len(term) or not term.isalpha():
            return None
        sizes |= {index: max(size, sizes.get(index, 1)) for index, size in zip(term, shape, strict=True)}
    return math.prod(sizes.values())
