"""Programs with numbers: every plan computes what the network computes without a plan."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.errors import Unsupported
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Cluster
from bench.numerics.check import TOLERANCE, Network, find_deviation, make_network, verdict
from bench.numerics.export import to_onnx
from bench.numerics.formats import FLOAT32, load_format
from bench.numerics.interpreter import interpret
from bench.numerics.numbers import Array, Numbers
from bench.numerics.random import random_inputs, random_parameters
from bench.numerics.references import run_onnxruntime
from bench.partitioners import load_partitioner, partitioner_names
from bench.plans.cells import cell_program, matrix_shape
from bench.plans.lower import lower
from bench.plans.operations import Multiply
from bench.plans.plan import Plan
from bench.plans.program import Program
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Combine, Input, Layer, Workload
from bench.workloads.variants import limit_steps
from tests.numerics.networks import NETWORKS, bidirectional, decoder, deviation, single, stack
from tests.strategies import clusters, plans, small_profile, workloads

STEPS = 3
"""The first step, one between, and the last."""
DEVICES = range(1, 9)
FORMATS = ("float32", "float16", "bfloat16", "int8", "int8-tensor", "bfp5")


def pyramid(reduction: Combine) -> Workload:
    """An LSTM, and a GRU at half its steps that runs backwards."""
    below = Layer("below", "lstm", 3, 6, 2 * STEPS)
    feed = Input("below", 12 if reduction == "concat" else 6, 0, 2, reduction)
    above = Layer("above", "gru", feed.size, 5, STEPS, (feed,), direction="backward", reset="after")
    return Workload("pyramid", (below, above))


KINDS: dict[str, Workload] = {
    "stack": stack("lstm", "rnn_tanh"),
    "bidirectional": bidirectional("lstm", depth=1),
    "decoder": decoder("lstm", "rnn_tanh", external=2),
    "pyramid": pyramid("concat"),
    "pyramid, summed": pyramid("sum"),
    "batch 4": replace(single("rnn_relu"), batch=4),
    **{
        name: NETWORKS[name]
        for name in ("projection", "gru, reset before", "gru, reset after", "mlstm", "lstm, skip input")
    },
}
KINDS = {
    kind: workload if workload.name == "pyramid" else limit_steps(workload, STEPS)
    for kind, workload in KINDS.items()
}


@lru_cache(maxsize=256)
def network(kind: str, name: str, *, exact_sums: bool = False) -> Network:
    """A small network with numbers and its outputs without a plan.

    ``exact_sums``: numbers for which parts of sums are exact in float32, so that they may be added in any
    order. Weights are multiples of 1/4, and in block floating point every element has its own exponent,
    wherever columns are cut. 24 bits then hold a sum below 8 of vectors that have no bits below 2**-19,
    as float16 has none from 2**-9 on and the others from 2**-12 on.
    """
    workload, fmt = KINDS[kind], load_format(name)
    if not exact_sums:
        return make_network(workload, fmt)
    parameters = random_parameters(workload)
    weights = {key: np.rint(8 * values) / np.float32(4) for key, values in parameters.weights.items()}
    return make_network(workload, replace(fmt, native=1), replace(parameters, weights=weights))


def run(program: Program, plan: Plan, of: Network) -> dict[str, Array]:
    """The outputs of a program."""
    return interpret(
        program, plan, of.workload, Numbers(of.fmt, of.workload, of.parameters, of.ranges), of.inputs
    )


def splits_columns(program: Program, workload: Workload) -> bool:
    """Whether any product is made of some of its matrix's columns at a time: in blocks, or streamed."""
    widths = {
        (layer.name, product.matrix): matrix_shape(layer, product)[1]
        for layer in workload.layers
        for product in cell_program(layer).products
    }
    return any(
        does.parts != ((0, widths[does.layer, does.matrix]),)
        for phase in program.phases
        for instruction in phase.instructions
        for does in instruction.does
        if isinstance(does, Multiply)
    )


def all_plans(workload: Workload) -> Iterator[tuple[str, Cluster, Plan | None]]:
    """The plans of all partitioners on one to eight devices; None where a partitioner declines."""
    for name in partitioner_names():
        for fpgas in DEVICES:
            cluster = Cluster(small_profile(), fpgas, "ring")
            try:
                plan = load_partitioner(name).plan(workload, cluster)
            except Unsupported:
                plan = None
            yield f"{name} on {fpgas}", cluster, plan


@pytest.mark.parametrize("kind", KINDS)
def test_every_partitioner_computes_the_network(kind: str) -> None:
    """In float32 within 1e-5, in all other formats bit for bit.

    Integer sums are exact. Other formats than float32 add the products of a row exactly, and a sum has
    products of two matrices at most, which may come in either order; so only matrices that are split by
    columns need numbers whose sums are exact.
    """
    workload = KINDS[kind]
    declined, done = [], set()
    for what, cluster, plan in all_plans(workload):
        if plan is None:
            declined.append(what)
            continue
        program = lower(plan, workload, cluster)
        if (program.phases, plan.blocks) in done:
            continue  # a device more that gets nothing
        done.add((program.phases, plan.blocks))
        split = splits_columns(program, workload)
        for name in FORMATS:
            exact_sums = split and name in ("float16", "bfloat16", "bfp5")
            of = network(kind, name, exact_sums=exact_sums)
            tolerance = TOLERANCE if name == "float32" else 0.0
            problem = find_deviation(of, plan, run(program, plan, of), tolerance)
            assert not problem, f"{what}, {name}: {problem}"
    # input-wise needs a product with x
    may_decline = [f"input-wise on {n}" for n in DEVICES] if kind == "lstm, skip input" else []
    assert set(declined) <= set(may_decline)
    assert len(done) > len(partitioner_names())


