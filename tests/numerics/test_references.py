from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.numerics.export import to_onnx
from bench.numerics.random import random_inputs, random_parameters
from bench.numerics.references import run_onnx_reference, run_onnxruntime
from bench.numerics.whole import run_whole
from bench.workloads.model import Workload
from bench.workloads.parameters import Parameters
from tests.numerics.networks import NETWORKS, deviation, single
from tests.strategies import workloads

TOLERANCE = 1e-5


@pytest.mark.parametrize("name", NETWORKS)
def test_onnxruntime_computes_the_same(name: str) -> None:
    """Every cell and structure, with biases and initial states: ONNX Runtime's outputs are run_whole's."""
    workload = NETWORKS[name]
    parameters, inputs = random_parameters(workload, 1), random_inputs(workload, 2)
    found = run_onnxruntime(to_onnx(workload, parameters), inputs)
    assert deviation(found, run_whole(workload, parameters, inputs)) < TOLERANCE


@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_reference_computes_the_same(name: str) -> None:
    """Every cell and structure: the outputs of onnx's reference evaluator are run_whole's."""
    workload = NETWORKS[name]
    parameters, inputs = random_parameters(workload, 1), random_inputs(workload, 2)
    found = run_onnx_reference(to_onnx(workload, parameters, relu_nodes=False), inputs)
    assert deviation(found, run_whole(workload, parameters, inputs)) < TOLERANCE


@given(workload=workloads(), seed=st.integers(0, 3))
@settings(max_examples=150)
def test_any_workload(workload: Workload, seed: int) -> None:
    """Random stacks, decoders and bidirectional layers: ONNX Runtime's outputs are run_whole's."""
    parameters, inputs = random_parameters(workload, seed), random_inputs(workload, seed)
    found = run_onnxruntime(to_onnx(workload, parameters), inputs)
    assert deviation(found, run_whole(workload, parameters, inputs)) < TOLERANCE


@pytest.mark.parametrize("name", ["lstm", "gru, reset after", "mlstm", "decoder", "delayed input"])
def test_without_biases_and_initial_states(name: str) -> None:
    """A bias or state that is not given is zero, in the model as in run_whole."""
    workload = NETWORKS[name]
    parameters, inputs = Parameters(random_parameters(workload).weights), random_inputs(workload)
    zeros = random_parameters(workload)
    written_out = Parameters(
        zeros.weights,
        {key: np.zeros_like(value) for key, value in zeros.biases.items()},
        {key: np.zeros_like(value) for key, value in zeros.initial.items()},
    )
    found = run_onnxruntime(to_onnx(workload, parameters), inputs)
    assert deviation(found, run_onnxruntime(to_onnx(workload, written_out), inputs)) < TOLERANCE
    assert deviation(found, run_whole(workload, parameters, inputs)) < TOLERANCE


@pytest.mark.parametrize(("cell", "gates"), [("lstm", "ifgo"), ("gru", "zrn")])
def test_swapped_gates_show(cell: str, gates: str) -> None:
    """The tolerance tells right from wrong: any two gates exchanged are far outside of it."""
    workload = single(cell)  # type: ignore[arg-type]
    parameters, inputs = random_parameters(workload), random_inputs(workload)
    right = run_whole(workload, parameters, inputs)
    for one in gates:
        for other in gates.replace(one, ""):
            wrong = replace(parameters, weights=_swapped(parameters.weights, one, other))
            found = run_onnxruntime(to_onnx(workload, wrong), inputs)
            assert deviation(found, right) > 100 * TOLERANCE, (one, other)


def _swapped(
    weights: Mapping[tuple[str, str], np.ndarray], one: str, other: str
) -> dict[tuple[str, str], np.ndarray]:
    """``weights`` with the input matrices of two gates exchanged."""
    changed = dict(weights)
    changed["rnn", f"{one}.x"], changed["rnn", f"{other}.x"] = (
        weights["rnn", f"{other}.x"],
        weights["rnn", f"{one}.x"],
    )
    return changed


def test_two_runs_are_equal() -> None:
    """ONNX Runtime gives the same bits each time."""
    workload = NETWORKS["bidirectional"]
    model, inputs = to_onnx(workload, random_parameters(workload)), random_inputs(workload)
    first, second = run_onnxruntime(model, inputs), run_onnxruntime(model, inputs)
    assert all(np.array_equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("run", [run_onnxruntime, run_onnx_reference])
def test_directions_share_their_input(run) -> None:  # type: ignore[no-untyped-def]
    """Different data for two layers with one graph input, or none, are refused rather than dropped."""
    workload = NETWORKS["bidirectional"]
    model, inputs = to_onnx(workload, random_parameters(workload)), random_inputs(workload)
    with pytest.raises(ValueError, match=r"'l0\.fwd' and 'l0\.bwd' share an input, and their data differ"):
        run(model, {**inputs, "l0.bwd": inputs["l0.bwd"] + 1})
    with pytest.raises(ValueError, match=r"'l0\.bwd' takes data from outside, and none is given"):
        run(model, {"l0.fwd": inputs["l0.fwd"]})
