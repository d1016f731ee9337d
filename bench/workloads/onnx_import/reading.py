"""An ONNX file as a model whose functions are inlined and whose data is in memory.

Every way in which a file can be no model ends in one line that names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import external_data_helper, inliner

from bench.errors import UserError
from bench.files import shown
from bench.workloads.onnx_import.values import bound

FIELDS = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 14, 20, 25, 26})
"""Numbers of the fields of a ModelProto (onnx.proto)."""


def read_model(path: Path) -> onnx.ModelProto:
    """The model in ``path``, its model-local functions inlined, external data loaded.

    Raises UserError: the file is missing, no ONNX model, cut off, or its external data is
    missing or too short.
    """
    name = shown(path)
    model = _parse(path, name)
    if not model.opset_import or not model.HasField("graph"):
        raise UserError(
            f"{name}: no ONNX model, or one that is cut off (it has no graph or no opset); export it again"
        )
    for node in all_nodes(model.graph):  # protobuf gives bytes for what is not UTF-8
        texts = (node.name, node.op_type, node.domain, *node.input, *node.output)
        if not all(isinstance(text, str) for text in texts):
            raise UserError(f"{name}: a name in it is not UTF-8 text, so it cannot be read")
    _check_external(model, path.parent, name)
    try:
        external_data_helper.load_external_data_for_model(model, str(path.parent))
        if model.functions:
            model = inliner.inline_local_functions(model)
    except (OSError, ValueError, RuntimeError, onnx.checker.ValidationError) as error:
        raise UserError(f"{name}: cannot be read: {_line(error)}") from None
    return model


def with_shapes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with what ONNX's shape inference finds; nameless sizes of inputs become ``input.axis``."""
    for value in model.graph.input:
        value.type.CopyFrom(bound(value.type, {}, value.name))
    try:
        return onnx.shape_inference.infer_shapes(model, strict_mode=False, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError, RuntimeError):  # above 2 GB, for example
        return model


def flaw_of(model: onnx.ModelProto) -> str | None:
    """What ONNX's checker says is wrong with a model; None if it finds nothing."""
    try:
        onnx.checker.check_model(model)
        onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, ValueError) as error:
        return _line(error)
    return None


def opset(model: onnx.ModelProto, domain: str = "") -> int:
    """The version of an operator set that a model uses; 1 if it names none."""
    same = {"", "ai.onnx"} if domain in ("", "ai.onnx") else {domain}
    return max((item.version for item in model.opset_import if item.domain in same), default=1)


def subgraphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    """The bodies of an If, Loop, Scan ... node."""
    for attribute in node.attribute:
        if attribute.type == onnx.AttributeProto.GRAPH:
            yield attribute.g
        yield from attribute.graphs


def all_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Every node of a graph, those of bodies too."""
    for node in graph.node:
        yield node
        for body in subgraphs(node):
            yield from all_nodes(body)


def label(node: onnx.NodeProto) -> str:
    """What messages call a node: its name, else its first output."""
    return node.name or next((name for name in node.output if name), node.op_type)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _parse(path: Path, name: str) -> onnx.ModelProto:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UserError(f"{name}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{name}: is a folder; name an .onnx file in it") from None
    except OSError as error:
        raise UserError(f"{name}: cannot be read ({error.strerror})") from None
    if not content:
        raise UserError(f"{name}: the file is empty; expected an ONNX model")
    if _cut_off(content):
        raise UserError(
            f"{name}: the file ends within the model (after {len(content):,} bytes): it is cut off; "
            "copy or export it again"
        )
    try:
        model = onnx.ModelProto()
        model.ParseFromString(content)
    except DecodeError:
        raise UserError(f"{name}: not an ONNX model (starts with {content[:8]!r})") from None
    return model


def _cut_off(content: bytes) -> bool:
    """Whether the bytes are fields of a model, the last of which says it is longer than it is."""
    place = 0
    while place < len(content):
        start = place
        key, place = _varint(content, place)
        field, kind = key >> 3, key & 7
        if field not in FIELDS or kind not in (0, 2) or (start == 0 and field != 1):
            return False
        size, place = _varint(content, place)
        place += size if kind == 2 else 0
        if place > len(content):
            return True
    return False


def _varint(content: bytes, place: int) -> tuple[int, int]:
    """A protobuf integer and where the next field starts; beyond the end if it is cut off."""
    value = shift = 0
    while place < len(content):
        byte = content[place]
        value |= (byte & 0x7F) << shift
        place += 1
        if byte < 0x80:
            return value, place
        shift += 7
    return value, len(content) + 1


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        yield from _attributes(node)


def _attributes(node: onnx.NodeProto) -> Iterator[onnx.TensorProto]:
    for attribute in node.attribute:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
    for body in subgraphs(node):
        yield from _tensors(body)


def _check_external(model: onnx.ModelProto, folder: Path, name: str) -> None:
    """Raise UserError unless the files that hold the model's tensors are there, and long enough."""
    inside = (
        tensor for function in model.functions for node in function.node for tensor in _attributes(node)
    )
    for tensor in (*_tensors(model.graph), *inside):
        if not external_data_helper.uses_external_data(tensor):
            continue
        info = external_data_helper.ExternalDataInfo(tensor)
        data = folder / info.location
        if not data.is_file():
            raise UserError(
                f"{name}: the data of {tensor.name!r} is in {info.location!r}, which is not beside it; "
                "copy that file too"
            )
        needed = int(info.offset or 0) + int(info.length or 0)  # type: ignore[redundant-expr]
        if data.stat().st_size < needed:
            raise UserError(
                f"{name}: the data of {tensor.name!r} ends at byte {needed:,} of {info.location!r}, which "
                f"has {data.stat().st_size:,}: it is cut off; copy it again"
            )
