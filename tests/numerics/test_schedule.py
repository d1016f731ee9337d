"""Batches of tasks: they leave in memory what the tasks leave there one after the other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.numerics.formats import load_format
from bench.numerics.memory import Memories
from bench.numerics.numbers import Numbers
from bench.numerics.random import random_parameters
from bench.numerics.results import Results
from bench.numerics.schedule import make_batches
from bench.numerics.tasks import Added, Copied, Task, Term
from bench.numerics.values import State, Values
from bench.plans.operations import Register
from bench.workloads.model import Layer, Workload
from tests.numerics.test_order import instruction

DEVICES, SIZE = 4, 3
WORKLOAD = Workload("one", (Layer("l", "linear", 3, 3, 1),))


@settings(max_examples=300)
@given(st.data())
def test_batches_keep_the_order_that_matters(data: st.DataObject) -> None:
    """Copies and additions of any rows between registers and vectors of four devices."""
    numbers = Numbers(load_format("float32"), WORKLOAD, random_parameters(WORKLOAD))
    memories = Memories()
    register = Register("l", "h", ((0,),))
    sums = [memories.sum(device, register, SIZE) for device in range(DEVICES)]
    vectors = [memories.vector(device, ("l", "h"), SIZE) for device in range(DEVICES)]
    devices = st.integers(0, DEVICES - 1)
    tasks: list[Task] = []
    expected = {"sums": np.arange(1.0, 13), "vectors": np.arange(101.0, 113)}
    first = expected["sums"].copy(), expected["vectors"].copy()
    for n in range(data.draw(st.integers(1, 30))):
        start = data.draw(st.integers(0, SIZE - 1))
        rows = (start, data.draw(st.integers(start + 1, SIZE)))
        kind = data.draw(st.sampled_from(["sums", "vectors", "add"]))
        held = vectors if kind == "vectors" else sums
        what, other, into = (held[data.draw(devices)] for _ in range(3))
        cells = expected["vectors" if kind == "vectors" else "sums"]
        span, more, to = (slice(each.first + rows[0], each.first + rows[1]) for each in (what, other, into))
        if kind == "add":
            tasks.append(Added(n, instruction(), [Term(what, rows), Term(other, rows)], into, "h"))
            cells[to] = cells[span] + cells[more]
        else:
            tasks.append(Copied(n, instruction(), what, rows, into))
            cells[to] = cells[span]
    state = State(numbers, {})
    state.phases.append(Values(memories, {"l": WORKLOAD.layers[0]}, numbers, 1, 1, kept=False))
    state.now.sums(0)[0], state.now.vectors(0)[0] = first
    batches = make_batches(tasks, numbers, Results(WORKLOAD, numbers))
    for _, _, batch in batches:
        batch.run(state, 0)
    assert state.now.sums(0)[0].tolist() == expected["sums"].tolist()
    assert state.now.vectors(0)[0].tolist() == expected["vectors"].tolist()


def test_alike_tasks_are_one_batch() -> None:
    """Messages between other devices are one batch; one that waits for another is a further one."""
    numbers = Numbers(load_format("float32"), WORKLOAD, random_parameters(WORKLOAD))
    memories = Memories()
    a, b, c, d = (memories.vector(device, ("l", "h"), SIZE) for device in range(DEVICES))
    now = instruction()
    tasks: list[Task] = [Copied(n, now, x, (0, 3), y) for n, (x, y) in enumerate([(a, b), (c, d), (b, c)])]
    results = Results(WORKLOAD, numbers)
    assert len(make_batches(tasks[:2], numbers, results)) == 1
    assert len(make_batches(tasks, numbers, results)) == 2
    later = Copied(3, replace(now, first=1), d, (0, 3), a)
    assert [first for first, _, _ in make_batches([*tasks, later], numbers, results)] == [0, 0, 1]


def test_no_write_overtakes_a_late_read() -> None:
    """Of two reads the one that waits longest counts, whichever comes last in program order."""
    numbers = Numbers(load_format("float32"), WORKLOAD, random_parameters(WORKLOAD))
    memories = Memories()
    register = Register("l", "h", ((0,),))
    a, b, c, d, e, f, g = (memories.sum(device, register, 1) for device in range(7))
    row = (0, 1)
    chain = [(a, b), (b, c), (c, d)]
    tasks: list[Task] = [Copied(n, instruction(), x, row, y) for n, (x, y) in enumerate(chain)]
    tasks.append(Added(3, instruction(), [Term(d, row), Term(e, row)], d, "h"))
    tasks += [Copied(4, instruction(), e, row, f), Copied(5, instruction(), g, row, e)]
    state = State(numbers, {})
    state.phases.append(Values(memories, {}, numbers, 1, 1, kept=False))
    state.now.sums(0)[0] = range(1, 8)
    for _, _, batch in make_batches(tasks, numbers, Results(WORKLOAD, numbers)):
        batch.run(state, 0)
    assert state.now.sums(0)[0].tolist() == [1, 1, 1, 1 + 5, 7, 5, 7]
