"""Data parallelism: copies of the network that take a share of the batch each.

A copy's part of a plan is a plan of its own, for a workload with the copy's share of the batch: it is
validated and lowered like any other. The programs then run side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench.plans.plan import Copy, Plan
from bench.plans.program import Instruction, Phase, Program, Unit
from bench.workloads.model import Workload

RINGS = ("ring", "ring-bidirectional")
"""Topologies whose cables are where a plan's device groups need them."""


def part_of(copy: Copy, plan: Plan, workload: Workload) -> tuple[Plan, Workload]:
    """What ``copy`` owns of ``plan``, and ``workload`` with the items of the batch that it takes."""
    devices = set(copy.devices)
    part = replace(
        plan,
        blocks=tuple(block for block in plan.blocks if block.device in devices),
        vectors=tuple(owned for owned in plan.vectors if owned.device in devices),
        groups=tuple(group for group in plan.groups if devices.issuperset(group)),
        copies=(),
    )
    return part, replace(workload, batch=copy.items)


def side_by_side(programs: Sequence[Program], topology: str) -> Program:
    """The programs of all copies as one; their phases begin together.

    Each copy has rings of its own; on other topologies copies may meet on a link, which then serves
    them in turn.
    """
    apart = topology in RINGS
    phases = []
    for phase_of_each in zip(*(program.phases for program in programs), strict=True):
        instructions: list[Instruction] = []
        groups = links = 0
        for program, phase in zip(programs, phase_of_each, strict=True):
            first = len(instructions)
            instructions += [_moved(i, first, groups, links) for i in phase.instructions]
            groups += program.groups
            links += program.links if apart else 0
        phases.append(Phase(tuple(instructions), max(phase.iterations for phase in phase_of_each)))
    servers = [program.links for program in programs]
    return Program(
        tuple(phases),
        programs[0].devices,
        sum(servers) if apart else max(servers),
        sum(program.groups for program in programs),
    )


def _moved(i: Instruction, first: int, groups: int, links: int) -> Instruction:
    """The same instruction behind ``first`` others, with groups and links numbered behind others'."""
    return replace(
        i,
        server=i.server + (links if i.unit is Unit.LINK else 0),
        group=i.group + groups if i.group >= 0 else i.group,
        to_group=i.to_group + groups if i.to_group >= 0 else i.to_group,
        waits=tuple(replace(wait, on=wait.on + first) for wait in i.waits),
    )
