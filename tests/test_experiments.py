"""Configuration to points to shards."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.cli import CONFIG_TITLE
from bench.errors import UserError
from bench.experiments import (
    Config,
    Experiment,
    Point,
    canonical,
    expand,
    load_config,
    make_shards,
)
from bench.files import json_schema
from bench.partitioners.choices import check_parameters

ROOT = Path(__file__).parents[1]

SMALL = """
experiments:
  - name: small
    workloads: [lstm-512-b1-t25]
    profiles: [s10-gx2800-dac20]
    fpgas: [1, 2]
    partitioners: [row-wise]
"""


def experiment(**changes: object) -> Experiment:
    """A small experiment with ``changes``."""
    values: dict[str, object] = {
        "name": "small",
        "workloads": ["lstm-512-b1-t25"],
        "profiles": ["s10-gx2800-dac20"],
        "fpgas": [1, 2],
        "partitioners": ["row-wise"],
    }
    return Experiment.model_validate(values | changes)


def write(folder: Path, text: str) -> Path:
    """A configuration file with this text."""
    path = folder / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_baseline_comes_first_and_by_itself() -> None:
    """Each workload gets `single` on one FPGA although nobody listed it."""
    points = list(expand(experiment()))
    assert [(p.partitioner, p.fpgas) for p in points] == [("single", 1), ("row-wise", 1), ("row-wise", 2)]


def test_no_point_twice() -> None:
    """A baseline that is listed too, and a partitioner named twice, are evaluated once."""
    points = list(expand(experiment(partitioners=["single", "row-wise", "row-*"])))
    assert len(points) == len(set(points)) == 4


def test_link_and_latency_are_spelled_out() -> None:
    """Naming the default link or its latency makes the same point as leaving them out."""
    plain = list(expand(experiment()))
    named = list(expand(experiment(links=[plain[0].link], link_latency_ns=[plain[0].link_latency_ns])))
    assert [p.point_id for p in plain] == [p.point_id for p in named]


def test_latency_reaches_the_cluster() -> None:
    """A replaced latency is the cluster's; the baseline stays one point."""
    points = list(expand(experiment(link_latency_ns=[500, 250])))
    assert {p.cluster.link.latency_ns for p in points if p.fpgas == 2} == {250.0, 500.0}
    assert sum(p.partitioner == "single" for p in points) == 1


def test_globs_over_workloads() -> None:
    """A glob stands for the catalogue's names that match, sorted."""
    points = expand(experiment(workloads=["dac20/*-4096"], fpgas=[1], partitioners=["single"]))
    assert [p.workload for p in points] == ["dac20/encoder-8-4096", "dac20/gru-4096", "dac20/lstm-4096"]


def test_point_id_is_fixed() -> None:
    """Ids do not move between versions without notice: results of two runs are joined by them."""
    point = Point("w", "p", "ring", "l", 1000.0, 4, "row-wise", '{"software_pipelining":true}')
    assert point.point_id == "2215327cdf3b7cc5"


@given(st.dictionaries(st.sampled_from("abcdef"), st.booleans() | st.integers() | st.text(max_size=3)))
def test_canonical_parameters_ignore_order(parameters: dict[str, bool | int | str]) -> None:
    """The order in which parameters are written makes no difference."""
    backwards = dict(reversed(list(parameters.items())))
    assert canonical(parameters) == canonical(backwards)


def test_shards_hold_every_point_once(tmp_path: Path) -> None:
    """Shards split all entries by group and partitioner, and share equal points."""
    twice = SMALL + SMALL.partition("\n")[2].partition("\n")[2].replace("small", "again")
    shards = make_shards(load_config(write(tmp_path, twice)))
    assert [shard.name for shard in shards] == ["all--row-wise", "all--single"]
    assert [len(shard.entries) for shard in shards] == [4, 2]
    assert [len(shard.points) for shard in shards] == [2, 1]


