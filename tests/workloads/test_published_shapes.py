"""The catalogue against the published lists it was made from."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from bench.workloads.catalogue import load_workload, workload_names
from bench.workloads.model import feedback_layers

CELLS = {"lstm": ("lstm", "lstm"), "gru": ("gru", "gru"), "vanilla": ("rnn", "rnn_relu")}


def rows(root: Path, name: str) -> list[dict[str, str]]:
    """The rows of a table of published facts."""
    with (root / "reports" / "published" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("mode", ["deepbench", "deepbench-skip-input"])
def test_deepbench_is_the_published_list(root: Path, mode: str) -> None:
    """Each of the 125 problems is in the catalogue under its name, with its shape, and no other."""
    expected = set()
    for row in rows(root, "deepbench_rnn_problems.csv"):
        short, cell = CELLS[row["cell"]]
        hidden, batch, steps = (int(row[key]) for key in ("hidden_size", "batch_size", "time_steps"))
        name = f"{mode}/{row['problem_set']}/{short}-{hidden}-b{batch}-t{steps}"
        expected.add(name)
        workload = load_workload(name)
        (layer,) = workload.layers
        assert (layer.cell, layer.input_size, layer.hidden_size) == (cell, hidden, hidden)
        assert (workload.batch, workload.steps) == (batch, steps)
    assert len(expected) == 125
    assert {name for name in workload_names() if name.startswith(f"{mode}/")} == expected


def test_the_two_modes_differ_in_what_they_multiply() -> None:
    """Skip-input counts the recurrent half, and its GRU resets where cuDNN does."""
    both = load_workload("deepbench/inference_server/lstm-2048-b1-t25")
    recurrent = load_workload("deepbench-skip-input/inference_server/lstm-2048-b1-t25")
    assert both.weights == 8 * 2048**2
    assert recurrent.weights == 4 * 2048**2
    assert recurrent.layers[0].skip_input
    resets = [load_workload(f"{mode}/inference_server/gru-512-b1-t1").layers[0].reset
              for mode in ("deepbench", "deepbench-skip-input")]  # fmt: skip
    assert resets == ["before", "after"]


# Rows of large_rnn_shapes.csv: model -> workloads that together hold its layer groups.
SHAPES = {
    "GNMT 8-layer": ["large/gnmt-8"],
    "GNMT v2 4-layer": ["large/gnmt-4"],
    "DAC20 Encoder-8": ["dac20/encoder-8"],
    "DAC20 Decoder-8": ["dac20/decoder-8"],
    "DAC20 BLSTM-4": ["dac20/blstm-4"],
    "DAC20 BLSTM-Pyramid-4": ["dac20/blstm-pyramid-4"],
    "DAC20 single-layer LSTM-1024": ["dac20/lstm-1024"],
    "DAC20 single-layer LSTM-2048": ["dac20/lstm-2048"],
    "DAC20 single-layer LSTM-4096": ["dac20/lstm-4096"],
    "DAC20 single-layer GRU-1024": ["dac20/gru-1024"],
    "DAC20 single-layer GRU-2048": ["dac20/gru-2048"],
    "DAC20 single-layer GRU-4096": ["dac20/gru-4096"],
    "BigLSTM (2-layer LSTM-8192-1024)": ["large/big-lstm"],
    "LSTM-2048-512": ["large/lstm-2048-512"],
    "DeepSpeech2 (MLPerf inference prototype)": ["large/deep-speech-2"],
    "RNN-T (MLPerf inference)": ["large/rnn-t", "large/rnn-t-prediction"],
    "ELMo biLM": ["large/elmo-bilm"],
    "AWD-LSTM": ["large/awd-lstm"],
    "mLSTM byte model (sentiment neuron)": ["large/mlstm"],
    "Brainwave large GRU": ["large/brainwave-gru-2400"],
    "Bing DeepScan": ["large/deepscan-gru-4"],
}


def test_every_shape_of_the_catalogue_has_its_row() -> None:
    """No large workload escapes the comparison below, but for those named here."""
    compared = {name for names in SHAPES.values() for name in names}
    compared |= {"dac20/encoder-8-4096", "dac20/gnmt-4", "large/tacotron-2-decoder"}
    compared |= {f"dac20/{name}-2560" for name in ("lstm", "gru")}  # sizes assumed for Figs. 4b and 5c
    stacks = ("encoder-8", "decoder-8", "blstm-4", "blstm-pyramid-4")
    compared |= {f"dac20/{name}-1536" for name in stacks}
    assert {name for name in workload_names() if not name.startswith("deepbench")} == compared


@pytest.mark.parametrize("model", SHAPES)
def test_weights_and_layers_agree_with_the_published_shapes(root: Path, model: str) -> None:
    """A model's weights are the sum of its rows, and its layers have their widths and steps."""
    groups = [row for row in rows(root, "large_rnn_shapes.csv") if row["model"] == model]
    workloads = [load_workload(name) for name in SHAPES[model]]
    assert "unverified" not in "".join(row["note"] + row["source"] for row in groups)
    published = sum(float(row["derived_recurrent_weights_millions"]) for row in groups)
    assert sum(w.weights for w in workloads) / 1e6 == pytest.approx(published, abs=0.001 * len(groups))
    expected: Counter[tuple[str, int, int]] = Counter()
    for row in groups:
        count = int(row["layers"]) * (2 if row["direction"] == "bi" else 1)
        expected[row["cell"], int(row["input_size"]), int(row["hidden_size"])] += count
    found = Counter(
        (layer.cell, layer.input_size, layer.hidden_size) for w in workloads for layer in w.layers
    )
    assert found == expected
    stated = {int(row["time_steps"]) for row in groups if row["time_steps"]}
    assert stated <= {w.steps for w in workloads}


def test_tacotron_decoder_rows_agree(root: Path) -> None:
    """The decoder is two of the three rows of Tacotron 2; the encoder is no large RNN."""
    groups = [row for row in rows(root, "large_rnn_shapes.csv") if row["model"] == "Tacotron 2"]
    shapes = [(int(row["input_size"]), int(row["hidden_size"])) for row in groups[1:]]
    workload = load_workload("large/tacotron-2-decoder")
    assert [(layer.input_size, layer.hidden_size) for layer in workload.layers] == shapes


def test_projection_sizes_agree(root: Path) -> None:
    """Layers with a projection have that of their row."""
    for row in rows(root, "large_rnn_shapes.csv"):
        for name in SHAPES.get(row["model"], []):
            wanted = int(row["projection_size"]) if row["projection_size"] else None
            assert {layer.projection_size for layer in load_workload(name).layers} == {wanted}


def test_larger_fig_9_model_and_fig_1_model() -> None:
    """Encoder-8 with h = 4096 has four times the weights; Fig. 1b's GNMT-4 is a loop of four layers."""
    small, big = load_workload("dac20/encoder-8"), load_workload("dac20/encoder-8-4096")
    assert big.weights == 4 * small.weights
    gnmt = load_workload("dac20/gnmt-4")
    assert (len(gnmt.layers), len(feedback_layers(gnmt)), gnmt.steps) == (4, 4, 32)


def test_every_workload_says_where_it_comes_from() -> None:
    """Source and assumptions are there for each catalogue entry."""
    for name in workload_names():
        workload = load_workload(name)
        assert workload.source, name
        assert workload.assumptions, name
