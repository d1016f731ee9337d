"""Hypothesis strategies: small workloads of every structure, clusters, and random ownership maps."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

from hypothesis import strategies as st

from bench.errors import InvalidPlan
from bench.hardware.cables import PORTS
from bench.hardware.profile import Cluster, LinkProfile, Overlay, Profile
from bench.hardware.topology import routes
from bench.partitioners.build import pipelinable
from bench.plans.cells import cell_program, matrix_shape, stage_size
from bench.plans.collectives import COLLECTIVES
from bench.plans.plan import Block, Plan, Streaming, VectorRange
from bench.workloads.check import check_workload
from bench.workloads.model import Combine, Input, Layer, Workload, feedback_layers

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
def layers(
    draw: st.DrawFn,
    name: str,
    inputs: tuple[Input, ...],
    steps: int,
    *,
    combine: Combine = "concat",
    output: int | None = None,
) -> Layer:
    """One layer over ``inputs``, with as many outputs as ``output`` says, if it says so."""
    cell = draw(cells)
    width = inputs[0].size if combine == "sum" else sum(feed.size for feed in inputs)
    projection = draw(st.none() | sizes) if cell == "lstm" else None
    hidden = draw(sizes) if output is None else output
    if projection and output:
        hidden, projection = projection, output
    outside = [feed.producer for feed in inputs] == ["input"]
    skips = (
        outside
        and cell != "linear"
        and (output in (None, width) or projection is not None)
        and draw(st.booleans())
    )
    return Layer(
        name,
        cell,
        input_size=width,
        hidden_size=width if skips else hidden,
        steps=steps,
        inputs=inputs,
        combine=combine,
        projection_size=projection,
        reset=draw(st.sampled_from(["before", "after"])),
        skip_input=skips,
    )


@st.composite
def stacks(draw: st.DrawFn, steps: int) -> list[Layer]:
    """One to three layers on top of each other; a layer may add up what the two below it give."""
    made: list[Layer] = []
    feeds: tuple[Input, ...] = (Input("input", draw(sizes)),)
    for n in range(draw(st.integers(1, 3))):
        residual = len(made) > 1 and draw(st.booleans())
        output = made[-1].output_size if len(made) == 1 and draw(st.booleans()) else None
        if residual and made[-1].output_size == made[-2].output_size:
            feeds = tuple(Input(layer.name, layer.output_size) for layer in made[-2:])
            made.append(draw(layers(f"l{n}", feeds, steps, combine="sum")))
        else:
            made.append(draw(layers(f"l{n}", feeds, steps, output=output)))
        feeds = (Input(made[-1].name, made[-1].output_size),)
    return made


@st.composite
def decoders(draw: st.DrawFn, steps: int) -> list[Layer]:
    """Two layers; the upper one's output is the lower one's next input, beside data from outside if any."""
    back = draw(sizes)
    feeds = (
        Input("top", back, delay=1),
        *(Input("input", size) for size in draw(st.lists(sizes, max_size=1))),
    )
    bottom = draw(layers("bottom", feeds, steps))
    return [bottom, draw(layers("top", (Input("bottom", bottom.output_size),), steps, output=back))]


@st.composite
def bidirectionals(draw: st.DrawFn, steps: int) -> list[Layer]:
    """One to three layers of two directions, concatenated or summed; each may halve the time steps."""
    made: list[Layer] = []
    feeds: tuple[Input, ...] = (Input("input", draw(sizes)),)
    combine: Combine = "concat"
    if steps > 3 and draw(st.booleans()):
        steps -= steps % 4  # so that it can be halved twice
    for n in range(draw(st.integers(1, 3))):
        fwd = draw(layers(f"l{n}.fwd", feeds, steps, combine=combine))
        combine = draw(st.sampled_from(["concat", "sum"]))
        output = fwd.output_size if combine == "sum" else None
        bwd = draw(layers(f"l{n}.bwd", feeds, steps, combine=fwd.combine, output=output))
        made += [fwd, replace(bwd, direction="backward")]
        factor = draw(st.sampled_from([1, 2])) if steps % 2 == 0 else 1
        reduction: Combine = draw(st.sampled_from(["concat", "sum"]))
        each = factor if reduction == "concat" else 1
        feeds = tuple(
            Input(layer.name, each * layer.output_size, 0, factor, reduction) for layer in made[-2:]
        )
        steps //= factor
    return made


@st.composite
def workloads(draw: st.DrawFn, most_steps: int = 40) -> Workload:
    """A stack, a decoder, or bidirectional layers that may be a pyramid, of one to three layers."""
    kinds = {"stack": stacks, "decoder": decoders, "bidirectional": bidirectionals}
    kind = draw(st.sampled_from(sorted(kinds)))
    made = draw(kinds[kind](draw(st.integers(1, most_steps))))
    workload = Workload(kind, tuple(made), batch=draw(st.integers(1, 3)))
    check_workload(workload)
    return workload


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
def streamings(draw: st.DrawFn, workload: Workload) -> tuple[Streaming, ...]:
    """Some of the workload's layers, or none, streamed in any of the ways."""
    ways = st.none() | st.tuples(st.integers(1, 3), st.integers(0, 2))
    drawn = [(layer.name, draw(ways)) for layer in workload.layers]
    return tuple(Streaming(name, *way) for name, way in drawn if way is not None)


