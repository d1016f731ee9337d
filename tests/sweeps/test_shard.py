"""A job of a sweep: computed once, the same bytes each time, only what is new when the file changes."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import yaml

from bench.errors import UserError
from bench.experiments import Point
from bench.sweeps import shard as shard_module
from bench.sweeps.expand import load_sweep, unit_points
from bench.sweeps.group import Group
from bench.sweeps.query import open_results, run_query
from bench.sweeps.shard import Counts, evaluate_shard
from bench.sweeps.shards import make_shards, shard_digests
from bench.sweeps.store import OUTCOME
from bench.sweeps.tables import remove_stale, write_tables

AXES = {
    "workload": ["lstm-96-b1-t9", "gru-96-b1-t9"],
    "profile": ["s10-gx2800-dac20"],
    "topology": ["ring", "fully-connected"],
    "fpgas": [1, 2, 8],
    "profile.link.latency_ns": [50, 5000],
    "partitioner": ["single", "layer-wise", "row-wise", "full-dac20"],
}


@pytest.fixture(autouse=True)
def within(monkeypatch: pytest.MonkeyPatch) -> None:
    """Groups are evaluated in this process: that a worker does the same is shown elsewhere."""
    from bench.sweeps.evaluate import evaluate_group

    monkeypatch.setattr(
        shard_module,
        "run_groups",
        lambda groups, limits, evaluate, say: ((group, evaluate_group(group)["rows"]) for group in groups),
    )


def sweep_file(folder: Path, axes: dict[str, object], seconds: float = 30.0) -> Path:
    """A sweep file that checks no numbers."""
    path = folder / "small.yaml"
    content = {"axes": axes, "check_numbers_up_to_fpgas": 0, "shard_seconds": seconds}
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def run(path: Path, out: Path, cache: Path | None) -> list[Counts]:
    """All jobs of the sweep, the last one first; what each says of itself."""
    sweep = load_sweep(path)
    return [
        evaluate_shard(sweep, shard, out / "points" / f"{shard.name}.parquet", cache, print, lambda *_: None)
        for shard in reversed(make_shards(sweep))
    ]


def content(out: Path) -> dict[str, bytes]:
    """The files that a sweep wrote."""
    return {path.name: path.read_bytes() for path in sorted((out / "points").glob("*.parquet"))}


def test_a_point_is_computed_once(tmp_path: Path) -> None:
    """The same again comes from the cache, with the same bytes; so it does without a cache."""
    path = sweep_file(tmp_path, AXES)
    (first,) = run(path, tmp_path / "a", tmp_path / "cache")
    (again,) = run(path, tmp_path / "b", tmp_path / "cache")
    (without,) = run(path, tmp_path / "c", None)
    assert (first.known, first.computed) == (0, 96)
    assert (again.known, again.computed) == (96, 0)
    assert without.computed == 96
    assert content(tmp_path / "a") == content(tmp_path / "b") == content(tmp_path / "c")


@pytest.mark.parametrize(
    ("axis", "value", "new"),
    [
        ("profile.link.latency_ns", 120, 48),
        ("fpgas", 4, 32),
        ("workload", "rnn-96-b1-t9", 48),
        ("partitioner", "gate-wise", 24),
        ("topology", "switch", 48),
    ],
)
def test_a_new_value_of_an_axis_computes_only_its_points(
    tmp_path: Path, axis: str, value: object, new: int
) -> None:
    """So many points are computed as are new, and the rows are those of the sweep computed whole."""
    run(sweep_file(tmp_path, AXES), tmp_path / "a", tmp_path / "cache")
    values = AXES[axis]
    assert isinstance(values, list)
    path = sweep_file(tmp_path, AXES | {axis: [value, *values]})
    (counts,) = run(path, tmp_path / "b", tmp_path / "cache")
    assert (counts.known, counts.computed) == (96, new)
    run(path, tmp_path / "c", None)
    assert content(tmp_path / "b") == content(tmp_path / "c")


def test_the_rows_do_not_depend_on_the_jobs(tmp_path: Path) -> None:
    """In one job or in one a point, in any order: the same rows in the order of the sweep file."""
    run(sweep_file(tmp_path, AXES), tmp_path / "a", None)
    path = sweep_file(tmp_path, AXES, 0.001)
    assert len(run(path, tmp_path / "b", None)) == 96
    tables = [
        [pq.read_table(file) for file in sorted((tmp_path / out / "points").glob("*.parquet"))]
        for out in ("a", "b")
    ]
    rows = [[row for table in each for row in table.to_pylist()] for each in tables]
    assert rows[0] == rows[1]
    points = [p for s in make_shards(load_sweep(path)) for unit in s.units for p in unit_points(unit)]
    asked = ("workload", "topology", "fpgas", "link_latency_ns", "partitioner")
    assert [tuple(row[key] for key in asked) for row in rows[0]] == [
        (p.workload, p.topology, p.fpgas, p.link_latency_ns, p.partitioner) for p in points
    ]


def test_every_point_has_a_row(tmp_path: Path) -> None:
    """Clusters that a topology does not allow are rows, too: a card has too few ports for eight at once."""
    run(sweep_file(tmp_path, AXES), tmp_path / "a", None)
    (table,) = [pq.read_table(path) for path in (tmp_path / "a" / "points").glob("*.parquet")]
    rows = table.to_pylist()
    assert len({row["point_id"] for row in rows}) == len(rows) == 96
    refused = [row for row in rows if row["status"] == "unsupported"]
    assert {(row["topology"], row["fpgas"]) for row in refused} == {("fully-connected", 8)}
    assert all("network ports" in row["reason"] for row in refused)


def test_a_plugin_takes_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partitioner of the user's own runs in a process of its own, and its points are kept as well."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        '"""Rows, as ever."""\n'
        "from bench.partitioners.row_wise import plan as rows\n\n\n"
        "def plan(workload, cluster, *, wide: bool = False):\n"
        '    """Row-wise."""\n'
        "    return rows(workload, cluster)\n",
        encoding="utf-8",
    )
    axes = AXES | {"topology": ["ring"], "fpgas": [2], "partitioner": ["row-wise", "mine.py"]}
    path = sweep_file(tmp_path, axes)
    (counts,) = run(path, tmp_path / "out" / "sweep" / "small", tmp_path / "cache")
    assert (counts.computed, counts.failed) == (8, 0)
    (table,) = [pq.read_table(file) for file in tmp_path.rglob("points/*.parquet")]
    by = {(row["workload"], row["link_latency_ns"], row["partitioner"]): row for row in table.to_pylist()}
    for (workload, latency, partitioner), row in by.items():
        if partitioner == "mine":
            assert row["cycles"] == by[workload, latency, "row-wise"]["cycles"]
    (again,) = run(path, tmp_path / "again", tmp_path / "cache")
    assert again.computed == 0


def test_a_file_that_cannot_be_written_is_a_message(tmp_path: Path) -> None:
    """A full or read-only disk leaves no half file, and the points stay in the cache."""
    (tmp_path / "out").write_text("no folder")
    path = sweep_file(tmp_path, AXES | {"workload": ["lstm-96-b1-t9"]})
    with pytest.raises(UserError, match=r"cannot be written .* its points are in the cache"):
        run(path, tmp_path / "out", tmp_path / "cache")
    (counts,) = run(path, tmp_path / "other", tmp_path / "cache")
    assert counts.computed == 0


def test_digests_follow_what_a_job_depends_on(tmp_path: Path) -> None:
    """Jobs with the same points have the same digest in a changed sweep; no two others have one."""

    def digests(axes: dict[str, object]) -> dict[tuple[Point, ...], str]:
        sweep = load_sweep(sweep_file(tmp_path, axes, 0.001))
        shards = make_shards(sweep)
        found = shard_digests(sweep, shards)
        assert shard_digests(sweep, make_shards(sweep)) == found
        return {tuple(p for unit in s.units for p in unit_points(unit)): found[s.name] for s in shards}

    before, after = digests(AXES), digests(AXES | {"topology": ["ring", "switch"]})
    common = before.keys() & after.keys()
    assert len(common) == 48
    assert all(before[points] == after[points] for points in common)
    assert len({*before.values(), *after.values()}) == 96 + 48


def test_tables_are_those_of_the_jobs_alone(tmp_path: Path) -> None:
    """Files of jobs that a changed sweep no longer has are removed; tables are the same bytes each time."""
    run(sweep_file(tmp_path, AXES, 0.001), tmp_path / "a", tmp_path / "cache")
    path = sweep_file(tmp_path, AXES)
    run(path, tmp_path / "a", tmp_path / "cache")
    remove_stale(tmp_path / "a", {shard.name for shard in make_shards(load_sweep(path))})
    assert list(content(tmp_path / "a")) == ["00000.parquet"]
    write_tables(tmp_path / "a", tmp_path / "t1", 512)
    write_tables(tmp_path / "a", tmp_path / "t2", 512)
    for file in (tmp_path / "t1").iterdir():
        assert file.read_bytes() == (tmp_path / "t2" / file.name).read_bytes()


def test_speedups_are_those_of_the_rows(tmp_path: Path) -> None:
    """The views' speed-ups, computed again row by row."""
    run(sweep_file(tmp_path, AXES), tmp_path / "a", None)
    with open_results(tmp_path / "a") as connection:
        rows = run_query(connection, "SELECT * FROM points").to_pylist()
        found = run_query(connection, "SELECT * FROM speedups").to_pylist()
    solved = [row for row in rows if row["latency_s"] is not None]
    assert len(found) == len(solved)
    for row in found:
        alone = min(
            r["latency_s"]
            for r in solved
            if r["workload"] == row["workload"] and r["fpgas"] == 1 and r["partitioner"] == "single"
        )
        assert row["over_single"] == alone / row["latency_s"]
        where = ("workload", "topology", "fpgas", "link_latency_ns")
        rivals = [
            r["latency_s"]
            for r in solved
            if r["partitioner"] == "layer-wise" and all(r[key] == row[key] for key in where)
        ]
        expected = min(rivals) / row["latency_s"] if row["fpgas"] > 1 else None
        assert row["over_conventional"] == expected


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT latency FROM points", 'column "latency" not found'),
        ("SELECT * FROM nothing", "nothing does not exist"),
        ("SELEC 1", "syntax error"),
        ("DROP VIEW points", "expected one SELECT"),
        ("COPY points TO 'x.csv'", "expected one SELECT"),
        ("SELECT 1; SELECT 2", "expected one SELECT"),
        ("SELECT * FROM read_csv('/etc/hostname')", "disabled by configuration"),
    ],
)
def test_a_query_reads_and_says_mistakes_in_a_line(tmp_path: Path, sql: str, message: str) -> None:
    """Whatever is no query of the views is one line, and nothing is written or read elsewhere."""
    run(sweep_file(tmp_path, AXES | {"workload": ["lstm-96-b1-t9"], "fpgas": [1]}), tmp_path / "a", None)
    with open_results(tmp_path / "a") as connection, pytest.raises(UserError, match=r"^query: ") as error:
        run_query(connection, sql)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_outcomes_are_the_columns_of_results() -> None:
    """A row of a sweep says what came out as a row of results does."""
    point = Point("lstm-96-b1-t9", "s10-gx2800-dac20", "ring", "dac20-ring", 9.0, 2, "row-wise")
    from bench.sweeps.evaluate import evaluate_group

    (row,) = evaluate_group(Group((point,), (0,), False))["rows"]
    assert tuple(sorted(row)) == tuple(sorted(OUTCOME))
