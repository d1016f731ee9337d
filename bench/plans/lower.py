"""Lowering: from a plan to a program. Communication is derived here, from who owns what.

For each layer and step: the input products, the recurrent products, then for each stage
the transfer of gate sums to the stage's owners, its vector instructions, and the transfer
of the finished rows to every device that needs them. A transfer follows the topology's
routes hop by hop: one message per hop, started when everything it carries is complete.
"""

from __future__ import annotations

from bench.hardware.profile import Cluster
from bench.hardware.topology import routes
from bench.plans.layer import LayerLowering
from bench.plans.memory import memory_stall
from bench.plans.ownership import index_plan
from bench.plans.plan import Plan
from bench.plans.program import LoopBody, Program
from bench.plans.stream import Stream
from bench.workloads.model import Layer, Workload, feedback_layers, phases


def lower(plan: Plan, workload: Workload, cluster: Cluster) -> Program:
    """The program that carries out ``plan``; the plan must be valid (`bench.plans.validate`)."""
    bodies = loop_bodies(plan, workload, cluster)
    servers = routes(cluster, plan.groups).servers
    return Program(tuple(body.phase() for body in bodies), cluster.fpgas, servers, len(plan.groups))


def loop_bodies(plan: Plan, workload: Workload, cluster: Cluster) -> list[LoopBody]:
    """The program's phases, as far as timing needs them: with numbers, without instructions."""
    topology = routes(cluster, plan.groups)
    owned = index_plan(plan, workload)
    stalls = memory_stall(plan, cluster)
    homes = {
        layer.name: frozenset(topology.group_of[device] for device in owned.devices(layer))
        for layer in workload.layers
    }
    bodies = []
    earlier: frozenset[str] = frozenset()
    for layers in phases(workload):
        skews = _skews(workload, layers, plan, homes)
        stream = Stream()
        early_loop = _early_loop(workload, layers, plan)
        together = frozenset(layer.name for layer in layers)
        lowerings = {
            layer.name: LayerLowering(
                layer=layer,
                together=together,
                earlier=earlier,
                workload=workload,
                cluster=cluster,
                plan=plan,
                owned=owned,
                topology=topology,
                stalls=stalls,
                group_of=topology.group_of,
                stream=stream,
                skew=skews[layer.name],
                early_loop=layer.name in early_loop,
            )
            for layer in layers
        }
        _emit(lowerings, early_loop, wavefront=plan.wavefront)
        bodies.append(stream.resolve(max(skews[layer.name] + layer.steps for layer in layers)))
        earlier |= together
    return bodies


def _early_loop(workload: Workload, layers: tuple[Layer, ...], plan: Plan) -> list[str]:
    """Software-pipelined layers on a feedback loop of several: there h is known before x."""
    loops = feedback_layers(workload) & plan.software_pipelined
    names = [layer.name for layer in layers if layer.name in loops]
    return names if len(names) > 1 else []


def _emit(lowerings: dict[str, LayerLowering], early_loop: list[str], *, wavefront: bool) -> None:
    """Append one iteration of all layers, in program order.

    Software pipelining moves the products whose operand is known early behind the products
    that wait longest, so that they fill the time of the exchanges: input products of the next
    step come after the layer's last stage. On a feedback loop the input comes last, so there
    it is the recurrent products: they come after the stages of the layer above.
    """
    for name, layer in lowerings.items():
        if name in early_loop:
            place = early_loop.index(name)
            layer.came_early("h")
            layer.inputs()
            layer.stages(with_recurrent=False)
            lowerings[early_loop[place - 1]].recurrent(lead=1 if place else 0)
        elif layer.pipelined:
            layer.begin()
            layer.stages()
            if not wavefront:
                layer.inputs(lead=1)
        else:
            layer.inputs()
            layer.stages()
    for name, layer in lowerings.items() if wavefront else ():
        if layer.pipelined and name not in early_loop:
            layer.inputs(lead=1)


def _skews(
    workload: Workload, layers: tuple[Layer, ...], plan: Plan, homes: dict[str, frozenset[int]]
) -> dict[str, int]:
    """Iterations by which each layer lags behind the first.

    A pipelined layer lags one more than its producers, so that its inputs come early. So does
    a layer in another device group, because groups work on different steps at the same time:
    on a link that both use, the next step's input then goes before this step's output. The
    layers of a feedback loop follow each other within one iteration.
    """
    loops = feedback_layers(workload)
    names = {layer.name for layer in layers}
    skews: dict[str, int] = {}
    for layer in layers:
        pipelined = layer.name in plan.software_pipelined
        skews[layer.name] = int(pipelined)
        for feed in layer.inputs:
            if feed.producer in names and not feed.delay:
                same = layer.name in loops and feed.producer in loops
                apart = pipelined or homes[feed.producer] != homes[layer.name]
                behind = skews[feed.producer] + (apart and not same)
                skews[layer.name] = max(skews[layer.name], behind)
    in_loop = [layer.name for layer in layers if layer.name in loops]
    together = max((skews[name] for name in in_loop), default=0)
    return skews | dict.fromkeys(in_loop, together)
