"""Made-up numbers for a workload: weights, biases, initial states and input data, from a seed.

Every array has a stream of its own, seeded by a hash of what it is, so that it depends neither
on the order in which arrays are made nor on what other layers there are.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np

from bench.plans.cells import cell_program, matrix_shape, stage_size
from bench.workloads.model import EXTERNAL, Layer, Workload
from bench.workloads.parameters import Floats, Parameters, Sequences

BIAS = 0.1
"""Bound of random biases."""
STATE = 0.5
"""Bound of random initial states."""


def random_parameters(workload: Workload, seed: int = 0) -> Parameters:
    """Weights, biases and initial states for every layer of ``workload``.

    Uniform: weights within 1/sqrt(columns), as layers are commonly initialised, a bias for every
    sum within `BIAS`, initial states within `STATE`.
    """
    weights: dict[tuple[str, str], Floats] = {}
    biases: dict[tuple[str, str], Floats] = {}
    initial: dict[tuple[str, str], Floats] = {}
    for layer in workload.layers:
        program = cell_program(layer)
        for product in program.products:
            shape = matrix_shape(layer, product)
            key = (layer.name, product.matrix)
            weights[key] = _uniform(shape, 1 / math.sqrt(shape[1]), seed, *key)
        for stage in program.stages:
            for name in program.sums(stage.name):
                size = stage_size(layer, stage.name)
                biases[layer.name, name] = _uniform((size,), BIAS, seed, layer.name, f"bias {name}")
        for state, size in state_sizes(layer).items():
            shape = (workload.batch, size)
            initial[layer.name, state] = _uniform(shape, STATE, seed, layer.name, f"initial {state}")
    return Parameters(weights, biases, initial)


def random_inputs(workload: Workload, seed: int = 0) -> Sequences:
    """Input data, standard normal, for every layer that takes any from outside.

    The two directions of a bidirectional layer get the same data.
    """
    inputs: dict[str, Floats] = {}
    for layer in workload.layers:
        width = sum(feed.size for feed in layer.inputs if feed.producer == EXTERNAL)
        if width:
            base = layer.name.removesuffix(".fwd").removesuffix(".bwd")
            shape = (layer.steps, workload.batch, width)
            inputs[layer.name] = _stream(seed, base, "input").standard_normal(shape, dtype=np.float32)
    return inputs


def state_sizes(layer: Layer) -> dict[str, int]:
    """Names of the states that a layer carries from step to step, and their elements."""
    if layer.cell in ("lstm", "mlstm"):
        return {"h": layer.output_size, "c": layer.hidden_size}
    return {"h": layer.output_size}


def _uniform(shape: tuple[int, ...], bound: float, seed: int, *what: str) -> Floats:
    values = _stream(seed, *what).random(shape, dtype=np.float32)
    values -= np.float32(0.5)
    values *= np.float32(2 * bound)
    return values


def _stream(seed: int, *what: str) -> np.random.Generator:
    digest = hashlib.sha256("/".join((str(seed), *what)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:16], "big"))
