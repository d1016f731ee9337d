"""A workload in words, for the command line."""

from __future__ import annotations

from bench.workloads.model import EXTERNAL, Input, Layer, Workload, phases


def describe(workload: Workload) -> str:
    """Layers by phase, weights, MACs, source and assumptions, as lines of plain text."""
    lines = [
        f"{workload.name}: {counted(len(workload.layers), 'layer')}, {counted(workload.steps, 'time step')}, "
        f"batch {workload.batch}",
        f"  weights {workload.weights:,} ({workload.weights / 1e6:.1f} M), "
        f"MACs a run {workload.macs:,} ({workload.macs / 1e9:.3g} G)",
    ]
    for number, group in enumerate(phases(workload), start=1):
        lines.append(f"  phase {number}")
        lines.extend(f"    {_layer(layer)}" for layer in group)
    if workload.source:
        lines.append(f"  source: {workload.source}")
    if workload.assumptions:
        lines.append("  assumptions:")
        lines.extend(f"    - {text}" for text in workload.assumptions)
    return "\n".join(lines)


def products(workload: Workload) -> str:
    """Which products are counted: ``input+recurrent``, or one: skip-input mode, linear layers."""
    if all(layer.cell == "linear" for layer in workload.layers):
        return "input"
    return "recurrent" if all(layer.skip_input for layer in workload.layers) else "input+recurrent"


def _layer(layer: Layer) -> str:
    options = [
        f"projected to {layer.projection_size}" if layer.projection_size else "",
        "backward" if layer.direction == "backward" else "",
        f"reset {layer.reset} the candidate's product" if layer.cell == "gru" else "",
        "input product skipped" if layer.skip_input else "",
        f"after {', '.join(layer.after)}" if layer.after else "",
    ]
    parts = [
        f"{layer.name}: {layer.cell} {layer.input_size} -> {layer.hidden_size}",
        *(option for option in options if option),
        counted(layer.steps, "step"),
        f"from {joined_feeds(layer)}",
    ]
    return "; ".join(parts)


def joined_feeds(layer: Layer) -> str:
    """What feeds a layer: names with a comma (concatenated) or a plus (summed) between them."""
    return (" + " if layer.combine == "sum" else ", ").join(_input(feed) for feed in layer.inputs)


def _input(feed: Input) -> str:
    name = "outside" if feed.producer == EXTERNAL else feed.producer
    notes = []
    if feed.delay:
        notes.append("step before")
    if feed.time_reduction > 1:
        notes.append(f"{feed.time_reduction} steps {'summed' if feed.reduction == 'sum' else 'concatenated'}")
    return f"{name} ({', '.join(notes)})" if notes else name


def counted(number: int, noun: str) -> str:
    """A number with its noun, in the plural but for one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
