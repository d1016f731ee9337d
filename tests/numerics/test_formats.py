"""Number formats by hand-computed values, and what holds for all values."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.hardware.files import load_profile, profile_names
from bench.numerics.formats import FORMATS, NumberFormat, load_format, overlay_format
from bench.numerics.matrices import EXACT_COLUMNS, multiply_int8, round_bfp, round_int8, saturate
from bench.numerics.numbers import Numbers
from bench.numerics.vectors import VectorUnit
from bench.plans.cells import Product, cell_program
from bench.workloads.model import Layer, Workload
from bench.workloads.parameters import Parameters

LAYER = Layer("a", "rnn_tanh", 4, 2, 1)
WORKLOAD = Workload("w", (LAYER,))
X, H = cell_program(LAYER).products
WEIGHTS = {
    ("a", "h.x"): np.array([[1.0, -0.5, 0.25, 0.0], [0.125, 0.0, 0.0, -0.25]], dtype=np.float32),
    ("a", "h.h"): np.array([[2.0, -1.0], [0.25, 0.0625]], dtype=np.float32),
}
RANGES = {("a", "x"): 4.0, ("a", "h"): 1.0}


def numbers(name: str, bits: int = 32) -> Numbers:
    """The little network in a format."""
    fmt = replace(FORMATS[name], accumulator_bits=bits, native=2)
    return Numbers(fmt, WORKLOAD, Parameters(WEIGHTS), RANGES)


def whole(one: Numbers, product: Product) -> np.ndarray:
    """A whole matrix as a device holds it."""
    shape = WEIGHTS["a", product.matrix].shape
    return one.weights(LAYER, product, (0, shape[0]), (0, shape[1]))


def test_names() -> None:
    """A format is found by its name; an unknown name is answered with the nearest ones."""
    assert load_format("int8-tensor").matrix == "int8-tensor"
    assert load_format("int8+table").activation == "table"
    assert all(name == fmt.name for name, fmt in FORMATS.items())
    with pytest.raises(UserError, match="unknown format 'flot16'; did you mean 'float16'"):
        load_format("flot16")


@pytest.mark.parametrize("name", profile_names())
def test_every_profile_has_a_format(name: str) -> None:
    """What a profile states becomes a format with its native vector."""
    profile = load_profile(name)
    fmt = overlay_format(profile)
    stated = profile.arithmetic
    assert (fmt.matrix, fmt.vector) == (stated.matrix, stated.vector)
    assert fmt.native == profile.overlay.engines
    if fmt.is_integer:
        assert fmt.accumulator_bits == stated.accumulator_bits


def test_brainwaves_format() -> None:
    """2 bits of magnitude, native vectors of 400, float16 (Fowers et al., ISCA 2018)."""
    fmt = overlay_format(load_profile("brainwave-s10"))
    assert (fmt.magnitude_bits, fmt.native, fmt.vector) == (2, 400, "float16")


def test_row_scales_by_hand() -> None:
    """A row's unit is the largest of max|W| / 127 * s over its products, and weights count in it.

    s is 4/127 for x and 1/127 for h. Row 0: 1 * 4 beats 2 * 1, row 1: 0.25 * 4 beats 0.25 * 1; so
    the units are 4/127^2 and 1/127^2, and an h weight counts a quarter of an x weight.
    """
    one = numbers("int8")
    assert whole(one, X).tolist() == [[127, -64, 32, 0], [64, 0, 0, -127]]
    assert whole(one, H).tolist() == [[64, -32], [32, 8]]
    accumulators = np.array([[127, 127 * 127]])
    assert one.gate_sum(LAYER, "h", (0, 2), accumulators)[0] == pytest.approx([4 / 127, 1.0], abs=2**-19)


def test_tensor_scale_by_hand() -> None:
    """With one scale all rows count in the largest unit, 4/127^2."""
    one = numbers("int8-tensor")
    assert whole(one, X).tolist() == [[127, -64, 32, 0], [16, 0, 0, -32]]
    assert whole(one, H).tolist() == [[64, -32], [8, 2]]
    sums = one.gate_sum(LAYER, "h", (1, 2), np.array([[127]]))
    assert sums[0] == pytest.approx([4 / 127], abs=2**-19)


def test_operands_saturate() -> None:
    """An operand is rounded to whole scales, and what exceeds the calibrated range is its end."""
    read = numbers("int8").operand(LAYER, X, np.array([[4.0, -4.0, 1.0, 9.0]]))
    assert read.tolist() == [[127, -127, 32, 127]]


def test_a_block_is_cut_from_the_whole() -> None:
    """A block of a matrix holds the same integers as the whole matrix there."""
    one = numbers("int8")
    assert np.array_equal(one.weights(LAYER, X, (1, 2), (1, 4)), whole(one, X)[1:2, 1:4])


def test_integers_need_ranges() -> None:
    """Without calibration there are no scales."""
    with pytest.raises(ValueError, match="calibrate"):
        Numbers(FORMATS["int8"], WORKLOAD, Parameters(WEIGHTS))


def test_an_operand_that_is_always_zero() -> None:
    """A range of zero neither divides by zero nor spoils the other product's scale."""
    one = Numbers(FORMATS["int8"], WORKLOAD, Parameters(WEIGHTS), {("a", "x"): 0.0, ("a", "h"): 1.0})
    assert not whole(one, X).any()
    assert whole(one, H).tolist() == [[127, -64], [127, 32]]
    assert one.operand(LAYER, X, np.ones((1, 4))).tolist() == [[0, 0, 0, 0]]


