"""Tests of the studies: scaling, sensitivity to links, ablation, and plans that the full search misses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.experiments import expand, load_config
from bench.partitioners.space import ALL, IDEAS
from bench.results.ablation import ablation, acts, allowed
from bench.results.claims import gather
from bench.results.frames import prepare
from bench.results.measures import FullMisses
from bench.results.missed import WAYS, Way, missed
from bench.results.scaling import scaling
from bench.results.sensitivity import sensitivity
from bench.results.store import write_results
from bench.results.studies import TABLES, main
from bench.workloads.catalogue import load_workload

from .factory import make_row, point, study_row, study_rows


@pytest.fixture
def rows() -> pd.DataFrame:
    """The prepared rows of the studies alone."""
    return prepare(pd.DataFrame(study_rows()))


def test_scaling_counts_devices_in_use(rows: pd.DataFrame) -> None:
    """Speed-ups are over one FPGA, the bound's room is half the cycles, and idle devices show."""
    table = scaling(rows).set_index("fpgas")
    assert table.index.tolist() == [2, 4, 8]
    assert table.loc[8, "full"] == pytest.approx(2.0)
    assert table.loc[8, "devices_used"] == 3
    assert table.loc[8, "over_bound"] == pytest.approx(2.0, rel=1e-4)
    assert table.loc[8, "most_possible"] == pytest.approx(4.0, rel=1e-4)
    assert table.loc[4, "full_dac20"] == pytest.approx(10 / 7)
    assert table["row_wise"].isna().all()


def test_sensitivity_compares_on_the_same_links(rows: pd.DataFrame) -> None:
    """Each link has its own best conventional partitioner, and rows are sorted by what varies."""
    table = sensitivity(rows)
    assert table["varied"].tolist() == ["latency"] * 2 + ["bandwidth"] * 2 + ["topology"] * 2
    latency, bandwidth, topology = (table[table["varied"] == name] for name in table["varied"].unique())
    assert latency["link_latency_ns"].tolist() == [100.0, 1000.0]
    assert latency["gain"].tolist() == pytest.approx([2.0, 2.0])
    assert latency["conventional"].tolist() == pytest.approx([1.25, 1.0])
    assert set(latency["best_conventional"]) == {"gate-wise"}
    assert bandwidth["bandwidth_gbps"].tolist() == pytest.approx([8 / 0.68, 8 / 0.17])
    assert topology["topology"].tolist() == ["ring", "switch"]
    assert topology["gain"].isna().all()


def test_ablation_tells_missing_from_not_applicable(rows: pd.DataFrame) -> None:
    """Alone is over the search without ideas, left out over the full one; idle ideas have no value."""
    table = ablation(rows)
    assert table["idea"].tolist() == [*IDEAS, "all"]
    table = table.set_index("idea")
    assert table.loc["pipelining", ["alone", "left_out"]].tolist() == pytest.approx([0.6, 1.6])
    assert table.loc["helpers", "left_out"] == pytest.approx(0.98)
    assert pd.isna(table.loc["groups", "alone"])  # not run
    assert table.loc["replicas", "acts"] == "no"
    assert table.loc["parts", "acts"] == "with others"
    assert pd.isna(table.loc["parts", "alone"])
    assert table.loc["all", "alone"] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("name", "idea", "expected"),
    [
        ("lstm-2048", "replicas", "no"),
        ("gru-2048", "replicas", "alone"),
        ("lstm-2048", "groups", "no"),
        ("lstm-2048", "wavefront", "no"),
        ("encoder-8", "wavefront", "with others"),
        ("lstm-2048", "ahead", "no"),
        ("gru-2048", "ahead", "with others"),
        ("lstm-2048", "pipelining", "alone"),
    ],
)
def test_which_ideas_apply(name: str, idea: str, expected: str) -> None:
    """By the candidates that an idea adds; one layer has no groups, and no other layer's exchange to hide."""
    assert acts(idea, load_workload(f"dac20/{name}"), 4) == expected


def test_ideas_that_parameters_leave() -> None:
    """As `full` reads them: none, all, some, or all but some."""
    assert allowed("{}") == ALL
    assert allowed('{"only": "nothing"}') == frozenset()
    assert allowed(json.dumps({"without": "+".join(IDEAS)})) == frozenset()
    assert allowed('{"only": "groups+parts"}') == {"groups", "parts"}
    assert allowed('{"without": "groups"}') == ALL - {"groups"}


