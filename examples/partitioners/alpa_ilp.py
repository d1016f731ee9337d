"""How each operator is sharded, by integer programming with alpha-beta costs, as Alpa's inner pass does.

Follows Zheng et al., Alpa: Automating Inter- and Intra-Operator Parallelism for Distributed Deep
Learning (OSDI 2022, section 4): each operator chooses one of a few shardings, a choice costs its work, two
choices that do not fit cost the collective that makes them fit, and an integer program takes
the least sum. Solved by CP-SAT of OR-Tools, with one thread and a fixed seed.

Operators are a layer's products with one operand and stage, sharded by rows, by columns, or
replicated; and its vectors, computed by rows (``rows``), by rows and then gathered (``gathered``), or on
every device (``replicated``). Collectives go around a ring: p - 1 hops, each with a p-th of the bytes.
Submeshes have 1, 2, 4, ... devices, or all of them (section 5); the rest stay idle.

Departures: a mesh has one dimension. The outer pass, which cuts a model into pipeline stages, is left
out (`pipedream` has one): one submesh has all layers. Gathering is an option of the vector, not a cost
of each of its readers, because what was gathered once is there for all. As in Alpa the cost is a plain
sum: nothing overlaps, neither an exchange with products nor one layer with another. Elementwise
work costs nothing, and neither do the latencies of an overlay's pipelines.
Memory is a constraint, where the profile says that capacity counts and has nowhere to spill to.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field, replace

from bench.errors import Unsupported
from bench.hardware.profile import Cluster
from bench.partitioners.build import split
from bench.plans.cells import Product, cell_program, matrix_shape, stage_size
from bench.plans.plan import Block, Plan, VectorRange
from bench.workloads.model import EXTERNAL, Layer, Workload

ROWS, COLUMNS, REPLICATED, GATHERED = "rows", "columns", "replicated", "gathered"

Name = tuple[str, str, str]
"""Layer, stage, and the operand of the products that make it; "" for the stage's vector itself."""


@dataclass(frozen=True, slots=True)
class Option:
    """One sharding of an operator: its name, its cycles over all steps, its weights on each device."""

    name: str
    cycles: int
    weights: int = 0


@dataclass
class Model:
    """Operators with their options, and what pairs of options cost; None: they cannot meet."""

    operators: dict[Name, tuple[Option, ...]] = field(default_factory=dict)
    pairs: dict[tuple[Name, Name], dict[tuple[str, str], int | None]] = field(default_factory=dict)
    most_weights: int | None = None

    def cycles(self, chosen: dict[Name, str]) -> int | None:
        """The sum that is minimised, for one choice; None if it is not allowed."""
        options = [o for name, all_of in self.operators.items() for o in all_of if o.name == chosen[name]]
        met = [costs.get((chosen[a], chosen[b]), 0) for (a, b), costs in self.pairs.items()]
        weights = sum(option.weights for option in options)
        if None in met or (self.most_weights is not None and weights > self.most_weights):
            return None
        return sum(option.cycles for option in options) + sum(cost or 0 for cost in met)


def plan(workload: Workload, cluster: Cluster, *, effort: float = 60.0) -> Plan:
    """The cheapest sharding on the cheapest submesh.

    ``effort`` bounds each search, in CP-SAT's deterministic seconds. Raises
    Unsupported where OR-Tools is not installed, or no sharding fits.
    """
    submeshes = [replace(cluster, fpgas=fpgas) for fpgas in _submeshes(cluster.fpgas)]
    tried = [(mesh.fpgas, solve(make_model(workload, mesh), effort)) for mesh in submeshes]
    solved = [(solution.cycles, fpgas, solution) for fpgas, solution in tried if solution is not None]
    if not solved:
        raise Unsupported("no sharding fits the FPGAs' memory, or none was found in time")
    _, fpgas, found = min(solved, key=lambda entry: entry[:2])
    devices = range(fpgas)
    chosen = found.chosen
    blocks: list[Block] = []
    vectors: list[VectorRange] = []
    for layer in workload.layers:
        for product in cell_program(layer).products:
            height, width = matrix_shape(layer, product)
            way = chosen[layer.name, product.stage, product.operand]
            for n, device in enumerate(devices):
                rows = _part(height, len(devices), n) if way == ROWS else (0, height)
                cols = _part(width, len(devices), n) if way == COLUMNS else (0, width)
                if rows[1] > rows[0] and cols[1] > cols[0]:
                    blocks.append(Block(layer.name, product.matrix, rows, cols, device))
        for stage in cell_program(layer).stages:
            size = stage_size(layer, stage.name)
            if chosen[layer.name, stage.name, ""] == REPLICATED:
                vectors += [VectorRange(layer.name, stage.name, (0, size), device) for device in devices]
            else:
                parts = zip(split(size, len(devices)), devices, strict=False)
                vectors += [VectorRange(layer.name, stage.name, part, device) for part, device in parts]
    notes = [] if found.proven else ["the search has ended before the optimum was proven"]
    ways = Counter((operand or "vector", stage, way) for (_, stage, operand), way in chosen.items())
    notes.append(f"{fpgas} of {cluster.fpgas} FPGAs")
    if fpgas > 1:
        notes += [f"{operand} -> {stage}: {way} ({n}x)" for (operand, stage, way), n in ways.items()]
    return Plan("alpa_ilp", tuple(blocks), tuple(vectors), (tuple(devices),), notes=tuple(notes))


def _submeshes(fpgas: int) -> list[int]:
    powers = [2**n for n in range(fpgas.bit_length()) if 2**n < fpgas]
    return [*powers, fpgas]


def _part(size: int, parts: int, n: int) -> tuple[int, int]:
    ranges = split(size, parts)
    return ranges[n] if n < len(ranges) else (size, size)