@st.composite
def plans(draw: st.DrawFn, workload: Workload, cluster: Cluster) -> Plan:
    """A valid plan with arbitrary rectangles on arbitrary devices, some of them replicated.

    Its schedule is arbitrary as well: software pipelining, streaming of some layers, wavefront, collective.
    """
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
    edges = [edge for edge in range(cluster.fpgas) if _cables(edge, cluster.fpgas - edge) <= PORTS]
    edge = draw(st.sampled_from(edges))
    return Plan(
        "random",
        tuple(blocks),
        tuple(vectors),
        tuple(part for part in (groups[:edge], groups[edge:]) if part),
        software_pipelined=pipelined,
        streamed=draw(streamings(workload)),
        wavefront=draw(st.booleans()),
        collective=draw(st.sampled_from(COLLECTIVES)),
    )


def _cables(one: int, other: int) -> int:
    """Cables at a card of the smaller of two groups: in its ring, and across."""
    few, many = sorted((one, other))
    return math.ceil(many / few) + min(few - 1, 2) if few else 2


@st.composite
def groupings(draw: st.DrawFn, cluster: Cluster) -> tuple[tuple[int, ...], ...]:
    """All devices, in any order, in consecutive groups that cards have ports for."""
    order = draw(st.permutations(range(cluster.fpgas)))
    groups = tuple(tuple(order[start:stop]) for start, stop in draw(cuts(cluster.fpgas, cluster.fpgas)))
    try:
        routes(cluster, groups)
    except InvalidPlan:
        return (tuple(order),)
    return groups


@st.composite
def row_splits(draw: st.DrawFn, workload: Workload, cluster: Cluster) -> Plan:
    """A valid plan split by rows (`bench.bounds.rows`): any shares, groups and schedule.

    Layers with a projection, and matrices that the recurrence does not wait for, are in any blocks.
    """
    device = st.integers(0, cluster.fpgas - 1)
    loop = feedback_layers(workload)
    loop = loop if len(loop) > 1 else frozenset()
    shares: dict[int, list[tuple[tuple[int, int], int]]] = {}
    blocks, vectors = [], []
    for layer in workload.layers:
        program = cell_program(layer)
        size = layer.output_size
        owned = shares.get(size) if layer.name in loop else None
        if owned is None:
            owned = [(rows, draw(device)) for rows in draw(cuts(size, 5))]
            if layer.name in loop:
                shares[size] = owned
        anywhere = layer.projection_size is not None
        everywhere = {
            s.name for s in program.stages if s.name != "h" and not anywhere and draw(st.booleans())
        }
        for product in program.products:
            height, width = matrix_shape(layer, product)
            if anywhere or product.operand == ("h" if layer.name in loop else "x"):
                for rows in draw(cuts(height)):
                    for cols in draw(cuts(width)):
                        blocks.append(Block(layer.name, product.matrix, rows, cols, draw(device)))
                continue
            if product.stage in everywhere:
                owners = sorted({owner for _, owner in owned})
                blocks += [Block(layer.name, product.matrix, (0, height), (0, width), on) for on in owners]
                continue
            for rows, owner in owned:
                for start, stop in draw(cuts(rows[1] - rows[0], 2)):
                    part = (rows[0] + start, rows[0] + stop)
                    blocks.append(Block(layer.name, product.matrix, part, (0, width), owner))
        for stage in program.stages:
            height = stage_size(layer, stage.name)
            made = [(rows, draw(device)) for rows in draw(cuts(height))] if anywhere else owned
            if stage.name in everywhere:
                made = [((0, height), owner) for owner in sorted({owner for _, owner in owned})]
            vectors += [VectorRange(layer.name, stage.name, rows, owner) for rows, owner in made]
    return Plan(
        "by rows",
        tuple(blocks),
        tuple(vectors),
        draw(groupings(cluster)),
        software_pipelined=draw(st.sampled_from([frozenset(), pipelinable(workload)])),
        streamed=draw(streamings(workload)),
        wavefront=draw(st.booleans()),
    )
