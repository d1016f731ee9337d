"""Whole workloads against a definition in float64 that knows no order of computation."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.numerics.accuracy import accuracy, max_error, snr_db
from bench.numerics.formats import FORMATS
from bench.numerics.numbers import Numbers
from bench.numerics.random import random_inputs, random_parameters
from bench.numerics.whole import calibrate, run_whole
from bench.workloads.catalogue import load_workload
from bench.workloads.check import check_workload
from bench.workloads.model import EXTERNAL, Cell, Input, Layer, Workload
from bench.workloads.parameters import Parameters, Sequences
from bench.workloads.variants import limit_steps
from tests.strategies import workloads

T = 4
CELLS: tuple[Cell, ...] = ("lstm", "gru", "rnn_tanh", "rnn_relu", "mlstm")


def defined(workload: Workload, parameters: Parameters, inputs: Sequences) -> dict[str, np.ndarray]:
    """Every layer's outputs by recursion over (layer, step), in float64."""

    def sigmoid(a: np.ndarray) -> np.ndarray:
        return 1 / (1 + np.exp(-a))

    @cache
    def state(name: str, step: int) -> dict[str, np.ndarray]:
        """States after ``step``; -1 stands for before the first."""
        layer = workload.layer(name)
        if step < 0:
            size = {"h": layer.output_size, "c": layer.hidden_size}
            zero = {key: np.zeros((workload.batch, n)) for key, n in size.items()}
            return {key: parameters.initial.get((name, key), zero[key]).astype(float) for key in "hc"}
        x, h, c = take(layer, step), state(name, step - 1)["h"], state(name, step - 1)["c"]

        def bias(total: str) -> np.ndarray:
            return np.asarray(parameters.biases.get((name, total), 0.0), dtype=float)

        def product(matrix: str, vector: np.ndarray) -> np.ndarray:
            return vector @ parameters.weights[name, matrix].astype(float).T

        def gate(g: str, other: str = "h", vector: np.ndarray = h) -> np.ndarray:
            of_x = x if layer.skip_input else product(f"{g}.x", x)
            return of_x + product(f"{g}.{other}", vector) + bias(g)

        if layer.cell == "linear":
            h = product("h.x", x) + bias("h")
        elif layer.cell == "rnn_tanh":
            h = np.tanh(gate("h"))
        elif layer.cell == "rnn_relu":
            h = np.maximum(gate("h"), 0)
        elif layer.cell == "gru":
            z, r = sigmoid(gate("z")), sigmoid(gate("r"))
            if layer.reset == "before":
                n = np.tanh(gate("n", "rh", r * h))
            else:
                of_x = x if layer.skip_input else product("n.x", x) + bias("n")
                n = np.tanh(of_x + r * (product("n.h", h) + bias("n.h")))
            h = (1 - z) * n + z * h
        else:
            other, vector = "h", h
            if layer.cell == "mlstm":
                of_x = x if layer.skip_input else product("m.x", x) + bias("m")
                other, vector = "m", of_x * (product("m.h", h) + bias("m.h"))
            i, f, o = (sigmoid(gate(g, other, vector)) for g in "ifo")
            c = f * c + i * np.tanh(gate("g", other, vector))
            h = o * np.tanh(c)
            if layer.projection_size:
                h = product("p.mem", h) + bias("p")
        return {"h": h, "c": c}

    def at(name: str, time: int) -> np.ndarray:
        layer = workload.layer(name)
        return state(name, time if layer.direction == "forward" else layer.steps - 1 - time)["h"]

    def take(layer: Layer, step: int) -> np.ndarray:
        time = step if layer.direction == "forward" else layer.steps - 1 - step
        outside = iter(np.split(
            inputs[layer.name][time].astype(float) if layer.name in inputs else np.zeros((1, 0)),
            np.cumsum([feed.size for feed in layer.inputs if feed.producer == EXTERNAL]), axis=1,
        ))  # fmt: skip
        parts = []
        for feed in layer.inputs:
            if feed.producer == EXTERNAL:
                parts.append(next(outside))
            elif feed.delay:
                parts.append(state(feed.producer, step - 1)["h"])
            else:
                r = feed.time_reduction
                taken = [at(feed.producer, time * r + k) for k in range(r)]
                parts.append(sum(taken) if feed.reduction == "sum" else np.concatenate(taken, axis=1))
        return sum(parts) if layer.combine == "sum" else np.concatenate(parts, axis=1)

    return {
        layer.name: np.stack([at(layer.name, time) for time in range(layer.steps)])
        for layer in workload.layers
    }


