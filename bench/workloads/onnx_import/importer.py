"""From an ONNX file to a workload: its recurrent layers, connected; what is around them, counted.

Sizes that the file leaves open are asked for by name, or taken from the caller.
"""

from __future__ import annotations

import difflib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import unquote

import onnx

from bench.errors import UserError
from bench.files import shown
from bench.workloads.check import check_workload
from bench.workloads.model import EXTERNAL, Input, Layer, Workload
from bench.workloads.onnx_import.feeds import Connection, connect, external
from bench.workloads.onnx_import.names import layer_names, slug
from bench.workloads.onnx_import.reading import all_nodes, opset, read_model, with_shapes
from bench.workloads.onnx_import.recurrent import GATES, Recurrent, Size, quantised
from bench.workloads.onnx_import.walk import Settings, Walk
from bench.workloads.onnx_import.weights import parameters
from bench.workloads.parameters import Parameters

FIRST_OPSET = 7
_ROUNDS = 8


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
    walk = _settled(Walk(model, file, Settings(dims or {}, None, None, branches or {})), steps, batch)
    return _Assembly(walk, path, opset(model), keep_weights).imported()


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
    return f"Not accelerated: {count} operators around the recurrent layers, with {share}{beside}."


def _check_recurrent(graph: onnx.GraphProto, file: str) -> None:
    """Raise UserError unless there is a recurrent node."""
    nodes = list(all_nodes(graph))
    if any(node.op_type in GATES or quantised(node) for node in nodes):
        return
    top = Counter(node.op_type for node in nodes if node.op_type != "Constant").most_common(4)
    held = ", ".join(f"{count} {kind}" for kind, count in top) or "no operator at all"
    raise UserError(f"{file}: has no RNN, LSTM or GRU node (it has {held}); nothing here could run it")


def _settled(first: Walk, steps: int | None, batch: int | None) -> Walk:
    """The walk that knows all sizes: each round puts in what the one before found to be open."""
    sizes, branches = dict(first.settings.sizes), first.settings.branches
    forced: dict[str, int | None] = {"steps": None, "batch": None}
    given = {"steps": steps, "batch": batch}
    used: set[str] = set()
    for _ in range(_ROUNDS):
        walk = Walk(first.model, first.file, Settings(sizes, forced["steps"], forced["batch"], branches))
        walk.run()
        _check_names(walk, sizes, branches)
        asked = {key: _open(walk, key) for key in given}
        if not any(asked.values()):
            _check_used(walk, given, used)
            return walk
        missing = [key for key in given if asked[key] and given[key] is None]
        missing += [key for key in given if len(_named(asked[key])) > 1 and key not in missing]
        if missing:
            raise _question(walk, missing, asked)
        for key, number in given.items():
            if asked[key] and number is not None:
                used.add(key)
                named = _named(asked[key])
                sizes |= dict.fromkeys(named, number)
                forced[key] = forced[key] if named else number
    raise UserError(f"{first.file}: its sizes cannot be found; simplify the model first (constant shapes)")


def _open(walk: Walk, key: str) -> list[tuple[Recurrent, Size]]:
    """Nodes whose steps or batch are open, with the dimension's name if it has one."""
    found: list[tuple[Recurrent, Size]] = []
    for node in walk.found:
        sizes = [node.steps, *(loop.trips for loop in node.loops)] if key == "steps" else [node.batch]
        for size in sizes:
            if not isinstance(size, int):
                found.append((node, size if size in walk.symbols else None))
    return found


def _named(asked: Sequence[tuple[Recurrent, Size]]) -> list[str]:
    return list(dict.fromkeys(size for _, size in asked if isinstance(size, str)))


def _question(
    walk: Walk, missing: Sequence[str], asked: Mapping[str, Sequence[tuple[Recurrent, Size]]]
) -> UserError:
    """What to give, in the words of the command line and of a configuration."""
    words = {"steps": "the sequence length", "batch": "the batch size"}
    lacks, flags, options = [], [], []
    for key in missing:
        names = _named(asked[key])
        shown_names = f" (dimension {', '.join(repr(name) for name in names)})" if names else ""
        lacks.append(f"{words[key]}{shown_names}")
        keys = names if len(names) > 1 else [key]
        flags += [f"--dim {name}=N" if len(names) > 1 else f"--{key} N" for name in keys]
        options += [f"{name}=N" for name in keys]
    node = asked[missing[0]][0][0]
    inputs = [name for name in walk.symbols if name not in walk.settings.sizes]
    if inputs and not any(_named(asked[key]) for key in missing):
        flags.append(f"(or the sizes of its inputs: {' '.join(f'--dim {name}=N' for name in inputs)})")
    return UserError(
        f"{walk.file}: {node.node.op_type} node {node.label!r}: the file leaves open "
        f"{' and '.join(lacks)}; give {' '.join(flags)}, or name the workload {walk.file}:{','.join(options)}"
    )


