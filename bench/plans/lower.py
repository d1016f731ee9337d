"""Lowering: from a plan to a program. Communication is derived here, from who owns what.

For each layer and step: the input products, the recurrent products, then for each stage
the transfer of gate sums to the stage's owners, its vector instructions, and the transfer
of the finished rows to every device that needs them. A transfer follows the topology's
routes hop by hop: one message per hop, started when everything it carries is complete.

Layers in equal settings are lowered once: in a stack, among the plans that a search compares, and on clusters
that differ in nothing but link or clock.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from bench.hardware.profile import Cluster
from bench.hardware.topology import routes
from bench.plans.body import Body, LoopBody, Placed, join
from bench.plans.copies import part_of, side_by_side
from bench.plans.cuts import most_parts
from bench.plans.layer import lower_layer
from bench.plans.memory import memory_stall
from bench.plans.outline import Outline, outline
from bench.plans.ownership import index_plan
from bench.plans.plan import ROUTES, Plan
from bench.plans.program import Program
from bench.plans.setting import Order, Setting, machine
from bench.plans.wires import tell_links
from bench.workloads.model import EXTERNAL, Layer, Workload

MOST_KEPT = 200_000
"""Instructions in the layer bodies that are kept: some 50 MB, and 80 MB of those with descriptions."""


class Bodies(dict[Setting, Body]):
    """Setting -> layer body, made when first asked for; all are forgotten where they become too many."""

    def __init__(self, *, described: bool) -> None:
        super().__init__()
        self._described = described
        self._instructions = 0

    def __missing__(self, setting: Setting) -> Body:
        with _no_collection():
            body = lower_layer(setting, described=self._described)
        if self._instructions > MOST_KEPT:
            self.clear()
        self._instructions += body.size
        self[setting] = body
        return body

    def clear(self) -> None:
        """Forget all."""
        super().clear()
        self._instructions = 0


@contextmanager
def _no_collection() -> Iterator[None]:
    """No search for cyclic garbage inside: lowering makes many objects, none of which is part of a cycle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


timed = Bodies(described=False)
"""The bodies that timing has asked for."""
told = Bodies(described=True)
"""Those that programs have been made of."""


def lower(plan: Plan, workload: Workload, cluster: Cluster) -> Program:
    """The program that carries out ``plan``; the plan must be valid (`bench.plans.validate`)."""
    if plan.copies:
        parts = [part_of(copy, plan, workload) for copy in plan.copies]
        return side_by_side([lower(*part, cluster) for part in parts], cluster.topology)
    bodies = loop_bodies(plan, workload, cluster, told)
    servers = routes(cluster, plan.groups).servers
    return Program(tuple(body.phase() for body in bodies), cluster.fpgas, servers, len(plan.groups))


def loop_bodies(plan: Plan, workload: Workload, cluster: Cluster, made: Bodies = timed) -> list[LoopBody]:
    """The program's phases as far as timing needs them; with ``described`` bodies for more than that.

    ``made``: the layer bodies that are known, and where others are put. ``plan`` has no copies.
    """
    topology = routes(cluster, plan.groups)
    of = outline(workload)
    owned = index_plan(plan, of)
    on = machine(cluster.profile, workload.batch)
    stalls = memory_stall(plan, cluster)
    streamed = {each.layer: (each.parts, each.ahead) for each in plan.streamed}
    groups = {
        name: frozenset(topology.group_of[device] for device in layer.devices)
        for name, layer in owned.items()
    }
    bodies = []
    earlier: set[str] = {EXTERNAL}
    for layers in of.phases:
        names = [layer.name for layer in layers]
        skews = _skews(of, layers, plan, groups)
        loop = _early_loop(of, names, plan)
        placed = {}
        for layer in layers:
            inputs = tuple(feed.producer for feed in layer.inputs)
            if not earlier.union(names).issuperset(inputs):
                raise AssertionError(f"layer {layer.name} has an input that a later phase makes: {inputs}")
            setting = Setting(
                shape=of.shapes[layer.name],
                owned=owned[layer.name],
                sources=tuple(owned[name].output if name in names else None for name in inputs),
                topology=topology,
                machine=on,
                stalls=tuple(
                    (device, stalls[device]) for device in owned[layer.name].devices if device in stalls
                ),
                order=_order(layer.name, loop, plan),
                streaming=streamed.get(layer.name),
            )
            if plan.collective != ROUTES:
                wanted = tuple(owned[name].needs[-1] if name in names else None for name in inputs)
                setting = replace(setting, collective=plan.collective, wanted=wanted)
            placed[layer.name] = Placed(made[_streamed(setting)], skews[layer.name], layer.steps, inputs)
        iterations = max(skews[layer.name] + layer.steps for layer in layers)
        body = join(placed, _program_order(names, loop, wavefront=plan.wavefront), iterations)
        tell_links(body.arrays, cluster)
        bodies.append(body)
        earlier.update(names)
    return bodies


def _streamed(setting: Setting) -> Setting:
    """``setting``, streamed only as far as that changes instructions: more of them are equal then."""
    if setting.streaming is None:
        return setting
    parts, ahead = setting.streaming
    if parts > 1:
        parts = min(parts, most_parts(setting))
    # with nothing known early and all products for one stage there is no other order to put them in
    same = parts == 1 and setting.order is Order.PLAIN and len(setting.program.stages) == 1
    return replace(setting, streaming=None if same else (parts, ahead))


def _early_loop(of: Outline, names: list[str], plan: Plan) -> list[str]:
    """Software-pipelined layers on a feedback loop of several: there h is known before x."""
    loop = [name for name in names if name in of.loops and name in plan.software_pipelined]
    return loop if len(loop) > 1 else []


def _order(name: str, loop: list[str], plan: Plan) -> Order:
    if name in loop:
        return Order.LOOP_END if name == loop[-1] else Order.LOOP
    return Order.PIPELINED if name in plan.software_pipelined else Order.PLAIN


def _program_order(names: list[str], loop: list[str], *, wavefront: bool) -> list[tuple[str, bool]]:
    """Layers in the order of an iteration, each with whether its pause is over (`Order`)."""
    order: list[tuple[str, bool]] = []
    last: list[tuple[str, bool]] = []
    for name in names:
        if name in loop:
            below = loop[loop.index(name) - 1]
            order += [(name, name == loop[-1]), (below, below != loop[-1])]
        else:
            order.append((name, False))
            (last if wavefront else order).append((name, True))
    return order + last


def _skews(
    of: Outline, layers: tuple[Layer, ...], plan: Plan, groups: dict[str, frozenset[int]]
) -> dict[str, int]:
    """Iterations by which each layer lags behind the first.

    A pipelined layer lags one more than its producers, so that its inputs come early. So does
    a layer in another device group, because groups work on different steps at the same time:
    on a link that both use, the next step's input then goes before this step's output. The
    layers of a feedback loop follow each other within one iteration.
    """
    names = {layer.name for layer in layers}
    skews: dict[str, int] = {}
    for layer in layers:
        pipelined = layer.name in plan.software_pipelined
        skews[layer.name] = int(pipelined)
        for feed in layer.inputs:
            if feed.producer in names and not feed.delay:
                same = layer.name in of.loops and feed.producer in of.loops
                apart = pipelined or groups[feed.producer] != groups[layer.name]
                behind = skews[feed.producer] + (apart and not same)
                skews[layer.name] = max(skews[layer.name], behind)
    in_loop = [layer.name for layer in layers if layer.name in of.loops]
    together = max((skews[name] for name in in_loop), default=0)
    return skews | dict.fromkeys(in_loop, together)
