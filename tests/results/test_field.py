"""Tests of the tables on partitioners from the field, and on what plans say of themselves."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench.experiments import Limits, Point, read_profile
from bench.results import studies, tables
from bench.results.field import field
from bench.results.frames import prepare
from bench.results.notes import notes
from bench.results.store import write_results
from bench.rows import LOGS, evaluate_point, request_columns
from bench.site.build import write_site
from bench.site.parts import Sources

from .factory import make_row

SECONDS = {"single": 8e-3, "row-wise": 4e-3, "full": 2e-3, "pipedream": 2.5e-3, "fic-rnn": 5e-3}
SAID = {"full": "best of 2 layouts: rows 4; streamed; then rows 2: 1.500 x the time", "pipedream": "1 on 2"}


def row(name: str, network: str, fpgas: int, **columns: Any) -> dict[str, Any]:
    """A row of the experiment ``field-<name>``; ``partitioner`` says how long it takes."""
    partitioner = columns.pop("partitioner")
    seconds = columns.pop("latency_s", SECONDS.get(partitioner, 0.0))
    made = make_row(
        experiment=f"field-{name}", workload=network, fpgas=fpgas, partitioner=partitioner, latency_s=seconds
    )
    outside = {} if partitioner in ("single", "row-wise", "full") else {"log": f"{LOGS}/{partitioner}/x.log"}
    parameters = columns.pop("parameters", {})
    point = f"{made['point_id']}/{json.dumps(parameters)}"
    return made | outside | {
        "parameters": json.dumps(parameters), "point_id": point, "plan_notes": SAID.get(partitioner, ""),
    } | columns  # fmt: skip


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """A stack on two and four FPGAs and a large network on four."""
    made = []
    for name, network, counts in (("stacks", "dac20/encoder-8", (2, 4)), ("large", "large/gnmt-8", (4,))):
        made.append(row(name, network, 1, partitioner="single"))
        for fpgas in counts:
            made += [row(name, network, fpgas, partitioner=one) for one in list(SECONDS)[1:]]
            for seed, seconds in enumerate((16e-3, 8e-3, 4e-3)):
                seeded = {"parameters": {"seed": seed}, "latency_s": seconds}
                made.append(row(name, network, fpgas, partitioner="random-rows", **seeded))
    return made


def test_field_has_means_by_set_of_networks(rows: list[dict[str, Any]]) -> None:
    """Over row-wise set by set, the shipped ones first, a median for seeds, and who of the others leads."""
    table = field(prepare(pd.DataFrame(rows)))
    assert table.columns.tolist() == ["strategy", "n_ok/n", "stacks", "large", "all", "over_one", "first"]
    assert table["strategy"].tolist() == ["row-wise", "full", "fic-rnn", "pipedream", "random-rows"]
    table = table.set_index("strategy")
    assert table["all"].tolist() == pytest.approx([1.0, 2.0, 0.8, 1.6, 0.5])
    assert table["over_one"].tolist() == pytest.approx([2.0, 4.0, 1.6, 3.2, 1.0])
    assert table.loc[["fic-rnn", "pipedream", "random-rows"], "first"].tolist() == [0, 3, 0]
    assert table.loc[["row-wise", "full"], "first"].isna().all()
    assert set(table["n_ok/n"]) == {"3/3"}


def test_field_has_no_mean_over_some_points(rows: list[dict[str, Any]]) -> None:
    """A strategy that fails at a point has no mean over the set that the point is in."""
    failed = {"status": "unsupported", "reason": "ortools is not installed", "latency_s": None}
    for one in rows:
        if one["partitioner"] == "pipedream" and one["workload"] == "large/gnmt-8":
            one.update(failed)
    table = field(prepare(pd.DataFrame(rows))).set_index("strategy")
    assert table.loc["pipedream", "stacks"] == pytest.approx(1.6)
    assert table.loc["pipedream", ["large", "all", "over_one"]].isna().all()
    assert table.loc["pipedream", "n_ok/n"] == "2/3"
    assert table.loc["fic-rnn", "first"] == 1  # the fastest of those that are left


def test_notes_are_those_of_the_fastest_plans(rows: list[dict[str, Any]]) -> None:
    """The most FPGAs of each workload: the fastest of all, then the fastest from outside, as they say."""
    table = notes(prepare(pd.DataFrame(rows)))
    assert table["workload"].tolist() == ["dac20/encoder-8"] * 2 + ["large/gnmt-8"] * 2
    assert table["fpgas"].tolist() == [4] * 4
    assert table["strategy"].tolist() == ["full", "pipedream"] * 2
    assert table["notes"].tolist() == [SAID["full"], SAID["pipedream"]] * 2
    assert table["speedup"].tolist() == pytest.approx([4.0, 3.2] * 2)


def test_fastest_from_outside_is_named_once(rows: list[dict[str, Any]]) -> None:
    """Where a plug-in is the fastest of all, nothing stands beside it; of equals the simplest is named."""
    without = [one for one in rows if one["partitioner"] != "full" and one["workload"] == "dac20/encoder-8"]
    assert notes(prepare(pd.DataFrame(without)))["strategy"].tolist() == ["pipedream"]
    equal = [one | {"latency_s": 1e-3} for one in without if one["fpgas"] > 1]
    table = notes(prepare(pd.DataFrame([*equal, without[0]])))
    assert table["strategy"].tolist() == ["row-wise", "fic-rnn"]
    assert table["notes"].isna().all()


def test_page_shows_field_and_notes(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    """A section each, that names the page which reads the result; runners-up stay in the file."""
    write_results(rows, tmp_path / "results" / "a.parquet")
    tables.write_tables(tmp_path / "results", tmp_path / "tables")
    studies.write_studies(tmp_path / "results", tmp_path / "tables")
    write_site(Sources(tmp_path / "results", tmp_path), tmp_path / "site")
    text = (tmp_path / "site" / "studies.html").read_text(encoding="utf-8")
    assert "docs/baselines.md" in text
    assert "field-stacks: speed-up over one FPGA" in text
    shown = text[text.index('id="notes"') :]
    assert "best of 2 layouts: rows 4; streamed</td>" in shown
    assert "1 on 2</td>" in shown
    assert "1.500 x the time" not in text
    assert "1.500 x the time" in (tmp_path / "tables" / "notes.csv").read_text(encoding="utf-8")


PLUGIN = '''
from bench.partitioners.build import assemble, own_rows


def plan(workload, cluster):
    """All rows on all devices, with a word on why."""
    shares = [own_rows(layer, range(cluster.fpgas)) for layer in workload.layers]
    return assemble("mine", workload, shares, [range(cluster.fpgas)], notes=["rows; as I was told"])
'''


def test_notes_of_a_plug_in_reach_the_report(tmp_path: Path) -> None:
    """What a file of the user's writes into its plan comes out of its process, and stands in the table."""
    path = tmp_path / "mine.py"
    path.write_text(PLUGIN, encoding="utf-8")
    link = read_profile("s10-gx2800-dac20").links[0]
    made = []
    for partitioner, fpgas in (("single", 1), (str(path), 2)):
        cluster = ("s10-gx2800-dac20", "ring", link.name, link.latency_ns, fpgas)
        point = Point("lstm-32-b1-t5", *cluster, partitioner)
        made.append(request_columns("mine", point, "0" * 12, Limits()) | evaluate_point(point))
    table = notes(prepare(pd.DataFrame(made)))
    assert table[["strategy", "notes"]].to_numpy().tolist() == [["mine", "rows; as I was told"]]
