"""Streaming and wavefront: what is multiplied first, what waits for what, and what is sent ahead."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import InvalidPlan
from bench.experiments import Point
from bench.hardware.profile import Cluster
from bench.numerics.check import make_network, verdict
from bench.numerics.formats import load_format
from bench.partitioners.build import assemble, own_rows, own_spread
from bench.plans.files import read_plan, save_plan
from bench.plans.layer import lower_layer
from bench.plans.lower import Bodies, loop_bodies, lower
from bench.plans.operations import Multiply
from bench.plans.plan import Block, Plan, Range, Streaming, VectorRange
from bench.plans.program import Instruction, Unit
from bench.plans.validate import validate
from bench.workloads.model import Input, Layer, Workload
from tests.strategies import clusters, plans, small_profile, streamings, workloads

STEPS = 4
POINT = Point("stack", "small", "ring", "wire", 40.0, 4, "test")


def network(*cells: str) -> Workload:
    """Layers l0, l1, ... of these cells on top of each other, all of eight elements."""
    names = ["input", *(f"l{n}" for n in range(len(cells)))]
    layers = [
        Layer(f"l{n}", cell, 8, 8, STEPS, (Input(names[n], 8),))  # type: ignore[arg-type]
        for n, cell in enumerate(cells)
    ]
    return Workload("stack", tuple(layers))


def rows(workload: Workload, fpgas: int, **options: object) -> Plan:
    """Rows of every layer on all devices, software pipelined, with ``options``."""
    devices = range(fpgas)
    shares = [own_rows(layer, devices) for layer in workload.layers]
    plan = assemble("test", workload, shares, [devices], software_pipelining=True)
    return replace(plan, **options)  # type: ignore[arg-type]


def streamed(workload: Workload, parts: int = 1, ahead: int = 0) -> tuple[Streaming, ...]:
    """Every layer streamed in the same way."""
    return tuple(Streaming(layer.name, parts, ahead) for layer in workload.layers)


def body(plan: Plan, workload: Workload, fpgas: int, topology: str = "ring") -> tuple[Instruction, ...]:
    """The loop body of a plan that computes the right numbers."""
    cluster = Cluster(small_profile(), fpgas, topology)
    validate(plan, workload, cluster)
    assert verdict(plan, cluster, make_network(workload, load_format("int8"))) == "exact"
    (phase,) = lower(plan, workload, cluster).phases
    return phase.instructions


def names(instructions: tuple[Instruction, ...], device: int) -> list[str]:
    """What a device does and sends, in order."""
    return [i.what for i in instructions if i.device == device]


def products(instructions: tuple[Instruction, ...], device: int, matrix: str) -> list[Instruction]:
    """A device's products with one matrix."""
    return [i for i in instructions if (i.unit, i.device, i.what) == (Unit.MATRIX, device, matrix)]


def columns(instruction: Instruction) -> tuple[Range, ...]:
    """The columns that a product multiplies."""
    (does,) = instruction.does[:1]
    assert isinstance(does, Multiply)
    return does.parts


def arrivals(instructions: tuple[Instruction, ...], of: Instruction) -> set[Range]:
    """The rows of h that ``of`` waits for because a message brings them."""
    brought = set()
    for wait in of.waits:
        on = instructions[wait.on]
        if on.unit is Unit.LINK:
            (move,) = on.does
            brought |= {carried.rows for carried in move.carries}  # type: ignore[union-attr]
    return brought


def test_near_columns_come_first_and_far_ones_wait_for_their_rows_alone() -> None:
    """On a one-way ring of four the next device's rows come last, three hops round; the rest is one part."""
    workload = network("rnn_tanh")
    program = body(rows(workload, 4, streamed=streamed(workload, 2)), workload, 4)
    near, far = products(program, 0, "h.h")
    assert (columns(near), columns(far)) == (((0, 2), (4, 8)), ((2, 4),))
    assert arrivals(program, near) == {(4, 6), (6, 8)}
    assert arrivals(program, far) == {(2, 4)}
    assert [(program[wait.on], wait.back) for wait in far.waits if wait.back == 0] == [(near, 0)]


