"""Workloads at other sizes: ``dac20/encoder-8?hidden_size=512&steps=100&batch=4``.

``hidden_size`` is the first layer's, and all other widths of the network change in proportion, as
all layers' time steps do with ``steps`` (the longest layer's). `limit_steps` shortens a run for a check.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction

from bench.errors import UserError
from bench.workloads.check import check_workload
from bench.workloads.model import EXTERNAL, Layer, Workload

SIZES = ("hidden_size", "steps", "batch")
"""What may be replaced."""


def vary_workload(workload: Workload, reference: str, changes: Mapping[str, str]) -> Workload:
    """``workload`` with other sizes, named as ``reference``.

    Raises UserError: an unknown size, or one at which some width or time is no whole number.
    """
    sizes: dict[str, int] = {}
    for name, text in changes.items():
        if name not in SIZES:
            raise UserError(f"workload {reference}: there is no size {name!r}; there are: {', '.join(SIZES)}")
        if not text.isascii() or not text.isdigit() or int(text) < 1:
            raise UserError(
                f"workload {reference}: {name}: got {text!r}, expected a whole number of 1 or more"
            )
        sizes[name] = int(text)
    first = workload.layers[0].hidden_size
    wider = Fraction(sizes.get("hidden_size", first), first)
    longer = Fraction(sizes.get("steps", workload.steps), workload.steps)
    try:
        layers = tuple(_scaled(layer, wider, longer) for layer in workload.layers)
    except UserError as error:
        raise UserError(f"workload {reference}: {error}") from None
    batch = sizes.get("batch", workload.batch)
    varied = replace(workload, name=reference, layers=layers, batch=batch)
    check_workload(varied)
    return varied


def limit_steps(workload: Workload, limit: int) -> Workload:
    """The same graph over fewer time steps: at most ``limit``, if time reductions allow.

    Layers keep the ratio of their steps to those of the layers that they are joined with.
    """
    joined = {layer.name: {layer.name} for layer in workload.layers}
    for layer in workload.layers:
        for feed in layer.inputs:
            if feed.producer != EXTERNAL:
                together = joined[layer.name] | joined[feed.producer]
                joined.update(dict.fromkeys(together, together))
    layers = []
    for layer in workload.layers:
        steps = [other.steps for other in workload.layers if other.name in joined[layer.name]]
        unit = math.gcd(*steps)
        kept = min(unit, max(1, limit * unit // max(steps)))
        layers.append(replace(layer, steps=layer.steps // unit * kept))
    return replace(workload, layers=tuple(layers))


def _scaled(layer: Layer, wider: Fraction, longer: Fraction) -> Layer:
    name = layer.name
    inputs = tuple(
        replace(feed, size=_whole(feed.size * wider, f"an input of layer {name!r}")) for feed in layer.inputs
    )
    projection = layer.projection_size
    return replace(
        layer,
        hidden_size=_whole(layer.hidden_size * wider, f"hidden_size of layer {name!r}"),
        input_size=_whole(layer.input_size * wider, f"input_size of layer {name!r}"),
        projection_size=projection and _whole(projection * wider, f"projection_size of layer {name!r}"),
        steps=_whole(layer.steps * longer, f"steps of layer {name!r}"),
        inputs=inputs,
    )


def _whole(value: Fraction, what: str) -> int:
    if value.denominator != 1:
        raise UserError(f"{what} would be {float(value):g}; choose one that keeps it whole")
    return int(value)
