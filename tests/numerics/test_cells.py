"""The elementwise operations of each cell, by hand, and on any range of rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.numerics.cells import finish, join, needs_cell_state, needs_input
from bench.numerics.formats import FORMATS
from bench.numerics.numbers import Numbers
from bench.plans.cells import cell_program
from bench.workloads.model import Cell, Layer, Workload
from bench.workloads.parameters import Parameters

CELLS: tuple[Cell, ...] = ("lstm", "gru", "rnn_tanh", "rnn_relu", "mlstm", "linear")
LAYERS = (
    *(Layer("a", cell, 3, 3, 1) for cell in CELLS),
    *(Layer("a", cell, 3, 3, 1, skip_input=True) for cell in CELLS[:-1]),
    Layer("a", "gru", 3, 3, 1, reset="after"),
    Layer("a", "gru", 3, 3, 1, reset="after", skip_input=True),
    Layer("a", "lstm", 3, 3, 1, projection_size=2),
)


def numbers(layer: Layer, name: str = "float32") -> Numbers:
    """The arithmetic of a format, without parameters."""
    return Numbers(FORMATS[name], Workload("w", (layer,)), Parameters({}), {})


def run(layer: Layer, stage: str, x: float | None = None, **values: float) -> dict[str, float]:
    """One stage of a cell with one element; ``n_h`` is the sum ``n.h``, ``h0`` and ``c0`` are states."""
    arrays = {name: np.array([[value]], dtype=np.float32) for name, value in values.items()}
    state = {name: arrays.pop(f"{name}0") for name in "hc" if f"{name}0" in arrays}
    sums = {name.replace("_", "."): value for name, value in arrays.items()}
    given_x = None if x is None else np.array([[x]], dtype=np.float32)
    made = finish(numbers(layer).vector, layer, cell_program(layer).stage(stage), sums, state, given_x)
    return {name: float(value[0, 0]) for name, value in made.items()}


LN3 = float(np.log(3.0))
"""sigmoid(LN3) = 3/4, tanh(LN3) = 4/5, tanh(LN3 / 2) = 1/2."""


def test_lstm_by_hand() -> None:
    """With i = 3/4, f = 1/2, o = 1/4, g = 4/5 and c = -0.2: c' = -0.1 + 0.6 = 0.5, h = tanh(0.5) / 4."""
    made = run(Layer("a", "lstm", 1, 1, 1), "h", i=LN3, f=0.0, o=-LN3, g=LN3, c0=-0.2)
    assert made == pytest.approx({"h": np.tanh(0.5) / 4, "c": 0.5}, abs=1e-7)


def test_projected_lstm_by_hand() -> None:
    """The unprojected vector is the stage mem, with c; h is the projection's sum as it is."""
    layer = Layer("a", "lstm", 1, 1, 1, projection_size=1)
    made = run(layer, "mem", i=LN3, f=0.0, o=-LN3, g=LN3, c0=-0.2)
    assert made == pytest.approx({"mem": np.tanh(0.5) / 4, "c": 0.5}, abs=1e-7)
    assert run(layer, "h", p=-7.0) == {"h": -7.0}


def test_gru_by_hand() -> None:
    """Reset before: rh = 3/4 * 0.4. Update: z = 1/4, n = 4/5, h = 0.4: 3/4 * 4/5 + 1/4 * 0.4 = 0.7."""
    layer = Layer("a", "gru", 1, 1, 1)
    assert run(layer, "rh", r=LN3, h0=0.4) == pytest.approx({"rh": 0.3}, abs=1e-7)
    assert run(layer, "h", z=-LN3, n=LN3, h0=0.4) == pytest.approx({"h": 0.7}, abs=1e-7)


def test_gru_that_resets_after_by_hand() -> None:
    """The candidate's argument is n + r * n.h = LN3 / 2 + 3/4 * 2/3 * LN3 = LN3."""
    made = run(
        Layer("a", "gru", 1, 1, 1, reset="after"), "h", z=-LN3, r=LN3, n=LN3 / 2, n_h=LN3 * 2 / 3, h0=0.4
    )
    assert made == pytest.approx({"h": 0.7}, abs=1e-7)


def test_simple_cells_by_hand() -> None:
    """Tanh, the positive part, and the sum itself."""
    assert run(Layer("a", "rnn_tanh", 1, 1, 1), "h", h=LN3) == pytest.approx({"h": 0.8}, abs=1e-7)
    assert run(Layer("a", "rnn_relu", 1, 1, 1), "h", h=-2.0) == {"h": 0.0}
    assert run(Layer("a", "rnn_relu", 1, 1, 1), "h", h=2.5) == {"h": 2.5}
    assert run(Layer("a", "linear", 1, 1, 1), "h", h=-2.5) == {"h": -2.5}