@pytest.mark.parametrize(
    ("topology", "parts", "expected"),
    [
        ("ring", 4, [((0, 2),), ((6, 8),), ((4, 6),), ((2, 4),)]),
        ("ring", 3, [((0, 2), (6, 8)), ((4, 6),), ((2, 4),)]),
        ("ring", 1, [((0, 8),)]),
        ("ring-bidirectional", 3, [((0, 2),), ((2, 4), (6, 8)), ((4, 6),)]),
        ("ring-bidirectional", 2, [((0, 4), (6, 8)), ((4, 6),)]),
        ("fully-connected", 3, [((0, 2),), ((2, 8),)]),
    ],
)
def test_parts_follow_the_distance(topology: str, parts: int, expected: list[tuple[Range, ...]]) -> None:
    """Columns are grouped by the hops of their rows; with fewer parts than distances the near ones join."""
    workload = network("rnn_tanh")
    program = body(rows(workload, 4, streamed=streamed(workload, parts)), workload, 4, topology)
    assert [columns(product) for product in products(program, 0, "h.h")] == expected


def test_own_columns_wait_for_nothing_that_travels() -> None:
    """With a part for every distance, the first waits for what the device has made itself."""
    workload = network("lstm")
    program = body(rows(workload, 4, streamed=streamed(workload, 4)), workload, 4)
    for device in range(4):
        first = products(program, device, "i.h")[0]
        assert columns(first) == ((2 * device, 2 * device + 2),)
        assert {program[wait.on].device for wait in first.waits} == {device}
        assert Unit.LINK not in {program[wait.on].unit for wait in first.waits}


def test_near_parts_of_all_gates_come_before_the_far_ones() -> None:
    """An LSTM's four gates begin with what is near, so nothing is held up by the last rows before it must."""
    workload = network("lstm")
    program = body(rows(workload, 4, streamed=streamed(workload, 2)), workload, 4)
    made = [(i.what, len(columns(i))) for i in program if i.unit is Unit.MATRIX and i.device == 0]
    recurrent = [what for what in made if what[0].endswith(".h")]
    assert recurrent == [(f"{gate}.h", ranges) for ranges in (2, 1) for gate in "ifgo"]


def test_products_with_what_is_known_early_are_not_cut() -> None:
    """Input products a step ahead have their operand long before; cutting them would only cost padding."""
    workload = network("rnn_tanh", "rnn_tanh")
    program = body(rows(workload, 4, streamed=streamed(workload, 4)), workload, 4)
    assert all(columns(i) == ((0, 8),) for i in program if i.what == "h.x")
    plain = replace(rows(workload, 4, streamed=streamed(workload, 4)), software_pipelined=frozenset())
    upper = [i for i in body(plain, workload, 4) if i.what == "h.x" and i.layer == "l1" and i.device == 0]
    assert [columns(i) for i in upper] == [((0, 2),), ((6, 8),), ((4, 6),), ((2, 4),)]


def test_a_grus_reset_gate_leaves_before_its_update_gate_is_made() -> None:
    """r, the exchange of r * h, then z while it travels; without streaming z comes first."""
    workload = network("gru")
    order = names(body(rows(workload, 2, streamed=streamed(workload)), workload, 2), 0)
    assert order[:4] == ["r.h", "send rh", "z.h", "n.rh"]
    plain = names(body(rows(workload, 2), workload, 2), 0)
    assert plain[:4] == ["z.h", "r.h", "send rh", "n.rh"]


@pytest.mark.parametrize("ahead", [0, 1, 2, 3])
def test_so_many_input_products_run_behind_the_first_stage(ahead: int) -> None:
    """``ahead`` of a GRU's three input products run while r * h travels, the others while h does."""
    workload = network("gru")
    order = names(body(rows(workload, 2, streamed=streamed(workload, 1, ahead)), workload, 2), 0)
    inputs = ["z.x", "r.x", "n.x"]
    during = order[order.index("send rh") + 1 : order.index("n.rh")]
    assert [what for what in during if what in inputs] == inputs[:ahead]
    assert order[order.index("send h") + 1 :] == inputs[ahead:]


def test_ahead_changes_nothing_for_one_stage() -> None:
    """An LSTM has no exchange but the last, so there is nothing to move."""
    workload = network("lstm")
    one, other = (body(rows(workload, 2, streamed=streamed(workload, 1, n)), workload, 2) for n in (0, 2))
    assert one == other