def test_saturation_by_hand() -> None:
    """A 27-bit accumulator ends at 2^26 - 1 and -2^26, when written and at each addition."""
    assert saturate(np.array([2**26, -(2**26) - 1, 5]), 27).tolist() == [2**26 - 1, -(2**26), 5]
    one = numbers("int8", bits=27)
    full = np.full((1, 4161), 127, dtype=np.float32)
    assert one.product(full, full).tolist() == [[2**26 - 1]]
    assert one.product(full[:, :4160], full[:, :4160]).tolist() == [[4160 * 127**2]]
    assert one.product(full, -full).tolist() == [[-(2**26)]]
    assert one.add(np.array([[2**26 - 2]]), np.array([[3]])).tolist() == [[2**26 - 1]]
    assert numbers("int8", bits=32).product(full, full).tolist() == [[4161 * 127**2]]


@given(st.integers(1, 3), st.integers(1, 3 * EXACT_COLUMNS), st.integers(0, 2**32 - 1))
def test_integer_products_are_exact(batch: int, columns: int, seed: int) -> None:
    """The product through float32 is the product of integers."""
    random = np.random.default_rng(seed)
    weights, operand = random.integers(120, 128, (5, columns)), random.integers(120, 128, (batch, columns))
    got = multiply_int8(weights.astype(np.float32), operand.astype(np.float32))
    assert np.array_equal(got, operand @ weights.T)


@given(st.data())
def test_partial_sums_add_to_the_unsplit_accumulators(data: st.DataObject) -> None:
    """int8: products over any columns, of x and h, add in any order to the same bits."""
    wide = Layer("a", "rnn_tanh", data.draw(st.integers(1, 60)), 40, 1)
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    weights = {
        ("a", "h.x"): random.standard_normal((40, wide.input_size)).astype(np.float32),
        ("a", "h.h"): random.standard_normal((40, 40)).astype(np.float32) * np.float32(0.1),
    }
    name = data.draw(st.sampled_from(["int8", "int8-tensor", "int8-wide"]))
    one = Numbers(
        FORMATS[name], Workload("w", (wide,)), Parameters(weights), {("a", "x"): 3.0, ("a", "h"): 1.0}
    )
    unsplit, parts = [], []
    for product, width in zip(cell_program(wide).products, (wide.input_size, 40), strict=True):
        values = random.standard_normal((2, width)).astype(np.float32)
        edges = sorted({0, width, *data.draw(st.sets(st.integers(0, width), max_size=4))})
        for cols, target in [((0, width), unsplit), *((cut, parts) for cut in pairwise(edges))]:
            block = one.weights(wide, product, (0, 40), cols)
            target.append(one.product(block, one.operand(wide, product, values[:, slice(*cols)])))
    total = one.add(*unsplit)
    order = data.draw(st.permutations(range(len(parts))))
    added = parts[order[0]]
    for place in order[1:]:
        added = one.add(added, parts[place])
    assert np.array_equal(total, added)


