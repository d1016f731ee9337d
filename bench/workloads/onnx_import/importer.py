"""From an ONNX file to a workload: its recurrent layers, connected; what is around them, counted.

Sizes that the file leaves open are asked for by name, or taken from the caller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

import onnx

from bench.errors import UserError
from bench.files import shown
from bench.workloads.check import check_workload
from bench.workloads.describe import counted
from bench.workloads.model import EXTERNAL, Input, Layer, Workload
from bench.workloads.onnx_import.feeds import Connection, connect, external
from bench.workloads.onnx_import.names import layer_names, slug
from bench.workloads.onnx_import.reading import all_nodes, flaw_of, opset, read_model, with_shapes
from bench.workloads.onnx_import.recurrent import GATES, quantised
from bench.workloads.onnx_import.settle import settled, step_count
from bench.workloads.onnx_import.walk import Settings, Walk
from bench.workloads.onnx_import.weights import parameters
from bench.workloads.parameters import Parameters

FIRST_OPSET = 7


@dataclass(frozen=True)
class Options:
    """What a caller says about a file: the keyword arguments of `import_onnx` of the same names."""

    steps: int | None = None
    batch: int | None = None
    dims: Mapping[str, int] = field(default_factory=dict)
    branches: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Origin:
    """The node that a layer comes from, and the names of its values.

    ``way``: which of the node's directions. ``inputs``, ``outputs``: X, W, R, B, sequence
    lengths, initial h and c; Y, Y_h, Y_c; "" where there is none. ``layout`` as in ONNX.
    ``turned``: the node sees time reversed. ``outside``: columns of X that no layer feeds.
    """

    node: str
    op_type: str
    way: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    layout: int
    turned: bool
    outside: tuple[int, ...]


@dataclass(frozen=True)
class Imported:
    """What an ONNX file holds: the workload, its numbers if kept, and what is not accelerated.

    ``nodes``: for each layer. ``surroundings``: (operator, how many, multiply-accumulates of a
    run or None where a shape is not known), most work first.
    """

    workload: Workload
    parameters: Parameters | None
    nodes: Mapping[str, Origin]
    surroundings: tuple[tuple[str, int, int | None], ...]
    notes: tuple[str, ...]


def import_onnx(
    path: Path,
    *,
    steps: int | None = None,
    batch: int | None = None,
    dims: Mapping[str, int] | None = None,
    branches: Mapping[str, str] | None = None,
    keep_weights: bool = False,
) -> Imported:
    """The recurrent network in an ONNX file.

    ``steps`` and ``batch`` stand for the sequence length and the batch size where the file leaves
    them open, ``dims`` for symbolic dimensions by name (also of loops: their iterations),
    ``branches`` for the side that an If node takes (``then`` or ``else``).

    Raises UserError: no model, no recurrent node, one that is not supported, or a size that is
    not known.
    """
    file = shown(path)
    model = read_model(path)
    _check_recurrent(model.graph, file)
    model = with_shapes(model)
    try:
        walk = settled(Walk(model, file, Settings(dims or {}, None, None, branches or {})), steps, batch)
        return _Assembly(walk, path, opset(model), keep_weights).imported()
    except UnicodeDecodeError:
        raise UserError(f"{file}: a name in it is not UTF-8 text, so it cannot be read") from None
    except (ArithmeticError, AttributeError, LookupError, RuntimeError, StopIteration, TypeError, ValueError):
        flaw = flaw_of(model)
        if flaw is None:
            raise
        raise UserError(f"{file}: breaks a rule of ONNX, so it cannot be read: {flaw}") from None


def parse_options(text: str, name: str) -> Options:
    """The options in a text such as ``steps=25,batch=1,If_0=else``; UserError for other text."""
    sizes: dict[str, int] = {}
    branches: dict[str, str] = {}
    for part in text.split(","):
        key, _, value = part.rpartition("=")
        if key and value in ("then", "else"):
            branches[unquote(key)] = value
        elif key and value.isdecimal() and 0 < int(value) < 10**9:
            sizes[unquote(key)] = int(value)
        else:
            raise UserError(f"{name}: {part!r} is no option; expected steps=N, batch=N, a dimension's NAME=N")
    return Options(sizes.pop("steps", None), sizes.pop("batch", None), sizes, branches)


def load_onnx(path: Path, options: str | None) -> Workload:
    """The workload in ``path`` with options as `parse_options` reads them; UserError as `import_onnx`."""
    return import_onnx(path, **vars(parse_options(options, shown(path)) if options else Options())).workload


def not_accelerated(surroundings: Sequence[tuple[str, int, int | None]], macs: int) -> str:
    """A sentence on what is around layers of so many multiply-accumulates."""
    count = sum(number for _, number, _ in surroundings)
    around = sum(work or 0 for _, _, work in surroundings)
    if not count:
        return "Nothing is around the recurrent layers."
    unknown = [kind for kind, _, work in surroundings if work is None]
    beside = f", without {', '.join(unknown)}, whose shapes are not known" if unknown else ""
    share = f"{around / (around + macs):.1%} of all multiply-accumulates"
    return f"Not accelerated: {counted(count, 'operator')} around the recurrent layers, with {share}{beside}."


def _check_recurrent(graph: onnx.GraphProto, file: str) -> None:
    """Raise UserError unless there is a recurrent node."""
    nodes = list(all_nodes(graph))
    if any(node.op_type in GATES or quantised(node) for node in nodes):
        return
    top = Counter(node.op_type for node in nodes if node.op_type != "Constant").most_common(4)
    held = ", ".join(f"{count} {kind}" for kind, count in top) or "no operator at all"
    raise UserError(
        f"{file}: has no RNN, LSTM or GRU node (it has {held}); if the network is recurrent, its exporter "
        "has unrolled it (PyTorch does with nn.RNN: export with dynamo=False)"
    )


class _Assembly:
    """A settled walk while its workload is put together."""

    def __init__(self, walk: Walk, path: Path, version: int, keep_weights: bool) -> None:
        self.walk = walk
        self.path = path
        self.version = version
        self.keep_weights = keep_weights
        self.turned: list[bool] = []
        self.connections: list[Connection] = []
        for node in walk.found:
            found = connect(node, walk.sources, walk.found, self.turned) or external(node)
            self.connections.append(found)
            self.turned.append(found.turned)
        self.names = self._names()

    def imported(self) -> Imported:
        """The result; UserError if the layers make no workload."""
        walk = self.walk
        batches = sorted({node.batch for node in walk.found if isinstance(node.batch, int)})
        if len(batches) != 1:
            raise UserError(
                f"{walk.file}: its recurrent nodes have different batch sizes "
                f"({', '.join(map(str, batches))}); a workload has one"
            )
        layers: list[Layer] = []
        nodes: dict[str, Origin] = {}
        notes = list(walk.notes)
        if self.version < FIRST_OPSET:
            notes.insert(
                0, f"opset {self.version} is older than {FIRST_OPSET}: nodes are read as in that one"
            )
        for number, node in enumerate(walk.found):
            after = self._after(number)
            made = [self._layer(number, way, after) for way in range(len(node.backward))]
            layers += sorted(made, key=lambda layer: layer.direction == "backward")
            nodes |= {layer.name: self._origin(number, way) for way, layer in enumerate(made)}
            notes += self._notes(number, after)
        workload = Workload(
            slug(self.path.stem) or "model",
            tuple(layers),
            batch=batches[0],
            source=f"{self.path.name} (ONNX, opset {self.version})",
        )
        around = _summed(walk.around)
        left = [name for name in walk.symbols if name not in walk.settings.sizes]
        if left and any(work is None for _, _, work in around):
            flags = " ".join(f"--dim {name}=N" for name in left)
            notes.append(f"the shapes that are not known may depend on sizes of the inputs: {flags}")
        said = (not_accelerated(around, workload.macs), *dict.fromkeys(notes))
        workload = replace(workload, assumptions=said)
        check_workload(workload)
        numbers = None
        if self.keep_weights:
            each = zip(walk.found, self.connections, self.names, strict=True)
            numbers = parameters(list(each), workload.batch, walk.file)
        return Imported(workload, numbers, nodes, around, said[1:])

    def _names(self) -> list[list[str]]:
        """Layer names: for each node, one a direction."""
        halves = [number for number in range(1, len(self.walk.found)) if self._second_half(number)]
        labels = {
            number: node.label.removesuffix(".fwd") if number + 1 in halves else node.label
            for number, node in enumerate(self.walk.found)
            if number not in halves
        }
        stems = dict(zip(labels, layer_names(list(labels.values())), strict=True))
        names = []
        for number, node in enumerate(self.walk.found):
            stem = stems[number - (number in halves)]
            if len(node.backward) == 1 and number not in halves and number + 1 not in halves:
                names.append([stem])
            else:
                ends = [".bwd" if back != self.turned[number] else ".fwd" for back in node.backward]
                names.append([stem + end for end in ends])
        return names

    def _second_half(self, number: int) -> bool:
        """Whether a node and the one before are ``NAME.fwd`` and ``NAME.bwd`` on the same input.

        So `bench export` writes the two directions of a layer.
        """
        pair = self.walk.found[number - 1], self.walk.found[number]
        forward, backward = (
            [back != turned for back in node.backward]
            for node, turned in zip(pair, self.turned[number - 1 : number + 1], strict=True)
        )
        first, second = self.connections[number - 1], self.connections[number]
        return (
            (forward, backward) == ([False], [True])
            and pair[0].label.endswith(".fwd")
            and pair[1].label == pair[0].label.removesuffix("fwd") + "bwd"
            and pair[0].cells == pair[1].cells
            and first == second
            and self._waits(number - 1) == self._waits(number)
            # what comes from outside has no name of its own, so it must be the same value
            and (not first.outside or pair[0].node.input[0] == pair[1].node.input[0])
        )

    def _layer(self, number: int, way: int, after: tuple[str, ...]) -> Layer:
        node, connection = self.walk.found[number], self.connections[number]
        return Layer(
            self.names[number][way],
            node.cells[way],
            input_size=node.input_size,
            hidden_size=node.hidden_size,
            steps=step_count(node),
            inputs=tuple(
                Input(EXTERNAL, link.size)
                if link.node is None
                else Input(self.names[link.node][link.way], link.size, 0, link.reduction, link.joined)
                for link in connection.links
            ),
            combine=connection.combine,
            direction="backward" if node.backward[way] != connection.turned else "forward",
            reset=node.reset if node.cells[way] == "gru" else "before",
            after=after,
        )

    def _after(self, number: int) -> tuple[str, ...]:
        """Layers that must have ended although they do not feed the node directly."""
        return tuple(
            name for other in sorted(self._waits(number)) for name in sorted(self.names[other], key=_last)
        )

    def _waits(self, number: int) -> frozenset[int]:
        """Nodes that must have ended although they do not feed this one directly."""
        node = self.walk.found[number]
        direct = {link.node for link in self.connections[number].links}
        waits = node.input(0).after - direct
        return (waits | node.input(5).after | node.input(6).after) - {number}

    def _origin(self, number: int, way: int) -> Origin:
        node, connection = self.walk.found[number], self.connections[number]
        return Origin(
            node.label,
            node.node.op_type,
            way,
            tuple(node.node.input),
            tuple(node.node.output),
            node.layout,
            connection.turned,
            connection.outside,
        )

    def _notes(self, number: int, after: tuple[str, ...]) -> list[str]:
        node, notes = self.walk.found[number], []
        label = node.label
        if after:
            notes.append(
                f"{label}: depends on {', '.join(after)} through operators that are not accelerated: it "
                "starts when they have ended, and takes that input from outside"
            )
        if self.turned[number]:
            notes.append(
                f"{label}: its input is in reversed order of time, so it works in the other direction"
            )
        for place, state in ((5, "h"), (6, "c")):
            if node.has(place) and node.input(place).data is None:
                notes.append(f"{label}: initial {state} is given at run time; numeric checks begin with zero")
        return notes


def _last(name: str) -> bool:
    return name.endswith(".bwd")


def _summed(around: Sequence[tuple[str, int | None]]) -> tuple[tuple[str, int, int | None], ...]:
    """Operators with how many there are and their multiply-accumulates, most work first."""
    counts = Counter(kind for kind, _ in around)
    work: dict[str, int | None] = dict.fromkeys(counts, 0)
    for kind, macs in around:
        before = work[kind]
        work[kind] = None if macs is None or before is None else before + macs
    rows = [(kind, counts[kind], work[kind]) for kind in counts]
    return tuple(sorted(rows, key=lambda row: (row[2] is not None, -(row[2] or 0), -row[1], row[0])))
