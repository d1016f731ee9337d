"""The graphs of the catalogue: who feeds whom, at which step, in which phase."""

from __future__ import annotations

import pytest

from bench.workloads.catalogue import load_workload
from bench.workloads.model import EXTERNAL, Input, Layer, Workload, phases


def names(workload: str) -> list[list[str]]:
    """The layers of each phase."""
    return [[layer.name for layer in group] for group in phases(load_workload(workload))]


def test_a_stack_advances_together() -> None:
    """The eight layers of an encoder are one phase, each fed by the one below."""
    assert names("dac20/encoder-8") == [[f"layer-{number}" for number in range(8)]]
    layers = load_workload("dac20/encoder-8").layers
    assert layers[0].inputs == (Input(EXTERNAL, 2048),)
    assert layers[5].inputs == (Input("layer-4", 2048),)


def test_a_decoder_feeds_its_top_back_to_its_bottom() -> None:
    """The feedback is one step late, so the decoder is still one phase."""
    assert len(names("dac20/decoder-8")) == 1
    assert load_workload("dac20/decoder-8").layers[0].inputs == (Input("layer-7", 2048, delay=1),)


def test_bidirectional_layers_are_a_phase_each() -> None:
    """A direction needs the whole sequence of the other, so layers run one after the other."""
    assert names("dac20/blstm-4") == [[f"layer-{n}.fwd", f"layer-{n}.bwd"] for n in range(4)]
    layer = load_workload("dac20/blstm-4").layer("layer-2.bwd")
    assert layer.direction == "backward"
    assert layer.combine == "sum"
    assert layer.inputs == (Input("layer-1.fwd", 2048), Input("layer-1.bwd", 2048))


def test_a_pyramid_halves_the_steps() -> None:
    """Each layer sums two steps of the layer below, so that the width stays."""
    workload = load_workload("dac20/blstm-pyramid-4")
    assert [workload.layer(f"layer-{n}.fwd").steps for n in range(4)] == [32, 16, 8, 4]
    assert {layer.input_size for layer in workload.layers} == {2048}
    assert workload.layer("layer-3.fwd").inputs[0] == Input("layer-2.fwd", 2048, 0, 2, "sum")
    assert len(phases(workload)) == 4
    assert workload.macs == 2 * 8 * 2048**2 * (32 + 16 + 8 + 4)


def test_gnmt_has_three_phases() -> None:
    """Bidirectional bottom, the rest of the encoder, the decoder behind attention."""
    assert [len(group) for group in names("large/gnmt-8")] == [2, 7, 8]
    workload = load_workload("large/gnmt-8")
    assert workload.layer("encoder-1").inputs == (Input("encoder-0.fwd", 1024), Input("encoder-0.bwd", 1024))
    assert workload.layer("decoder-0").after == ("encoder-7",)
    assert workload.layer("decoder-3").inputs == (Input("decoder-2", 1024), Input(EXTERNAL, 1024))


def test_rnn_t_splits_where_time_is_stacked() -> None:
    """Two steps of the lower layers become one, concatenated, of the upper ones."""
    assert names("large/rnn-t") == [["pre-0", "pre-1"], ["post-0", "post-1", "post-2"]]
    workload = load_workload("large/rnn-t")
    assert [layer.steps for layer in workload.layers] == [100, 100, 50, 50, 50]
    assert workload.layer("post-0").inputs == (Input("pre-1", 2048, 0, 2, "concat"),)


def test_independent_stacks_share_a_phase() -> None:
    """ELMo's forward and backward stacks do not wait for each other."""
    assert len(names("large/elmo-bilm")) == 1
    assert load_workload("large/elmo-bilm").layer("backward-1").inputs == (Input("backward-0", 512),)


def test_a_lone_external_input_takes_the_whole_width() -> None:
    """A layer built without inputs gets one from outside that is as wide as it needs."""
    layer = Layer("a", "lstm", 24, 16, 5)
    assert layer.inputs == (Input(EXTERNAL, 24),)


def test_layer_gives_the_layer_of_a_name() -> None:
    """An unknown name is a KeyError."""
    workload = Workload("w", (Layer("a", "lstm", 24, 16, 5),))
    assert workload.layer("a").hidden_size == 16
    with pytest.raises(KeyError):
        workload.layer("b")


@pytest.mark.parametrize(
    ("layer", "weights"),
    [
        (Layer("a", "lstm", 3, 5, 1), 4 * 5 * (3 + 5)),
        (Layer("a", "gru", 3, 5, 1), 3 * 5 * (3 + 5)),
        (Layer("a", "rnn_tanh", 3, 5, 1), 5 * (3 + 5)),
        (Layer("a", "lstm", 3, 5, 1, projection_size=2), 4 * 5 * (3 + 2) + 2 * 5),
        (Layer("a", "lstm", 5, 5, 1, skip_input=True), 4 * 5 * 5),
        (Layer("a", "mlstm", 3, 5, 1), 5 * 5 * (3 + 5)),
        (Layer("a", "linear", 3, 5, 1), 5 * 3),
    ],
)
def test_weights_are_those_of_the_equations(layer: Layer, weights: int) -> None:
    """Matrices of (hidden, input) and (hidden, output) a gate, and the projection."""
    assert layer.weights == weights
    assert Workload("w", (layer,), batch=3).macs == 3 * weights
