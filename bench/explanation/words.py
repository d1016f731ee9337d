"""Layouts and schedules of `full` in words that a sentence can be made of."""

from __future__ import annotations

from collections.abc import Sequence

from bench.partitioners.space import Layout, Schedule, Split
from bench.workloads.describe import counted


def describe_split(split: Split) -> str:
    """What the devices of a group do.

    >>> describe_split(Split("spread", (3, 1)))
    'a core of 3 devices with what a step waits for, and 1 helper with products that are known early'
    """
    first, *rest = split.shape
    if split.kind in ("rows", "columns", "gates"):
        if split.devices == 1:
            return "1 device"
        return f"{split.kind} over {first} devices"
    if split.kind == "grid":
        return f"a grid of {first} x {rest[0]} devices"
    if split.kind == "sources":
        recurrent = counted(rest[0], "device")
        return f"input products on {counted(first, 'device')} and all others on {recurrent}"
    helpers = f"and {counted(rest[0], 'helper')} with products that are known early" if rest[0] else ""
    if split.kind == "mesh" and split.core == split.devices:
        return f"rows over {first} devices, each cabled to each"
    if split.kind == "reset":
        core = f"a core of {first} devices that each compute the reset gate whole"
    else:
        core = f"a core of {counted(first, 'device')} with what a step waits for"
    return ", ".join(filter(None, (core, helpers)))


def describe_layout(layout: Layout) -> str:
    """The groups and what their devices do."""
    if layout.chunks:
        parts = [
            f"{counted(size, 'layer')} on {describe_split(split)}"
            for size, split in zip(layout.chunks, layout.splits, strict=True)
        ]
        return "; ".join(parts)
    if len(layout.splits) == 1:
        return describe_split(layout.splits[0])
    return f"{len(layout.splits)} groups, each with {describe_split(layout.splits[0])}"


def joined(parts: Sequence[str]) -> str:
    """Parts of a sentence with commas and an `and`.

    >>> joined(["reads", "writes", "waits"])
    'reads, writes and waits'
    """
    return " and ".join(filter(None, (", ".join(parts[:-1]), *parts[-1:])))


def schedule_difference(one: Schedule, other: Schedule) -> str:
    """What of ``one`` is not as in ``other``, in words; empty if nothing is.

    >>> schedule_difference(Schedule(True, 2), Schedule(True, 1))
    'products cut in 2 parts instead of 1'
    """
    found = []
    if one.pipelined != other.pipelined:
        found.append(f"{'with' if one.pipelined else 'without'} software pipelining")
    if (one.parts is None) != (other.parts is None):
        found.append(f"{'without' if one.parts is None else 'with'} streaming")
    elif one.parts != other.parts:
        cut = counted(one.parts or 1, "part")
        found.append(f"products cut in {cut} instead of {other.parts}")
    if one.ahead != other.ahead:
        found.append(f"{one.ahead} instead of {other.ahead} input products ahead")
    if one.wavefront != other.wavefront:
        found.append(f"{'with' if one.wavefront else 'without'} the wavefront")
    return ", ".join(found)
