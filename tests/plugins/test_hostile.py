"""Plug-ins that do what they must not: each costs itself a row, and nobody else anything."""

from __future__ import annotations

import os
from multiprocessing import resource_tracker
from pathlib import Path

import pytest

from bench.experiments import Config, load_config, make_shards
from bench.isolation.client import Plugins
from bench.rows import Row
from bench.runner import run_points
from bench.sealed import read_sealed
from bench.shards import evaluate_shard
from tests.plugins.leftovers import VARIABLE, marked

HOSTILE = Path(__file__).parent / "hostile"

CONFIG = """
limits: {{seconds_per_point: 3, memory_mib: 1024}}
experiments:
  - name: small
    workloads: [lstm-32-b1-t5]
    profiles: [s10-gx2800-dac20]
    fpgas: [2]
    partitioners: [{partitioners}]
    baseline: row-wise
"""

ENDINGS = {
    "raises": ("error", "none", "ValueError: the weights are wrong (raises.py:12)"),
    "fails-at-import": ("error", "none", "RuntimeError: no licence found (fails_at_import.py:11)"),
    "loops": ("error", "timeout", "stopped after 3 s, while planning"),
    "ignores-signals": ("error", "timeout", "stopped after 3 s, while planning"),
    "eats-memory": ("error", "out of memory", "more than 1024 MiB needed"),
    "returns-nonsense": (
        "error",
        "none",
        "plan() returned dict, not a Plan or an iterator of Plans",
    ),
    "yields-nonsense": ("error", "none", "plan() yielded int, not a Plan"),
    "yields-nothing": ("error", "none", "plan() yielded no plan; raise Unsupported with the"),
    "another-cluster": ("ok", "invalid plan", "a group has device 2; the cluster has 0 to 1"),
    "exits-at-once": ("error", "crash", "the process ended with exit code 3 before plan() had returned"),
    "exits-politely": ("error", "none", "SystemExit: enough (exits_politely.py:14)"),
    "crashes": ("error", "crash", "the process was ended by SIGSEGV"),
    "deletes-folder": ("ok", "misbehaved", "deleted its working directory"),
    "deletes-folder-and-raises": (
        "error",
        "none",
        "RuntimeError: nothing is left (deletes_folder_and_raises",
    ),
    "changes-folder": ("ok", "misbehaved", "changed its working directory"),
    "prints-a-gigabyte": ("error", "misbehaved", "printed more than 16 MiB"),
    "leaves-a-child": ("ok", "misbehaved", "left a process behind, which was ended; wait for it before"),
    "leaves-a-daemon": ("ok", "misbehaved", "left a process behind, which was ended; wait for it before"),
    "hangs-with-daemons": ("error", "timeout", "stopped after 3 s, while planning"),
    "leaves-a-thread": ("ok", "misbehaved", "left a thread behind; end it before plan() returns"),
    "patches-numpy": ("ok", "misbehaved", "changed numpy.zeros, which is not its own"),
    "patches-the-emulator": (
        "ok",
        "misbehaved",
        "changed bench.evaluate.emulated_cycles, which is not its own",
    ),
    "kills-its-parent": ("error", "crash", "ended or stopped the process that watched over it"),
    "scribbles": ("error", "misbehaved", "wrote into the pipe that its plans are sent through"),
    "huge-plan": ("error", "misbehaved", "handed in a plan of more than 16 MiB"),
    "writes-to-stdout": ("ok", "none", ""),
}
"""Name -> status, termination and how the reason begins."""


def configuration(folder: Path, partitioners: str) -> Config:
    """A configuration of one point a partitioner."""
    path = folder / "mine.yaml"
    path.write_text(CONFIG.format(partitioners=partitioners), encoding="utf-8")
    return load_config(path)


@pytest.fixture(scope="module")
def hostile_rows(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Row]]:
    """The folder of a run's outputs, and the row of each hostile plug-in; one set of processes for all."""
    folder = tmp_path_factory.mktemp(f"hostile-{os.getpid()}-")
    config = configuration(folder, f'"{HOSTILE}/*.py"')
    points = [
        point for shard in make_shards(config) for point in shard.points if point.partitioner != "row-wise"
    ]
    with (
        pytest.MonkeyPatch.context() as patch,
        Plugins(config.limits, folder / "logs" / "plugins") as plugins,
    ):
        resource_tracker.ensure_running()  # one for all of the tests' workers; it stays
        patch.setenv(VARIABLE, folder.name)
        rows = {
            Path(point.partitioner).stem.replace("_", "-"): row
            for point, row in run_points(points, config.limits, plugins=plugins)
        }
    return folder, rows


