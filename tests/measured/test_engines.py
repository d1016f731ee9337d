"""Tests of the engines: what they compute, and what they refuse."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.baselines.engines import ENGINES, HALF_TOLERANCE, _torch, has_module
from bench.baselines.measure import WORKLOADS, chosen_engines, chosen_workloads, make_tasks
from bench.baselines.timed import deviation
from bench.errors import UserError
from bench.numerics.random import random_inputs, random_parameters
from bench.numerics.whole import run_whole
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Workload
from tests.numerics.networks import NETWORKS
from tests.strategies import workloads

TOLERANCE = 1e-5
"""For networks of a few elements and steps."""


def unknown(workload: Workload) -> bool:
    """Whether a layer has a cell that is not written for numpy and PyTorch."""
    return any(layer.cell in ("mlstm", "linear") or layer.projection_size for layer in workload.layers)


def prepared(name: str, workload: Workload, seed: int = 1):  # type: ignore[no-untyped-def]
    """An engine's outputs for made-up numbers, and the project's own."""
    chosen = ENGINES[name]
    if chosen.missing():
        pytest.skip(chosen.missing())
    parameters, inputs = random_parameters(workload, seed), random_inputs(workload, seed)
    ready = chosen.prepare(workload, parameters, inputs, 1)
    return ready.outputs(ready.run()), run_whole(workload, parameters, inputs)


@pytest.mark.parametrize("engine", ["numpy", "onnxruntime", "torch", "torch-cuda"])
@pytest.mark.parametrize("name", NETWORKS)
def test_computes_the_network(engine: str, name: str) -> None:
    """Every cell and structure: the outputs of an engine are run_whole's, or it names what it has not."""
    workload = NETWORKS[name]
    if engine != "onnxruntime" and unknown(workload):
        with pytest.raises(ValueError, match=r"layer .* is not written for this engine"):
            prepared(engine, workload)
    else:
        found, expected = prepared(engine, workload)
        assert deviation(found, expected) < TOLERANCE


@given(workload=workloads(), seed=st.integers(0, 3))
@settings(max_examples=100)
def test_numpy_on_any_workload(workload: Workload, seed: int) -> None:
    """Random stacks, decoders and bidirectional layers: numpy's outputs are run_whole's."""
    if not unknown(workload):
        found, expected = prepared("numpy", workload, seed)
        assert deviation(found, expected) < TOLERANCE


def test_runs_do_not_change_the_next() -> None:
    """A second run of the same network starts from the same state as the first."""
    workload = NETWORKS["decoder"]
    ready = ENGINES["numpy"].prepare(workload, random_parameters(workload), random_inputs(workload), 1)
    first, second = ready.outputs(ready.run()), ready.outputs(ready.run())
    assert deviation(first, second) == 0


@pytest.mark.parametrize("name", ["lstm", "gru, reset before", "pyramid, summed", "decoder"])
def test_half_on_the_cpu(name: str) -> None:
    """The path of half precision computes the network, but not to float32's exactness."""
    pytest.importorskip("torch", reason="make torch")
    workload = NETWORKS[name]
    parameters, inputs = random_parameters(workload), random_inputs(workload)
    ready = partial(_torch, "cpu", True)(workload, parameters, inputs, 1)
    off = deviation(ready.outputs(ready.run()), run_whole(workload, parameters, inputs))
    assert TOLERANCE < off < HALF_TOLERANCE


def test_half_on_a_gpu() -> None:
    """Where PyTorch sees a GPU, half precision on it is within its tolerance."""
    found, expected = prepared("torch-cuda-half", load_workload("lstm-256-b1-t25"))
    assert deviation(found, expected) < HALF_TOLERANCE


def test_modules_of_pytorch() -> None:
    """torch.nn runs what it has no extra product for, and resets a GRU after the product only."""
    for name, own in {
        "lstm": True,
        "gru, reset after": True,
        "gru, reset before": False,
        "lstm, skip input": False,
        "rnn with relu": True,
        "mlstm": False,
    }.items():
        assert has_module(NETWORKS[name].layers[0]) == own


def test_default_workloads() -> None:
    """DeepBench's 23 inference-server problems at batch 1, and the 18 networks of the paper."""
    names = chosen_workloads(WORKLOADS)
    assert len([name for name in names if name.startswith("deepbench/inference_server/")]) == 23
    assert len([name for name in names if name.startswith("dac20/")]) == 18
    assert len(names) == 41
    assert {load_workload(name).batch for name in names} == {1}


def test_what_is_not_there_is_refused() -> None:
    """An unknown engine, one that cannot run here, and a pattern of nothing: each says what is wrong."""
    with pytest.raises(UserError, match="unknown engine 'nunpy'; did you mean 'numpy'"):
        chosen_engines(["nunpy"])
    with pytest.raises(UserError, match="no workload is called so"):
        chosen_workloads(["dac20/nothing-*"])
    missing = [name for name, each in ENGINES.items() if each.missing()]
    for name in missing:
        with pytest.raises(UserError, match=f"--engine {name}: .*PyTorch"):
            chosen_engines([name])
    assert chosen_engines([])[0] == [name for name in ENGINES if name not in missing]


def test_a_gpu_is_timed_once() -> None:
    """The number of threads is the CPU's: a GPU's engine has tasks with the first alone."""
    tasks = make_tasks(["lstm-8-b1-t2"], ["numpy", "torch-cuda"], [1, 2], 0.0)
    assert [[(task.engine, task.threads) for task in group] for group in tasks] == [
        [("numpy", 1), ("torch-cuda", 1)],
        [("numpy", 2)],
    ]
