"""The timing engine: integer cycles of every instruction, with exact periodic extrapolation.

Each device has a matrix unit and a multifunction pipeline, each link one server; all of
them serve instructions in program order. A result is a row of native vectors that leave
the multifunction units at least `vector_cycles` apart, and the k-th vector of a chained
instruction waits for the k-th of its source. So two numbers, the times of the first and
the last vector, describe all of them exactly: vectors between cannot hold up the last
one longer than the first or the last of the source, or of the product's row blocks, does.

A batch core has a queue behind its matrix unit and loads inputs through the loader, which are
servers too; its dependences wait for whole results, so first and last vector suffice again.

The state after an iteration is a max-plus function of the state before, so its parts
are convex in the iteration number along any linear trajectory. Hence if three states in a
row lie on a line, and the state extrapolated to the end of a stretch again steps along
that line, every state between does too: g(m) = f(X(m)) - X(m + 1) is convex with
g(0) = g(1) = g(M) = 0, so it is 0 throughout. The engine jumps only where it has checked
that; a run over 1,500 time steps costs no more than one over a few.

`record` runs every iteration and keeps what happens within each, for timelines. The rules are those of
`run_iteration`, compiled a second time: without a record nothing of it is left in the code.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from bench.plans.program import (
    BLOCKS,
    COUNT,
    FIRST,
    GROUP,
    IDLE,
    INTERVAL,
    LAST_RESULT,
    LATENCY,
    LEAVING,
    RESULT,
    SERVER,
    STARTS,
    TO_GROUP,
    UNIT,
    VECTORS,
    WORDS,
    Ints,
)

NOT_FIRST, FREE, LOCK_STEP = 0, 1, 2
MATRIX, VECTOR, LINK, LOAD = 0, 1, 2, 3
ISSUED, START, MATRIX_FREE, OUT, LAST_OUT, VECTOR_FREE, ENTER, LEAVE, ARRIVE, DEPART, READY, DONE = range(12)
"""What `record` keeps of an instruction, in cycles; see there."""
LONGEST_PERIOD = 6
"""Iterations after which a steady state may repeat; longer periods are simulated in full."""


@njit(cache=True)
def run_iteration(
    fields: Ints,
    wait_start: Ints,
    waits: Ints,
    costs: Ints,
    history: Ints,
    layout: Ints,
    k: int,
    kept: Ints | None,
) -> None:  # pragma: no cover - compiled
    """Advance ``history`` by iteration ``k``: slot (k - 1) % depth -> slot k % depth.

    ``costs``: multifunction latency, write-back latency, issue interval, cycles per native
    vector, step interval; then what only a batch core has: cycles of an instruction word in the
    units that it leaves out, those that a product loses, time steps a program, cycles from one
    program's last result to the next one's first product, iterations before the last layer's
    first step. ``layout``: offsets of first, last, matrix, vector, issue, step, link, done,
    output, loader in a state vector. ``kept``: what `record` keeps of the iteration, or None.
    """
    depth = history.shape[0]
    now = history[k % depth]
    now[:] = history[(k - 1) % depth]
    first_at, last_at, matrix_at, vector_at, issue_at, step_at, link_at, done_at = layout[:8]
    output_at, loader_at = layout[8:]
    before = history[(k - 1) % depth]
    newest = k % depth
    aside, gap, program, restart = costs[5:9]
    step = k - costs[9]
    if program > 0 and step > 0 and step % program == 0:
        # the next program: all that the one before it computes is complete
        now[matrix_at:] = now[last_at:matrix_at].max() + restart
    base = now[now.shape[0] - 1]
    if kept is not None:
        kept[fields.shape[0], 0] = base
    for n in range(fields.shape[0]):
        if k < fields[n, FIRST] or k >= fields[n, FIRST] + fields[n, COUNT]:
            continue
        start = base
        first_block = base
        last_block = base
        for w in range(wait_start[n], wait_start[n + 1]):
            on = waits[w, 0]
            then = k - waits[w, 1]
            if then < fields[on, FIRST] or then >= fields[on, FIRST] + fields[on, COUNT]:
                continue
            slot = newest - waits[w, 1]  # a division would take most of the time
            source = history[slot if slot >= 0 else slot + depth]
            if waits[w, 2] == 0:
                start = max(start, source[last_at + on])
            elif waits[w, 2] == 2:
                first_block = max(first_block, source[last_at + on] - waits[w, 3])
            else:
                first_block = max(first_block, source[first_at + on])
                last_block = max(last_block, source[last_at + on])
        if fields[n, STARTS] == LOCK_STEP:
            start = max(start, before[done_at + fields[n, GROUP]])
        unit = fields[n, UNIT]
        server = fields[n, SERVER]
        blocks = fields[n, BLOCKS]
        interval = fields[n, INTERVAL]
        if unit == LINK:
            start = max(start, now[link_at + server])
            now[link_at + server] = start + interval
            arrival = start + interval + fields[n, LATENCY]
            now[first_at + n] = arrival
            now[last_at + n] = arrival
            if kept is not None:
                kept[n, START], kept[n, READY], kept[n, DONE] = start, arrival, arrival
            if fields[n, GROUP] >= 0:
                group = done_at + fields[n, GROUP]
                now[group] = max(now[group], arrival)
            if fields[n, TO_GROUP] >= 0:
                group = done_at + fields[n, TO_GROUP]
                now[group] = max(now[group], arrival)
            continue
        if unit == LOAD and program > 0 and (step + 1) % program == 0:
            continue  # the next program loads its first input itself
        issued = now[issue_at + server]
        start = max(start, issued)
        words = fields[n, WORDS]
        if kept is not None:
            kept[n, ISSUED] = issued
            kept[n, MATRIX_FREE], kept[n, VECTOR_FREE] = now[matrix_at + server], now[vector_at + server]
        now[issue_at + server] = issued + costs[2] * words
        if unit == LOAD:
            start = max(start, now[loader_at + server])
            now[loader_at + server] = start + interval
            now[first_at + n] = start + costs[1]
            now[last_at + n] = start + interval - 1 + costs[1]
            now[matrix_at + server] = max(issued, now[matrix_at + server]) + aside * words
            now[vector_at + server] = max(issued, now[vector_at + server]) + aside * words
            if kept is not None:
                kept[n, START], kept[n, READY], kept[n, DONE] = start, now[first_at + n], now[last_at + n]
            continue
        if fields[n, STARTS] != NOT_FIRST:
            start = max(start, now[step_at + server])
            now[step_at + server] = start + costs[4]
        if unit == MATRIX:
            start = max(start, now[matrix_at + server])
            now[matrix_at + server] = start + blocks * interval + gap + aside * (words - 1)
            out = max(start + fields[n, RESULT] + fields[n, LATENCY], now[output_at + server])
            last_out = max(
                start + fields[n, LAST_RESULT] + fields[n, LATENCY],
                out + fields[n, LEAVING] - fields[n, IDLE] - 1,
            )
            now[output_at + server] = last_out + fields[n, IDLE] + 1
            if kept is not None:
                kept[n, OUT], kept[n, LAST_OUT] = out, last_out
            first_block = max(first_block, out)
            # where gates share row blocks, the last block holds rows of the last two vectors
            shared = fields[n, VECTORS] > blocks and aside == 0
            last_block = max(last_block, last_out + (costs[3] if shared else 0))
            enter = max(first_block, now[vector_at + server])
        else:
            if aside > 0:
                now[matrix_at + server] = max(issued, now[matrix_at + server]) + aside * words
            enter = max(first_block, start, now[vector_at + server])
        # a native vector takes ``each`` cycles, in the loader behind the multifunction units too
        each = costs[3]
        vectors = (fields[n, VECTORS] - 1) * each
        leave = max(last_block, enter + vectors)
        now[vector_at + server] = leave + each + aside * (words - 1)
        if kept is not None:
            kept[n, START], kept[n, ENTER], kept[n, LEAVE] = start, enter, leave
        enter = max(enter + costs[0], now[loader_at + server])
        leave = max(leave + costs[0], enter + vectors)
        now[loader_at + server] = leave + each
        through = costs[1] + each - 1
        now[first_at + n] = enter + through
        now[last_at + n] = leave + through
        if kept is not None:
            kept[n, ARRIVE], kept[n, DEPART] = enter, leave
            kept[n, READY], kept[n, DONE] = enter + through, leave + through
        group = done_at + fields[n, GROUP]
        now[group] = max(now[group], leave + through)


@njit(cache=True)
def lay_out(count: int, sizes: Ints) -> tuple[Ints, int]:  # pragma: no cover - compiled
    """Where each part of a state vector begins (`run_iteration`), and how long the vector is."""
    devices, links, groups = sizes
    layout = np.empty(10, dtype=np.int64)
    layout[0] = 0
    layout[1] = count
    layout[2] = 2 * count
    layout[3] = layout[2] + devices
    layout[4] = layout[3] + devices
    layout[5] = layout[4] + devices
    layout[6] = layout[5] + devices
    layout[7] = layout[6] + links
    layout[8] = layout[7] + groups
    layout[9] = layout[8] + devices
    return layout, layout[9] + devices + 1


@njit(cache=True)
def reach(waits: Ints) -> int:  # pragma: no cover - compiled
    """The most iterations that a dependence looks back, at least one."""
    found = 1
    for w in range(waits.shape[0]):
        found = max(found, waits[w, 1])
    return found


@njit(cache=True)
def on_a_line(history: Ints, k: int, period: int, window: int) -> bool:  # pragma: no cover - compiled
    """Whether each of the last ``window`` states repeats its predecessor's growth over ``period``."""
    depth = history.shape[0]
    for back in range(window):
        a = history[(k - back) % depth]
        b = history[(k - back - period) % depth]
        c = history[(k - back - 2 * period) % depth]
        for i in range(a.shape[0]):
            if a[i] - b[i] != b[i] - c[i]:
                return False
    return True