@pytest.mark.parametrize("name", ["float16", "bfloat16", "bfp5"])
@pytest.mark.parametrize("fpgas", [2, 3, 4])
def test_columns_split_in_float_formats(name: str, fpgas: int) -> None:
    """Column splits cost what the format says: float32 parts, one rounding, and other shared exponents."""
    layer = Layer("rnn", "linear", 16, 7, 5)
    of = make_network(Workload("product", (layer,), batch=2), load_format(name))
    cluster = Cluster(small_profile(), fpgas, "ring")
    plan = load_partitioner("column-wise").plan(of.workload, cluster)
    program = lower(plan, of.workload, cluster)
    assert splits_columns(program, of.workload)
    found = run(program, plan, of)["rnn"].astype(np.float64)
    weights = np.abs(of.parameters.weights["rnn", "h.x"].astype(np.float64))
    x = np.abs(of.inputs["rnn"].astype(np.float64))
    apart = fpgas * 2.0**-24 * (x @ weights.T)
    if of.fmt.magnitude_bits is not None:
        # Either run reads an element within a unit: 2**(1 - bits) of the largest that shares its exponent.
        unit = 2.0 ** (1 - of.fmt.magnitude_bits)
        w_off, x_off = 2 * unit * weights.max(axis=1), 2 * unit * x.max(axis=2, keepdims=True)
        apart += (x + x_off).sum(axis=2, keepdims=True) * w_off + x_off * weights.sum(axis=1)
    ulp = 2.0 ** (-7 if of.fmt.vector == "bfloat16" else -10)
    # the sum, and the sum with its bias, each rounded in both runs
    size = np.maximum(np.abs(found), np.abs(of.expected["rnn"])) + np.abs(of.parameters.biases["rnn", "h"])
    difference = np.abs(found - of.expected["rnn"])
    assert (difference <= apart + 2 * ulp * size).all()


@pytest.mark.parametrize("fpgas", [2, 4])
def test_native_vectors_that_no_cut_divides_keep_their_bits(fpgas: int) -> None:
    """Block floating point is the same where each device's columns are whole native vectors."""
    fmt = replace(load_format("bfp5"), native=4)
    workload = Workload("product", (Layer("rnn", "linear", 16, 7, 5),), batch=2)
    parameters = random_parameters(workload)
    weights = {key: np.rint(8 * values) / np.float32(4) for key, values in parameters.weights.items()}
    of = make_network(workload, fmt, replace(parameters, weights=weights))
    cluster = Cluster(small_profile(), fpgas, "ring")
    plan = load_partitioner("column-wise").plan(workload, cluster)
    assert {(block.cols[0] % 4, block.cols[1] % 4) for block in plan.blocks} == {(0, 0)}
    assert not find_deviation(of, plan, run(lower(plan, workload, cluster), plan, of), 0.0)


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_every_structure_is_computed(name: str) -> None:
    """All networks, with rows, columns and both split over three devices and over six."""
    of = make_network(limit_steps(NETWORKS[name], 4), load_format("int8"))
    for fpgas in (3, 6):
        cluster = Cluster(small_profile(), fpgas, "ring-bidirectional")
        for partitioner in ("row-wise", "column-wise", "full-dac20"):
            plan = load_partitioner(partitioner).plan(of.workload, cluster)
            assert verdict(plan, cluster, of) == "exact"


@settings(max_examples=250)
@given(st.data())
def test_random_ownership_maps_compute_the_same_integers(data: st.DataObject) -> None:
    """Any network on any cluster, blocks and rows anywhere: int8 is equal in every bit."""
    workload = data.draw(workloads(most_steps=6))
    cluster = data.draw(clusters())
    plan = data.draw(plans(workload, cluster))
    assert verdict(plan, cluster, make_network(workload, load_format("int8"))) == "exact"


@settings(max_examples=120)
@given(st.data())
def test_random_ownership_maps_compute_the_same_floats(data: st.DataObject) -> None:
    """The same in float32: within 1e-5 of each layer's largest output."""
    workload = data.draw(workloads(most_steps=6))
    cluster = data.draw(clusters())
    plan = data.draw(plans(workload, cluster))
    assert verdict(plan, cluster, make_network(workload, FLOAT32)) == "within 1e-5"


@lru_cache(maxsize=1)
def full_size() -> Network:
    """LSTM-1024 over four steps in int8."""
    return make_network(load_workload("lstm-1024-b1-t4"), load_format("int8"))


@pytest.mark.parametrize("partitioner", ["row-wise", "column-wise", "full-dac20"])
def test_full_size(partitioner: str) -> None:
    """LSTM-1024 on four of the paper's devices: equal in every bit."""
    of = full_size()
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 4, "ring")
    plan = load_partitioner(partitioner).plan(of.workload, cluster)
    assert verdict(plan, cluster, of) == "exact"


@pytest.mark.parametrize(
    "name", ["decoder, projected", "pyramid, concatenated", "mlstm", "gru after, skip input"]
)
def test_partitioned_runs_agree_with_onnx_runtime(name: str) -> None:
    """What four devices compute together in float32 is what ONNX Runtime computes."""
    workload = NETWORKS[name]
    parameters, inputs = random_parameters(workload), random_inputs(workload)
    expected = run_onnxruntime(to_onnx(workload, parameters), inputs)
    cluster = Cluster(small_profile(), 4, "ring")
    for partitioner in ("row-wise", "column-wise"):
        plan = load_partitioner(partitioner).plan(workload, cluster)
        program = lower(plan, workload, cluster)
        found = interpret(program, plan, workload, Numbers(FLOAT32, workload, parameters), inputs)
        assert deviation(found, expected) <= TOLERANCE
