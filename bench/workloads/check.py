"""What makes a workload well formed, whoever built it."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter

from bench.errors import UserError
from bench.workloads.model import EXTERNAL, Input, Layer, Workload, phases


def check_workload(workload: Workload) -> None:
    """Raise UserError, with one line for each mistake, unless ``workload`` can be run.

    Checked: sizes, names, producers, cycles, order, widths, time steps, and options that
    only some cells have.
    """
    by_name = {layer.name: layer for layer in workload.layers}
    problems = list(_structure(workload, by_name))
    if not problems:
        problems = [text for layer in workload.layers for text in _layer(layer, by_name)]
    if not problems:
        problems = list(_feedback(workload))
    if problems:
        raise UserError("\n".join(f"workload {workload.name!r}: {text}" for text in problems))


def input_steps(feed: Input, producer: Layer) -> int:
    """Time steps that ``producer`` delivers through ``feed`` (rounded down)."""
    return producer.steps // feed.time_reduction


def delivered_size(feed: Input, producer: Layer) -> int:
    """Elements that ``producer`` delivers through ``feed`` each step of the consumer."""
    joined = feed.time_reduction if feed.reduction == "concat" else 1
    return producer.output_size * joined


def _structure(workload: Workload, by_name: dict[str, Layer]) -> Iterator[str]:
    """Sizes, names, producers and cycles: what the other checks stand on."""
    if not workload.layers:
        yield "has no layers; add one"
    if workload.batch < 1:
        yield f"batch is {workload.batch}; expected 1 or more"
    for layer in workload.layers:
        sizes = {
            "input_size": layer.input_size,
            "hidden_size": layer.hidden_size,
            "steps": layer.steps,
            "projection_size": 1 if layer.projection_size is None else layer.projection_size,
        }
        for key, size in sizes.items():
            if size < 1:
                yield f"layer {layer.name!r}: {key} is {size}; expected 1 or more"
        for name in (*(feed.producer for feed in layer.inputs), *layer.after):
            if name != EXTERNAL and name not in by_name:
                yield f"layer {layer.name!r} takes input from {name!r}, which is no layer of this workload"
        if not layer.inputs:
            yield f"layer {layer.name!r} has no inputs; expected one or more"
        for feed in layer.inputs:
            if feed.time_reduction < 1:
                yield f"layer {layer.name!r}: time reduction is {feed.time_reduction}; expected 1 or more"
            if feed.delay not in (0, 1):
                yield f"layer {layer.name!r}: delay is {feed.delay}; expected 0 or 1"
    names = [layer.name for layer in workload.layers]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{names.count(name)} layers are called {name!r}; give each a name of its own"
    if EXTERNAL in by_name:
        yield f"a layer is called {EXTERNAL!r}, which stands for data from outside; rename it"
    yield from _order(workload, by_name)


def waits_for(layer: Layer) -> list[str]:
    """Layers whose output of the same step, or whose end, ``layer`` waits for."""
    flowing = [feed.producer for feed in layer.inputs if feed.producer != EXTERNAL and not feed.delay]
    return [*flowing, *layer.after]


def find_cycle(layers: tuple[Layer, ...]) -> list[str]:
    """Names along a cycle of inputs without delay, each feeding the next, or [] if there is none."""
    known = {layer.name for layer in layers}
    graph = {layer.name: [name for name in waits_for(layer) if name in known] for layer in layers}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def _order(workload: Workload, by_name: dict[str, Layer]) -> Iterator[str]:
    cycle = find_cycle(workload.layers)
    if cycle:
        yield (
            f"layers feed each other in a cycle within one step ({' -> '.join(cycle)}); "
            "give one of these inputs delay: 1"
        )
        return
    seen: set[str] = set()
    for layer in workload.layers:
        late = [name for name in waits_for(layer) if name in by_name and name not in seen]
        if late:
            yield f"layer {layer.name!r} stands before {late[0]!r}, which feeds it; put it behind"
        seen.add(layer.name)


def _layer(layer: Layer, by_name: dict[str, Layer]) -> Iterator[str]:
    """Widths, steps and options of one layer."""
    where = f"layer {layer.name!r}"
    for feed in layer.inputs:
        if feed.size < 1:
            yield f"{where}: the input from {feed.producer!r} has {feed.size} elements; expected 1 or more"
        if feed.producer == EXTERNAL:
            if feed.delay or feed.time_reduction != 1:
                yield f"{where}: an input from outside has neither delay nor time reduction; remove them"
            continue
        producer = by_name[feed.producer]
        yield from _feed(where, layer, feed, producer)
    yield from _width(where, layer)
    if layer.projection_size and layer.cell != "lstm":
        yield f"{where}: projection_size is for lstm cells, not for {layer.cell}; remove it"
    if layer.skip_input and layer.cell == "linear":
        yield f"{where}: skip_input leaves a linear layer without a product; remove it"
    if layer.skip_input and layer.input_size != layer.hidden_size:
        yield (
            f"{where}: skip_input needs an input as wide as the hidden vector "
            f"(input_size {layer.input_size}, hidden_size {layer.hidden_size})"
        )
    if layer.skip_input and [feed.producer for feed in layer.inputs] != [EXTERNAL]:
        names = ", ".join(repr(feed.producer) for feed in layer.inputs)
        yield f"{where}: skip_input is for a layer with one input, from outside, not from {names}; remove it"


def _feed(where: str, layer: Layer, feed: Input, producer: Layer) -> Iterator[str]:
    size = delivered_size(feed, producer)
    if feed.size != size:
        yield f"{where} takes {feed.size} elements from layer {producer.name!r}, which delivers {size}"
    if producer.steps % feed.time_reduction:
        yield (
            f"{where}: time reduction {feed.time_reduction} does not divide the {producer.steps} steps "
            f"of layer {producer.name!r}"
        )
    elif input_steps(feed, producer) != layer.steps:
        yield (
            f"{where} runs {layer.steps} steps, but layer {producer.name!r} delivers "
            f"{input_steps(feed, producer)}"
        )


def _width(where: str, layer: Layer) -> Iterator[str]:
    parts = ", ".join(
        f"{feed.size} from " + ("outside" if feed.producer == EXTERNAL else f"layer {feed.producer!r}")
        for feed in layer.inputs
    )
    sizes = [feed.size for feed in layer.inputs]
    if layer.combine == "sum" and len(set(sizes)) > 1:
        yield f"{where} sums inputs of different widths ({parts}); concatenate them or make them equal"
        return
    width = sizes[0] if layer.combine == "sum" else sum(sizes)
    if width != layer.input_size:
        yield (
            f"{where} expects {layer.input_size} input elements but gets {width} ({parts}); "
            f"set input_size to {width} or change the inputs"
        )


def _feedback(workload: Workload) -> Iterator[str]:
    """Feedback makes sense only between layers that advance through time together."""
    together = {layer.name: number for number, group in enumerate(phases(workload)) for layer in group}
    for layer in workload.layers:
        for feed in layer.inputs:
            if not feed.delay:
                continue
            producer = workload.layer(feed.producer)
            if producer.steps != layer.steps:
                yield (
                    f"layer {layer.name!r} runs {layer.steps} steps and takes the step before from layer "
                    f"{producer.name!r}, which runs {producer.steps}; a delay needs as many steps on both "
                    "sides, so remove the delay or the time reduction"
                )
            elif producer.direction != layer.direction or together[producer.name] != together[layer.name]:
                yield (
                    f"layer {layer.name!r} takes the step before from layer {producer.name!r}, which does "
                    "not advance through time together with it; remove the delay"
                )
