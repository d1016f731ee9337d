"""From a checked workload file to Workload values: ranges, directions, widths and steps spelled out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

from bench.errors import UserError
from bench.workloads.check import check_workload, find_cycle, waits_for
from bench.workloads.model import EXTERNAL, Cell, Combine, Direction, Input, Layer, Workload
from bench.workloads.schema import (
    ExternalFeed,
    Family,
    LayerEntry,
    LayerFeed,
    Table,
    WorkloadEntry,
    WorkloadFile,
)

BELOW = "below"
_CELL_NAMES: dict[Cell, str] = {
    "lstm": "lstm",
    "gru": "gru",
    "rnn_tanh": "rnn",
    "rnn_relu": "rnn",
    "mlstm": "mlstm",
    "linear": "gemv",
}


def build_workloads(content: WorkloadFile) -> dict[str, Workload]:
    """All workloads of a file by name, in the file's order. Raises UserError as `check_workload` does."""
    entry = content.root
    if isinstance(entry, Table):
        workloads = list(_table(entry))
    elif isinstance(entry, Family):
        workloads = [_workload(item, entry) for item in entry.workloads]
    else:
        workloads = [_workload(entry, None)]
    result: dict[str, Workload] = {}
    for workload in workloads:
        if workload.name in result:
            raise UserError(f"workload {workload.name!r} is given twice; rename or remove one")
        result[workload.name] = workload
    return result


def single_layer(
    name: str, cell: Cell, hidden_size: int, *, batch: int, steps: int, skip_input: bool = False
) -> Workload:
    """A workload of one layer whose input is as wide as its hidden vector."""
    layer = Layer(_CELL_NAMES[cell], cell, hidden_size, hidden_size, steps, skip_input=skip_input)
    return Workload(name, (layer,), batch=batch)


def _table(table: Table) -> Iterator[Workload]:
    for (mode_name, mode), (set_name, rows) in product(table.modes.items(), table.sets.items()):
        assumptions = (*table.assumptions, *mode.assumptions)
        for row in rows:
            for hidden, batch, steps in product(row.hidden_sizes, row.batches, row.steps):
                short = f"{_CELL_NAMES[row.cell]}-{hidden}-b{batch}-t{steps}"
                name = f"{mode_name}/{set_name}/{short}"
                plain = single_layer(
                    name, row.cell, hidden, batch=batch, steps=steps, skip_input=mode.skip_input
                )
                layer = replace(plain.layers[0], reset=mode.reset if row.cell == "gru" else "before")
                yield replace(plain, layers=(layer,), source=table.source, assumptions=assumptions)


def _workload(entry: WorkloadEntry, family: Family | None) -> Workload:
    name = f"{family.family}/{entry.name}" if family else entry.name
    shared = family.defaults if family else None
    try:
        layers = _Graph(entry, entry.steps or (shared.steps if shared else None)).layers()
    except UserError as error:
        raise UserError(f"workload {name!r}: {error}") from None
    workload = Workload(
        name,
        layers,
        batch=entry.batch or (shared.batch if shared else 1),
        source=entry.source if entry.source is not None else (family.source if family else ""),
        assumptions=(*(family.assumptions if family else ()), *entry.assumptions),
    )
    check_workload(workload)
    return workload


@dataclass(frozen=True)
class _Node:
    """One layer of the file with its range spelled out; both directions are still one."""

    name: str
    below: str | None
    entry: LayerEntry


