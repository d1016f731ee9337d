"""The pipeline itself, on the smoke configuration, in a copy of the project.

After a change that is meant to change results, `BENCH_ACCEPT=1 pytest tests/pipeline`
replaces the golden tables; the difference is then reviewed like any other.
"""

from __future__ import annotations

import csv
import io
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.sealed import read_sealed
from tests.pipeline.copies import copy_project

GOLDEN = Path(__file__).parents[1] / "golden" / "smoke"

TABLES = ("summary_vs_single.csv", "summary_vs_conventional.csv", "numerics.csv", "failures.csv")

UNSTABLE = ("version", "source_digest", "partitioner_version", "partitioner_source")
"""Columns that change with the sources although the results do not."""

SMOKE = ("--config", "config=config/smoke.yaml", "out=out")


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    """A copy of what the pipeline needs, so that tests may edit it."""
    copy_project(root, tmp_path)
    return tmp_path


def command(*arguments: str) -> list[str]:
    """Snakemake, by the interpreter that runs the tests; targets first, `--config` is greedy."""
    return [sys.executable, "-m", "snakemake", *arguments]


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run to the end; stdout and stderr together."""
    return subprocess.run(
        command(*arguments),
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def interrupt(folder: Path) -> Path:
    """Start a run, press Ctrl-C in its middle, and return a shard that was finished by then.

    On two cores a third shard is started only when the first is finished and registered.
    """
    with subprocess.Popen(
        command("reproduce-all", "--cores", "2", *SMOKE),
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        # a test run in the background ignores Ctrl-C, and its children would inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    ) as process:
        deadline = time.monotonic() + 120
        while len(done := list((folder / "out" / "shards").glob("*.jsonl"))) < 3:
            assert process.poll() is None, "the run ended before its third shard"
            assert time.monotonic() < deadline
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=120) != 0
    return min(done, key=lambda path: path.stat().st_mtime_ns)


def stable_results(path: Path) -> str:
    """All results without the columns that name the sources."""
    rows = list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))
    names = [name for name in rows[0] if name not in UNSTABLE]
    text = io.StringIO()
    writer = csv.DictWriter(text, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def shards_to_run(output: str) -> set[str]:
    """The shards that a dry run would evaluate."""
    return {
        Path(line.split()[1]).stem for line in output.splitlines() if ".jsonl" in line and "output:" in line
    }


def add_plugin(folder: Path) -> None:
    """Write a plug-in, and add it to the first experiment of the smoke configuration."""
    plugin = "from bench.partitioners.row_wise import plan as rows\n__version__ = '7'\n"
    plugin += "def plan(workload, cluster):\n    return rows(workload, cluster)\n"
    (folder / "mine").mkdir()
    (folder / "mine" / "mine.py").write_text(plugin, encoding="utf-8")
    config = folder / "config" / "smoke.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace('["*"]', '["*", mine/mine.py]', 1), encoding="utf-8")


@pytest.mark.slow
def test_smoke_configuration(copy: Path) -> None:
    """A run that was interrupted resumes, gives the golden tables, and has nothing left to do.

    A plug-in that is added to it is all that is evaluated then, and so is one that is edited.
    """
    first = interrupt(copy)
    written = first.stat().st_mtime_ns
    run = snakemake(copy, "reproduce-all", *SMOKE)
    assert run.returncode == 0, run.stdout
    assert first.stat().st_mtime_ns == written, "a finished shard was evaluated again"
    assert not list((copy / "out").rglob("*.partial"))
    assert re.search(r"evaluating: \d+ of \d+ points", run.stdout)
    assert "jobid" not in run.stdout
    assert "speed-up: " in run.stdout  # the summary at the end
    tables = copy / "out" / "tables"
    found = {name: (tables / name).read_text(encoding="utf-8") for name in TABLES}
    found["results.csv"] = stable_results(tables / "all_results.csv")
    if os.environ.get("BENCH_ACCEPT"):
        GOLDEN.mkdir(parents=True, exist_ok=True)
        for name, text in found.items():
            (GOLDEN / name).write_text(text, encoding="utf-8")
    for name, text in found.items():
        assert text == (GOLDEN / name).read_text(encoding="utf-8"), name
    assert "site/index.html" in (copy / "out" / "index.html").read_text()
    assert (copy / "out" / "site" / "index.html").stat().st_size > 1000

    assert "Nothing to be done" in snakemake(copy, "-n", "reproduce-all", *SMOKE).stdout

    add_plugin(copy)
    dry = snakemake(copy, "-n", "reproduce-all", *SMOKE)
    assert shards_to_run(dry.stdout) == {"all--mine"}, dry.stdout
    kept = {path: path.stat().st_mtime_ns for path in (copy / "out" / "shards").iterdir()}
    shard = snakemake(copy, "out/shards/all--mine.jsonl", *SMOKE)
    assert shard.returncode == 0, shard.stdout
    assert all(path.stat().st_mtime_ns == written for path, written in kept.items())
    rows = read_sealed(copy / "out/shards/all--mine.jsonl")
    assert len(rows) == 9
    assert all((row["status"], row["partitioner_version"]) == ("ok", "7") for row in rows)
    assert all((copy / "out" / row["log"]).exists() for row in rows)

    for edited in ("mine/mine.py", "bench/partitioners/row_wise.py"):
        with (copy / edited).open("a", encoding="utf-8") as file:
            file.write("# an edit\n")
    dry = snakemake(copy, "-n", "reproduce-all", *SMOKE)
    assert shards_to_run(dry.stdout) == {"all--mine", "all--row-wise"}


def test_dry_run_and_lint(copy: Path) -> None:
    """The literal command of the README plans everything, with no flag and no finding of the linter."""
    dry = snakemake(copy, "reproduce-all", "-n")
    assert dry.returncode == 0, dry.stdout
    assert "all--full" in shards_to_run(dry.stdout)
    assert "rule baselines" not in dry.stdout
    timed = snakemake(copy, "tables", "-n", "--config", "config=config/smoke.yaml", "baselines=measure")
    assert "rule baselines" in timed.stdout
    wrong = snakemake(copy, "tables", "-n", "--config", "baselines=maybe")
    assert "error: baselines=maybe; expected stored or measure" in wrong.stdout
    lint = snakemake(copy, "--lint")
    assert lint.returncode == 0, lint.stdout


def test_folder_of_ones_own(root: Path, tmp_path: Path) -> None:
    """A configuration elsewhere is run there, on the suite's inputs, whatever modules lie beside it."""
    (tmp_path / "bench").mkdir()
    for name in ("bench/__init__.py", "random.py"):
        (tmp_path / name).write_text("raise SystemExit('taken for another module')\n", encoding="utf-8")
    cluster = "profiles: [s10-gx2800-dac20], fpgas: [2]"
    mine = f"{{name: mine, workloads: [lstm-64-b1-t5], {cluster}, partitioners: [row-wise]}}"
    text = f"notebooks: [notebooks/d*.ipynb]\nexperiments:\n- {mine}\n"
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    own = ("-s", str(root / "Snakefile"), "--configfile", "mine.yaml", "--config", "out=there")
    program = [str(Path(sys.executable).with_name("snakemake")), "reproduce-all", *own]
    dry = subprocess.run([*program, "-n"], cwd=tmp_path, text=True, capture_output=True, check=False)
    assert shards_to_run(dry.stdout + dry.stderr) == {"all--row-wise", "all--single"}, dry.stderr
    assert "rule figures" in dry.stdout + dry.stderr
    results = [*program[:1], "there/results/results.parquet", *own]
    done = subprocess.run(results, cwd=tmp_path, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "mine" in done.stdout
    assert {path.name for path in tmp_path.iterdir()} >= {"there", "mine.yaml", "bench", "random.py"}
    assert not (tmp_path / "reports").exists()


def test_bad_configuration_writes_nothing(copy: Path) -> None:
    """A configuration with a mistake is refused with its message before anything is written."""
    text = (copy / "config" / "smoke.yaml").read_text(encoding="utf-8")
    (copy / "config" / "bad.yaml").write_text(text.replace("row-wise", "row-wide", 1), encoding="utf-8")
    run = snakemake(copy, "reproduce-all", "--config", "config=config/bad.yaml", "out=out")
    assert run.returncode != 0
    assert "unknown partitioner 'row-wide'; did you mean 'row-wise'" in run.stdout
    assert "Traceback" not in run.stdout
    assert not (copy / "out").exists()
