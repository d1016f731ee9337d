"""Column-parallel, then row-parallel: what a device makes, it multiplies itself.

Follows Shoeybi et al., Megatron-LM (2019, section 3): of two matrices in a row, the first is split by its
outputs (column-parallel, as they write x W) and the second by its inputs (row-parallel), so that nothing
is exchanged between them; the partial sums behind the second are added up by an all-reduce.

In a recurrent cell, written W x, splitting by outputs means row blocks and splitting by inputs
column blocks. The pairs here:

- A cell with a stage within its step: what makes the stage by row blocks, what multiplies it by
  column blocks. This is the reset hidden vector of a GRU (reset before), the multiplicative state of an
  mLSTM, and the unprojected hidden vector of a projected LSTM.
- Other cells: input matrices by row blocks, recurrent matrices by column blocks, as h of a step is what
  the next step multiplies.
- Linear layers: in turn along the chain, as in a transformer's perceptron.

Departures: the all-reduce is a reduce-scatter, because elementwise operations, which need all
gates of a row, run on row ranges; its other half, an all-gather, follows only where a row block reads the
vector. There are no attention heads. All layers are on all devices: no pipeline stages.
"""

from __future__ import annotations

from collections.abc import Sequence

from bench.hardware.profile import Cluster
from bench.partitioners.build import Share, assemble, own_columns, own_rows
from bench.plans.cells import cell_program
from bench.plans.plan import Plan
from bench.workloads.model import Layer, Workload


def plan(workload: Workload, cluster: Cluster, *, software_pipelining: bool = False) -> Plan:
    """Each layer's second matrices of a pair by columns, all the others by rows, on all devices."""
    devices = range(cluster.fpgas)
    shares = []
    by_columns: set[str] = set()
    second: dict[str, None] = {}
    for layer in workload.layers:
        seconds = _second_matrices(layer)
        below = [feed.producer for feed in layer.inputs if not feed.delay]
        if layer.cell == "linear" and any(_is_first(name, workload, by_columns) for name in below):
            seconds = {product.matrix for product in cell_program(layer).products if product.operand == "x"}
            by_columns.add(layer.name)
        shares.append(_own(layer, devices, seconds))
        second |= dict.fromkeys(sorted(seconds))
    notes = [f"by columns: {', '.join(second) or 'nothing'}; all else by rows"]
    return assemble(
        "megatron", workload, shares, [devices], software_pipelining=software_pipelining, notes=notes
    )


def _second_matrices(layer: Layer) -> set[str]:
    """Matrices that multiply a stage of the step; where there is none, those that multiply h."""
    products = cell_program(layer).products
    inner = {product.matrix for product in products if product.operand not in ("x", "h")}
    return inner or {product.matrix for product in products if product.operand == "h"}


def _is_first(name: str, workload: Workload, by_columns: set[str]) -> bool:
    """Whether a producer is a linear layer split by rows."""
    return any(layer.name == name and layer.cell == "linear" for layer in workload.layers) and (
        name not in by_columns
    )


def _own(layer: Layer, devices: Sequence[int], by_columns: set[str]) -> Share:
    rows, columns = own_rows(layer, devices), own_columns(layer, devices)
    blocks = [block for block in rows.blocks if block.matrix not in by_columns]
    blocks += [block for block in columns.blocks if block.matrix in by_columns]
    return Share(tuple(blocks), rows.vectors)