def both(layer: Layer) -> tuple[Layer, Layer]:
    """The two directions of a layer."""
    return replace(layer, name=f"{layer.name}.fwd"), replace(
        layer, name=f"{layer.name}.bwd", direction="backward"
    )


def pyramid(reduction: str, combine: str) -> Workload:
    """Bidirectional layers of halving steps, directions and steps joined in every way."""
    low = both(Layer("a", "lstm", 3, 5, 2 * T))
    size = 10 if reduction == "concat" else 5
    feeds = tuple(Input(layer.name, size, 0, 2, reduction) for layer in low)  # type: ignore[arg-type]
    width = size if combine == "sum" else 2 * size
    high = both(Layer("b", "gru", width, 4, T, feeds, combine=combine))  # type: ignore[arg-type]
    return Workload("pyramid", (*low, *high), batch=2)


DECODER = Workload(
    "decoder",
    (
        Layer("bottom", "lstm", 7, 6, T, (Input("top", 4, delay=1), Input(EXTERNAL, 3))),
        Layer("middle", "gru", 6, 5, T, (Input("bottom", 6),)),
        Layer("top", "rnn_tanh", 5, 4, T, (Input("middle", 5),)),
        Layer("beside", "linear", 9, 2, T, (Input("middle", 5), Input("top", 4))),
    ),
    batch=2,
)
SUMMED = Workload(
    "summed",
    (
        Layer("a", "lstm", 3, 5, T),
        Layer("b", "lstm", 5, 5, T, (Input("a", 5), Input(EXTERNAL, 5), Input("b", 5, delay=1)), "sum"),
        Layer("c", "gru", 15, 4, T, (Input(EXTERNAL, 3), Input("b", 5), Input(EXTERNAL, 7))),
    ),
)
BEHIND = Workload(
    "behind", (Layer("a", "lstm", 3, 5, T), Layer("b", "gru", 3, 5, 2 * T - 1, after=("a",))), batch=3
)
CASES = [
    *(Workload(cell, (Layer("a", cell, 3, 5, T),), batch=2) for cell in (*CELLS, "linear")),
    *(Workload(f"{cell}-skip", (Layer("a", cell, 5, 5, T, skip_input=True),), batch=2) for cell in CELLS),
    *(Workload(f"after-{skip}", (Layer("a", "gru", 5, 5, T, reset="after", skip_input=skip),))
      for skip in (False, True)),
    Workload("projection", (Layer("a", "lstm", 3, 5, T, projection_size=2),), batch=2),
    *(pyramid(reduction, combine) for reduction in ("concat", "sum") for combine in ("concat", "sum")),
    DECODER, SUMMED, BEHIND,
]  # fmt: skip


def assert_agree(workload: Workload, seed: int) -> None:
    """The run in float32 is the definition, to 1e-5 of the largest output."""
    check_workload(workload)
    parameters, inputs = random_parameters(workload, seed), random_inputs(workload, seed)
    expected = defined(workload, parameters, inputs)
    got = run_whole(workload, parameters, inputs)
    assert set(got) == set(expected)
    for name, values in expected.items():
        assert got[name].dtype == np.float32
        assert got[name].shape == values.shape
        assert max_error(values, got[name]) <= 1e-5 * max(1.0, np.max(np.abs(values)))