def test_mlstm_by_hand() -> None:
    """The multiplicative state is a product of two sums; the rest is an LSTM."""
    layer = Layer("a", "mlstm", 1, 1, 1)
    assert run(layer, "m", m=1.5, m_h=-2.0) == {"m": -3.0}
    made = run(layer, "h", i=LN3, f=0.0, o=-LN3, g=LN3, c0=-0.2)
    assert made == pytest.approx({"h": np.tanh(0.5) / 4, "c": 0.5}, abs=1e-7)


@pytest.mark.parametrize(
    ("layer", "stage", "x", "values", "expected"),
    [
        (Layer("a", "lstm", 1, 1, 1), "h", 1.0,
         {"i": LN3 - 1, "f": -1.0, "o": -LN3 - 1, "g": LN3 - 1, "c0": -0.2},
         {"h": np.tanh(0.5) / 4, "c": 0.5}),
        (Layer("a", "gru", 1, 1, 1), "rh", 1.0, {"r": LN3 - 1, "h0": 0.4}, {"rh": 0.3}),
        (Layer("a", "gru", 1, 1, 1), "h", 1.0, {"z": -LN3 - 1, "n": LN3 - 1, "h0": 0.4}, {"h": 0.7}),
        (Layer("a", "gru", 1, 1, 1, reset="after"), "h", LN3 / 2,
         {"z": -LN3 * 1.5, "r": LN3 / 2, "n_h": LN3 * 2 / 3, "h0": 0.4}, {"h": 0.7}),
        (Layer("a", "rnn_relu", 1, 1, 1), "h", 1.0, {"h": 1.5}, {"h": 2.5}),
        (Layer("a", "mlstm", 1, 1, 1), "m", 1.5, {"m_h": -2.0}, {"m": -3.0}),
        (Layer("a", "mlstm", 1, 1, 1), "h", 1.0,
         {"i": LN3 - 1, "f": -1.0, "o": -LN3 - 1, "g": LN3 - 1, "c0": -0.2},
         {"h": np.tanh(0.5) / 4, "c": 0.5}),
    ],
)  # fmt: skip
def test_skipped_input_by_hand(
    layer: Layer, stage: str, x: float, values: dict[str, float], expected: dict[str, float]
) -> None:
    """Without input products x itself is added to every gate, and stands where a sum has no other part."""
    assert run(replace(layer, skip_input=True), stage, x, **values) == pytest.approx(expected, abs=1e-6)


def test_which_stages_read_the_cell_state_and_the_input() -> None:
    """c belongs to the LSTM's stage of four gates; x to all stages of a layer that skips its product."""
    projected = Layer("a", "lstm", 1, 1, 1, projection_size=1, skip_input=True)
    mem, h = cell_program(projected).stages
    assert (needs_cell_state(projected, mem), needs_cell_state(projected, h)) == (True, False)
    assert (needs_input(projected, mem), needs_input(projected, h)) == (True, False)
    mlstm = Layer("a", "mlstm", 1, 1, 1)
    assert [needs_cell_state(mlstm, stage) for stage in cell_program(mlstm).stages] == [False, True]
    assert not any(needs_input(mlstm, stage) for stage in cell_program(mlstm).stages)


@given(st.data())
def test_any_range_of_rows_gives_the_same_bits(data: st.DataObject) -> None:
    """A stage computed in two ranges of rows equals the stage computed at once, in every format."""
    layer = data.draw(st.sampled_from(LAYERS))
    size, cut = data.draw(st.integers(2, 40)), data.draw(st.integers(1, 39))
    one = numbers(layer, data.draw(st.sampled_from(sorted(FORMATS))))
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))

    def vector() -> np.ndarray:
        return one.vector.round(random.standard_normal((2, size)) * 3)

    for stage in cell_program(layer).stages:
        sums = {name: vector() for name in cell_program(layer).sums(stage.name)}
        state, x = {"h": vector(), "c": vector()}, vector()
        whole = finish(one.vector, layer, stage, sums, state, x)
        parts = [
            finish(
                one.vector, layer, stage,
                {name: value[:, rows] for name, value in sums.items()},
                {name: value[:, rows] for name, value in state.items()},
                x[:, rows],
            )
            for rows in (slice(0, cut), slice(cut, size))
        ]  # fmt: skip
        for name, value in whole.items():
            assert np.array_equal(value, np.concatenate([part[name] for part in parts], axis=1))
            assert np.array_equal(value, one.vector.round(value)), "not representable"


def test_join() -> None:
    """Vectors stand side by side, or are added from the first to the last, each sum rounded."""
    parts = [np.array([[value, 1.0]], dtype=np.float32) for value in (2048.0, 1.0, 1.0)]
    layer = Layer("a", "linear", 1, 1, 1)
    assert join(numbers(layer), "concat", parts[:2]).tolist() == [[2048, 1, 1, 1]]
    assert join(numbers(layer), "sum", parts).tolist() == [[2050, 3]]
    assert join(numbers(layer, "float16"), "sum", parts).tolist() == [[2048, 3]]
