"""Graph partitioning by METIS or Mt-KaHyPar: row blocks and vectors as vertices, bytes as edges.

Follows the usual use of graph partitioners on task graphs: balance the work of the parts, cut as
few bytes as possible. METIS is Karypis and Kumar's multilevel k-way scheme (SIAM J. Sci. Comput.
20(1), 1998), called through pymetis; Mt-KaHyPar (Gottesbüren et al., ALENEX 2021; deterministic
preset: Gottesbüren and Hamann, Euro-Par 2022) cuts the hypergraph, so that a vector which many
blocks of a device read is counted once for that device, not once for each block.

There are two forms:

- ``folded``: the graph folded in time. A vertex is a row block of a matrix, or a range of a vector; it
  stands for all time steps, and weighs the multiply-accumulates of all of them. A net joins a range of
  a vector with the blocks that multiply it, another one a block with the range that its sums go to.
  Weights stay where they are put: this is the form that suits a plan.
- ``unrolled``: the graph unrolled in time. A vertex is what a layer computes of a row range at one
  step. The cheapest cut is across time, where only h passes once. A plan has one owner for a block
  in all steps, and replicas of a block each do all of its steps, so such a cut cannot be followed:
  each row block goes to the part that has most of its steps, the first of those with equally many.

Departures: METIS has edges, not nets: a net's bytes are shared out among edges from its source to its
readers. What the parts weigh counts work, not memory. The rows of a
layer are interchangeable, so they are numbered anew to make each device's rows consecutive, which
changes no cut and saves messages. Parts are numbered as the layers meet them, so that neighbours in the
model are neighbours on a ring. Parts that share a layer make a device group.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from bench.errors import InvalidPlan, Unsupported, UserError
from bench.hardware.profile import Cluster
from bench.hardware.topology import routes
from bench.partitioners.build import split
from bench.plans.cells import cell_program, matrix_shape, stage_size
from bench.plans.plan import Block, Plan, Range, VectorRange
from bench.workloads.model import Layer, Workload
from bench.workloads.variants import limit_steps

TOTAL = 2**28
"""What all vertices weigh together, and all nets: METIS counts in 32 bits."""

Owner = tuple[str, str, int]
"""Layer, matrix or stage, and the number of a row range of it."""


@dataclass
class Graph:
    """Vertices with their work, and nets with their bytes; each net begins with its source."""

    work: list[int] = field(default_factory=list)
    nets: list[tuple[int, list[int]]] = field(default_factory=list)

    def vertex(self, work: int) -> int:
        """Add a vertex, and give its number."""
        self.work.append(work)
        return len(self.work) - 1

    def net(self, size: int, source: int, readers: Iterable[int]) -> None:
        """Add a net of ``size`` bytes from ``source``, unless nothing else reads it."""
        others = [reader for reader in dict.fromkeys(readers) if reader != source]
        if others:
            self.nets.append((size, [source, *others]))


def plan(
    workload: Workload,
    cluster: Cluster,
    *,
    tool: str = "metis",
    form: str = "folded",
    pieces: int = 0,
    window: int = 32,
    imbalance: float = 0.05,
    seed: int = 0,
) -> Plan:
    """Cut the graph of ``form`` with ``tool`` into as many parts as there are devices.

    ``tool``: ``metis`` or ``mt-kahypar``. ``pieces``: row blocks of a matrix; 0: twice as many as
    devices. ``window``: time steps that are unrolled; a longer run repeats them. ``imbalance``: by how
    much a part may outweigh the mean. Raises Unsupported where the tool is not installed.
    """
    for name, value, known in (("tool", tool, _TOOLS), ("form", form, _FORMS)):
        if value not in known:
            raise UserError(f"graph_cut: parameter {name!r} is {value!r}; expected {' or '.join(known)}")
    pieces = pieces or 2 * cluster.fpgas
    make = _FORMS[form]
    graph, owners = make(workload, cluster, pieces, window)
    parts = (
        _TOOLS[tool](graph, cluster.fpgas, imbalance, seed) if cluster.fpgas > 1 else [0] * len(graph.work)
    )
    homes = {owner: _most(parts[vertex] for vertex in vertices) for owner, vertices in owners.items()}
    split_over_time = sum(len({parts[v] for v in vertices}) > 1 for vertices in owners.values())
    notes = [f"{tool}, {form}: {len(graph.work)} vertices, {len(graph.nets)} nets"]
    if form == "unrolled":
        notes.append(f"{split_over_time} of {len(owners)} row ranges are on several parts over time")
    return _as_plan(workload, cluster, _in_order(workload, homes), pieces, notes)


# --- the two graphs ----------------------------------------------------------------------


def _folded(
    workload: Workload, cluster: Cluster, pieces: int, window: int
) -> tuple[Graph, dict[Owner, list[int]]]:
    graph = Graph()
    owners: dict[Owner, list[int]] = {}
    for layer in workload.layers:
        for product in cell_program(layer).products:
            height, cols = matrix_shape(layer, product)
            for n, (start, stop) in enumerate(split(height, pieces)):
                vertex = graph.vertex((stop - start) * cols * layer.steps)
                owners[layer.name, product.matrix, n] = [vertex]
        for stage in cell_program(layer).stages:
            for n, (start, stop) in enumerate(split(stage_size(layer, stage.name), pieces)):
                owners[layer.name, stage.name, n] = [graph.vertex((stop - start) * layer.steps)]
    profile = cluster.profile
    for layer in workload.layers:
        for stage in cell_program(layer).stages:
            readers = [owners[owner][0] for owner in _readers(workload, layer, stage.name, pieces)]
            for n, (start, stop) in enumerate(split(stage_size(layer, stage.name), pieces)):
                same = [
                    owners[layer.name, other.name, n][0]
                    for other in cell_program(layer).stages
                    if stage.name in other.state
                ]
                size = (stop - start) * layer.steps
                vector = owners[layer.name, stage.name, n][0]
                graph.net(_bytes(size, profile.vector_bytes_per_element), vector, [*readers, *same])
                for product in cell_program(layer).products:
                    if product.stage == stage.name:
                        block = owners[layer.name, product.matrix, n][0]
                        graph.net(_bytes(size, profile.partial_sum_bytes_per_element), block, [vector])
    return graph, owners


def _readers(workload: Workload, layer: Layer, stage: str, pieces: int) -> Iterator[Owner]:
    """The row blocks that multiply a stage: in its layer, and in those that the layer feeds."""
    for other in workload.layers:
        fed = stage == "h" and any(feed.producer == layer.name for feed in other.inputs)
        for product in cell_program(other).products:
            if (other is layer and product.operand == stage) or (fed and product.operand == "x"):
                for n in range(len(split(matrix_shape(other, product)[0], pieces))):
                    yield other.name, product.matrix, n


def _unrolled(
    workload: Workload, cluster: Cluster, pieces: int, window: int
) -> tuple[Graph, dict[Owner, list[int]]]:
    graph = Graph()
    shorter = limit_steps(workload, window)
    at: dict[tuple[str, int], list[int]] = {}
    for layer in shorter.layers:
        ranges = split(layer.hidden_size, pieces)
        each = layer.weights // layer.hidden_size
        for time in range(layer.steps):
            at[layer.name, time] = [graph.vertex(each * (stop - start)) for start, stop in ranges]
    for layer in shorter.layers:
        following = 1 if layer.direction == "forward" else -1
        for time in range(layer.steps):
            readers = list(at.get((layer.name, time + following), []))
            for other in shorter.layers:
                for feed in other.inputs:
                    if feed.producer == layer.name:
                        readers += at.get((other.name, time // feed.time_reduction + feed.delay), [])
            elements = layer.output_size / len(at[layer.name, time])
            for vertex in at[layer.name, time]:
                graph.net(_bytes(elements, cluster.profile.vector_bytes_per_element), vertex, readers)
    owners: dict[Owner, list[int]] = {}
    for layer, short in zip(workload.layers, shorter.layers, strict=True):
        names = [product.matrix for product in cell_program(layer).products]
        heights = [matrix_shape(layer, product)[0] for product in cell_program(layer).products]
        names += [stage.name for stage in cell_program(layer).stages]
        heights += [stage_size(layer, stage.name) for stage in cell_program(layer).stages]
        for name, height in zip(names, heights, strict=True):
            for n in range(len(split(height, pieces))):
                steps = [at[layer.name, time] for time in range(short.steps)]
                owners[layer.name, name, n] = [vertices[min(n, len(vertices) - 1)] for vertices in steps]
    return graph, owners


def _bytes(elements: float, each: float) -> int:
    return max(1, round(elements * each))


_FORMS = {"folded": _folded, "unrolled": _unrolled}


# --- the tools -----------------------------------------------------------------------------


def _scaled(values: Sequence[float]) -> list[int]:
    """Whole numbers in the ratios of ``values``, none of them zero, with a sum near `TOTAL`."""
    total = sum(values)
    whole = {value: max(1, round(value * TOTAL / total)) for value in set(values)}  # few are different
    return [whole[value] for value in values]


def _metis(graph: Graph, parts: int, imbalance: float, seed: int) -> list[int]:
    try:
        import pymetis
    except ImportError as error:
        raise Unsupported("pymetis is not installed: install it with `make field`") from error
    edges: list[defaultdict[int, float]] = [defaultdict(float) for _ in graph.work]
    for size, (source, *readers) in graph.nets:
        for reader in readers:
            edges[source][reader] += size / len(readers)
            edges[reader][source] += size / len(readers)
    starts = [0]
    for line in edges:
        starts.append(starts[-1] + len(line))
    found = pymetis.part_graph(
        parts,
        pymetis.CSRAdjacency(starts, [other for line in edges for other in line]),
        vweights=_scaled(graph.work),
        eweights=_scaled([size for line in edges for size in line.values()]),
        recursive=False,
        options=pymetis.Options(seed=seed, ufactor=max(1, round(1000 * imbalance))),
    )
    return list(found.vertex_part)


def _mt_kahypar(graph: Graph, parts: int, imbalance: float, seed: int) -> list[int]:
    try:
        import mtkahypar
    except ImportError as error:
        raise Unsupported("mtkahypar is not installed: install it with `make field`") from error
    # one thread needs no memory near it, and looking for it takes longer than cutting a small graph
    os.environ.setdefault("HWLOC_THISSYSTEM", "0")
    kahypar = mtkahypar.initialize(1, print_warnings=False)
    context = kahypar.context_from_preset(mtkahypar.PresetType.DETERMINISTIC)
    context.set_partitioning_parameters(parts, imbalance, mtkahypar.Objective.KM1)
    context.logging = False
    mtkahypar.set_seed(seed)
    hypergraph = kahypar.create_hypergraph(
        context,
        len(graph.work),
        len(graph.nets),
        [members for _, members in graph.nets],
        _scaled(graph.work),
        _scaled([size for size, _ in graph.nets]),
    )
    cut = hypergraph.partition(context)
    return [cut.block_id(vertex) for vertex in range(len(graph.work))]


_TOOLS = {"metis": _metis, "mt-kahypar": _mt_kahypar}


# --- from parts to a plan --------------------------------------------------------------------


def _most(parts: Iterable[int]) -> int:
    """The part that occurs most often, of several the one met first."""
    return Counter(parts).most_common(1)[0][0]


def _in_order(workload: Workload, homes: dict[Owner, int]) -> dict[Owner, int]:
    """Parts numbered as the layers meet them; in each layer, row ranges numbered by who makes h."""
    numbers: dict[int, int] = {}
    for part in homes.values():
        numbers.setdefault(part, len(numbers))
    ordered: dict[Owner, int] = {}
    for layer in workload.layers:
        for made, names in _same_rows(layer):
            parts = [
                numbers[part] for (of, name, _), part in homes.items() if (of, name) == (layer.name, made)
            ]
            order = sorted(range(len(parts)), key=lambda n: parts[n])
            for name in names:
                for place, n in enumerate(order):
                    ordered[layer.name, name, place] = numbers[homes[layer.name, name, n]]
    return ordered


def _same_rows(layer: Layer) -> Iterator[tuple[str, list[str]]]:
    """Vectors whose rows can be numbered anew, each with all matrices and stages that have these rows.

    Those of a projected h are others than those of the hidden vector.
    """
    program = cell_program(layer)
    projected = {"h"} if layer.projection_size else set()
    for made in ["mem", "h"] if projected else ["h"]:
        stages = [s.name for s in program.stages if (s.name in projected) == (made in projected)]
        yield made, stages + [p.matrix for p in program.products if p.stage in stages]


def _as_plan(
    workload: Workload, cluster: Cluster, homes: dict[Owner, int], pieces: int, notes: list[str]
) -> Plan:
    blocks: list[Block] = []
    vectors: list[VectorRange] = []
    for layer in workload.layers:
        for product in cell_program(layer).products:
            height, cols = matrix_shape(layer, product)
            for rows, device in _joined(homes, layer.name, product.matrix, split(height, pieces)):
                blocks.append(Block(layer.name, product.matrix, rows, (0, cols), device))
        for stage in cell_program(layer).stages:
            ranges = split(stage_size(layer, stage.name), pieces)
            for rows, device in _joined(homes, layer.name, stage.name, ranges):
                vectors.append(VectorRange(layer.name, stage.name, rows, device))
    groups = _groups(workload, cluster, {(layer, device) for (layer, _, _), device in homes.items()})
    return Plan("graph_cut", tuple(blocks), tuple(vectors), groups, notes=tuple(notes))


def _joined(
    homes: dict[Owner, int], layer: str, name: str, ranges: list[Range]
) -> Iterator[tuple[Range, int]]:
    """Row ranges with their devices, neighbours on the same device joined."""
    begun: tuple[Range, int] | None = None
    for n, rows in enumerate(ranges):
        device = homes[layer, name, n]
        if begun is not None and begun[1] == device:
            begun = (begun[0][0], rows[1]), device
            continue
        if begun is not None:
            yield begun
        begun = rows, device
    if begun is not None:
        yield begun


def _groups(workload: Workload, cluster: Cluster, uses: set[tuple[str, int]]) -> tuple[tuple[int, ...], ...]:
    """Devices that share layers, together; all together where a ring could not cable those."""
    groups: list[set[int]] = []
    for layer in workload.layers:
        together = {device for name, device in uses if name == layer.name}
        for group in [group for group in groups if group & together]:
            groups.remove(group)
            together |= group
        groups.append(together)
    found = tuple(sorted(tuple(sorted(group)) for group in groups))
    try:
        routes(cluster, found)
    except InvalidPlan:
        return (tuple(sorted(device for group in found for device in group)),)
    return found
