"""A profile's parameters come back from measurements that were made with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.boards.calibrate import calibrate
from bench.boards.flat import lowest, middle
from bench.boards.free import DEFAULT, NAMES, free_parameters, value_of, with_values
from bench.boards.retime import Retimed
from bench.evaluate import emulated_cycles
from bench.experiments import read_profile
from bench.hardware.profile import Cluster
from tests.boards.measurements import BASE, LINK, ONE, SEVERAL, measured_on, planned, random_truth

PROFILE = read_profile(BASE)
CLOCK, LATENCY, BANDWIDTH = free_parameters(DEFAULT, [LINK])


@pytest.mark.parametrize("seed", range(4))
def test_round_trip(seed: int) -> None:
    """Clock, latency and bandwidth that the points were made with come back within 1 %."""
    frees = free_parameters(DEFAULT, [LINK])
    truth = random_truth(seed, frees, PROFILE)
    found = calibrate(PROFILE, measured_on(truth, SEVERAL), frees)
    for one in found.fitted:
        assert one.determined
        assert one.after == pytest.approx(value_of(truth, one.free), rel=0.01)
        assert value_of(found.profile, one.free) == one.after


def test_round_trip_from_afar() -> None:
    """A clock a third of the profile's and a link three times as slow come back within 1 %."""
    frees = free_parameters(DEFAULT, [LINK])
    truth = with_values(PROFILE, frees, [value_of(PROFILE, CLOCK) / 3, value_of(PROFILE, LATENCY) * 3, 0.51])
    found = calibrate(PROFILE, measured_on(truth, SEVERAL), frees)
    for one in found.fitted:
        assert one.after == pytest.approx(value_of(truth, one.free), rel=0.01)


def test_links_that_the_profile_has_far_too_fast() -> None:
    """A link of 1 ns, which no latency shows, is found out where the boards' takes a microsecond."""
    frees = free_parameters(DEFAULT, [LINK])
    fast = with_values(PROFILE, frees, [275.0, 1.0, 0.001])
    truth = with_values(PROFILE, frees, [240.0, 1000.0, 0.17])
    for one in calibrate(fast, measured_on(truth, SEVERAL), frees).fitted:
        assert one.after == pytest.approx(value_of(truth, one.free), rel=0.01)


@pytest.mark.parametrize("seed", range(2))
def test_round_trip_of_cycles(seed: int) -> None:
    """Whole numbers of cycles come back as they were, with the clock and the link's latency."""
    frees = free_parameters(["clock", "link_latency", "row_block_overhead", "matrix_latency"], [LINK])
    truth = random_truth(seed, frees, PROFILE)
    found = calibrate(PROFILE, measured_on(truth, SEVERAL), frees)
    for one in found.fitted:
        wanted = value_of(truth, one.free)
        assert one.after == (wanted if one.free.whole else pytest.approx(wanted, rel=0.01))


@pytest.mark.parametrize("seed", range(4))
def test_noise(seed: int) -> None:
    """With noise of 2 % the clock is right within 2 %, the latency within 5 %, all within 3 stated errors."""
    frees = free_parameters(DEFAULT, [LINK])
    truth = random_truth(seed, frees, PROFILE)
    found = calibrate(PROFILE, measured_on(truth, SEVERAL, noise=0.02, seed=seed), frees)
    off = {one.free: abs(one.after / value_of(truth, one.free) - 1) for one in found.fitted}
    assert off[CLOCK] < 0.02
    assert off[LATENCY] < 0.05
    for one in found.fitted:
        assert not one.determined or one.error is None or off[one.free] < 3 * one.error


def test_one_slow_point() -> None:
    """A point that took half as long again does not carry the others away."""
    frees = free_parameters(DEFAULT, [LINK])
    truth = random_truth(1, frees, PROFILE)  # plain least squares: latency 11 % off, bandwidth 27 %
    points = measured_on(truth, SEVERAL)
    points[4] = replace(points[4], latency_s=points[4].latency_s * 1.5)
    off = [one.after / value_of(truth, one.free) - 1 for one in calibrate(PROFILE, points, frees).fitted]
    assert np.all(np.abs(off) < [0.01, 0.01, 0.05])


def test_points_on_one_fpga_say_nothing_of_links() -> None:
    """The clock is found, the link stays as it was and is said not to be determined."""
    frees = free_parameters(DEFAULT, [LINK])
    truth = with_values(PROFILE, frees, [200.0, 500.0, 0.3])
    found = calibrate(PROFILE, measured_on(truth, ONE), frees)
    assert [one.determined for one in found.fitted] == [True, False, False]
    assert found.profile.clock_mhz == pytest.approx(200.0, rel=1e-4)
    assert found.profile.links == PROFILE.links