@njit(cache=True)
def simulate(
    fields: Ints,
    wait_start: Ints,
    waits: Ints,
    costs: Ints,
    sizes: Ints,
    iterations: int,
    base: int,
    extrapolate: bool,
) -> int:  # pragma: no cover - compiled
    """Cycle in which the last instruction of a phase is complete.

    ``sizes``: devices, links, groups. ``base``: the cycle in which the phase starts.
    """
    count = fields.shape[0]
    layout, width = lay_out(count, sizes)
    window = reach(waits) + 1
    program = costs[7]
    # with programs of a few steps each, what repeats is a program
    shortest = max(program, 1)
    longest = program if program > 0 else LONGEST_PERIOD
    depth = window + 2 * longest + 1
    history = np.full((depth, width), base, dtype=np.int64)
    saved = np.empty_like(history)

    # Stretches in which the same instructions are active.
    edges = np.zeros(2 * count + 2, dtype=np.int64)
    for n in range(count):
        edges[2 * n] = min(fields[n, FIRST], iterations)
        edges[2 * n + 1] = min(fields[n, FIRST] + fields[n, COUNT], iterations)
    edges[2 * count + 1] = iterations
    edges = np.unique(edges)

    for e in range(edges.shape[0] - 1):
        k = edges[e]
        stop = edges[e + 1]
        settled = k + window + 1
        while k < stop:
            run_iteration(fields, wait_start, waits, costs, history, layout, k, None)
            k += 1
            if not extrapolate:
                continue
            for period in range(shortest, longest + 1):
                if k < settled + 2 * period or stop - k < 2 * period:
                    continue
                if not on_a_line(history, k - 1, period, window):
                    continue
                jumps = (stop - k) // period - 1
                while jumps > 0:
                    saved[:] = history
                    advance(history, k - 1, period, window, jumps)
                    end = k + jumps * period
                    for step in range(period):
                        run_iteration(fields, wait_start, waits, costs, history, layout, end + step, None)
                    if on_a_line(history, end + period - 1, period, window):
                        k = end + period
                        break
                    history[:] = saved
                    jumps //= 2
                if jumps > 0:
                    break
        # a last result stands for all: results that are no longer active stay in the state
    final = history[(iterations - 1) % depth]
    end_time = base
    for n in range(count):
        end_time = max(end_time, final[layout[1] + n])
    return end_time


