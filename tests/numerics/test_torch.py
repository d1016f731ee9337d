from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.numerics.conventions import TORCH_GATES
from bench.numerics.random import random_inputs, random_parameters
from bench.numerics.references import run_torch
from bench.numerics.whole import run_whole
from bench.workloads.model import Layer, Workload
from bench.workloads.parameters import Parameters
from tests.numerics.networks import NETWORKS, bidirectional, deviation, single, stack

torch = pytest.importorskip("torch", reason="PyTorch is not installed: make torch", exc_type=ImportError)

TOLERANCE = 1e-5


def _reset_after(workload: Workload) -> Workload:
    layers = tuple(replace(x, reset="after") if x.cell == "gru" else x for x in workload.layers)
    return replace(workload, layers=layers)


COMPARED = {
    name: NETWORKS[name]
    for name in (
        "lstm", "lstm backward", "lstm, one step", "gru, reset after", "gru after, backward",
        "rnn with tanh", "rnn with relu", "rnn with relu, backward", "linear", "projection",
        "projection, backward", "lstm, skip input", "gru after, skip input", "rnn, skip input",
        "projection, skip input", "bidirectional", "pyramid, summed", "inputs summed",
    )
} | {
    "stack": _reset_after(stack("lstm", "gru", "rnn_tanh", "rnn_relu", "linear")),
    "bidirectional gru": _reset_after(bidirectional("gru")),
    "bidirectional rnn": bidirectional("rnn_tanh", merge="sum"),
    "pyramid, concatenated": _reset_after(NETWORKS["pyramid, concatenated"]),
    "delayed input": _reset_after(NETWORKS["delayed input"]),
    "delayed input, backward": _reset_after(NETWORKS["delayed input, backward"]),
    "one after the other": _reset_after(NETWORKS["one after the other"]),
}  # fmt: skip


def _parameters(workload: Workload, seed: int) -> Parameters:
    """Random ones, but without a bias behind the projection, which PyTorch has not."""
    made = random_parameters(workload, seed)
    return replace(made, biases={key: value for key, value in made.biases.items() if key[1] != "p"})


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("name", COMPARED)
def test_torch_computes_the_same(name: str) -> None:
    """Weights put into torch.nn.LSTM, GRU and RNN: their outputs are run_whole's."""
    workload = COMPARED[name]
    parameters, inputs = _parameters(workload, 1), random_inputs(workload, 2)
    found = run_torch(workload, parameters, inputs)
    assert deviation(found, run_whole(workload, parameters, inputs)) < TOLERANCE


MODULES: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "LSTM": ("LSTM", {}, {"cell": "lstm"}),
    "LSTM, projected": ("LSTM", {"proj_size": 3}, {"cell": "lstm", "projection_size": 3}),
    "GRU": ("GRU", {}, {"cell": "gru", "reset": "after"}),
    "RNN with tanh": ("RNN", {}, {"cell": "rnn_tanh"}),
    "RNN with relu": ("RNN", {"nonlinearity": "relu"}, {"cell": "rnn_relu"}),
}


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("name", MODULES)
def test_two_bidirectional_layers_of_torch(name: str) -> None:
    """The other way: PyTorch's own initial weights of two bidirectional layers give run_whole its outputs."""
    kind, options, of_layer = MODULES[name]
    torch.manual_seed(0)
    module = getattr(torch.nn, kind)(4, 6, num_layers=2, bidirectional=True, **options)
    network = bidirectional("lstm", depth=2)
    width = of_layer.get("projection_size", 6)
    layers: list[Layer] = []
    weights, biases = {}, {}
    for number, end in [(n, end) for n in range(2) for end in ("fwd", "bwd")]:
        pattern = network.layer(f"l{number}.{end}")
        size = 4 if number == 0 else 2 * width
        inputs = tuple(replace(feed, size=size // len(pattern.inputs)) for feed in pattern.inputs)
        layers.append(replace(pattern, input_size=size, hidden_size=6, inputs=inputs, **of_layer))
        values = {
            key.removesuffix("_reverse").removesuffix(f"_l{number}"): value.detach().numpy()
            for key, value in module.named_parameters()
            if key.endswith(f"_l{number}" + ("_reverse" if end == "bwd" else ""))
        }
        for place, gate in enumerate(TORCH_GATES[pattern.cell if kind == "LSTM" else of_layer["cell"]]):
            rows = slice(6 * place, 6 * place + 6)
            weights[pattern.name, f"{gate}.x"] = values["weight_ih"][rows]
            weights[pattern.name, f"{gate}.h"] = values["weight_hh"][rows]
            apart = kind == "GRU" and gate == "n"
            both = values["bias_ih"][rows] if apart else values["bias_ih"][rows] + values["bias_hh"][rows]
            biases[pattern.name, gate] = both
            if apart:
                biases[pattern.name, "n.h"] = values["bias_hh"][rows]
        if "weight_hr" in values:
            weights[pattern.name, "p.mem"] = values["weight_hr"]
    workload = replace(network, layers=tuple(layers), batch=3)
    x = np.random.default_rng(0).standard_normal((layers[0].steps, 3, 4), dtype=np.float32)
    with torch.inference_mode():
        expected = module(torch.from_numpy(x))[0].numpy()
    found = run_whole(workload, Parameters(weights, biases), {"l0.fwd": x, "l0.bwd": x})
    joined = np.concatenate([found["l1.fwd"], found["l1.bwd"]], axis=2)
    assert deviation({"l1": joined}, {"l1": expected}) < TOLERANCE


@pytest.mark.parametrize(
    ("workload", "reason"),
    [
        (single("mlstm"), "no module for mlstm"),
        (single("gru"), "no module for gru, reset before"),
        (NETWORKS["decoder of one layer"], "feedback loop"),
        (NETWORKS["projection"], "projection has no bias"),
    ],
)
def test_what_torch_has_no_module_for(workload: Workload, reason: str) -> None:
    """A layer that no PyTorch module computes is refused, not approximated."""
    with pytest.raises(ValueError, match=reason):
        run_torch(workload, random_parameters(workload), random_inputs(workload))
