"""Comparing runs: identical, what changed and by how much, and bad input in one line."""

from __future__ import annotations

import csv
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from bench.comparison.compare import compare
from bench.comparison.runs import EXPECTED, read_run
from bench.comparison.show import page
from bench.results.schema import SCHEMA_VERSION
from bench.results.store import write_results
from tests.results.factory import paper_rows
from tests.test_cli import bench

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """`bench compare`: exit code, stdout, stderr; wide enough for a row in a line."""
    monkeypatch.setenv("COLUMNS", "400")
    return lambda *arguments: bench(capsys, monkeypatch, "compare", *map(str, arguments))


def write_run(folder: Path, rows: list[dict[str, Any]], **provenance: Any) -> Path:
    """A run's folder with these rows."""
    write_results(rows, folder / "results/results.parquet")
    (folder / "provenance.json").write_text(json.dumps(provenance), encoding="utf-8")
    return folder


def of_profile(rows: list[dict[str, Any]], profile: str) -> list[dict[str, Any]]:
    """Rows with a result on one profile."""
    return [row for row in rows if row["profile"] == profile and row.get("latency_s")]


def slower(rows: list[dict[str, Any]], factors: dict[int, float]) -> list[dict[str, Any]]:
    """The rows, those with these numbers slower by a factor."""
    return [
        row | {"latency_s": row["latency_s"] * factors[n], "cycles": round(row["cycles"] * factors[n])}
        if n in factors
        else row
        for n, row in enumerate(rows)
    ]


def test_a_run_and_itself(command: Command, tmp_path: Path) -> None:
    """Identical, exit code 0, even if it was made at another time by another commit, which is said."""
    rows = paper_rows()
    one = write_run(tmp_path / "one", rows, commit="abc", written="today", packages={"numpy": "2.0"})
    other = write_run(tmp_path / "other", rows, commit="def", written="later", packages={"numpy": "2.1"})
    code, out, _ = command(one, one)
    assert (code, out) == (0, f"identical: {len(rows)} points\n")
    code, out, _ = command(one, other)
    assert code == 0
    assert re.search(r"^commit +abc +def *$", out, flags=re.MULTILINE)
    assert re.search(r"^packages.numpy +2.0 +2.1 *$", out, flags=re.MULTILINE)
    assert "today" not in out


def test_a_changed_profile(command: Command, tmp_path: Path) -> None:
    """The points of the profile that changed are the ones that are listed, the largest change first."""
    rows = paper_rows()
    solved = [n for n, row in enumerate(rows) if row.get("latency_s")]
    factors = {solved[3]: 1.5, solved[8]: 1.1, solved[9]: 0.5}
    one, other = write_run(tmp_path / "a", rows), write_run(tmp_path / "b", slower(rows, factors))
    code, out, _ = command(one, other)
    assert code == 1
    assert out.startswith(f"different: 3 of {len(rows)} points differ\n")
    assert re.findall(r"[+-][\d.]+%", out) == ["-50.00%", "+50.00%", "+10.00%"]
    for n in factors:
        assert rows[n]["workload"] in out
    _, as_json, _ = command(one, other, "--json")
    value = json.loads(as_json)
    assert value["identical"] is False
    listed = [(change["row"]["workload"], change["cells"][0]["column"]) for change in value["changes"]]
    assert listed == [(rows[n]["workload"], "latency_s") for n in (solved[9], solved[3], solved[8])]


def test_a_result_that_is_gone_comes_first(tmp_path: Path) -> None:
    """A point that no longer has a result stands before any that is slower."""
    rows = paper_rows()
    solved = [n for n, row in enumerate(rows) if row.get("latency_s")]
    changed = slower(rows, {solved[0]: 9.0})
    names = ("latency_s", "cycles", "utilization", "cycles_per_step")
    changed[solved[5]] = rows[solved[5]] | dict.fromkeys(names) | {"termination": "timeout", "reason": "slow"}
    one, other = write_run(tmp_path / "a", rows), write_run(tmp_path / "b", changed)
    found = compare(read_run(str(one)), read_run(str(other)))
    assert [change.row["workload"] for change in found.changes] == [
        rows[solved[5]]["workload"],
        rows[solved[0]]["workload"],
    ]
    assert found.changes[0].cells[0].after is None
    assert "termination" in [cell.column for cell in found.changes[0].cells]


def test_tolerance(command: Command, tmp_path: Path) -> None:
    """Numbers that differ by less than the tolerance count as equal; by more they do not."""
    rows = of_profile(paper_rows(), "s10-gx2800-dac20")[:5]
    one, other = write_run(tmp_path / "a", rows), write_run(tmp_path / "b", slower(rows, {2: 1.01}))
    assert command(one, other)[0] == 1
    assert command(one, other, "--tolerance", "0.005")[0] == 1
    code, out, _ = command(one, other, "--tolerance", "0.02")
    assert (code, out) == (0, "identical: 5 points (to 0.02 of each number)\n")


def test_points_of_one_run_alone(command: Command, tmp_path: Path) -> None:
    """A point that only one run has is a difference, and is named with its run."""
    rows = paper_rows()
    one, other = write_run(tmp_path / "more", rows), write_run(tmp_path / "less", rows[1:])
    code, out, _ = command(one, other)
    assert code == 1
    assert out.startswith(f"different: 1 only in {one}")
    assert f"{rows[0]['experiment']}: {rows[0]['workload']}" in out