@pytest.mark.parametrize("workload", CASES, ids=lambda workload: workload.name)
def test_every_cell_and_structure(workload: Workload) -> None:
    """Cells, skipped input, projection, pyramids, feedback, sums and phases agree with the definition."""
    assert_agree(workload, seed=3)


@given(workloads(), st.integers(0, 100))
@settings(max_examples=60)
def test_random_workloads(workload: Workload, seed: int) -> None:
    """Random stacks, decoders and bidirectional layers agree with the definition."""
    assert_agree(workload, seed)


def test_missing_biases_and_states_are_zero() -> None:
    """Weights alone give what zero biases and states give."""
    workload = DECODER
    parameters, inputs = random_parameters(workload), random_inputs(workload)
    zeros = [{key: np.zeros_like(v) for key, v in d.items()} for d in (parameters.biases, parameters.initial)]
    bare = run_whole(workload, Parameters(parameters.weights), inputs)
    for name, values in run_whole(workload, Parameters(parameters.weights, *zeros), inputs).items():
        assert np.array_equal(values, bare[name])


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("reset", ["before", "after"])
def test_skipping_the_input_is_an_identity(cell: Cell, reset: str) -> None:
    """A layer without input products equals one whose input matrices are identities, without their biases."""
    layer = Layer("a", cell, 5, 5, T, reset=reset)  # type: ignore[arg-type]
    skips = Workload("skips", (replace(layer, skip_input=True),), batch=2)
    parameters, inputs = random_parameters(skips), random_inputs(skips)
    matrices = {key: np.eye(5, dtype=np.float32) for key in random_parameters(
        Workload("full", (layer,))).weights if key[1].endswith(".x")}  # fmt: skip
    full = replace(parameters, weights={**parameters.weights, **matrices})
    got = run_whole(replace(skips, layers=(layer,)), full, inputs)["a"]
    assert max_error(run_whole(skips, parameters, inputs)["a"], got) < 1e-6


LOW = [name for name in FORMATS if name != "float32"]