def test_wavefront_puts_input_products_behind_the_stages_of_all_layers() -> None:
    """Two layers on the same devices: l1's stages run while l0's rows travel, then all input products."""
    workload = network("rnn_tanh", "rnn_tanh")

    def order(plan: Plan) -> list[tuple[str, str]]:
        made = body(plan, workload, 2)
        return [(i.layer, i.what) for i in made if i.device == 0 and i.unit is Unit.MATRIX]

    assert order(rows(workload, 2)) == [("l0", "h.h"), ("l0", "h.x"), ("l1", "h.h"), ("l1", "h.x")]
    waved = order(rows(workload, 2, wavefront=True))
    assert waved == [("l0", "h.h"), ("l1", "h.h"), ("l0", "h.x"), ("l1", "h.x")]


def helped(workload: Workload, core: list[int], helpers: list[int], **options: object) -> Plan:
    """A core with helpers for every layer, software pipelined."""
    shares = [own_spread(layer, core, helpers) for layer in workload.layers]
    plan = assemble("test", workload, shares, [helpers, core], software_pipelining=True)
    return replace(plan, **options)  # type: ignore[arg-type]


def test_early_sums_are_sent_a_step_ahead_and_added_by_products() -> None:
    """A helper sends its input sums in the step before; the core's product adds them, no instruction more."""
    workload = network("rnn_tanh")
    plain = body(helped(workload, [1], [0]), workload, 2)
    early = body(helped(workload, [1], [0], streamed=streamed(workload)), workload, 2)
    assert [i.unit for i in plain].count(Unit.VECTOR) == 1
    assert [i.unit for i in early].count(Unit.VECTOR) == 0
    (late_message,) = [i for i in plain if i.unit is Unit.LINK]
    (message,) = [n for n, i in enumerate(early) if i.unit is Unit.LINK]
    assert (late_message.first, early[message].first) == (1, 0)
    (product,) = products(early, 1, "h.h")
    assert (message, 1) in [(wait.on, wait.back) for wait in product.waits]


@pytest.mark.parametrize("cell", ["lstm", "gru", "mlstm"])
def test_early_sums_cost_no_vector_instructions(cell: str) -> None:
    """A core with helpers runs as many vector instructions as it would alone, each cell."""
    workload = network(cell)
    alone = body(rows(workload, 1, streamed=streamed(workload)), workload, 1)
    early = body(helped(workload, [0], [1], streamed=streamed(workload)), workload, 2)
    assert [i.what for i in early if i.unit is Unit.VECTOR] == [
        i.what for i in alone if i.unit is Unit.VECTOR
    ]


def test_helpers_send_before_the_steps_own_messages() -> None:
    """What helpers send is in front of what the core's devices exchange, so that it never queues behind."""
    workload = network("lstm")
    plan = helped(workload, [2, 3], [0, 1], streamed=streamed(workload))
    program = body(plan, workload, 4)
    sent = [i for i in program if i.unit is Unit.LINK]
    from_helpers = [n for n, i in enumerate(sent) if i.first == 0]
    of_step = [n for n, i in enumerate(sent) if i.first == 1]
    assert from_helpers
    assert of_step
    assert max(from_helpers) < min(of_step)


def test_inputs_that_are_sums_are_added_first() -> None:
    """Where an input is a sum of known vectors, it is added before the step's chain begins."""
    below = [Layer(name, "rnn_tanh", 8, 8, STEPS) for name in "ab"]
    feeds = (Input("a", 8), Input("b", 8))
    # the directions of a summed bidirectional layer are complete before the layer above begins
    below[1] = replace(below[1], direction="backward")
    workload = Workload("summed", (*below, Layer("c", "rnn_tanh", 8, 8, STEPS, feeds, "sum")))
    cluster = Cluster(small_profile(), 2)
    plan = rows(workload, 2, streamed=streamed(workload))
    assert verdict(plan, cluster, make_network(workload, load_format("int8"))) == "exact"
    last = lower(plan, workload, cluster).phases[-1].instructions
    upper = [(i.unit, i.first) for i in last if i.layer == "c" and i.device == 0]
    assert upper[0] == (Unit.VECTOR, 0)


