"""Writing ONNX models to disk: whole or not at all."""

from __future__ import annotations

import math
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench.errors import UserError
from bench.files import shown

if TYPE_CHECKING:
    import onnx

ONE_FILE_LIMIT = 2_000_000_000
"""Bytes of tensors up to which a model is one file: protobuf messages end at 2^31 bytes."""


def write_model(model: onnx.ModelProto, path: Path) -> Sequence[Path]:
    """Write ``model`` as ``path``; the files written, the model first.

    If its tensors exceed `ONE_FILE_LIMIT` they go to ``path`` with ``.data`` behind it (ONNX's
    external data; ``model`` then refers to them there). Files appear under their names when they
    are complete. Raises UserError if they cannot be written.
    """
    import onnx

    if path.is_dir() or not path.parent.is_dir():
        reason = (
            "is a folder; name a file in it" if path.is_dir() else "its folder does not exist; make it first"
        )
        raise UserError(f"{shown(path)}: {reason}")
    try:
        folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    except OSError as error:
        raise UserError(f"{shown(path)}: cannot be written ({error.strerror})") from None
    try:
        external = tensor_bytes(model) > ONE_FILE_LIMIT
        data = f"{path.name}.data"
        onnx.save_model(model, folder / path.name, save_as_external_data=external, location=data)
        names = [data, path.name] if external else [path.name]
        if external:  # onnx makes it readable for its owner alone
            (folder / data).chmod((folder / path.name).stat().st_mode)
        for name in names:  # the model last: it names its data
            (folder / name).replace(path.parent / name)
    except OSError as error:
        raise UserError(f"{shown(path)}: cannot be written ({error.strerror})") from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return [path.parent / name for name in reversed(names)]


def tensor_bytes(model: onnx.ModelProto) -> int:
    """Bytes of the model's tensors, without names and nodes."""
    from onnx import helper

    return sum(
        math.prod(tensor.dims) * helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        for tensor in model.graph.initializer
    )