@pytest.mark.parametrize("name", ["int8", "int8-tensor", "int8-wide"])
def test_input_products_at_once_are_those_of_single_steps(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where sums are exact, computing all steps' input products together changes no bit."""
    workload = pyramid("sum", "concat")
    parameters, inputs = random_parameters(workload), random_inputs(workload)
    ranges = calibrate(workload, parameters, inputs)
    at_once = run_whole(workload, parameters, inputs, FORMATS[name], ranges)
    monkeypatch.setattr("bench.numerics.whole._AtWork.precompute", lambda _: None)
    for layer, values in run_whole(workload, parameters, inputs, FORMATS[name], ranges).items():
        assert np.array_equal(values, at_once[layer])


@pytest.mark.parametrize("name", LOW)
def test_outputs_are_representable_and_near(name: str) -> None:
    """Outputs of a low format are values of its vector format, and within a coarse bound of float32."""
    workload = SUMMED
    parameters, inputs = random_parameters(workload), random_inputs(workload)
    ranges = calibrate(workload, parameters, inputs)
    reference = run_whole(workload, parameters, inputs)
    outputs = run_whole(workload, parameters, inputs, FORMATS[name], ranges)
    vector = Numbers(FORMATS[name], workload, parameters, ranges).vector
    for layer, values in outputs.items():
        assert np.array_equal(values, vector.round(values))
        assert 0 < max_error(reference[layer], values) < 0.5


def test_calibration_is_the_largest_operand() -> None:
    """Ranges are of what each product reads: x and h of all steps, the initial h among them."""
    workload = Workload("w", (Layer("a", "gru", 3, 5, T),), batch=2)
    parameters, inputs = random_parameters(workload), random_inputs(workload)
    ranges = calibrate(workload, parameters, inputs)
    outputs = run_whole(workload, parameters, inputs)["a"]
    assert set(ranges) == {("a", "x"), ("a", "h"), ("a", "rh")}
    assert ranges["a", "x"] == np.max(np.abs(inputs["a"]))
    before = np.concatenate([parameters.initial["a", "h"][np.newaxis], outputs[:-1]])
    assert ranges["a", "h"] == np.max(np.abs(before))
    assert 0 < ranges["a", "rh"] < ranges["a", "h"]


def test_signal_to_noise_by_hand() -> None:
    """A tenth of the signal in error is 20 dB; none is infinite; infinity is no number."""
    reference = np.array([3.0, -4.0])
    assert snr_db(reference, reference * 1.1) == pytest.approx(20)
    assert max_error(reference, reference * 1.1) == pytest.approx(0.4)
    assert snr_db(reference, reference) == np.inf
    assert np.isnan(snr_db(reference, np.array([np.inf, 0.0])))


def test_accuracy_orders_the_formats() -> None:
    """More bits are nearer: float16 over bfloat16, bfp5 over bfp2; float32 is the reference itself."""
    workload = Workload(
        "w", (Layer("a", "lstm", 64, 64, 30), Layer("b", "lstm", 64, 48, 30, (Input("a", 64),)))
    )
    rows = accuracy(workload, ["float32", "float16", "bfloat16", "int8", "bfp5", "bfp2"], steps_limit=10)
    assert [row["format"] for row in rows] == ["float32", "float16", "bfloat16", "int8", "bfp5", "bfp2"]
    assert all(row["workload"] == "w" and row["steps"] == 10 for row in rows)
    ratios = {row["format"]: row["snr_db"] for row in rows}
    assert ratios["float32"] == np.inf
    assert ratios["float16"] > ratios["bfloat16"] > 30
    assert ratios["int8"] > ratios["bfp5"] > ratios["bfp2"] > 0
    assert all(row["max_abs_error"] <= row["max_abs_error_any_layer"] for row in rows)


def test_accuracy_is_of_the_last_layers() -> None:
    """A decoder's output is its top layer's, although that feeds the bottom of the next step."""
    bottom = Layer("a", "lstm", 4, 6, T, (Input("b", 4, delay=1),))
    loop = Workload("loop", (bottom, Layer("b", "gru", 6, 4, T, (Input("a", 6),))))
    (row,) = accuracy(loop, ["bfp2"], seed=2)
    parameters, inputs = random_parameters(loop, 2), random_inputs(loop, 2)
    low = run_whole(loop, parameters, inputs, FORMATS["bfp2"])
    reference = run_whole(loop, parameters, inputs)
    errors = {name: max_error(reference[name], low[name]) for name in low}
    assert row["max_abs_error"] == errors["b"]
    assert row["max_abs_error_any_layer"] == max(errors.values())


def test_accuracy_repeats() -> None:
    """The same workload and seed give the same rows; another seed others."""
    workload = Workload("w", (Layer("a", "gru", 8, 8, 3),))
    assert accuracy(workload, ["int8"]) == accuracy(workload, ["int8"])
    assert accuracy(workload, ["int8"]) != accuracy(workload, ["int8"], seed=1)


@pytest.mark.parametrize(
    ("name", "limit", "steps"),
    [
        ("dac20/blstm-pyramid-4", 8, [8, 8, 4, 4, 2, 2, 1, 1]),
        ("dac20/blstm-pyramid-4", 1, [8, 8, 4, 4, 2, 2, 1, 1]),
        ("dac20/decoder-8", 5, [5] * 8),
        ("large/rnn-t", 7, [6, 6, 3, 3, 3]),
        ("dac20/decoder-8", 99, [32] * 8),
    ],
)
def test_fewer_steps_keep_the_structure(name: str, limit: int, steps: list[int]) -> None:
    """Steps shrink together, as far as time reductions allow, and the workload stays valid."""
    shorter = limit_steps(load_workload(name), limit)
    check_workload(shorter)
    assert [layer.steps for layer in shorter.layers] == steps
