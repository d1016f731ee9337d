"""Tests of bench.results.fidelity, its sets, the structure checks and docs/fidelity.md."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from bench.errors import UserError
from bench.experiments import expand, load_config
from bench.results import disagreements
from bench.results.claims import gather
from bench.results.fidelity import fidelity_points, main, near_share, reached, summarize, write_fidelity
from bench.results.fidelity_sets import (
    FILE,
    Set,
    read_sets,
    record_bounds,
    references,
    rounded_up,
)
from bench.results.frames import prepare
from bench.results.measures import SetDeviation, SetsWorse
from bench.results.structure import sdm_cycles, sdm_table, trace_table
from bench.rows import evaluate_point, request_columns
from tests.docs.markdown import ROOT

from .factory import fidelity_rows

SETS = read_sets()
BY_ID = {one.id: one for one in SETS.sets}


@pytest.fixture(scope="module")
def emulated() -> pd.DataFrame:
    """Today's rows of all experiments of the default configuration that the sets A to F and H need."""
    config = load_config(ROOT / "config" / "default.yaml")
    rows = [
        request_columns(experiment.name, point, "0" * 12) | evaluate_point(point)
        for experiment in config.experiments
        if experiment.name.startswith("fidelity-")
        for point in expand(experiment)
    ]
    return prepare(pd.DataFrame(rows))


# -- fitted or predicted --------------------------------------------------------------------