def test_shared_exponent_by_hand() -> None:
    """2 bits: the largest, 1.0, sets units of 2^(0+1-2) = 0.5; 1.9 / 0.5 rounds to 4, beyond 3."""
    values = np.array([[1.0, 0.5, -0.3, 0.1], [1.9, -1.9, 0.26, 0.0], [0.0, 0.0, 0.0, 0.0]])
    assert round_bfp(values, 2, 4).tolist() == [
        [1.0, 0.5, -0.5, 0.0],
        [1.5, -1.5, 0.5, 0.0],
        [0.0, 0.0, 0.0, 0.0],
    ]


def test_each_native_vector_has_an_exponent() -> None:
    """Two native vectors of two: the small ones keep their own unit, 2^(-3+1-2)."""
    values = np.array([[1.0, 0.1, 0.125, 0.1]])
    assert round_bfp(values, 2, 2).tolist() == [[1.0, 0.0, 0.125, 0.125]]
    assert round_bfp(values, 2, 4).tolist() == [[1.0, 0.0, 0.0, 0.0]]


def test_native_vectors_count_from_the_blocks_first_column() -> None:
    """A device that holds columns 1 to 4 has native vectors that begin there."""
    one = numbers("bfp2")
    assert whole(one, X)[0].tolist() == [1.0, -0.5, 0.25, 0.0]
    assert one.weights(LAYER, X, (0, 1), (1, 4)).tolist() == [[-0.5, 0.25, 0.0]]
    assert one.weights(LAYER, X, (0, 1), (0, 3)).tolist() == [[1.0, -0.5, 0.25]]


def test_exponents_have_five_bits() -> None:
    """Below 2^-15 and above 2^17 there is no exponent: values vanish or saturate."""
    assert round_bfp(np.array([[2.0**-15, 2.0**-19]]), 2, 2).tolist() == [[2.0**-15, 0.0]]
    assert round_bfp(np.array([[2.0**-18]]), 2, 2).tolist() == [[0.0]]
    assert round_bfp(np.array([[1.5 * 2.0**-15]]), 2, 2).tolist() == [[1.5 * 2.0**-15]]
    assert round_bfp(np.array([[1e9]]), 2, 2).tolist() == [[3 * 2.0**15]]


@given(
    st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=40),
    st.integers(2, 5),
    st.integers(1, 12),
)
def test_block_floating_point_errors(values: list[float], bits: int, native: int) -> None:
    """Half a unit where an element does not saturate, less than one where it does."""
    x = np.array([values])
    rounded = round_bfp(x, bits, native)
    for start in range(0, len(values), native):
        part, got = x[0, start : start + native], rounded[0, start : start + native]
        largest = max(np.max(np.abs(part)), 2.0**-15)
        unit = 2.0 ** (np.floor(np.log2(largest)) + 1 - bits)
        error = np.abs(got - part)
        saturated = np.abs(part) > (2**bits - 1) * unit
        assert np.all(error[~saturated] <= unit / 2)
        assert np.all(error[saturated] < unit)
        assert np.all(np.abs(got) <= (2**bits - 1) * unit)
        assert np.all(got / unit == np.rint(got / unit))


def test_round_int8_by_hand() -> None:
    """To nearest, halves to even, within 127 on both sides."""
    assert round_int8(np.array([0.5, 1.5, -2.5, 126.6, 300, -300]), 1.0).tolist() == [
        0,
        2,
        -2,
        127,
        127,
        -127,
    ]


def unit(name: str) -> VectorUnit:
    """The vector unit of a format."""
    return VectorUnit(NumberFormat("test", vector=name))  # type: ignore[arg-type]


def test_fixed_point_by_hand() -> None:
    """19 fraction bits: steps of 2^-19; 27 bits end at 128 - 2^-19 and -128, 32 bits at 4096."""
    step = 2.0**-19
    values = np.array([0.4 * step, 0.6 * step, 200.0, -200.0, 1.25])
    assert unit("fixed27").round(values).tolist() == [0, step, 128 - step, -128, 1.25]
    assert unit("fixed32").round(np.array([200.0, 5000.0])).tolist() == [200, 4096 - step]
    assert unit("fixed27").plus(np.array([127.0]), np.array([3.0])).tolist() == [128 - step]
    assert unit("fixed27").times(np.array([step]), np.array([0.75])).tolist() == [step]


@given(st.integers(-(2**26), 2**26 - 1), st.integers(-(2**26), 2**26 - 1))
def test_fixed_point_products_are_rounded_once(a: int, b: int) -> None:
    """27-bit products are exact before they are rounded (integers in Python are the reference)."""
    got = unit("fixed27").times(np.array([a / 2**19]), np.array([b / 2**19]))[0]
    low, rest = divmod(a * b, 2**19)
    nearest = low + (rest > 2**18 or (rest == 2**18 and low % 2 == 1))
    assert got * 2**19 == min(max(nearest, -(2**26)), 2**26 - 1)