# --- the model --------------------------------------------------------------------------


def make_model(workload: Workload, cluster: Cluster) -> Model:
    """The operators of ``workload`` and what their shardings cost on ``cluster``, in cycles."""
    profile = cluster.profile
    model = Model()
    if not profile.ignore_weight_capacity and profile.external_memory is None:
        model.most_weights = int(profile.weight_memory_bytes / profile.weight_bytes_per_element)
    for layer in workload.layers:
        for stage in cell_program(layer).stages:
            size = stage_size(layer, stage.name) * profile.vector_bytes_per_element * workload.batch
            gather = layer.steps * _gather(size, cluster)
            vector: Name = (layer.name, stage.name, "")
            model.operators[vector] = (Option(ROWS, 0), Option(GATHERED, gather), Option(REPLICATED, 0))
            for operand in dict.fromkeys(p.operand for p in cell_program(layer).products):
                products = [
                    p for p in cell_program(layer).products if (p.operand, p.stage) == (operand, stage.name)
                ]
                if products:
                    name: Name = (layer.name, stage.name, operand)
                    model.operators[name] = _options(layer, products, workload.batch, cluster)
                    model.pairs[name, vector] = _sums(layer, products, workload.batch, cluster)
    for layer in workload.layers:
        for product in cell_program(layer).products:
            reader: Name = (layer.name, product.stage, product.operand)
            made = [(layer.name, product.operand, "")]
            if product.operand == "x":
                made = [(feed.producer, "h", "") for feed in layer.inputs if feed.producer != EXTERNAL]
            for source in made:
                model.pairs[source, reader] = {(ROWS, ROWS): None, (ROWS, REPLICATED): None}
    return model


def _options(layer: Layer, products: list[Product], batch: int, cluster: Cluster) -> tuple[Option, ...]:
    rows = sum(matrix_shape(layer, product)[0] for product in products)
    cols = matrix_shape(layer, products[0])[1]
    fpgas = cluster.fpgas

    def option(name: str, height: int, width: int) -> Option:
        return Option(name, layer.steps * _product(height, width, batch, cluster), height * width)

    return (
        option(ROWS, math.ceil(rows / fpgas), cols),
        option(COLUMNS, rows, math.ceil(cols / fpgas)),
        option(REPLICATED, rows, cols),
    )


def _sums(
    layer: Layer, products: list[Product], batch: int, cluster: Cluster
) -> dict[tuple[str, str], int | None]:
    """What it takes to bring products' sums to where the vector is computed."""
    rows = sum(matrix_shape(layer, product)[0] for product in products)
    size = rows * cluster.profile.partial_sum_bytes_per_element * batch
    once = layer.steps * _gather(size, cluster)  # a reduce-scatter takes as long as an all-gather
    return {
        (COLUMNS, ROWS): once,
        (COLUMNS, GATHERED): once,
        (COLUMNS, REPLICATED): 2 * once,
        (ROWS, REPLICATED): once,
    }


def _product(rows: int, cols: int, batch: int, cluster: Cluster) -> int:
    """Cycles of the matrix unit for ``rows`` x ``cols`` weights."""
    overlay = cluster.profile.overlay
    each = math.ceil(cols / (overlay.tiles * overlay.lanes)) + overlay.row_block_overhead_cycles
    return (
        math.ceil(rows / overlay.engines)
        * each
        * math.ceil(batch / (overlay.cores * overlay.vectors_per_pass))
    )


def _gather(size: float, cluster: Cluster) -> int:
    """Cycles of an all-gather of ``size`` bytes around a ring."""
    hops, link = cluster.fpgas - 1, cluster.link
    nanoseconds = hops * (link.latency_ns + size / cluster.fpgas * link.ns_per_byte)
    return math.ceil(nanoseconds * cluster.profile.clock_mhz / 1000.0)


# --- its solution -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Solution:
    """An option for each operator, their cost, and whether there is proof that none is cheaper."""

    chosen: dict[Name, str]
    cycles: int
    proven: bool


def solve(model: Model, effort: float) -> Solution | None:
    """The cheapest choice; None if there is none. Raises Unsupported where OR-Tools is not installed."""
    try:
        from ortools.sat.python import cp_model
    except ImportError as error:
        raise Unsupported("ortools is not installed: install it with `make field`") from error
    program = cp_model.CpModel()
    taken = {
        (name, option.name): program.new_bool_var(f"{name} {option.name}")
        for name, options in model.operators.items()
        for option in options
    }
    terms = []
    for name, options in model.operators.items():
        program.add_exactly_one(taken[name, option.name] for option in options)
        terms += [option.cycles * taken[name, option.name] for option in options]
    for (a, b), costs in model.pairs.items():
        # a variable for each pair of options, as in Alpa: with linear sums only, the relaxation is tight
        both = {
            (one.name, other.name): program.new_bool_var(f"{a} {one.name}, {b} {other.name}")
            for one in model.operators[a]
            for other in model.operators[b]
            if costs.get((one.name, other.name), 0) is not None
        }
        for name, side in ((a, 0), (b, 1)):
            for option in model.operators[name]:
                with_it = [variable for pair, variable in both.items() if pair[side] == option.name]
                program.add(sum(with_it) == taken[name, option.name])
        terms += [(costs.get(pair) or 0) * variable for pair, variable in both.items()]
    if model.most_weights is not None:
        held = [o.weights * taken[name, o.name] for name, options in model.operators.items() for o in options]
        program.add(sum(held) <= model.most_weights)
    program.minimize(sum(terms))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.linearization_level = 2
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = effort
    status = solver.solve(program)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    chosen = {name: option for (name, option), variable in taken.items() if solver.boolean_value(variable)}
    return Solution(chosen, round(solver.objective_value), status == cp_model.OPTIMAL)