def test_the_configuration_runs_every_idea_that_applies() -> None:
    """Each cell of the ablation has its base, and rows for each idea that changes its candidates."""
    config = load_config(Path("config/default.yaml"))
    cells: dict[tuple[str, int], set[frozenset[str]]] = {}
    for experiment in config.experiments:
        if experiment.name.startswith("ablation"):
            for one in expand(experiment):
                if one.partitioner == "full":
                    cells.setdefault((one.workload, one.fpgas), set()).add(allowed(one.parameters))
    assert len(cells) == 5
    for (workload, fpgas), chosen in cells.items():
        when = {idea: acts(idea, load_workload(workload), fpgas) for idea in IDEAS}
        wanted = {frozenset({idea}) for idea in IDEAS if when[idea] == "alone"}
        wanted |= {ALL - {idea} for idea in IDEAS if when[idea] != "no"}
        assert wanted | {frozenset(), ALL} <= chosen, (workload, fpgas)


def _found(*rows: dict[str, Any]) -> list[tuple[str, str]]:
    table = missed(prepare(pd.DataFrame(rows)))
    return list(zip(table["way"], table["than"], strict=True))


def test_each_way_to_a_better_plan_is_found() -> None:
    """Another partitioner, an idea less, fewer FPGAs on a ring and slower links; equal times are no miss."""
    full = study_row("a", "encoder-8", 8, 5e-4)
    assert _found(full, study_row("a", "encoder-8", 8, 4e-4, partitioner="row-wise")) == [
        ("another partitioner", "row-wise")
    ]
    assert _found(full, study_row("a", "encoder-8", 8, 4e-4, ideas={"without": "parts"})) == [
        ("an idea left out", "full (without=parts)")
    ]
    assert _found(full, study_row("a", "encoder-8", 4, 4e-4)) == [("fewer FPGAs", "full on 4 FPGAs")]
    assert _found(full, study_row("a", "encoder-8", 8, 4e-4, link_latency_ns=2500.0)) == [
        ("slower links", "full at 2500 ns")
    ]
    assert _found(full, study_row("a", "encoder-8", 4, 5e-4)) == []


def test_plans_for_other_clusters_are_not_held_against_full() -> None:
    """Other topologies, faster links, more FPGAs, and fewer of a torus, which is another torus."""
    full = study_row("a", "encoder-8", 8, 5e-4)
    for other in ({"topology": "switch"}, {"link_latency_ns": 100.0}, {"link": "520n-channel"}):
        assert _found(full, study_row("a", "encoder-8", 8, 4e-4, **other)) == []
    assert _found(full, study_row("a", "encoder-8", 16, 4e-4)) == []
    torus = {"topology": "torus-2d"}
    few, many = (study_row("a", "encoder-8", n, s, **torus) for n, s in ((4, 4e-4), (8, 5e-4)))
    assert _found(few, many) == []


@pytest.mark.parametrize("way", WAYS)
def test_misses_are_counted_by_way(way: Way, results: Path, tmp_path: Path) -> None:
    """The made-up rows hold one miss, by an idea left out of encoder-8; no rows of full, no number."""
    measure = FullMisses(measure="plans that full misses", way=way)
    table = missed(prepare(pd.DataFrame(study_rows())))
    assert (table["way"] == way).sum() == (way == "an idea left out")
    assert measure.value(gather(results, tmp_path)) >= (way == "an idea left out")
    write_results([point("fig8", "encoder-8", 1, "single")], tmp_path / "one.parquet")
    assert pd.isna(measure.value(gather(tmp_path, tmp_path)))


def test_studies_are_written_and_empty_without_their_experiments(tmp_path: Path) -> None:
    """Three files a study, whether or not there is anything to show."""
    write_results([make_row(workload="dac20/lstm-2048")], tmp_path / "a.parquet")
    out = tmp_path / "tables"
    assert main(["--results", str(tmp_path), "--out", str(out)]) == 0
    assert {path.name for path in out.iterdir()} == {
        f"{study.name}.{kind}" for study in TABLES for kind in ("csv", "md", "tex")
    }
    assert all(pd.read_csv(out / f"{study.name}.csv").empty for study in TABLES)