def _check_names(walk: Walk, sizes: Mapping[str, int], branches: Mapping[str, str]) -> None:
    """Raise UserError for a dimension or an If node that the file has not."""
    for kind, names, known in (
        ("symbolic dimension", sizes, list(walk.symbols)),
        ("If node", branches, walk.choices),
    ):
        for name in names:
            if name not in known:
                near = difflib.get_close_matches(name, known, n=2, cutoff=0.5)
                hint = (
                    f"did you mean {' or '.join(near)}?"
                    if near
                    else f"it has {', '.join(known[:8]) or 'none'}"
                )
                raise UserError(f"{walk.file}: has no {kind} {name!r}; {hint}")


def _check_used(walk: Walk, given: Mapping[str, int | None], used: set[str]) -> None:
    """Raise UserError for steps or a batch size that differ from those in the file."""
    for key, number in given.items():
        own = sorted({_steps(node) if key == "steps" else int(str(node.batch)) for node in walk.found})
        if number is not None and key not in used and number not in own:
            raise UserError(
                f"{walk.file}: --{key} {number}: the file itself says {', '.join(map(str, own))}; leave out "
                f"--{key}, or export the model with that dimension left open"
            )


def _steps(node: Recurrent) -> int:
    """Time steps of a node: those of its sequence, times the iterations of the loops around it."""
    length = node.used if node.used is not None else node.steps
    return math.prod(size for size in (length, *(loop.trips for loop in node.loops)) if isinstance(size, int))


class _Assembly:
    """A settled walk while its workload is put together."""

    def __init__(self, walk: Walk, path: Path, version: int, keep_weights: bool) -> None:
        self.walk = walk
        self.path = path
        self.version = version
        self.keep_weights = keep_weights
        stems = layer_names([node.label for node in walk.found])
        self.turned: list[bool] = []
        self.connections: list[Connection] = []
        for node in walk.found:
            found = connect(node, walk.sources, walk.found, self.turned) or external(node)
            self.connections.append(found)
            self.turned.append(found.turned)
        self.names = [
            [_directed(stem, node, way, turned) for way in range(len(node.backward))]
            for stem, node, turned in zip(stems, walk.found, self.turned, strict=True)
        ]

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
        said = (not_accelerated(around, workload.macs), *dict.fromkeys(notes))
        workload = replace(workload, assumptions=said)
        check_workload(workload)
        numbers = None
        if self.keep_weights:
            each = zip(walk.found, self.connections, self.names, strict=True)
            numbers = parameters(list(each), workload.batch, walk.file)
        return Imported(workload, numbers, nodes, around, said[1:])

    def _layer(self, number: int, way: int, after: tuple[str, ...]) -> Layer:
        node, connection = self.walk.found[number], self.connections[number]
        return Layer(
            self.names[number][way],
            node.cells[way],
            input_size=node.input_size,
            hidden_size=node.hidden_size,
            steps=_steps(node),
            inputs=tuple(
                Input(EXTERNAL, link.size)
                if link.node is None
                else Input(self.names[link.node][link.way], link.size, time_reduction=link.reduction)
                for link in connection.links
            ),
            combine=connection.combine,
            direction="backward" if node.backward[way] != connection.turned else "forward",
            reset=node.reset if node.cells[way] == "gru" else "before",
            after=after,
        )

    def _after(self, number: int) -> tuple[str, ...]:
        """Layers that must have ended although they do not feed the node directly."""
        node = self.walk.found[number]
        direct = {link.node for link in self.connections[number].links}
        waits = node.input(0).after - direct
        waits |= node.input(5).after | node.input(6).after
        return tuple(
            name for other in sorted(waits - {number}) for name in sorted(self.names[other], key=_last)
        )

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


def _directed(stem: str, node: Recurrent, way: int, turned: bool) -> str:
    if len(node.backward) == 1:
        return stem
    return f"{stem}.bwd" if node.backward[way] != turned else f"{stem}.fwd"


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
