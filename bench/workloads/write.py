"""A workload as the text of a workload file, from which the same value is read again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from bench.errors import UserError
from bench.workloads.model import EXTERNAL, Input, Layer, Workload


def workload_text(workload: Workload) -> str:
    """The YAML of ``workload``; UserError if its layers' inputs have a form that a file cannot state."""
    head = {
        "name": workload.name,
        "source": workload.source,
        "assumptions": list(workload.assumptions),
        "steps": workload.layers[0].steps,
        "batch": workload.batch,
    }
    lines = [yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=110).rstrip(), "layers:"]
    for entry in _entries(workload):
        flow = yaml.safe_dump(
            entry, sort_keys=False, allow_unicode=True, default_flow_style=True, width=10**6
        )
        lines.append(f"  - {flow.rstrip()}")
    return "\n".join(lines) + "\n"


def _entries(workload: Workload) -> Iterator[dict[str, Any]]:
    """A layer entry each, one for both directions where two layers share all else."""
    layers = list(workload.layers)
    while layers:
        layer = layers.pop(0)
        base, dot, _ = layer.name.rpartition(".")
        if not dot:
            yield _entry(layer, layer.name, layer.direction, workload.layers[0].steps)
            continue
        other = layers.pop(0) if layers else layer
        pair = {layer.direction: layer.name, other.direction: other.name}
        alike = (layer.cell, layer.inputs, layer.after) == (other.cell, other.inputs, other.after)
        if not alike or pair != {"forward": f"{base}.fwd", "backward": f"{base}.bwd"}:
            raise UserError(
                f"workload {workload.name!r}: layer {layer.name!r} is no half of a bidirectional one"
            )
        yield _entry(layer, base, "both", workload.layers[0].steps)


def _entry(layer: Layer, name: str, direction: str, steps: int) -> dict[str, Any]:
    fed = [feed for feed in layer.inputs if feed.producer != EXTERNAL]
    flowing = [feed for feed in fed if not feed.delay]
    entry: dict[str, Any] = {
        "name": name,
        "cell": layer.cell,
        "input_size": layer.input_size,
        "hidden_size": layer.hidden_size,
        "inputs": [_feed(feed) for feed in layer.inputs],
    }
    reductions = {(feed.time_reduction, feed.reduction) for feed in flowing}
    if len(reductions) > 1:
        raise UserError(f"layer {layer.name!r}: its inputs have different time reductions; a file has one")
    for reduction, way in reductions:
        if reduction > 1:
            entry |= {"time_reduction": reduction, "reduction": way}
    optional = {
        "combine": layer.combine if layer.combine != "concat" else None,
        "direction": direction if direction != "forward" else None,
        "projection_size": layer.projection_size,
        "steps": layer.steps if not flowing and layer.steps != steps else None,
        "reset": layer.reset if layer.reset != "before" else None,
        "skip_input": layer.skip_input or None,
        "after": list(layer.after) or None,
    }
    return entry | {key: value for key, value in optional.items() if value is not None}


def _feed(feed: Input) -> Any:
    if feed.producer == EXTERNAL:
        return {"external": feed.size}
    return {"layer": feed.producer, "delay": feed.delay} if feed.delay else feed.producer
