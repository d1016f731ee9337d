"""Break-even link latencies: bracketed by results, exact where lines cross, borne out by timing."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.experiments import Point
from bench.explore.again import narrow
from bench.explore.break_even import ALWAYS, FROM, NEVER, UP_TO, Sample, break_even, judge
from bench.explore.choose import Choice
from bench.rows import evaluate_point
from bench.sweeps.query import open_results
from tests.explore.made import write_sweep

GAINS = st.lists(st.integers(-3, 3), min_size=1, max_size=8)


def samples(gains: list[int]) -> list[Sample]:
    """One at each of 100, 200, 300, ... ns."""
    return [Sample(100.0 * (n + 1), 10.0, 10.0 + gain) for n, gain in enumerate(gains)]


@given(GAINS)
def test_a_break_even_lies_between_two_results_that_differ(gains: list[int]) -> None:
    """More FPGAs are faster at one end of the bracket and not at the other; else it is all or nothing."""
    verdict = judge(samples(gains))
    faster = [gain > 0 for gain in gains]
    assert (verdict.faster == ALWAYS) == all(faster)
    assert (verdict.faster == NEVER) == (not any(faster))
    assert verdict.crossings == sum(a != b for a, b in pairwise(faster))
    if verdict.below_ns is None or verdict.above_ns is None:
        assert verdict.crossings == 0
        return
    below, above = (round(at / 100) - 1 for at in (verdict.below_ns, verdict.above_ns))
    assert above == below + 1
    assert (faster[below], faster[above]) == ((True, False) if verdict.faster == UP_TO else (False, True))
    if verdict.faster == FROM:
        assert not any(a and not b for a, b in pairwise(faster))
    if verdict.break_even_ns is None:
        assert 0 in (gains[below], gains[above])
    else:
        assert verdict.below_ns < verdict.break_even_ns < verdict.above_ns


@given(st.floats(1, 50), st.floats(0.1, 5), st.floats(0.1, 5))
def test_lines_cross_where_they_do(start: float, slope: float, other: float) -> None:
    """Of latencies that are straight lines the break-even is the crossing itself."""
    assume(slope - other > 1e-2)
    crossing = start / (slope - other)
    found = judge(
        [Sample(at, slope * at, start + other * at) for at in (0.0, 0.4 * crossing, 1.7 * crossing, 9e9)]
    )
    assert found.faster == UP_TO
    assert found.break_even_ns == pytest.approx(crossing, rel=1e-6)


def test_the_fastest_partitioners_are_compared(tmp_path: Path) -> None:
    """On each side the fastest at each link latency, in each topology on its own."""
    latencies = {  # at 100 and 200 ns
        (4, "row-wise"): (5.0, 9.0),
        (4, "layer-wise"): (6.0, 8.5),
        (2, "row-wise"): (7.0, 7.5),
    }
    rows = [
        {
            "topology": topology,
            "fpgas": fpgas,
            "partitioner": name,
            "link_latency_ns": at,
            "latency_s": seconds,
        }
        for topology in ("ring", "switch")
        for (fpgas, name), both in latencies.items()
        for at, seconds in zip((100.0, 200.0), both, strict=True)
        if topology == "ring" or at == 100.0
    ]
    with open_results(write_sweep(tmp_path, rows)) as connection:
        ring, switch = break_even(connection, Choice(), 4, 2).to_pylist()
        with pytest.raises(UserError, match="no cluster has results on both 4 and 3"):
            break_even(connection, Choice(), 4, 3)
        with pytest.raises(UserError, match="expected more FPGAs over fewer"):
            break_even(connection, Choice(), 2, 4)
    assert (ring["faster"], ring["below_ns"], ring["above_ns"]) == (UP_TO, 100, 200)
    assert ring["break_even_ns"] == pytest.approx(100 + 100 * 2 / 3)
    assert (ring["by"], ring["over_by"]) == ("layer-wise | row-wise", "row-wise")
    assert (switch["faster"], switch["break_even_ns"], switch["latencies"]) == (ALWAYS, None, 1)


def test_timing_again_narrows_the_bracket(tmp_path: Path) -> None:
    """Two FPGAs over one, emulated: the narrow bracket is in the wide one, and its ends differ as said."""
    workload, ends = "lstm-256-b1-t25", (50.0, 500.0)

    def seconds(fpgas: int, at: float) -> float:
        point = Point(workload, "s10-gx2800-dac20", "ring", "dac20-ring", at, fpgas, "row-wise")
        return float(evaluate_point(point)["latency_s"])

    rows = [
        {"workload": workload, "fpgas": fpgas, "link_latency_ns": at, "latency_s": seconds(fpgas, at)}
        for fpgas in (1, 2)
        for at in ends
    ]
    with open_results(write_sweep(tmp_path, rows)) as connection:
        (row,) = break_even(connection, Choice(), 2, 1).to_pylist()
    found = narrow(row)
    assert found.faster == UP_TO
    assert found.below_ns is not None
    assert found.above_ns is not None
    assert ends[0] <= found.below_ns < found.above_ns <= ends[1]
    assert found.above_ns - found.below_ns == pytest.approx((ends[1] - ends[0]) / 32)
    assert seconds(2, found.below_ns) < seconds(1, found.below_ns)
    assert seconds(2, found.above_ns) >= seconds(1, found.above_ns)


def test_what_cannot_be_timed_again_is_said() -> None:
    """A partitioner that is not on this machine."""
    row = {
        "workload": "lstm-256-b1-t25", "profile": "s10-gx2800-dac20", "topology": "ring",
        "link": "dac20-ring", "fpgas": 2, "over": 1, "below_ns": 50.0, "above_ns": 500.0,
        "by": "gone", "over_by": "single",
    }  # fmt: skip
    with pytest.raises(UserError, match="gone"):
        narrow(row)
