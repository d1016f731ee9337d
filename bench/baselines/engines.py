"""The engines that are timed: each makes a function that runs a workload once, with everything in place."""

from __future__ import annotations

import importlib
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from bench.baselines.network import Library, Whole, make_network
from bench.numerics.conventions import TORCH_GATES
from bench.numerics.export import LAYERS_OF_INPUT, to_onnx
from bench.numerics.onnx_files import ONE_FILE_LIMIT, tensor_bytes, write_model
from bench.numerics.references import torch_module
from bench.workloads.model import Layer, Workload
from bench.workloads.parameters import Floats, Parameters, Sequences


@dataclass(frozen=True)
class Prepared:
    """A workload ready to run. ``run``: once, to the end. ``outputs``: each layer's h of a run, float32."""

    run: Callable[[], Any]
    outputs: Callable[[Any], dict[str, Floats]]


@dataclass(frozen=True)
class Engine:
    """One way to run a workload. ``missing``: why it cannot run here, empty if it can.

    ``tolerance``: how far an output may be from the project's own float32 numbers
    (`bench.baselines.timed`). ``on``: cpu or cuda.
    """

    name: str
    summary: str
    on: str
    precision: str
    tolerance: float
    missing: Callable[[], str]
    version: Callable[[], str]
    prepare: Callable[[Workload, Parameters, Sequences, int], Prepared]


FLOAT32_TOLERANCE = 1e-4
"""Sums of thousands of products in another order, carried on over up to 1,500 steps."""

HALF_TOLERANCE = 5e-2
"""Half has 11 bits: a step's error is about 1e-3, and is carried on."""


def engine(name: str) -> Engine:
    """The engine called ``name``; KeyError if there is none."""
    return ENGINES[name]


# --- numpy ---------------------------------------------------------------------------------------


def _no_layer(layer: Layer, parameters: Parameters) -> Whole | None:
    return None


def _sigmoid(x: Any) -> Any:
    return np.float32(0.5) * np.tanh(np.float32(0.5) * x) + np.float32(0.5)


def _numpy(workload: Workload, parameters: Parameters, inputs: Sequences, threads: int) -> Prepared:
    library = Library(
        array=np.ascontiguousarray,
        sigmoid=_sigmoid,
        tanh=np.tanh,
        relu=lambda x: np.maximum(x, np.float32(0)),
        stack=np.stack,
        concat=lambda parts, axis: np.concatenate(parts, axis=axis),
        backwards=lambda x: x[::-1],
        zeros=lambda shape: np.zeros(shape, np.float32),
        layer=_no_layer,
    )
    return Prepared(make_network(workload, parameters, inputs, library), dict)


# --- ONNX Runtime --------------------------------------------------------------------------------


def _onnxruntime(workload: Workload, parameters: Parameters, inputs: Sequences, threads: int) -> Prepared:
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    model = to_onnx(workload, parameters)
    with tempfile.TemporaryDirectory() as folder:
        if tensor_bytes(model) > ONE_FILE_LIMIT:
            source: str | bytes = str(write_model(model, Path(folder) / "model.onnx")[0])
        else:
            source = model.SerializeToString()
        del model  # weights may be GB
        session = onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    layers = json.loads(session.get_modelmeta().custom_metadata_map[LAYERS_OF_INPUT])
    feeds = {name: inputs[takers[0]] for name, takers in layers.items()}
    names = [output.name for output in session.get_outputs()]
    return Prepared(lambda: session.run(names, feeds), lambda values: dict(zip(names, values, strict=True)))


# --- PyTorch -------------------------------------------------------------------------------------


