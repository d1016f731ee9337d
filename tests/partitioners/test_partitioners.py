"""Every shipped partitioner: valid plans, the same every time, on every kind of workload."""

from __future__ import annotations

import pytest

from bench.errors import Unsupported, UserError
from bench.evaluate import evaluate
from bench.hardware.files import load_profile, make_cluster
from bench.partitioners import load_partitioner, partitioner_names
from bench.partitioners.build import contiguous, split
from bench.partitioners.full_dac20 import layer_degree
from bench.plans.lower import lower
from bench.plans.program import Unit
from bench.workloads.catalogue import load_workload

PROFILE = load_profile("s10-gx2800-dac20")
WORKLOADS = [
    "dac20/gru-2048",
    "dac20/encoder-8",
    "dac20/decoder-8",
    "dac20/blstm-4",
    "dac20/blstm-pyramid-4",
    "large/big-lstm",
    "large/mlstm",
    "deepbench/inference_server/gru-512-b4-t1",
    "deepbench-skip-input/inference_server/lstm-256-b1-t150",
    "deepbench/inference_device/rnn-32-b1-t672",
    "gemv-512-b6-t1",
]


@pytest.mark.parametrize("fpgas", [1, 2, 3, 8])
@pytest.mark.parametrize("workload", WORKLOADS)
@pytest.mark.parametrize("name", partitioner_names())
def test_plans_are_valid_and_repeatable(name: str, workload: str, fpgas: int) -> None:
    """A plan passes validation, emulates, and comes out the same twice."""
    graph = load_workload(workload)
    cluster = make_cluster(PROFILE, fpgas, "ring")
    partitioner = load_partitioner(name)
    refused = {"deepbench-skip-input": "skip-input", "gemv-512-b6-t1": "linear"}.get(
        workload.partition("/")[0]
    )
    if name == "input-wise" and refused and fpgas > 1:
        with pytest.raises(Unsupported, match=refused):
            partitioner.plan(graph, cluster)
        return
    plan = partitioner.plan(graph, cluster)
    assert plan == partitioner.plan(graph, cluster)
    assert evaluate(graph, cluster, plan).cycles > 0


@pytest.mark.parametrize("name", ["layer-wise", "input-wise", "gate-wise", "row-wise", "column-wise"])
def test_work_is_conserved(name: str) -> None:
    """A plan without replicas does each multiply-accumulate once."""
    graph = load_workload("dac20/blstm-4")
    cluster = make_cluster(PROFILE, 4, "ring")
    program = lower(load_partitioner(name).plan(graph, cluster), graph, cluster)
    macs = sum(i.macs * i.count for phase in program.phases for i in phase.instructions)
    assert macs == graph.macs


def test_gru_exchanges_twice_a_step() -> None:
    """A GRU that resets before the candidate product sends r * h and h; one that resets after, only h."""
    cluster = make_cluster(PROFILE, 2, "ring")
    sent = {}
    for name in ("gru-1024-b1-t1", "deepbench-skip-input/inference_server/gru-1024-b1-t1500"):
        graph = load_workload(name)
        program = lower(load_partitioner("row-wise").plan(graph, cluster), graph, cluster)
        links = [i.what for phase in program.phases for i in phase.instructions if i.unit is Unit.LINK]
        sent[graph.layers[0].reset] = sorted(set(links))
    assert sent == {"before": ["send h", "send rh"], "after": ["send h"]}


@pytest.mark.parametrize(
    ("workload", "degree"),
    [("dac20/encoder-8", 8), ("dac20/decoder-8", 1), ("dac20/blstm-4", 2), ("dac20/lstm-2048", 1)],
)
def test_layer_degree_is_the_papers(workload: str, degree: int) -> None:
    """A stack's degree is its depth, a decoder's 1, a bidirectional layer's 2 (DAC 2020, section V)."""
    assert layer_degree(load_workload(workload)) == degree


def test_paper_mapping_of_blstm_on_eight() -> None:
    """BLSTM-4 on 8 FPGAs is 2 layer-wise x 4 row-wise, as the paper states."""
    plan = load_partitioner("full-dac20").plan(
        load_workload("dac20/blstm-4"), make_cluster(PROFILE, 8, "ring")
    )
    assert plan.notes == ("2 layer-wise x 4 row-wise",)


@pytest.mark.parametrize("workload", ["dac20/gru-2048", "dac20/blstm-4", "dac20/decoder-8"])
def test_search_is_no_slower_than_what_it_includes(workload: str) -> None:
    """The search's answer is at least as fast as the paper's plan and as rows alone."""
    graph = load_workload(workload)
    cluster = make_cluster(PROFILE, 4, "ring")
    best = evaluate(graph, cluster, load_partitioner("full").plan(graph, cluster)).cycles
    for name in ("full-dac20", "row-wise", "gate-wise", "input-wise"):
        for pipelining in (False, True):
            plan = load_partitioner(name).plan(graph, cluster, software_pipelining=pipelining)
            assert best <= evaluate(graph, cluster, plan).cycles


def test_unknown_names_are_refused_with_the_nearest() -> None:
    """A mistyped partitioner or parameter gets a message that helps."""
    with pytest.raises(UserError, match="did you mean 'layer-wise'"):
        load_partitioner("layerwise")
    with pytest.raises(UserError, match="it has: software_pipelining"):
        load_partitioner("single").plan(
            load_workload("lstm-8-b1-t1"), make_cluster(PROFILE, 1, "ring"), pipelining=True
        )


def test_splits_and_chunks() -> None:
    """Ranges differ by one at most; chunks are consecutive and their largest work is least."""
    assert split(3, 5) == [(0, 1), (1, 2), (2, 3)]
    assert contiguous("abcde", [5, 1, 1, 1, 4], 3) == [["a"], ["b", "c", "d"], ["e"]]
    assert contiguous("ab", [1, 1], 4) == [["a"], ["b"]]
