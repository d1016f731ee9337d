"""How far a low format's outputs are from float32: signal-to-noise ratio and largest error."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from bench.numerics.formats import load_format
from bench.numerics.random import random_inputs, random_parameters
from bench.numerics.whole import calibrate, run_whole
from bench.workloads.model import Workload
from bench.workloads.variants import limit_steps

Array = NDArray[Any]


class AccuracyRow(TypedDict):
    """A workload in a format; errors against float32, of the outputs h.

    ``snr_db`` and ``max_abs_error``: of the layers that feed no other one, all together.
    ``max_abs_error_any_layer``: the same of all layers.
    """

    workload: str
    format: str
    steps: int
    snr_db: float
    max_abs_error: float
    max_abs_error_any_layer: float


def snr_db(reference: Array, value: Array) -> float:
    """Signal-to-noise ratio, 10 log10(sum reference^2 / sum (value - reference)^2), in dB.

    Infinite if they are equal; not a number if ``value`` is not finite.
    """
    signal = np.sum(np.square(reference, dtype=np.float64))
    noise = np.sum(np.square(value.astype(np.float64) - reference))
    if noise == 0:
        return math.inf
    return float(10 * np.log10(signal / noise)) if signal and math.isfinite(noise) else math.nan


def max_error(reference: Array, value: Array) -> float:
    """The largest |value - reference|."""
    return float(np.max(np.abs(value.astype(np.float64) - reference)))


def accuracy(
    workload: Workload, format_names: Iterable[str], seed: int = 0, steps_limit: int | None = None
) -> list[AccuracyRow]:
    """One row a format, with random numbers of ``seed``; scales come from other input data.

    ``steps_limit``: no more time steps than that, as far as time reductions allow. Raises UserError:
    unknown format.
    """
    if steps_limit is not None:
        workload = limit_steps(workload, steps_limit)
    formats = [load_format(name) for name in format_names]
    parameters, inputs = random_parameters(workload, seed), random_inputs(workload, seed)
    ranges = calibrate(workload, parameters, random_inputs(workload, seed + 1))
    reference = run_whole(workload, parameters, inputs)
    last = _last_layers(workload)
    rows: list[AccuracyRow] = []
    for fmt in formats:
        outputs = run_whole(workload, parameters, inputs, fmt, ranges)
        whole = [np.concatenate([run[name].ravel() for name in last]) for run in (reference, outputs)]
        rows.append(
            {
                "workload": workload.name,
                "format": fmt.name,
                "steps": workload.steps,
                "snr_db": snr_db(*whole),
                "max_abs_error": max_error(*whole),
                "max_abs_error_any_layer": max(max_error(reference[n], outputs[n]) for n in reference),
            }
        )
    return rows


def _last_layers(workload: Workload) -> list[str]:
    """Layers that feed no other one in the same step."""
    feeding = {feed.producer for layer in workload.layers for feed in layer.inputs if not feed.delay}
    return [layer.name for layer in workload.layers if layer.name not in feeding]