def test_every_file_has_its_ending(hostile_rows: tuple[Path, dict[str, Row]]) -> None:
    """The glob found each file of the folder, and each gave one row."""
    assert set(hostile_rows[1]) == set(ENDINGS)


@pytest.mark.parametrize("name", ENDINGS)
def test_hostile_row(hostile_rows: tuple[Path, dict[str, Row]], name: str) -> None:
    """The row says what the plug-in did, in the same words each time."""
    row = hostile_rows[1][name]
    status, termination, reason = ENDINGS[name]
    assert (row["status"], row["termination"]) == (status, termination), row["reason"]
    assert row["reason"].startswith(reason)
    assert (row["reason"] == "") == (reason == "")
    assert "\n" not in row["reason"]
    assert (row["latency_s"] is None) == (name != "writes-to-stdout")


def test_nothing_is_left_running(hostile_rows: tuple[Path, dict[str, Row]]) -> None:
    """No process that was started for a plug-in, or by one, is there any more."""
    assert not marked(hostile_rows[0].name)


def test_logs_are_kept_and_bounded(hostile_rows: tuple[Path, dict[str, Row]]) -> None:
    """What a plug-in prints is in its log, a traceback too; a gigabyte is not."""
    folder, _ = hostile_rows
    logs = {path.parent.name: path for path in (folder / "logs" / "plugins").glob("*/*.log")}
    assert "ValueError: the weights are" in logs["raises"].read_text(encoding="utf-8")
    assert '{"point_id": "0"' in logs["writes-to-stdout"].read_text(encoding="utf-8")
    assert logs["prints-a-gigabyte"].stat().st_size < 100_000
    assert "the rest is left out" in logs["prints-a-gigabyte"].read_text(encoding="utf-8")


TEN = (
    "raises",
    "loops",
    "eats-memory",
    "returns-nonsense",
    "another-cluster",
    "exits-at-once",
    "deletes-folder",
    "prints-a-gigabyte",
    "leaves-a-child",
    "patches-numpy",
)
"""One of each kind: what a run must survive as if they were not there."""


def evaluate_all(folder: Path, partitioners: str) -> dict[str, bytes]:
    """Every shard of a configuration, as a run writes them: name -> bytes."""
    folder.mkdir()
    config = configuration(folder, partitioners)
    for shard in make_shards(config):
        evaluate_shard(config, shard, folder / "shards" / f"{shard.name}.jsonl", lambda *_: None)
    return {path.stem: path.read_bytes() for path in (folder / "shards").iterdir()}


def test_others_rows_are_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ten hostile plug-ins in a configuration each has its one row, and all others are as without."""
    resource_tracker.ensure_running()  # one for all of the tests' workers; it stays
    monkeypatch.setenv(VARIABLE, tmp_path.name)
    files = ", ".join(f'"{HOSTILE}/{name.replace("-", "_")}.py"' for name in TEN)
    alone = evaluate_all(tmp_path / "alone", "row-wise")
    crowded = evaluate_all(tmp_path / "crowded", f"{files}, row-wise")
    assert list(alone) == ["all--row-wise"]
    assert crowded.keys() == {"all--row-wise", *(f"all--{name}" for name in TEN)}
    assert crowded["all--row-wise"] == alone["all--row-wise"]
    for name in TEN:
        rows = read_sealed(tmp_path / "crowded" / "shards" / f"all--{name}.jsonl")
        (row,) = [one for one in rows if one["partitioner"] == name]
        assert (row["status"], row["termination"]) == ENDINGS[name][:2], row["reason"]
        assert row["reason"].startswith(ENDINGS[name][2])
        assert row["latency_s"] is None
        assert row["log"] == f"logs/plugins/{name}/{row['point_id']}.log"
        assert (tmp_path / "crowded" / row["log"]).exists()
        assert row["budget_s"] == 3.0
    assert not marked(tmp_path.name)