class _Graph:
    """The layers of one workload entry, looked up by name while they are put together."""

    def __init__(self, entry: WorkloadEntry, steps: int | None) -> None:
        self.default_steps = steps
        self.nodes: dict[str, _Node] = {}
        below: str | None = None
        for item in entry.layers:
            for name in _names(item.name):
                if name in self.nodes:
                    raise UserError(f"two layers are called {name!r}; rename one")
                if name in (EXTERNAL, BELOW):
                    raise UserError(f"a layer is called {name!r}, which has a meaning in inputs; rename it")
                self.nodes[name] = _Node(name, below, item)
                below = name
        self.steps: dict[str, int] = {}

    def layers(self) -> tuple[Layer, ...]:
        """All unidirectional layers in topological order."""
        drafts = tuple(self._drafts())
        cycle = find_cycle(drafts)
        if cycle:
            raise UserError(
                f"layers feed each other in a cycle within one step ({' -> '.join(cycle)}); "
                "give one of these inputs delay: 1"
            )
        placed: dict[str, Layer] = {}
        waiting = list(drafts)
        while waiting:
            ready = next(layer for layer in waiting if all(name in placed for name in waits_for(layer)))
            waiting.remove(ready)
            placed[ready.name] = replace(ready, steps=self._steps(ready, placed))
        return tuple(placed.values())

    def _drafts(self) -> Iterator[Layer]:
        """Layers that are complete but for their steps (0 stands for not known yet)."""
        for node in self.nodes.values():
            entry = node.entry
            if entry.reset and entry.cell != "gru":
                raise UserError(f"layer {node.name!r}: reset is for gru, not for {entry.cell}; remove it")
            if entry.merge != "concat" and entry.direction != "both":
                raise UserError(
                    f"layer {node.name!r}: merge is for direction: both, not for {entry.direction}; remove it"
                )
            inputs, combine = self._inputs(node)
            after = tuple(layer for name in entry.after for layer in self._directions(node, name))
            sizes = [feed.size for feed in inputs]
            for name, direction in _directed(node):
                yield Layer(
                    name=name,
                    cell=entry.cell,
                    input_size=entry.input_size or (max(sizes) if combine == "sum" else sum(sizes)),
                    hidden_size=entry.hidden_size,
                    steps=entry.steps or 0,
                    inputs=inputs,
                    combine=combine,
                    direction=direction,
                    projection_size=entry.projection_size,
                    reset=entry.reset or "before",
                    skip_input=entry.skip_input,
                    after=after,
                )

    def _inputs(self, node: _Node) -> tuple[tuple[Input, ...], Combine]:
        """The inputs of a node and how they become one vector."""
        entry = node.entry
        feeds = entry.inputs or [BELOW if node.below else EXTERNAL]
        inputs: list[Input] = []
        merges: set[Combine] = set()
        for feed in feeds:
            if isinstance(feed, ExternalFeed):
                inputs.append(Input(EXTERNAL, feed.external))
            elif feed == EXTERNAL:
                inputs.append(Input(EXTERNAL, 0))
            else:
                name, delay = (feed.layer, feed.delay) if isinstance(feed, LayerFeed) else (feed, 0)
                producers = self._directions(node, name)
                if len(producers) > 1:
                    merges.add(self._node(node, name).entry.merge)
                inputs.extend(self._input(node, producer, delay) for producer in producers)
        combine: Combine = entry.combine or ("sum" if merges == {"sum"} and len(feeds) == 1 else "concat")
        if merges - {combine}:
            raise UserError(
                f"layer {node.name!r}: its inputs are combined by {combine}, but a bidirectional layer among "
                f"them has merge: {(merges - {combine}).pop()}; make them agree"
            )
        return self._with_external(node, inputs, combine), combine

    def _input(self, node: _Node, producer: str, delay: int) -> Input:
        entry = node.entry
        source = self.nodes[_base(producer)].entry
        size = source.projection_size or source.hidden_size
        joined = entry.time_reduction if entry.reduction == "concat" and not delay else 1
        return Input(producer, size * joined, delay, 1 if delay else entry.time_reduction, entry.reduction)

    def _with_external(self, node: _Node, inputs: list[Input], combine: Combine) -> tuple[Input, ...]:
        """Give a plain `input` its size: what is left of input_size."""
        plain = [feed for feed in inputs if feed.producer == EXTERNAL and not feed.size]
        if not plain:
            return tuple(inputs)
        if len(plain) > 1 or not node.entry.input_size:
            raise UserError(
                f"layer {node.name!r} takes data from outside; give its input_size, or write the input as "
                "{external: SIZE}"
            )
        size = node.entry.input_size - (0 if combine == "sum" else sum(feed.size for feed in inputs))
        if size < 1:
            raise UserError(
                f"layer {node.name!r}: input_size {node.entry.input_size} leaves nothing for `input` beside "
                f"the {node.entry.input_size - size} elements of its other inputs; make it larger"
            )
        return tuple(replace(feed, size=size) if feed in plain else feed for feed in inputs)

    def _node(self, node: _Node, name: str) -> _Node:
        """The node that ``name`` means in the inputs of ``node``."""
        if name == BELOW:
            if node.below is None:
                raise UserError(f"layer {node.name!r} has no layer below it; name another input")
            name = node.below
        base = _base(name)
        if base not in self.nodes:
            raise UserError(
                f"layer {node.name!r} takes input from {name!r}, which is no layer of this workload "
                f"(layers: {', '.join(self.nodes)})"
            )
        return self.nodes[base]

    def _directions(self, node: _Node, name: str) -> tuple[str, ...]:
        """The unidirectional layers that ``name`` means."""
        producer = self._node(node, name)
        names = tuple(directed for directed, _ in _directed(producer))
        if name == BELOW or _base(name) == name:
            return names
        if name not in names:
            raise UserError(
                f"layer {node.name!r} takes input from {name!r}, but {producer.name!r} is not bidirectional"
            )
        return (name,)

    def _steps(self, layer: Layer, placed: dict[str, Layer]) -> int:
        """Steps of a layer whose producers have theirs."""
        flowing = [feed for feed in layer.inputs if feed.producer in placed and not feed.delay]
        if layer.steps:
            return layer.steps
        for feed in flowing:
            producer = placed[feed.producer]
            if producer.steps % feed.time_reduction:
                raise UserError(
                    f"layer {layer.name!r}: time reduction {feed.time_reduction} does not divide the "
                    f"{producer.steps} steps of layer {producer.name!r}"
                )
            return producer.steps // feed.time_reduction
        if self.default_steps is None:
            raise UserError(f"layer {layer.name!r} has no time steps; give the workload or the layer `steps`")
        return self.default_steps


def _names(name: str) -> list[str]:
    """``layer-2..4`` is layer-2, layer-3, layer-4; other names stand for themselves."""
    match = re.fullmatch(r"(.*?)([0-9]+)\.\.([0-9]+)", name)
    if match is None:
        if ".." in name:
            raise UserError(f"layer name {name!r} is no range; write it as layer-0..7")
        return [name]
    stem, first, last = match[1], int(match[2]), int(match[3])
    if last < first:
        raise UserError(f"layer name {name!r} counts downwards; write {stem}{last}..{first}")
    return [f"{stem}{number}" for number in range(first, last + 1)]


def _base(name: str) -> str:
    """A layer's name without its direction."""
    return name.removesuffix(".fwd").removesuffix(".bwd")


def _directed(node: _Node) -> tuple[tuple[str, Direction], ...]:
    direction = node.entry.direction
    if direction == "both":
        return (f"{node.name}.fwd", "forward"), (f"{node.name}.bwd", "backward")
    return ((node.name, direction),)
