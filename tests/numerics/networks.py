"""Small networks, one for every cell and every way in which layers are joined."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bench.workloads.check import check_workload
from bench.workloads.model import EXTERNAL, Cell, Input, Layer, Workload

STEPS = 6
HIDDEN = 5


def single(cell: Cell, **options: object) -> Workload:
    """One layer of 3 inputs, or as many as hidden elements if it skips its input product."""
    width = HIDDEN if options.get("skip_input") else 3
    layer = Layer("rnn", cell, width, HIDDEN, STEPS)
    return Workload("single", (replace(layer, **options),), batch=2)  # type: ignore[arg-type]


def stack(*cells: Cell) -> Workload:
    """Layers on top of each other, of growing width."""
    layers: list[Layer] = []
    feed = Input(EXTERNAL, 3)
    for number, cell in enumerate(cells):
        hidden = HIDDEN + number
        layers.append(Layer(f"l{number}", cell, feed.size, hidden, STEPS, (feed,)))
        feed = Input(f"l{number}", hidden)
    return Workload("stack", tuple(layers), batch=2)


def bidirectional(cell: Cell, *, merge: str = "concat", reduction: str = "", depth: int = 3) -> Workload:
    """Bidirectional layers whose directions are concatenated or summed; with ``reduction`` a pyramid."""
    factor = 2 if reduction else 1
    steps = 4 * STEPS
    feeds: tuple[Input, ...] = (Input(EXTERNAL, 3),)
    layers: list[Layer] = []
    for number in range(depth):
        width = feeds[0].size if merge == "sum" else sum(feed.size for feed in feeds)
        fwd = Layer(f"l{number}.fwd", cell, width, HIDDEN, steps, feeds, combine=merge)  # type: ignore[arg-type]
        layers += [fwd, replace(fwd, name=f"l{number}.bwd", direction="backward")]
        size = HIDDEN * (factor if reduction == "concat" else 1)
        feeds = tuple(
            Input(f"l{number}.{end}", size, 0, factor, reduction or "concat")  # type: ignore[arg-type]
            for end in ("fwd", "bwd")
        )
        steps //= factor
    return Workload("bidirectional", tuple(layers))


def decoder(*cells: Cell, external: int = 0, projection: int | None = None) -> Workload:
    """The top layer's h is the bottom layer's input of the next step, beside data from outside if any."""
    outputs = [HIDDEN + n if projection is None else projection for n in range(len(cells))]
    back = (Input(f"l{len(cells) - 1}", outputs[-1], delay=1),)
    layers = []
    for number, cell in enumerate(cells):
        feeds = (Input(f"l{number - 1}", outputs[number - 1]),) if number else back
        if external and not number:
            feeds = (Input(EXTERNAL, external), *feeds)
        width = sum(feed.size for feed in feeds)
        layers.append(
            Layer(f"l{number}", cell, width, HIDDEN + number, STEPS, feeds, projection_size=projection)
        )
    return Workload("decoder", tuple(layers), batch=2)


def _backward(workload: Workload) -> Workload:
    return replace(workload, layers=tuple(replace(layer, direction="backward") for layer in workload.layers))


def _outside_and_below() -> Workload:
    """Layers that take data from outside in several parts around the layer below."""
    below = Layer("below", "lstm", 3, HIDDEN, STEPS)
    feeds = (Input(EXTERNAL, 2), Input("below", HIDDEN), Input(EXTERNAL, 4))
    above = Layer("above", "gru", HIDDEN + 6, HIDDEN, STEPS, feeds)
    return Workload("parts", (below, above))


def _summed() -> Workload:
    """A layer whose inputs from outside and from two layers are added."""
    a = Layer("a", "rnn_tanh", 3, HIDDEN, STEPS)
    b = Layer("b", "linear", 3, HIDDEN, STEPS)
    feeds = (Input(EXTERNAL, HIDDEN), Input("a", HIDDEN), Input("b", HIDDEN))
    return Workload("summed", (a, b, Layer("c", "lstm", HIDDEN, HIDDEN, STEPS, feeds, "sum")))


def _delayed(direction: str) -> Workload:
    """A layer that takes the step before of a layer that does not depend on it."""
    below = Layer("below", "lstm", 3, HIDDEN, STEPS)
    feeds = (Input("below", HIDDEN), Input("below", HIDDEN, delay=1))
    both = (below, Layer("above", "gru", 2 * HIDDEN, HIDDEN, STEPS, feeds))
    return Workload(
        "delayed",
        tuple(replace(layer, direction=direction) for layer in both),  # type: ignore[arg-type]
    )


def _after() -> Workload:
    """A decoder that starts when its encoder has ended and runs for other steps."""
    encoder = Layer("encoder", "lstm", 3, HIDDEN, STEPS)
    return Workload("after", (encoder, Layer("decoder", "gru", 4, HIDDEN, 3, after=("encoder",))))


NETWORKS: dict[str, Workload] = {
    "lstm": single("lstm"),
    "lstm backward": single("lstm", direction="backward"),
    "lstm, one step": single("lstm", steps=1),
    "gru, reset before": single("gru"),
    "gru, reset after": single("gru", reset="after"),
    "gru backward": single("gru", direction="backward"),
    "gru after, backward": single("gru", direction="backward", reset="after"),
    "rnn with tanh": single("rnn_tanh"),
    "rnn with relu": single("rnn_relu"),
    "rnn with relu, backward": single("rnn_relu", direction="backward"),
    "mlstm": single("mlstm"),
    "mlstm backward": single("mlstm", direction="backward"),
    "linear": single("linear"),
    "linear backward": single("linear", direction="backward"),
    "projection": single("lstm", projection_size=2),
    "projection, backward": single("lstm", projection_size=2, direction="backward"),
    "lstm, skip input": single("lstm", skip_input=True),
    "gru, skip input": single("gru", skip_input=True),
    "gru after, skip input": single("gru", skip_input=True, reset="after"),
    "rnn, skip input": single("rnn_relu", skip_input=True),
    "mlstm, skip input": single("mlstm", skip_input=True),
    "projection, skip input": single("lstm", skip_input=True, projection_size=2),
    "batch 4": replace(stack("lstm", "gru"), batch=4),
    "stack": stack("lstm", "gru", "rnn_tanh", "rnn_relu", "mlstm", "linear"),
    "bidirectional": bidirectional("lstm"),
    "bidirectional gru, summed": bidirectional("gru", merge="sum"),
    "bidirectional mlstm": bidirectional("mlstm", depth=2),
    "pyramid, summed": bidirectional("lstm", merge="sum", reduction="sum"),
    "pyramid, concatenated": bidirectional("gru", reduction="concat"),
    "decoder": decoder("lstm", "lstm"),
    "decoder of one layer": decoder("lstm"),
    "decoder of all cells": decoder("gru", "rnn_tanh", "rnn_relu", "mlstm", "linear", "lstm", external=4),
    "decoder, projected": decoder("lstm", "lstm", external=2, projection=3),
    "decoder, backward": _backward(decoder("lstm", "gru", external=2)),
    "inputs in parts": _outside_and_below(),
    "inputs summed": _summed(),
    "delayed input": _delayed("forward"),
    "delayed input, backward": _delayed("backward"),
    "one after the other": _after(),
}
for _name, _workload in NETWORKS.items():
    check_workload(_workload)


def deviation(found: Mapping[str, NDArray[np.float32]], expected: Mapping[str, NDArray[np.float32]]) -> float:
    """The largest error of any layer's h, relative to the largest magnitude of that layer's h."""
    assert found.keys() == expected.keys()
    errors = []
    for name, values in expected.items():
        assert found[name].shape == values.shape
        assert np.isfinite(found[name]).all()
        error = np.abs(found[name].astype(np.float64) - values).max()
        errors.append(error / np.abs(values).max() if error else 0.0)
    return float(max(errors))
