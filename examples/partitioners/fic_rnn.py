"""One layer a board, in order, as FiC-RNN spreads deep RNNs over its FPGA cluster.

Follows Sun and Amano, FiC-RNN: A Multi-FPGA Acceleration Framework for Deep Recurrent Neural Networks
(IEICE Trans. Inf. & Syst. E103-D(12), 2020), as far as its abstract tells: a deep RNN's layers are
spread over the boards of Flow-in-Cloud, so that layers work at the same time on consecutive time steps,
and latency stays close to constant as layers are added.

Departures: of the paper only the placement is taken, not its boards, its switches or its
accelerators; those are the cluster's. What it does with fewer boards than layers is not
known to us: here each board gets equally many consecutive layers, whatever their work (`layer-wise`
balances it). Each direction of a bidirectional layer counts as a layer. Boards beyond the
number of layers stay idle.
"""

from __future__ import annotations

from bench.hardware.profile import Cluster
from bench.partitioners.build import assemble, own_rows, split
from bench.plans.plan import Plan
from bench.workloads.model import Workload


def plan(workload: Workload, cluster: Cluster, *, software_pipelining: bool = False) -> Plan:
    """Equally many consecutive layers on each board, whole."""
    ranges = split(len(workload.layers), cluster.fpgas)
    boards = [board for board, (start, stop) in enumerate(ranges) for _ in range(start, stop)]
    shares = [own_rows(layer, [board]) for layer, board in zip(workload.layers, boards, strict=True)]
    groups = [[board] for board in range(len(ranges))]
    notes = [f"{len(workload.layers)} layers on {len(ranges)} of {cluster.fpgas} boards"]
    return assemble("fic_rnn", workload, shares, groups, software_pipelining=software_pipelining, notes=notes)
