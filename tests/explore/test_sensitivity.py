"""Sensitivities: exact for power laws, from pairs that differ in one axis alone."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from bench.errors import UserError
from bench.explore.choose import Choice
from bench.explore.sensitivity import sensitivity
from bench.sweeps.query import open_results
from tests.explore.made import write_sweep

POWERS = {"fpgas": -0.7, "link_latency_ns": 0.2, "overlay_tiles": -0.3, "hidden_size": 1.5}
VALUES = {
    "fpgas": (1, 2, 8),
    "link_latency_ns": (0.0, 100.0, 1000.0),
    "overlay_tiles": (4.0, 6.0),
    "hidden_size": (96, 192),
}


def rows() -> list[dict[str, Any]]:
    """A latency that is a product of powers; at a link latency of 0 as at 1 ns."""
    found = []
    for values in product(*VALUES.values()):
        axes = dict(zip(VALUES, values, strict=True))
        latency = 1.0
        for axis, power in POWERS.items():
            latency *= max(axes[axis], 1) ** power
        found.append(
            {
                "workload": f"net?hidden_size={axes['hidden_size']}",
                "profile": f"s10-gx2800-dac20?overlay.tiles={axes['overlay_tiles']:g}",
                "latency_s": latency,
                **axes,
            }
        )
    return found


def test_elasticities_of_a_power_law_are_its_powers(tmp_path: Path) -> None:
    """Each axis has its power, from as many pairs of neighbours as the grid has; 0 has no logarithm."""
    with open_results(write_sweep(tmp_path, rows())) as connection:
        found = sensitivity(connection, Choice()).to_pylist()
    assert {row["axis"]: row["elasticity"] for row in found} == pytest.approx(POWERS)
    assert {row["axis"]: row["least"] for row in found} == pytest.approx(POWERS)
    assert {row["axis"]: row["most"] for row in found} == pytest.approx(POWERS)
    assert {row["axis"]: row["pairs"] for row in found} == {
        "fpgas": 2 * 3 * 2 * 2,
        "link_latency_ns": 1 * 3 * 2 * 2,
        "overlay_tiles": 1 * 3 * 3 * 2,
        "hidden_size": 1 * 3 * 3 * 2,
    }
    assert {(row["workload"], row["partitioner"]) for row in found} == {("net", "row-wise")}


def test_axes_that_go_together_make_no_pairs(tmp_path: Path) -> None:
    """Where two axes change at once, neither has an elasticity, and where none is left that is said."""
    together = [{"fpgas": n, "link_latency_ns": 100.0 * n, "latency_s": 1.0 / n} for n in (1, 2, 4)]
    with (
        open_results(write_sweep(tmp_path, together)) as connection,
        pytest.raises(UserError, match="no two chosen points differ in one axis alone"),
    ):
        sensitivity(connection, Choice())
