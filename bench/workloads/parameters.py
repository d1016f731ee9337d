"""The Parameters value: the numbers of a network, where they are known or made up.

Timing needs none of them. The interpreter does, and an ONNX file has them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Parameters:
    """Weights, biases and initial states, float32.

    ``weights``: (layer, matrix) -> (rows, columns), matrices as `bench.plans.cells` names
    them (``i.x``, ``n.rh``). ``biases``: (layer, sum) -> (rows,), sums as there (``i``; ``n``
    and ``n.h`` of a GRU that resets after the product); a bias that is not there is zero.
    ``initial``: (layer, ``h`` or ``c``) -> (batch, elements); a state that is not there is zero.
    """

    weights: Mapping[tuple[str, str], Floats]
    biases: Mapping[tuple[str, str], Floats] = field(default_factory=dict)
    initial: Mapping[tuple[str, str], Floats] = field(default_factory=dict)


Sequences = Mapping[str, Floats]
"""Layer -> (time steps, batch, elements), in order of time (a backward layer's too).

As inputs: what comes from outside, for each layer that takes any: its external inputs side by
side in the order in which it names them. As outputs: each layer's h.
"""