@njit(cache=True)
def advance(history: Ints, k: int, period: int, window: int, jumps: int) -> None:  # pragma: no cover
    """Move the states needed after ``k`` along their lines to ``jumps`` periods later."""
    depth = history.shape[0]
    keep = window + 2 * period
    moved = np.empty((keep, history.shape[1]), dtype=np.int64)
    for back in range(keep):
        # states further back than the window lie on the same line, one period earlier each
        offset = back % period
        newest = history[(k - offset) % depth]
        older = history[(k - offset - period) % depth]
        periods_back = (back - offset) // period
        moved[back] = newest + (newest - older) * (jumps - periods_back)
    target = k + jumps * period
    for back in range(keep):
        history[(target - back) % depth] = moved[back]


@njit(cache=True)
def record(
    fields: Ints, wait_start: Ints, waits: Ints, costs: Ints, sizes: Ints, iterations: int, base: int
) -> Ints:  # pragma: no cover - compiled
    """Run every iteration of a phase and keep its times; arguments as for `simulate`.

    Shape (iterations, instructions + 1, 12). Of each instruction: when its device has issued it, its
    start, when the matrix unit and the multifunction units had no more to do for those before it; its
    first and last vector's way: out of the matrix unit, into the multifunction units (``ENTER``,
    ``LEAVE``), into the loader (``ARRIVE``, ``DEPART``), readable (``READY``, ``DONE``). What an
    instruction does not have, or all if it did not run, is -1. The last row has the cycle from which on
    the iteration's program may run.
    """
    count = fields.shape[0]
    layout, width = lay_out(count, sizes)
    history = np.full((reach(waits) + 2, width), base, dtype=np.int64)
    kept = np.full((iterations, count + 1, DONE + 1), -1, dtype=np.int64)
    for k in range(iterations):
        run_iteration(fields, wait_start, waits, costs, history, layout, k, kept[k])
    return kept
