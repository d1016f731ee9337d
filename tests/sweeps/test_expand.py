"""From a sweep file to its points: every combination that is asked for, once, in a fixed order."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.experiments import Point
from bench.sweeps.conditions import read_condition
from bench.sweeps.expand import load_sweep, unit_points, units
from bench.sweeps.form import Range, schema_text
from bench.sweeps.shards import make_shards

ROOT = Path(__file__).parents[2]

BASE = {
    "workload": ["lstm-256-b1-t25", "gru-256-b1-t25"],
    "profile": ["s10-gx2800-dac20"],
    "topology": ["ring", "switch"],
    "fpgas": [1, 2, 4],
    "partitioner": ["single", "row-wise"],
}


def sweep_of(folder: Path, axes: dict[str, object], **rest: object) -> Path:
    """A sweep file with these axes."""
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump({"axes": axes, **rest}, sort_keys=False), encoding="utf-8")
    return path


def points_of(path: Path) -> list[Point]:
    """All points of a sweep file."""
    return [point for unit in units(load_sweep(path)) for point in unit_points(unit)]


@given(
    latencies=st.lists(st.integers(0, 9000), min_size=1, max_size=4, unique=True),
    fpgas=st.lists(st.integers(1, 8), min_size=1, max_size=3, unique=True),
    most=st.integers(1, 8),
    order=st.permutations(
        ["workload", "topology", "fpgas", "partitioner", "profile", "profile.link.latency_ns"]
    ),
)
def test_points_are_the_combinations_that_the_conditions_leave(
    tmp_path_factory: pytest.TempPathFactory,
    latencies: list[int],
    fpgas: list[int],
    most: int,
    order: list[str],
) -> None:
    """In any order of the axes: the same set as by brute force, counted right, in jobs that have all."""
    axes = BASE | {"fpgas": fpgas, "profile.link.latency_ns": latencies}
    path = sweep_of(
        tmp_path_factory.mktemp("sweep"),
        {axis: axes[axis] for axis in order},
        when=[f"fpgas <= {most} or topology == 'switch'", "partitioner != 'single' or fpgas in [1, 2]"],
    )
    wanted = {
        (workload, topology, n, partitioner, float(latency))
        for workload, topology, n, partitioner, latency in product(
            axes["workload"], axes["topology"], fpgas, axes["partitioner"], latencies
        )
        if (n <= most or topology == "switch") and (partitioner != "single" or n in (1, 2))
    }
    if not wanted:
        with pytest.raises(UserError, match="no combination of the axes is left"):
            load_sweep(path)
        return
    found = points_of(path)
    assert len(found) == len(wanted) == load_sweep(path).count
    assert {(p.workload, p.topology, p.fpgas, p.partitioner, p.link_latency_ns) for p in found} == wanted
    shards = make_shards(load_sweep(path))
    assert [point for shard in shards for unit in shard.units for point in unit_points(unit)] == found
    assert sum(shard.count for shard in shards) == len(found)


def test_axes_that_are_zipped_go_together(tmp_path: Path) -> None:
    """The n-th value of one with the n-th of the others, and with all values of other axes."""
    axes = BASE | {"fpgas": [2, 4], "topology": ["ring", "switch"]}
    found = points_of(sweep_of(tmp_path, axes, zip=[["fpgas", "topology"]]))
    assert {(point.fpgas, point.topology) for point in found} == {(2, "ring"), (4, "switch")}
    assert len(found) == 2 * 2 * 2


def test_a_new_value_leaves_the_other_points_as_they_are(tmp_path: Path) -> None:
    """Points keep what they are made of when an axis gets another value, and the new ones are those alone."""
    before = points_of(sweep_of(tmp_path, BASE | {"profile.link.latency_ns": [50, 500]}))
    after = points_of(sweep_of(tmp_path, BASE | {"profile.link.latency_ns": [50, 120, 500]}))
    assert set(before) < set(after)
    assert {point.link_latency_ns for point in set(after) - set(before)} == {120.0}


def test_hardware_numbers_and_sizes_are_axes(tmp_path: Path) -> None:
    """Paths in the profile and sizes of the network become part of the points' names."""
    axes = BASE | {
        "workload.hidden_size": [512],
        "profile.overlay.tiles": [4],
        "profile.link.bandwidth_gbps": [40, 100],
    }
    point, *_ = points_of(sweep_of(tmp_path, axes))
    assert point.workload == "lstm-256-b1-t25?hidden_size=512"
    assert point.profile == "s10-gx2800-dac20?links.qsfp.bandwidth_gbps=40&overlay.tiles=4".replace(
        "qsfp", point.link
    )
    assert point.cluster.profile.overlay.tiles == 4
    assert point.cluster.link.bandwidth_gbps == pytest.approx(40)


