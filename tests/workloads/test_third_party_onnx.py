"""A voice activity detector from the package index: imported, split, emulated, compared in numbers."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from bench.evaluate import evaluate
from bench.experiments import load_config
from bench.hardware.files import load_profile, make_cluster
from bench.numerics.formats import FLOAT32
from bench.numerics.interpreter import interpret
from bench.numerics.numbers import Numbers
from bench.numerics.whole import run_whole
from bench.partitioners import load_partitioner
from bench.plans.lower import lower
from bench.workloads.catalogue import load_workload
from tests.workloads.onnx_models import Network, network, worst

FOLDER = Path(sys.prefix) / "third-party" / "silero_vad" / "data"
TOLERANCE = 1e-5
STEPS = 20
RATES = {"then": (16000, 576), "else": (8000, 288)}
"""Branch of the model -> sampling rate that leads to it, samples of a frame with its context."""

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the files of tests/data.lock are not here; `make test` fetches them"
)


def sequence() -> Network:
    """The model that runs over a sequence of frames: weights, what goes into its LSTM, what must come out."""
    rng = np.random.default_rng(11)
    feeds = {
        "input": rng.normal(0, 0.1, (STEPS, 576)),
        "h": rng.normal(0, 0.1, (1, 1, 128)),
        "c": rng.normal(0, 0.1, (1, 1, 128)),
    }
    singles = {name: values.astype(np.float32) for name, values in feeds.items()}
    return network(FOLDER / "silero_vad_16k_sequence.onnx", singles, steps=STEPS)


def frame(side: str) -> Network:
    """The model that runs frame by frame, its LSTM two If bodies deep; ``side`` as the sampling rate says."""
    rng = np.random.default_rng(12)
    rate, width = RATES[side]
    feeds = {
        "input": rng.normal(0, 0.1, (1, width)).astype(np.float32),
        "state": rng.normal(0, 0.1, (2, 1, 128)).astype(np.float32),
        "sr": np.asarray(rate),
    }
    taken = {"If_0": side, f"If_0_{side}_branch__Inline_0__/decoder/If_1": "then"}
    sizes = {"input.0": 1, "input.1": width, "state.1": 1}
    return network(FOLDER / "silero_vad.onnx", feeds, taken, dims=sizes, branches={"If_0": side})


@pytest.mark.parametrize("which", ["sequence", "then", "else"])
def test_same_numbers_as_onnx_runtime(which: str) -> None:
    """The LSTM's outputs are those that ONNX Runtime has inside the whole model."""
    net = sequence() if which == "sequence" else frame(which)
    (layer,) = net.imported.workload.layers
    assert (layer.cell, layer.input_size, layer.hidden_size) == ("lstm", 128, 128)
    assert layer.steps == (STEPS if which == "sequence" else 1)
    found = run_whole(net.imported.workload, net.parameters, net.inputs)
    assert float(np.abs(net.expected[layer.name]).max()) > 0.05
    assert worst(found, net.expected) < TOLERANCE


@pytest.mark.parametrize("partitioner", ["row-wise", "column-wise", "gate-wise", "full"])
@pytest.mark.parametrize("which", ["sequence", "then"])
def test_same_numbers_when_split(which: str, partitioner: str) -> None:
    """Split over four devices with their own memories, the LSTM's outputs are still ONNX Runtime's."""
    net = sequence() if which == "sequence" else frame(which)
    workload = net.imported.workload
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 4, "ring")
    plan = load_partitioner(partitioner).plan(workload, cluster)
    numbers = Numbers(FLOAT32, workload, net.parameters)
    found = interpret(lower(plan, workload, cluster), plan, workload, numbers, net.inputs)
    assert worst(found, net.expected) < TOLERANCE


def test_convolutions_are_not_accelerated() -> None:
    """The convolutions around the LSTM are counted."""
    kind, count, macs = sequence().imported.surroundings[0]
    assert (kind, count) == ("Conv", 6)
    assert macs is not None
    assert macs > 20 * 100_000


@pytest.mark.parametrize("partitioner", ["row-wise", "column-wise", "full"])
@pytest.mark.parametrize("fpgas", [2, 4])
def test_split_and_emulated(partitioner: str, fpgas: int) -> None:
    """The model's LSTM runs on several devices of a profile."""
    workload = load_workload(f"{FOLDER / 'silero_vad_16k_sequence.onnx'}:steps={STEPS}")
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), fpgas, "ring")
    timing = evaluate(workload, cluster, load_partitioner(partitioner).plan(workload, cluster))
    assert timing.cycles > STEPS
    assert partitioner == "full" or timing.devices_used == fpgas


def test_in_a_configuration(tmp_path: Path) -> None:
    """The file is a workload wherever a configuration names one."""
    path = FOLDER / "silero_vad_16k_sequence.onnx"
    config = tmp_path / "mine.yaml"
    config.write_text(
        "experiments:\n  - name: voice\n"
        f'    workloads: ["{path}:steps={STEPS}"]\n'
        "    profiles: [s10-gx2800-dac20]\n    fpgas: [2]\n    partitioners: [row-wise]\n",
        encoding="utf-8",
    )
    assert load_config(config).experiments[0].workloads == [f"{path}:steps={STEPS}"]
