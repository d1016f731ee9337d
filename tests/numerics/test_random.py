"""Made-up parameters and inputs: repeatable, independent of order, within their bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bench.numerics.random import BIAS, STATE, random_inputs, random_parameters
from bench.plans.cells import cell_program, matrix_shape
from bench.workloads.model import Input, Layer, Workload

A = Layer("a", "lstm", 6, 9, 4, projection_size=5)
B = Layer("b", "gru", 5, 7, 4, (Input("a", 5),), reset="after")
STACK = Workload("stack", (A, B), batch=2)
FWD = Layer("l0.fwd", "lstm", 6, 9, 4)
BOTH = Workload("both", (FWD, replace(FWD, name="l0.bwd", direction="backward")))


def test_shapes_are_those_of_the_cells() -> None:
    """Every product has a matrix, every sum a bias, every state a value for each batch item."""
    parameters = random_parameters(STACK)
    for layer in STACK.layers:
        for product in cell_program(layer).products:
            matrix = parameters.weights[layer.name, product.matrix]
            assert matrix.shape == matrix_shape(layer, product)
            assert matrix.dtype == np.float32
    shapes = {key: value.shape for key, value in parameters.biases.items()}
    assert shapes == {
        ("a", "i"): (9,), ("a", "f"): (9,), ("a", "g"): (9,), ("a", "o"): (9,), ("a", "p"): (5,),
        ("b", "z"): (7,), ("b", "r"): (7,), ("b", "n"): (7,), ("b", "n.h"): (7,),
    }  # fmt: skip
    assert {key: value.shape for key, value in parameters.initial.items()} == {
        ("a", "h"): (2, 5), ("a", "c"): (2, 9), ("b", "h"): (2, 7),
    }  # fmt: skip


def test_the_same_numbers_whatever_else_there_is() -> None:
    """A layer's numbers depend on the seed and its own names alone."""
    alone = random_parameters(Workload("alone", (A,), batch=2))
    within = random_parameters(STACK)
    for kind in ("weights", "biases", "initial"):
        ours = getattr(alone, kind)
        assert ours
        for key, values in ours.items():
            assert np.array_equal(values, getattr(within, kind)[key])


def test_arrays_differ_from_each_other_and_by_seed() -> None:
    """Two matrices of one shape, and one matrix under two seeds, are different."""
    weights = random_parameters(STACK).weights
    assert not np.array_equal(weights["a", "i.x"], weights["a", "f.x"])
    assert not np.array_equal(weights["a", "i.x"], random_parameters(STACK, seed=1).weights["a", "i.x"])


def test_bounds() -> None:
    """Weights fill the range of 1/sqrt(columns), biases and states theirs."""
    parameters = random_parameters(Workload("one", (Layer("a", "lstm", 64, 400, 1),)))
    for values, bound in (
        (parameters.weights["a", "i.x"], 1 / 8),
        (parameters.weights["a", "i.h"], 1 / 20),
        (parameters.biases["a", "i"], BIAS),
        (parameters.initial["a", "h"], STATE),
    ):
        assert 0.9 * bound < np.max(np.abs(values)) <= bound * (1 + 1e-6)


def test_directions_share_their_input() -> None:
    """Both directions of a layer see the same data; layers without external input have none."""
    inputs = random_inputs(BOTH)
    assert np.array_equal(inputs["l0.fwd"], inputs["l0.bwd"])
    assert inputs["l0.fwd"].shape == (4, 1, 6)
    assert set(random_inputs(STACK)) == {"a"}


def test_inputs_are_standard_normal() -> None:
    """Mean 0 and deviation 1, within four standard errors of 60,000 values."""
    values = random_inputs(Workload("wide", (Layer("a", "linear", 600, 1, 100),)))["a"]
    assert abs(values.mean()) < 4 / np.sqrt(values.size)
    assert abs(values.std() - 1) < 4 / np.sqrt(2 * values.size)