def repository(folder: Path, *versions: dict[str, str]) -> None:
    """A git repository with a commit, and a tag v0, v1 ..., for each version of the expected tables."""
    git = [
        "git",
        "-C",
        str(folder),
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@b",
        "-c",
        "commit.gpgsign=false",
    ]
    subprocess.run([*git, "init", "-q"], check=True)
    for number, files in enumerate(versions):
        for name, text in files.items():
            path = folder / EXPECTED / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "tables"], check=True)
        subprocess.run([*git, "tag", f"v{number}"], check=True)


SPEEDUPS = "experiment,fpgas,strategy,n_ok/n,n_common,geomean_common,geomean_all\n"


def test_revisions(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of two revisions, and those of a run's folder: the row that changed, and by how much."""
    before = SPEEDUPS + "fig10,4,full,2/2,2,2.0,2.0\nfig10,8,full,2/2,2,3.0,3.0\n"
    after = before.replace("3.0,3.0", "3.0,4.5")
    name = "summary_vs_single.csv"
    repository(tmp_path, {name: before}, {name: after})
    monkeypatch.chdir(tmp_path)
    code, out, _ = command("v0", "v0")
    assert (code, out) == (0, "identical: 2 rows in 1 table\n")
    code, out, _ = command("v0", "v1")
    assert code == 1
    assert "different: 1 of 2 rows in 1 table differ" in out
    assert re.search(r"summary_vs_single: fig10 8 full +geomean_all +3 +4.5 +\+50.00%", out)
    run = write_run(tmp_path / "reports", paper_rows())
    (run / "tables").mkdir()
    (run / "tables" / name).write_text(after, encoding="utf-8")
    (run / "tables" / "other.csv").write_text("a,b\nx,1\n", encoding="utf-8")
    assert command("reports", "v1")[:2] == (0, "identical: 2 rows in 1 table\n")
    assert command("reports", "v0")[0] == 1


def test_page(command: Command, tmp_path: Path) -> None:
    """The page holds the rows, escapes what is in them, and refers to nothing outside."""
    rows = paper_rows()
    changed = [rows[0] | {"reason": "<script>alert(1)</script>"}, *rows[1:]]
    one, other = write_run(tmp_path / "a", rows), write_run(tmp_path / "b", changed)
    out = tmp_path / "pages" / "diff.html"
    assert command(one, other, "--out", out)[0] == 1
    text = out.read_text(encoding="utf-8")
    assert rows[0]["workload"] in text
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    assert not re.search(r"(?:src|href)=|https?://", text)
    assert text == page(compare(read_run(str(one)), read_run(str(other))), 2_000)


def truncated(folder: Path) -> None:
    """Cut the results off in the middle."""
    path = folder / "results/results.parquet"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def older(folder: Path) -> None:
    """Let the results say that they are of an older schema."""
    path = folder / "results/results.parquet"
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"schema_version": "1"}), path)


def emptied(folder: Path) -> None:
    """Leave nothing in the folder."""
    (folder / "results/results.parquet").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (truncated, r"results\.parquet: not a readable Parquet file \(.*\); remove it and run again"),
        (older, rf"results\.parquet: results schema version 1, expected {SCHEMA_VERSION}; "),
        (emptied, r"neither results/\*\.parquet nor tables/\*\.csv is in it; name the folder"),
    ],
)
def test_spoiled_folders(
    command: Command, tmp_path: Path, spoil: Callable[[Path], None], message: str
) -> None:
    """Exit code 2 and one line that names the file; a page that is there stays as it is."""
    good, bad = write_run(tmp_path / "good", paper_rows()), write_run(tmp_path / "bad", paper_rows())
    spoil(bad)
    out = tmp_path / "diff.html"
    out.write_text("before", encoding="utf-8")
    code, printed, err = command(good, bad, "--out", out)
    assert (code, printed) == (2, "")
    assert re.match(rf"error: {re.escape(str(bad))}.*{message}", err)
    assert err.count("\n") == 1
    assert out.read_text(encoding="utf-8") == "before"


def test_neither_folder_nor_revision(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that is nothing, a file, and a revision without tables are refused, each in one line."""
    repository(tmp_path, {})
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("", encoding="utf-8")
    for name, message in (
        ("missing", "missing: no such folder, and no git revision of the repository here"),
        ("file", "file: is a file; name the folder that `snakemake reproduce-all` wrote"),
        ("v0", f"v0: the revision has no tables in {EXPECTED}"),
    ):
        code, _, err = command(name, "v0")
        assert code == 2
        assert err == f"error: {message}\n"


def test_a_page_in_place_of_a_folder(command: Command, tmp_path: Path) -> None:
    """A page whose folder is a file is exit code 2, one line."""
    run = write_run(tmp_path / "a", paper_rows())
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, _, err = command(run, run, "--out", tmp_path / "file" / "diff.html")
    assert code == 2
    assert re.match(r"error: .*diff\.html: cannot be written \(.*\)\n$", err)


def test_every_expected_table_has_its_keys() -> None:
    """The rows of each committed table are told apart by the columns that are said to do so."""
    from bench.comparison.rows import SHAPES

    for path in sorted((Path(__file__).parents[2] / EXPECTED).glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        shape = SHAPES[path.name]
        assert shape.lead in rows[0]
        assert len({tuple(row[key] for key in shape.keys) for row in rows}) == len(rows), path.name