def _torch(
    device: str, half: bool, workload: Workload, parameters: Parameters, inputs: Sequences, threads: int
) -> Prepared:
    """torch.nn's LSTM, GRU or RNN where there is one that computes a layer, single operations elsewhere."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(threads)
    # float32 means float32: cuDNN and cuBLAS would else round operands to TensorFloat-32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    kind = torch.float16 if half else torch.float32

    def array(values: Floats) -> Any:
        return torch.from_numpy(np.array(values, dtype=np.float32)).to(device=device, dtype=kind)

    def own(layer: Layer, parameters: Parameters) -> Whole | None:
        if not has_module(layer):
            return None
        module = torch_module(layer, parameters).to(device=device, dtype=kind).eval()
        module.flatten_parameters()
        batch = workload.batch
        states = []
        for name, size in (("h", layer.output_size), ("c", layer.hidden_size)):
            zeros = np.zeros((batch, size), np.float32)
            states.append(array(parameters.initial.get((layer.name, name), zeros))[None])
        first = tuple(states) if layer.cell == "lstm" else states[0]
        return lambda x: module(x, first)[0]

    library = Library(
        array=array,
        sigmoid=torch.sigmoid,
        tanh=torch.tanh,
        relu=torch.relu,
        stack=torch.stack,
        concat=lambda parts, axis: torch.cat(list(parts), dim=axis),
        backwards=lambda x: torch.flip(x, [0]),
        zeros=lambda shape: torch.zeros(shape, device=device, dtype=kind),
        layer=own,
    )
    with torch.inference_mode():
        network = make_network(workload, parameters, inputs, library)

    def run() -> Any:
        with torch.inference_mode():
            outputs = network()
            if device == "cuda":  # a launch returns before the device has computed
                torch.cuda.synchronize()
            return outputs

    def back(outputs: Any) -> dict[str, Floats]:
        return {name: h.to(device="cpu", dtype=torch.float32).numpy() for name, h in outputs.items()}

    return Prepared(run, back)


def has_module(layer: Layer) -> bool:
    """Whether PyTorch has a module that computes ``layer``, with no product that it does not have."""
    return layer.cell in TORCH_GATES and not (
        layer.skip_input or layer.projection_size or (layer.cell == "gru" and layer.reset == "before")
    )


def _no_torch() -> str:
    try:
        importlib.import_module("torch")
    except ImportError:
        return "PyTorch is not installed (make torch)"
    return ""


def _no_cuda() -> str:
    missing = _no_torch()
    if missing:
        return missing
    torch = importlib.import_module("torch")
    if torch.cuda.is_available():
        return ""
    return "PyTorch sees no GPU" if torch.version.cuda else "this build of PyTorch is for CPUs alone"


def _cuda_version() -> str:
    torch = importlib.import_module("torch")
    return f"{version('torch')}, cuDNN {torch.backends.cudnn.version()}"


ENGINES = {
    each.name: each
    for each in (
        Engine(
            name="numpy",
            summary="numpy: all gates of a layer in one product a step",
            on="cpu",
            precision="float32",
            tolerance=FLOAT32_TOLERANCE,
            missing=lambda: "",
            version=lambda: version("numpy"),
            prepare=_numpy,
        ),
        Engine(
            name="onnxruntime",
            summary="ONNX Runtime on the workload's ONNX export",
            on="cpu",
            precision="float32",
            tolerance=FLOAT32_TOLERANCE,
            missing=lambda: "",
            version=lambda: version("onnxruntime"),
            prepare=_onnxruntime,
        ),
        Engine(
            name="torch",
            summary="PyTorch: torch.nn's layers where they compute the same, else single operations",
            on="cpu",
            precision="float32",
            tolerance=FLOAT32_TOLERANCE,
            missing=_no_torch,
            version=lambda: version("torch"),
            prepare=partial(_torch, "cpu", False),
        ),
        Engine(
            name="torch-cuda",
            summary="the same on a GPU, with cuDNN",
            on="cuda",
            precision="float32",
            tolerance=FLOAT32_TOLERANCE,
            missing=_no_cuda,
            version=_cuda_version,
            prepare=partial(_torch, "cuda", False),
        ),
        Engine(
            name="torch-cuda-half",
            summary="the same in half precision",
            on="cuda",
            precision="half",
            tolerance=HALF_TOLERANCE,
            missing=_no_cuda,
            version=_cuda_version,
            prepare=partial(_torch, "cuda", True),
        ),
    )
}
"""By name, in the order in which they run."""
