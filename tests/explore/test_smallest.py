"""The smallest cluster that meets a latency."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.explore.choose import Choice
from bench.explore.smallest import smallest
from bench.sweeps.query import open_results
from tests.explore.made import write_sweep

LATENCIES = {1: 9.0, 2: 6.0, 4: 6.5, 8: 2.0}
"""FPGAs -> seconds of the faster of two partitioners; four are slower than two."""


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Two workloads, of which the second takes ten times as long."""
    rows = [
        {
            "workload": workload,
            "fpgas": fpgas,
            "partitioner": partitioner,
            "latency_s": slow * seconds + later,
        }
        for workload, slow in (("a", 1), ("b", 10))
        for fpgas, seconds in LATENCIES.items()
        for partitioner, later in (("layer-wise", 0.25), ("row-wise", 0.0))
    ]
    with open_results(write_sweep(tmp_path_factory.mktemp("results"), rows)) as connection:
        yield connection


@settings(max_examples=25, deadline=None)
@given(wanted=st.lists(st.floats(0.5, 12), min_size=2, max_size=2).map(sorted))
def test_more_time_never_needs_more_fpgas(results: duckdb.DuckDBPyConnection, wanted: list[float]) -> None:
    """What meets a latency meets a longer one, and the number is that found by looking at each."""
    counts = []
    for seconds in wanted:
        row = smallest(results, Choice(workload="a"), seconds).to_pylist()[0]
        enough = [n for n, latency in LATENCIES.items() if latency <= seconds]
        assert row["met"] == bool(enough)
        assert row["fpgas"] == (min(enough) if enough else 8)
        counts.append(row["fpgas"] if row["met"] else 9)
    assert counts[0] >= counts[1]


def test_the_fastest_of_the_smallest(results: duckdb.DuckDBPyConnection) -> None:
    """Of the partitioners that suffice the fastest; a latency that is met exactly is met."""
    rows = smallest(results, Choice(), 6.0).to_pylist()
    first, second = rows
    assert (first["fpgas"], first["partitioner"], first["latency_s"]) == (2, "row-wise", 6.0)
    assert (second["met"], second["fpgas"], second["over"]) == (False, 8, pytest.approx(20 / 6))


def test_a_partitioner_may_be_asked_for(results: duckdb.DuckDBPyConnection) -> None:
    """With the other one, six seconds take more FPGAs."""
    (row,) = smallest(results, Choice(workload="a", partitioner="layer-*"), 6.0).to_pylist()
    assert (row["fpgas"], row["partitioner"]) == (8, "layer-wise")