def fitted_on() -> Iterator[tuple[str, str]]:
    """(profile, label) of every row on which a number of an overlay or clock was fitted."""

    def labels(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            yield from node.get("fitted_on", [])
            for value in node.values():
                yield from labels(value)

    for path in sorted((ROOT / "hw_profiles").glob("*.yaml")):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for label in labels({key: value for key, value in content.items() if key != "links"}):
            yield path.stem, label


def row_of(label: str, one: Set) -> str:
    """The set's row that the rest of a label names, as in ``: LSTM 256, 150 steps``."""
    match = re.match(r"\W*(?:\(.*?\)\W*)?(lstm|gru|rnn|gemv)[ -](\d+)\b", label.removeprefix(one.label), re.I)
    assert match, f"{label!r} names no row of set {one.id}"
    (row,) = [r.row for r in references(one) if r.row.startswith(f"{match[1].lower()}-{match[2]}-")]
    return row


def figure_row(label: str) -> str:
    """The row of set G that a label names."""
    match = re.search(r"Fig\. (\d+), (utilisation|gain).*?, (LSTM|GRU), h = (\d+), one FPGA", label)
    assert match, f"{label!r} names no row of set g"
    metric = {"utilisation": "hw_utilization", "gain": "speedup_from_sw_pipelining"}[match[2]]
    return f"{match[1]}/dac20/{match[3].lower()}-{match[4]}/sw pipelining/1/{metric}"


def test_rows_marked_as_fitted_are_those_that_profiles_name() -> None:
    """Every row that a profile was fitted on is marked so, and every mark has its profile."""
    found: dict[str, set[str]] = {name: set() for name in [*BY_ID, SETS.figures.id]}
    for profile, label in fitted_on():
        sets = [one for one in SETS.sets if label.startswith(one.label)]
        assert sets or label.startswith(SETS.figures.label), f"{profile}: {label!r} belongs to no set"
        if sets:
            found[sets[0].id].add(row_of(label, sets[0]))
        else:
            found[SETS.figures.id].add(figure_row(label))
    marked = {one.id: set(one.fitted) for one in SETS.sets} | {SETS.figures.id: set(SETS.figures.fitted)}
    assert found == marked


def test_labels_tell_the_sets_apart() -> None:
    """No set's label is the beginning of another's."""
    labels = [one.label for one in SETS.sets] + [SETS.figures.label]
    assert not [(a, b) for a in labels for b in labels if a is not b and a.startswith(b)]


def test_the_configuration_holds_every_row() -> None:
    """Each set's experiment evaluates its rows, on its profile, with its parameters."""
    config = {one.name: one for one in load_config(ROOT / "config" / "default.yaml").experiments}
    for one in SETS.sets:
        points = {
            (p.workload, p.profile, p.partitioner, p.parameters) for p in expand(config[one.experiment])
        }
        wanted = {(r.row, one.profile, "single", one.choice) for r in references(one)}
        assert wanted <= points


# -- published values -----------------------------------------------------------------------


def test_each_set_is_complete() -> None:
    """As many rows as the tables print."""
    assert {one.id: len(references(one)) for one in SETS.sets} == {
        "a": 9, "b": 6, "c": 11, "d": 10, "e": 15, "f": 15,
    }  # fmt: skip


def test_the_finer_of_two_printed_values_counts() -> None:
    """A rate of three digits beats a latency of two; trailing zeros that a source prints count."""
    d = {r.row: r for r in references(BY_ID["d"])}["rnn-512-b6-t256"]
    assert d.value == pytest.approx(1e3 * 2 * 6 * 256 * 2 * 512**2 / 7.0e12)
    assert d.rounding_pct == pytest.approx(100 * 0.05 / 7.0)
    c = {r.row: r for r in references(BY_ID["c"])}
    assert c["lstm-256-b1-t150"].value == pytest.approx(0.425)
    assert c["lstm-2048-b1-t25"].value == pytest.approx(0.07417, abs=1e-5)
    a = {r.row: r for r in references(BY_ID["a"])}
    assert a["lstm-256-b1-t150"].rounding_pct == pytest.approx(100 * 0.0005 / 0.110)
    e = {r.row: r for r in references(BY_ID["e"])}["gemv-512-b6-t1"]
    assert (e.value, e.rounding_pct) == (pytest.approx(167), 0)


def test_a_row_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """A typing mistake under `fitted` is a user error with the rows there are."""
    path = tmp_path / "fidelity.yaml"
    path.write_text(FILE.read_text().replace("rnn-1152-b1-t256", "rnn-1153-b1-t256"))
    with pytest.raises(UserError, match=r"set 'a' has no row 'rnn-1153-b1-t256'; it has gru-1024"):
        read_sets(path)


def test_published_files_that_are_gone_are_named(tmp_path: Path) -> None:
    """With the fix."""
    with pytest.raises(UserError, match=r"published_intel_npu.csv: missing"):
        references(BY_ID["a"], tmp_path)


# -- deviations -----------------------------------------------------------------------------


def test_deviations_are_relative_to_published() -> None:
    """Rows 2 % slower deviate by 2 %, in milliseconds and in cycles; fitted rows stand apart."""
    points = fidelity_points(prepare(pd.DataFrame(fidelity_rows(0.02))), SETS)
    tables = points[points["set"] != "g"]
    assert tables["deviation_pct"].tolist() == pytest.approx([2.0] * len(tables), abs=0.4)  # whole cycles
    summary = summarize(points, SETS)
    a = summary[summary["set"] == "a"].set_index("use")
    assert a["rows"].to_dict() == {"fitted": len(BY_ID["a"].fitted), "predicted": 9 - len(BY_ID["a"].fitted)}
    assert a.loc["predicted", "mean_pct"] == pytest.approx(2.0)
    assert bool(a.loc["predicted", "within_bar"])
    assert pd.isna(a.loc["fitted", "within_bar"])


def test_one_row_off_breaks_the_bar_and_the_bound() -> None:
    """The worst row is named, and 40 % off is beyond any limit of a set."""
    rows = fidelity_rows(0.0)
    (bad,) = [r for r in rows if (r["experiment"], r["workload"]) == ("fidelity-b", "gru-1024-b1-t1500")]
    bad["latency_s"] *= 3.0
    summary = summarize(fidelity_points(prepare(pd.DataFrame(rows)), SETS), SETS)
    b = summary[(summary["set"] == "b") & (summary["use"] == "predicted")].iloc[0]
    assert b["worst_row"] == "gru-1024-b1-t1500"
    assert b["worst_pct"] == pytest.approx(200)
    assert not b["within_bar"]
    assert not b["within_bound"]


def test_a_missing_row_is_not_within_anything() -> None:
    """Nor does it get a bound."""
    rows = [row for row in fidelity_rows(0.0) if row["workload"] != "lstm-1024-b1-t25"]
    points = fidelity_points(prepare(pd.DataFrame(rows)), SETS)
    summary = summarize(points, SETS)
    a = summary[(summary["set"] == "a") & (summary["use"] == "predicted")].iloc[0]
    assert pd.isna(a["mean_pct"])
    assert not a["within_bar"]
    assert not a["within_bound"]
    assert {"a", "b", "c"}.isdisjoint(reached(points))
    assert {"d", "e", "f"} <= set(reached(points))


def test_near_takes_the_larger_of_a_step_and_8_percent() -> None:
    """A point 9 % off is near where the drawing's step is 10 %."""
    points = pd.DataFrame(
        {"deviation_pct": [7.9, -9.0, 9.0, float("nan")], "rounding_pct": [1.0, 1.0, 10.0, 1.0]}
    )
    assert near_share(points) == 50


def test_no_set_is_worse_than_its_recorded_bound(emulated: pd.DataFrame) -> None:
    """Sets A to F, emulated now; set G takes a full run, whose claims include it."""
    points = fidelity_points(emulated, SETS)
    summary = summarize(points[points["set"] != "g"], SETS)
    predicted = summary[summary["use"] == "predicted"]
    worse = predicted[~predicted["within_bound"].astype(bool)]
    assert len(predicted) == len(SETS.sets)
    assert worse.empty, f"worse than reports/expected/fidelity.yaml:\n{worse.to_string()}"


def test_claims_count_sets_beyond_their_bounds(results: Path, tmp_path: Path) -> None:
    """None at 0.1 %; a mean is read as it stands."""
    evidence = gather(results, tmp_path)
    sets = list(BY_ID)
    assert SetsWorse(measure="sets beyond their bounds", sets=sets).value(evidence) == 0
    mean = SetDeviation(measure="deviation of a set", set="a").value(evidence)
    assert mean == pytest.approx(0.1)
    assert pd.isna(SetsWorse(measure="sets beyond their bounds", sets=["z"]).value(evidence))


# -- recording ------------------------------------------------------------------------------


def test_recording_changes_the_bounds_alone(results: Path, tmp_path: Path) -> None:
    """Each set's line, rounded up to 0.1 %; comments and everything else stay."""
    path = tmp_path / "fidelity.yaml"
    shutil.copyfile(FILE, path)
    assert main(["--record", "--results", str(results), "--expected", str(path)]) == 0
    before, after = FILE.read_text().splitlines(), path.read_text().splitlines()
    changed = [new for old, new in zip(before, after, strict=True) if old != new]
    assert changed
    assert all(line.lstrip().startswith("bound: {mean: ") for line in changed)
    sets = read_sets(path)
    assert {one.bound.mean for one in sets.sets} <= {0.1, 0.2}
    points = fidelity_points(prepare(pd.read_parquet(results / "fidelity.parquet")), sets)
    summary = summarize(points[points["set"] != "g"], sets)
    assert summary.loc[summary["use"] == "predicted", "within_bound"].astype(bool).all()


def test_recording_refuses_before_it_writes(tmp_path: Path) -> None:
    """A set without a line for its bound is a user error."""
    path = tmp_path / "fidelity.yaml"
    path.write_text("sets:\n  - id: a\n    title: none\n  - id: b\n    bound: {mean: 1, worst: 2}\n")
    before = path.read_text()
    with pytest.raises(UserError, match="set 'a' has no line"):
        record_bounds({"b": {"mean": 3.0, "worst": 4.0}, "a": {"mean": 1.0, "worst": 2.0}}, path)
    assert path.read_text() == before


@pytest.mark.parametrize(("value", "up"), [(1.2, 1.2), (1.21, 1.3), (1.2999999999, 1.3), (0.0, 0.0)])
def test_rounding_up(value: float, up: float) -> None:
    """Never below, and no further up for the noise of a float."""
    assert rounded_up(value) == pytest.approx(up)


def test_tables_are_written(results: Path, tmp_path: Path) -> None:
    """Summary, points, a table a set and the structure checks, each as CSV, Markdown and LaTeX."""
    write_fidelity(results, tmp_path)
    names = {str(path.relative_to(tmp_path).with_suffix("")) for path in tmp_path.rglob("*.csv")}
    sets = {f"fidelity/{name}" for name in BY_ID}
    assert names == {"fidelity_points", "fidelity_summary", "fidelity/sdm", "fidelity/trace"} | sets
    for name in names:
        assert (tmp_path / f"{name}.md").stat().st_size
        assert (tmp_path / f"{name}.tex").stat().st_size


# -- structure ------------------------------------------------------------------------------


def test_the_published_bound_is_its_formula(emulated: pd.DataFrame) -> None:
    """ISCA 2018's SDM to its rounding in all rows, and no emulated latency below it."""
    table = sdm_table(fidelity_points(emulated, SETS))
    assert len(table) == 11
    assert table["within_rounding"].all()
    assert (table["emulated_over_bound"] > 1).all()
    assert sdm_cycles("lstm", 2000) == 352  # printed in Table I
    with pytest.raises(ValueError, match="no bound"):
        sdm_cycles("rnn", 8)


def test_the_pipeline_trace(emulated: pd.DataFrame) -> None:
    """FCCM 2019, Fig. 4: both products end within 10 % of the drawing."""
    table = trace_table(emulated)
    assert len(table) == 3
    assert table["deviation_pct"].abs().max() <= 10


# -- the page -------------------------------------------------------------------------------


def test_tables_of_the_page_are_made_from_the_files(tmp_path: Path) -> None:
    """docs/fidelity.md shows what its command writes, and each table once."""
    text = disagreements.PAGE.read_text(encoding="utf-8")
    assert disagreements.with_tables(text) == text, "run `python -m bench.results.disagreements`"
    assert re.findall(r"<!-- table: (\S+) -->", text) == list(disagreements.TABLES)
    copy = tmp_path / "page.md"
    copy.write_text("<!-- table: fp32 -->\nold\n<!-- /table -->\n")
    assert disagreements.main(["--page", str(copy)]) == 0
    assert "| LSTM-1536 |" in copy.read_text()
    assert "old" not in copy.read_text()


def test_what_the_page_says_of_the_tables() -> None:
    """The figures in its sentences are those of the tables."""
    papers = disagreements.one_overlay_two_papers().set_index("layer")
    assert papers.loc["LSTM-1024", "FCCM 2019"] == 640
    assert papers["not pipelined / FCCM"].between(1.2, 1.34).all()
    assert (papers["one drawing step less"] / papers["FCCM 2019"]).between(1.0, 1.045).all()
    assert (
        papers["if at 275 MHz"]
        .between(papers["DAC 2020, pipelined"], papers["DAC 2020, not pipelined"])
        .all()
    )
    floor = disagreements.isca_floor().set_index("layer")["a step (us)"]
    assert floor["GRU-1024"] == pytest.approx(2.528)
    assert floor["LSTM-1024"] == pytest.approx(2.96)
    chips = disagreements.simulator_rtl_board()
    gap = chips["RTL"] - chips["C++"]
    products = chips["layer"].str.startswith("GEMV")
    assert gap[products].between(98.5, 107.5).all()
    assert gap[~products].between(22.5, 153.5).all()
    assert (chips["board"] - chips["RTL"]).dropna().between(14.5, 35).all()
    split = disagreements.several_fpgas()
    assert split["Fig. 10 / Fig. 12"].between(1.095, 2.29).all()
    assert split["250 ns / Fig. 12"].between(1.0, 1.145).all()
    assert split.loc[split["FPGAs"] == 4, "alpha (ns)"].between(164, 246).all()
    apart = disagreements.layer_wise_twice().query("meet == 'no'")
    slower = apart["Fig. 4b"].str.split(" to ").str[1].astype(float) <= apart["Fig. 8"].str[:4].astype(float)
    assert slower.all()
    assert (disagreements.fp32()["of 1.64 (%)"] > 100).sum() == 5