@pytest.mark.parametrize(("name", "dtype"), [("float16", np.float16), ("bfloat16", ml_dtypes.bfloat16)])
def test_small_floats_are_those_of_the_library(name: str, dtype: type) -> None:
    """Sums and products equal the arithmetic of numpy's and ml_dtypes' own types."""
    random = np.random.default_rng(0)
    a, b = (unit(name).round(random.standard_normal(2000)) for _ in range(2))
    assert np.array_equal(unit(name).plus(a, b), (a.astype(dtype) + b.astype(dtype)).astype(np.float32))
    assert np.array_equal(unit(name).times(a, b), (a.astype(dtype) * b.astype(dtype)).astype(np.float32))


def test_small_floats_by_hand() -> None:
    """1 + 2^-10 fits float16 (10 fraction bits) but not bfloat16 (7); beyond 65504 is infinity."""
    value = np.array([1 + 2.0**-10], dtype=np.float32)
    assert unit("float16").round(value).tolist() == [1 + 2.0**-10]
    assert unit("bfloat16").round(value).tolist() == [1.0]
    assert unit("float16").round(np.array([7e4])).tolist() == [np.inf]


def test_matrix_floats_add_in_more_than_their_own_format() -> None:
    """In float16, 2048 + 1 is 2048; the accumulator of a float16 product holds 2049."""
    weights = np.array([[2048.0, 1.0]], dtype=np.float32)
    layer = Layer("a", "linear", 2, 1, 1)
    (product,) = cell_program(layer).products
    one = Numbers(FORMATS["float16"], Workload("w", (layer,)), Parameters({("a", "h.x"): weights}))
    block = one.weights(layer, product, (0, 1), (0, 2))
    accumulators = one.product(block, one.operand(layer, product, np.ones((1, 2), dtype=np.float32)))
    assert accumulators.tolist() == [[2049.0]]
    assert one.gate_sum(layer, "h", (0, 1), accumulators).tolist() == [[2048.0]]


def test_biases_and_states_are_held_in_the_vector_format() -> None:
    """1 + 2^-11 is 1 in float16 as a bias, a state or data; added to 2^-11 that stays 1."""
    fine = np.array([1 + 2.0**-11], dtype=np.float32)
    layer = Layer("a", "lstm", 1, 1, 1)
    parameters = Parameters({}, {("a", "i"): fine}, {("a", "c"): fine[np.newaxis]})
    one = Numbers(FORMATS["float16"], Workload("w", (layer,)), parameters)
    assert one.gate_sum(layer, "i", (0, 1), np.array([[2.0**-11]])).tolist() == [[1.0]]
    assert one.initial(layer, "c").tolist() == [[1.0]]
    assert one.initial(layer, "h").tolist() == [[0.0]]
    assert one.external(fine).tolist() == [1.0]


@given(st.data())
def test_rows_can_be_split_without_changing_a_bit(data: st.DataObject) -> None:
    """Below float32 a product's rows do not depend on which others a device holds, nor on the batch."""
    layer = Layer("a", "linear", data.draw(st.integers(1, 300)), 60, 1)
    random = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    weights = {("a", "h.x"): random.uniform(-0.5, 0.5, (60, layer.input_size)).astype(np.float32)}
    name = data.draw(st.sampled_from(["float16", "bfloat16", "int8", "bfp2", "bfp5"]))
    one = Numbers(replace(FORMATS[name], native=40), WORKLOAD, Parameters(weights), {("a", "x"): 4.0})
    (product,) = cell_program(layer).products
    operand = one.operand(layer, product, random.standard_normal((3, layer.input_size)).astype(np.float32))
    cols = (0, layer.input_size)
    whole = one.product(one.weights(layer, product, (0, 60), cols), operand)
    cut = data.draw(st.integers(1, 59))
    parts = [one.product(one.weights(layer, product, rows, cols), operand) for rows in ((0, cut), (cut, 60))]
    assert np.array_equal(whole, np.concatenate(parts, axis=1))
    block = one.weights(layer, product, (0, 60), cols)
    assert np.array_equal(whole, np.concatenate([one.product(block, operand[n : n + 1]) for n in range(3)]))