def test_what_lstms_alone_do_not_tell() -> None:
    """Of latencies of two units in series the first one takes all, unless GRUs are among the points."""
    frees = free_parameters(["matrix_latency", "multifunction_latency"], [LINK])
    truth = with_values(PROFILE, frees, [31, 25])
    alone = calibrate(PROFILE, measured_on(truth, ONE), frees)
    assert [one.determined for one in alone.fitted] == [True, False]
    grus = [(f"gru-{size}-b1-t5", "single", 1) for size in (512, 1024)]
    both = calibrate(PROFILE, measured_on(truth, ONE + grus), frees)
    assert [one.after for one in both.fitted] == [31, 25]


def test_points_of_unsteady_runs_count_less() -> None:
    """A point that is 20 % off moves the clock by less than a tenth as far if its runs spread by half."""
    frees = free_parameters(["clock"], [LINK])
    points = measured_on(PROFILE, ONE)
    points[0] = replace(points[0], latency_s=points[0].latency_s * 1.2)
    (steady,) = calibrate(PROFILE, points, frees).fitted
    points[0] = replace(points[0], spread=0.5)
    (unsteady,) = calibrate(PROFILE, points, frees).fitted
    assert abs(unsteady.after - 275) < 0.1 * abs(steady.after - 275)


def test_fewer_points_than_parameters() -> None:
    """One point determines one parameter, and how far that may be off is not claimed to be known."""
    truth = replace(PROFILE, clock_mhz=200.0)
    found = calibrate(PROFILE, measured_on(truth, SEVERAL[1:2]), free_parameters(DEFAULT, [LINK]))
    assert [one.determined for one in found.fitted] == [True, False, False]
    assert found.fitted[0].error is None


def test_exact_profile_stays() -> None:
    """Measurements of the profile itself leave it as it is, within a cycle's part of a link."""
    found = calibrate(PROFILE, measured_on(PROFILE, SEVERAL), free_parameters(DEFAULT, [LINK]))
    for one in found.fitted:
        assert one.after == pytest.approx(one.before, rel=0.005)


def test_parameters_of_every_link_that_was_used() -> None:
    """The link's come once for each, in the order in which parameters have precedence."""
    frees = free_parameters(["link_bandwidth", "clock", "link_latency"], ["b", "a", "b"])
    assert [str(one) for one in frees] == [
        "clock", "link_latency of b", "link_latency of a", "link_bandwidth of b", "link_bandwidth of a",
    ]  # fmt: skip


@settings(max_examples=15)
@given(
    which=st.sampled_from([("row-wise", 2), ("gate-wise", 4), ("column-wise", 3), ("full", 4)]),
    topology=st.sampled_from(["ring", "switch", "host-star"]),
    values=st.tuples(st.floats(50, 600), st.floats(0, 3000), st.floats(0.01, 2), *[st.integers(0, 60)] * 4),
)
def test_a_candidate_has_the_emulator_s_latency(
    which: tuple[str, int], topology: str, values: tuple[float, ...]
) -> None:
    """What is remembered of other candidates changes no number."""
    one = planned("lstm-512-b1-t5", *which)
    point = replace(one, cluster=replace(one.cluster, topology=topology))
    timed = Retimed(point)
    frees = free_parameters(NAMES, [LINK])
    for part in (1.0, 1.0003, 1.01):
        profile = with_values(PROFILE, frees, [values[0], values[1] * part, values[2] * part, *values[3:]])
        cluster = Cluster(profile, point.cluster.fpgas, topology, LINK)
        cycles = emulated_cycles(point.workload, cluster, point.plan)
        assert timed.latency_s(profile) == cycles / (profile.clock_mhz * 1e6)


@given(st.floats(-0.03, 0.03), st.floats(-0.03, 0.03), st.floats(0.002, 0.01))
def test_middle_of_a_step(x: float, y: float, half: float) -> None:
    """A search ends on the lowest step, in its middle, and knows how wide that is."""
    axes = [np.array([1.0, 0.0]), np.array([0.0, 1.0])]

    def cost(offset: np.ndarray) -> float:
        return float(np.sum(np.ceil(np.maximum(np.abs(offset - [x, y]) - half, 0) / 0.001)))

    offset, reach = middle(cost, lowest(cost, axes), axes)
    assert offset == pytest.approx([x, y], abs=1e-4)
    assert reach == pytest.approx([half, half], abs=1e-4)
