"""Hypothesis strategies: small workloads of every structure, clusters, and random ownership maps."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

from bench.hardware.profile import Cluster, LinkProfile, Overlay, Profile
from bench.partitioners.build import pipelinable
from bench.plans.cells import cell_program, matrix_shape, stage_size
from bench.plans.plan import Block, Plan, VectorRange
from bench.workloads.model import Input, Layer, Workload

SMALL_OVERLAY = Overlay(
    tiles=2,
    engines=4,
    lanes=2,
    cores=1,
    vectors_per_pass=1,
    row_block_overhead_cycles=1,
    matrix_latency_cycles=5,
    multifunction_latency_cycles=3,
    writeback_latency_cycles=2,
    instruction_issue_cycles=1,
    input_load_cycles=7,
)


def small_profile(latency_ns: float = 40.0, ns_per_byte: float = 1.5) -> Profile:
    """A profile of 100 MHz (10 ns a cycle) with one link."""
    return Profile(
        name="small",
        device="none",
        clock_mhz=100.0,
        overlay=SMALL_OVERLAY,
        links=(LinkProfile("wire", latency_ns, ns_per_byte),),
        weight_memory_bytes=10**9,
        weight_bytes_per_element=1,
        vector_bytes_per_element=1,
        partial_sum_bytes_per_element=4,
    )


sizes = st.integers(1, 24)
cells = st.sampled_from(["lstm", "gru", "rnn_tanh", "rnn_relu", "mlstm", "linear"])


@st.composite
def layers(draw: st.DrawFn, name: str, inputs: tuple[Input, ...], steps: int) -> Layer:
    """One layer over ``inputs``, which are concatenated."""
    cell = draw(cells)
    return Layer(
        name,
        cell,
        input_size=sum(feed.size for feed in inputs),
        hidden_size=draw(sizes),
        steps=steps,
        inputs=inputs,
        projection_size=draw(st.none() | sizes) if cell == "lstm" else None,
        reset=draw(st.sampled_from(["before", "after"])),
    )


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    """A stack, a decoder, or bidirectional layers, of one to three layers."""
    steps = draw(st.integers(1, 40))
    kind = draw(st.sampled_from(["stack", "decoder", "bidirectional"]))
    depth = draw(st.integers(1, 3))
    made: list[Layer] = []
    below = (Input("input", draw(sizes)),)
    if kind == "decoder":
        top = draw(layers("top", (Input("bottom", draw(sizes)),), steps))
        bottom = draw(layers("bottom", (Input("top", top.output_size, delay=1),), steps))
        width = bottom.output_size
        top = Layer(
            "top", top.cell, width, top.hidden_size, steps, (Input("bottom", width),),
            projection_size=top.projection_size, reset=top.reset,
        )  # fmt: skip
        made = [bottom, top]
    elif kind == "bidirectional":
        for n in range(depth):
            fwd = draw(layers(f"l{n}.fwd", below, steps))
            bwd = draw(layers(f"l{n}.bwd", below, steps))
            bwd = Layer(
                bwd.name, bwd.cell, bwd.input_size, bwd.hidden_size, steps, bwd.inputs,
                direction="backward", projection_size=bwd.projection_size, reset=bwd.reset,
            )  # fmt: skip
            made += [fwd, bwd]
            below = (Input(fwd.name, fwd.output_size), Input(bwd.name, bwd.output_size))
    else:
        for n in range(depth):
            layer = draw(layers(f"l{n}", below, steps))
            made.append(layer)
            below = (Input(layer.name, layer.output_size),)
    return Workload(kind, tuple(made), batch=draw(st.integers(1, 3)))


@st.composite
def clusters(draw: st.DrawFn) -> Cluster:
    """One to six devices in any topology."""
    fpgas = draw(st.integers(1, 6))
    known = ["ring", "ring-bidirectional", "chain", "fully-connected", "switch", "host-star"]
    if fpgas in (4, 6):
        known.append("torus-2d")
    profile = small_profile(draw(st.sampled_from([0.0, 40.0, 1000.0])), draw(st.sampled_from([0.0, 1.5])))
    return Cluster(profile, fpgas, draw(st.sampled_from(known)))


@st.composite
def cuts(draw: st.DrawFn, size: int, most: int = 3) -> list[tuple[int, int]]:
    """``size`` elements in one to ``most`` consecutive ranges."""
    inner = draw(st.sets(st.integers(1, size - 1), max_size=most - 1)) if size > 1 else set()
    edges = [0, *sorted(inner), size]
    return list(pairwise(edges))


@st.composite
def plans(draw: st.DrawFn, workload: Workload, cluster: Cluster) -> Plan:
    """A valid plan with arbitrary rectangles on arbitrary devices, some of them replicated."""
    device = st.integers(0, cluster.fpgas - 1)
    owners = st.sets(device, min_size=1, max_size=2)
    blocks, vectors = [], []
    for layer in workload.layers:
        program = cell_program(layer)
        for product in program.products:
            height, width = matrix_shape(layer, product)
            for rows in draw(cuts(height)):
                for cols in draw(cuts(width)):
                    blocks += [Block(layer.name, product.matrix, rows, cols, d) for d in sorted(draw(owners))]
        for stage in program.stages:
            for rows in draw(cuts(stage_size(layer, stage.name))):
                vectors += [VectorRange(layer.name, stage.name, rows, d) for d in sorted(draw(owners))]
    pipelined = draw(st.sampled_from([frozenset(), pipelinable(workload)]))
    groups = tuple(range(cluster.fpgas))
    edge = draw(st.integers(0, cluster.fpgas - 1))
    return Plan(
        "random",
        tuple(blocks),
        tuple(vectors),
        tuple(part for part in (groups[:edge], groups[edge:]) if part),
        software_pipelined=pipelined,
    )