def test_a_pipelined_loop_of_mlstm_layers_computes_its_first_stage() -> None:
    """There m's recurrent sum is early and its input product last; the stage rides in neither."""
    back = (Input("l1", 8, delay=1),)
    layers = (Layer("l0", "mlstm", 8, 8, STEPS, back), Layer("l1", "mlstm", 8, 8, STEPS, (Input("l0", 8),)))
    workload = Workload("loop", layers)
    for fpgas in (1, 3):
        body(rows(workload, fpgas), workload, fpgas)
        body(rows(workload, fpgas, streamed=streamed(workload, 2)), workload, fpgas)


@given(st.data())
def test_options_never_make_a_plan_invalid(data: st.DataObject) -> None:
    """A valid plan stays valid however its layers are streamed, with and without wavefront."""
    workload = data.draw(workloads())
    cluster = data.draw(clusters())
    plan: Plan = data.draw(plans(workload, cluster))
    options = {"streamed": data.draw(streamings(workload)), "wavefront": data.draw(st.booleans())}
    validate(replace(plan, **options), workload, cluster)


@pytest.mark.parametrize(
    ("streaming", "words"),
    [
        ((Streaming("nobody"),), ["streamed", "nobody"]),
        ((Streaming("l0"), Streaming("l0", 2)), ["l0", "2 times"]),
        ((Streaming("l0", 0),), ["l0", "0 parts", "expected 1 part"]),
        ((Streaming("l0", 1, -1),), ["l0", "-1 products ahead"]),
    ],
)
def test_what_cannot_be_streamed_is_refused(streaming: tuple[Streaming, ...], words: list[str]) -> None:
    """An unknown layer, one that is named twice, no parts, fewer than no products."""
    workload = network("lstm")
    with pytest.raises(InvalidPlan) as refused:
        validate(rows(workload, 2, streamed=streaming), workload, Cluster(small_profile(), 2))
    assert all(word in str(refused.value) for word in words), refused.value


@given(data=st.data())
def test_plan_files_keep_the_schedule(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What is saved and read again is the same plan, streaming and wavefront included."""
    workload = data.draw(workloads())
    plan: Plan = data.draw(plans(workload, data.draw(clusters())))
    path: Path = tmp_path_factory.mktemp("plan") / "plan.json"
    save_plan(path, plan, POINT)
    assert read_plan(path).plan() == plan


def test_a_stage_within_a_product_waits_for_the_state_that_it_reads() -> None:
    """A replica of a GRU's r * h, on a device with an input product alone, reads h: not too early."""
    layers = (
        Layer("bottom", "gru", 1, 1, 2, (Input("top", 1, delay=1),)),
        Layer("top", "linear", 1, 1, 2, (Input("bottom", 1),)),
    )
    workload = Workload("decoder", layers)
    whole = assemble(
        "test", workload, [own_rows(layer, [0]) for layer in layers], [[0, 1]], software_pipelining=True
    )
    plan = replace(
        whole,
        blocks=(*whole.blocks, Block("bottom", "r.x", (0, 1), (0, 1), 1)),
        vectors=(*whole.vectors, VectorRange("bottom", "rh", (0, 1), 1)),
        streamed=(Streaming("bottom"),),
    )
    body(plan, workload, 2)


@given(st.data())
def test_what_streaming_does_not_change_is_lowered_as_if_not_streamed(data: st.DataObject) -> None:
    """Where lowering takes a layer in one part as not streamed, its instructions are the same either way."""
    workload = data.draw(workloads())
    cluster = data.draw(clusters())
    plan = data.draw(plans(workload, cluster))
    streamed = tuple(Streaming(layer.name, 1) for layer in workload.layers)
    made = Bodies(described=False)
    loop_bodies(replace(plan, streamed=streamed), workload, cluster, made)
    for setting, body in made.items():
        if setting.streaming is None:
            other = lower_layer(replace(setting, streaming=(1, 0)), described=False)
            assert np.array_equal(body.fields, other.fields)
            assert np.array_equal(body.needs, other.needs)
            assert (body.fed, body.held, body.pause) == (other.fed, other.held, other.pause)