@pytest.mark.parametrize(
    ("changed", "rest", "message"),
    [
        ({"fpga": [1]}, {}, "there is no axis 'fpga'"),
        ({"fpgas": [1, 2.5]}, {}, "got 2.5, expected whole numbers"),
        ({"fpgas": [1, 1]}, {}, "1 is there twice"),
        ({"topology": ["star"]}, {}, "unknown topology 'star'"),
        ({"workload": ["dac20/encoder-9"]}, {}, "did you mean"),
        ({"partitioner": ["rowwise"]}, {}, "did you mean 'row-wise'"),
        ({"profile.overlay.tile": [4]}, {}, "did you mean 'tiles'"),
        ({"profile.clock_mhz": [-1]}, {}, "expected a number greater than 0"),
        ({"workload.hidden_size": [0]}, {}, "expected whole numbers of 1 or more"),
        ({"fpgas": {"from": 1, "to": 4}}, {}, "exactly one of step, factor and points"),
        ({}, {"when": ["fpgas ="]}, "invalid syntax"),
        ({}, {"when": ["open('x')"]}, "is not understood"),
        ({}, {"when": ["cards > 1"]}, "there is no axis 'cards'"),
        ({}, {"when": ["fpgas > 'many'"]}, "not supported between"),
        ({}, {"zip": [["fpgas", "topology"]]}, "fpgas has 3, topology has 2"),
        ({}, {"where": []}, "unknown key"),
    ],
)
def test_mistakes_are_named(
    tmp_path: Path, changed: dict[str, object], rest: dict[str, object], message: str
) -> None:
    """A sweep file with a mistake is refused, with the file and what is wrong."""
    with pytest.raises(UserError, match=r"mine\.yaml") as error:
        load_sweep(sweep_of(tmp_path, BASE | changed, **rest))
    assert message in str(error.value)


def test_ranges() -> None:
    """By step, by factor and evenly in log, both ends included."""
    assert Range.model_validate({"from": 1, "to": 2, "step": 0.25}).values() == [1, 1.25, 1.5, 1.75, 2]
    assert Range.model_validate({"from": 1, "to": 64, "factor": 2}).values() == [1, 2, 4, 8, 16, 32, 64]
    assert Range.model_validate({"from": 50, "to": 5000, "points": 3}).values() == [50, 500, 5000]


@given(a=st.integers(-5, 5), b=st.integers(-5, 5), c=st.sampled_from(["ring", "chain"]))
def test_conditions_mean_what_python_means(a: int, b: int, c: str) -> None:
    """A condition holds exactly where the same expression does in Python."""
    for text in (
        "a < b <= 3 or not c == 'ring'",
        "a * 2 - b in [1, 2, 3] and c != 'chain'",
        "a + b % 4 >= -2 and (c not in ('ring', 'x') or a // 2 == b)",
    ):
        assert read_condition(text).holds({"a": a, "b": b, "c": c}) is bool(eval(text))
        assert read_condition(text).axes == {"a", "b", "c"}


def test_schema_file_is_current() -> None:
    """The published JSON Schema is what the code would write (`bench sweep schema`)."""
    path = ROOT / "docs" / "schemas" / "sweep.schema.json"
    assert path.read_text(encoding="utf-8") == schema_text()


def test_the_committed_sweep_is_large() -> None:
    """config/sweep.yaml has what its documentation says: 8 networks, 4 topologies, up to 64 FPGAs."""
    sweep = load_sweep(ROOT / "config" / "sweep.yaml")
    assert sweep.count == 110_080
    assert {name for name, _ in sweep.choices} == {
        *("single", "layer-wise", "input-wise", "gate-wise", "row-wise", "column-wise", "full-dac20")
    }
