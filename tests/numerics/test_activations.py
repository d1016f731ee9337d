"""Sigmoid and tanh by table and piecewise: hand-computed values and the stated largest errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.numerics.activations import MAX_ERROR, TABLE_RANGE, Activation, sigmoid, tanh

FUNCTIONS = {"sigmoid": sigmoid, "tanh": tanh}
KINDS: tuple[Activation, ...] = ("exact", "table", "table-linear", "piecewise")
GRID = np.linspace(-12, 12, 480_001)


def closed_form(name: str, x: np.ndarray) -> np.ndarray:
    """The function by another formula than the code's."""
    return 0.5 + 0.5 * np.tanh(x / 2) if name == "sigmoid" else np.expm1(2 * x) / (np.expm1(2 * x) + 2)


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("kind", KINDS[1:])
def test_largest_error_is_the_stated_one(name: str, kind: Activation) -> None:
    """On a dense grid the error stays below what is stated, and comes within a tenth of it."""
    error = np.max(np.abs(FUNCTIONS[name](GRID, kind) - closed_form(name, GRID)))
    assert 0.9 * MAX_ERROR[kind, name] < error <= MAX_ERROR[kind, name]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_exact_is_exact(name: str) -> None:
    """Within a few units in the last place of another formula."""
    assert np.max(np.abs(FUNCTIONS[name](GRID) - closed_form(name, GRID))) < 1e-15


@pytest.mark.parametrize("kind", KINDS)
def test_far_arguments(kind: Activation) -> None:
    """Huge arguments give the limits, without a warning."""
    far = np.array([-1e30, 1e30], dtype=np.float32)
    with np.errstate(all="raise", under="ignore"):
        low, high = sigmoid(far, kind)
        assert low == pytest.approx(0, abs=4e-4)
        assert high == pytest.approx(1, abs=4e-4)
        assert tanh(far, kind) == pytest.approx([-1, 1], abs=1e-6)


def test_piecewise_by_hand() -> None:
    """PLAN: 0.25 x + 0.5 below 1, 0.125 x + 0.625 to 2.375, 0.03125 x + 0.84375 to 5, then 1."""
    values = sigmoid(np.array([0.0, 0.5, 1.0, 2.0, 4.0, 5.0, 9.0, -0.5, -4.0, -9.0]), "piecewise")
    assert values.tolist() == [0.5, 0.625, 0.75, 0.875, 0.96875, 1.0, 1.0, 0.375, 0.03125, 0.0]
    assert tanh(np.array([0.25, 1.0, -1.0]), "piecewise").tolist() == [0.25, 0.75, -0.75]


def test_table_takes_the_nearest_entry() -> None:
    """1,024 intervals of 1/64: what lies between two entries goes to the nearer one."""
    near = np.array([0.0, 0.007, 0.009, 1.0, 1.007])
    assert tanh(near, "table").tolist() == np.tanh([0.0, 0.0, 1 / 64, 1.0, 1.0]).tolist()


def test_table_interpolates() -> None:
    """256 intervals of 1/16: halfway between two entries lies their mean."""
    value = tanh(np.array([0.5 + 1 / 32]), "table-linear")[0]
    assert value == pytest.approx((np.tanh(0.5) + np.tanh(0.5625)) / 2, abs=1e-15)


@pytest.mark.parametrize("kind", ["table", "table-linear"])
def test_table_ends(kind: Activation) -> None:
    """At and beyond its ends a table gives its last entries."""
    ends = np.array([-20.0, -TABLE_RANGE, TABLE_RANGE, 20.0])
    exact = sigmoid(np.array([-8.0, -8.0, 8.0, 8.0]))
    assert sigmoid(ends, kind).tolist() == exact.tolist()


@given(
    st.lists(st.floats(-20, 20, width=32), min_size=2, max_size=70),
    st.integers(1, 69),
    st.sampled_from(KINDS),
    st.sampled_from(sorted(FUNCTIONS)),
)
def test_any_split_gives_the_same_bits(values: list[float], cut: int, kind: Activation, name: str) -> None:
    """An element's result does not depend on its neighbours or on where it stands."""
    x = np.array(values, dtype=np.float32)
    whole = FUNCTIONS[name](x, kind)
    assert np.array_equal(whole, np.concatenate([FUNCTIONS[name](part, kind) for part in (x[:cut], x[cut:])]))