def test_groups_share_equal_points(tmp_path: Path) -> None:
    """What two groups ask for is evaluated once, for the first; each experiment keeps its entries."""
    other = SMALL.partition("\n")[2].partition("\n")[2].replace("small", "again").replace("[1, 2]", "[2, 4]")
    other = other.replace("    workloads", "    group: other\n    workloads")
    shards = {one.name: one for one in make_shards(load_config(write(tmp_path, SMALL + other)))}
    assert {name: len(shard.points) for name, shard in shards.items()} == {
        "all--row-wise": 2,
        "all--single": 1,
        "other--row-wise": 1,
    }
    assert sum(len(shard.entries) for shard in shards.values()) == 6


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("lstm-512-b1-t25", "dac20/blstm-5", "did you mean 'dac20/blstm-4'"),
        ("lstm-512-b1-t25", '"dac21/*"', "no workload matches 'dac21/*'"),
        ("s10-gx2800-dac20", "s10-gx2800-dac21", "did you mean 's10-gx2800-dac20'"),
        ("[row-wise]", "[rowwise]", "unknown partitioner 'rowwise'; did you mean 'row-wise'"),
        ("[row-wise]", "[{name: row-wise, parameters: {pipelining: true}}]", "'software_pipelining'"),
        ("fpgas: [1, 2]", "fpgas: [1, 100000]", "100000"),
        ("fpgas: [1, 2]", "fpgas: [0]", "fpgas"),
        ("fpgas: [1, 2]", "fpgas: [1, 2]\n    links: [nothing]", "unknown link 'nothing'"),
        ("fpgas: [1, 2]", "fpgas: [1, 2]\n    topologies: [rings]", "unknown topology 'rings'"),
        ("fpgas: [1, 2]", "fpga: [1, 2]", "did you mean 'fpgas'"),
    ],
)
def test_mistakes_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Whatever a configuration names must exist; the message says what does."""
    with pytest.raises(UserError) as error:
        load_config(write(tmp_path, SMALL.replace(old, new)))
    assert message in str(error.value)
    assert "mine.yaml" in str(error.value)


def test_all_mistakes_at_once(tmp_path: Path) -> None:
    """Two mistakes make two lines, each naming its experiment."""
    text = SMALL.replace("row-wise", "rowwise").replace("lstm-512", "lsmt-512")
    with pytest.raises(UserError) as error:
        load_config(write(tmp_path, text))
    assert str(error.value).count("experiments[0] (small)") == 2


def test_accuracy_names_what_exists(tmp_path: Path) -> None:
    """A format or workload that does not exist is refused with the nearest names."""
    text = SMALL + "accuracy: {workloads: [dac20/blstm-5], formats: [int9]}\n"
    with pytest.raises(UserError) as error:
        load_config(write(tmp_path, text))
    first, second = str(error.value).splitlines()
    assert "mine.yaml: accuracy: " in first
    assert "did you mean 'dac20/blstm-4'" in first
    assert "mine.yaml: accuracy: unknown format 'int9'; did you mean 'int8'" in second


def test_same_name_twice(tmp_path: Path) -> None:
    """Two experiments cannot share a name: tables could not tell them apart."""
    text = SMALL + SMALL.partition("\n")[2].partition("\n")[2]
    with pytest.raises(UserError, match="used twice"):
        load_config(write(tmp_path, text))


def test_unknown_parameter_names_the_known_ones() -> None:
    """A parameter that a plan function does not take is refused before anything runs."""
    with pytest.raises(UserError, match="did you mean 'software_pipelining'"):
        check_parameters("row-wise", {"software_pipeline": True})


@pytest.mark.parametrize("name", ["default", "smoke"])
def test_shipped_configurations_are_valid(name: str) -> None:
    """The configurations of the project load, and make a few dozen jobs at most."""
    assert 1 <= len(make_shards(load_config(ROOT / "config" / f"{name}.yaml"))) <= 60


def test_default_covers_the_paper() -> None:
    """Every result figure of the paper has its experiment."""
    config = load_config(ROOT / "config" / "default.yaml")
    names = {experiment.name for experiment in config.experiments}
    assert names >= {f"fig{n}" for n in ("1b", "4b", "5c", "7", "8", "9", "10", "11", "12")}


def test_schema_file_is_current() -> None:
    """The published JSON Schema is what the code would write (`bench pipeline schema`)."""
    path = ROOT / "docs" / "schemas" / "config.schema.json"
    assert path.read_text(encoding="utf-8") == json_schema(Config, CONFIG_TITLE)
