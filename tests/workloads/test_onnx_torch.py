"""Files that PyTorch's exporters write compute the same here as in PyTorch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.errors import UserError
from bench.numerics.whole import run_whole
from bench.workloads.onnx_import.importer import import_onnx

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make torch", exc_type=ImportError)

T, B, X, H, TOLERANCE = 6, 2, 5, 8, 1e-5


@pytest.mark.parametrize("exporter", ["traced", "dynamo"])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("dynamic", [False, True])
def test_stack(kind: str, batch_first: bool, dynamic: bool, exporter: str, tmp_path: Path) -> None:
    """A bidirectional stack of two layers is found whole, connected, and computes what PyTorch does."""
    if exporter == "dynamo":
        pytest.importorskip(
            "onnxscript", reason="onnxscript is not installed: PyTorch's new exporter needs it"
        )
    torch.manual_seed(5)
    options = {"batch_first": batch_first, "num_layers": 2, "bidirectional": True}
    network = getattr(torch.nn, kind)(X, H, **options).eval()
    x = torch.rand((B, T, X) if batch_first else (T, B, X))
    path = tmp_path / "m.onnx"
    _export(network, x, path, batch_first, dynamic, exporter)
    sizes = {"steps": T, "batch": B} if dynamic else {}
    if (kind, exporter) == ("RNN", "dynamo"):  # this exporter has no RNN node: it unrolls the time steps
        with pytest.raises(UserError, match="export with dynamo=False"):
            import_onnx(path, **sizes)
        return
    imported = import_onnx(path, keep_weights=True, **sizes)
    workload = imported.workload
    assert [layer.direction for layer in workload.layers] == ["forward", "backward"] * 2
    low, _, top, _ = workload.layers
    assert [feed.producer for feed in top.inputs] == [low.name, low.name.replace(".fwd", ".bwd")]
    assert imported.parameters is not None
    time_first = x.numpy().swapaxes(0, 1) if batch_first else x.numpy()
    found = run_whole(
        workload, imported.parameters, {layer.name: time_first.copy() for layer in workload.layers[:2]}
    )
    with torch.no_grad():
        expected = network(x)[0].numpy()
    expected = expected.swapaxes(0, 1) if batch_first else expected
    joined = np.concatenate([found[layer.name] for layer in workload.layers[2:]], axis=2)
    assert np.abs(joined - expected).max() < TOLERANCE


def _export(network: Any, x: Any, path: Path, batch_first: bool, dynamic: bool, exporter: str) -> None:
    """One line, as the page says, with what the older exporter needs to leave sizes open."""
    names = ["items", "time"] if batch_first else ["time", "items"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if exporter == "dynamo":
            open_sizes = (
                ({n: torch.export.Dim(name, min=2) for n, name in enumerate(names)},) if dynamic else None
            )
            torch.onnx.export(network, (x,), str(path), dynamo=True, dynamic_shapes=open_sizes, verbose=False)
        else:
            axes = {"x": dict(enumerate(names))} if dynamic else None
            torch.onnx.export(
                network, (x,), str(path), dynamo=False, input_names=["x"], dynamic_axes=axes, opset_version=17
            )
