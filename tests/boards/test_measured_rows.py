"""Measured rows: which points, on what, and the table that sets them beside emulated ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench.boards.found import Boards
from bench.boards.measure import TIMES
from bench.boards.platforms import Device, Kind
from bench.boards.rows import measured_rows
from bench.boards.wanted import boards_digest, wanted_points
from bench.cli import app
from bench.errors import UserError
from bench.experiments import Config, load_config
from bench.results.boards import measured
from bench.sealed import read_sealed
from tests.boards.opencl import requires_pocl

TEXT = """
boards: {{backend: {backend}, repeats: 2, warm_up: 1{more}}}
experiments:
  - name: one
    group: one
    workloads: [rnn-32-b1-t4]
    profiles: [s10-gx2800-dac20, brainwave-s10]
    fpgas: [2]
    partitioners: [row-wise]
  - name: other
    group: one
    workloads: [gru-32-b1-t4]
    profiles: [s10-gx2800-dac20]
    fpgas: [1]
    partitioners: [row-wise]
"""


def configuration(folder: Path, backend: str, more: str = "") -> Path:
    """A file with a section ``boards``."""
    path = folder / "boards.yaml"
    path.write_text(TEXT.format(backend=backend, more=more), encoding="utf-8")
    return path


def quiet(done: int, total: int, failed: int) -> None:
    """No progress."""


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any device."""
    for module in ("bench.boards.wanted", "bench.boards.found"):
        monkeypatch.setattr(f"{module}.find_boards", lambda *_: "no board is here")


def test_points_are_those_of_the_named_experiments(tmp_path: Path) -> None:
    """Without names all are; a name that is none is refused with the file."""
    everything = load_config(configuration(tmp_path, "auto"))
    assert {p.workload for p in wanted_points(everything)} == {"rnn-32-b1-t4", "gru-32-b1-t4"}
    chosen = load_config(configuration(tmp_path, "auto", ", experiments: [other]"))
    assert set(wanted_points(chosen).values()) == {"other"}
    with pytest.raises(UserError, match=r"boards\.yaml: boards: experiments: 'fig7' is none of one, other"):
        load_config(configuration(tmp_path, "auto", ", experiments: [fig7]"))


@pytest.mark.usefixtures("nothing")
def test_a_machine_without_boards_has_no_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says so, the file is there and whole, and the command succeeds."""
    assert measured_rows(load_config(configuration(tmp_path, "auto")), quiet) == []
    assert capsys.readouterr().err == "nothing measured: no board is here\n"
    output = tmp_path / "boards.jsonl"
    result = CliRunner().invoke(
        app, ["pipeline", "measure", str(configuration(tmp_path, "auto")), str(output)]
    )
    assert result.exit_code == 0, result.output
    assert read_sealed(output) == []


def test_boards_that_appear_are_measured_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job's digest knows the devices, and the settings."""
    config = load_config(configuration(tmp_path, "auto"))
    digests = []
    for found in ("no board is here", Boards(Kind.BOARD, (board(),))):
        monkeypatch.setattr("bench.boards.wanted.find_boards", lambda *_, found=found: found)
        digests.append(boards_digest(config))
    longer = load_config(configuration(tmp_path, "auto", ", seconds: 5"))
    assert len({*digests, boards_digest(longer)}) == 3


def board() -> Device:
    """A board as Intel's driver shows it."""
    return Device(
        platform_index=0,
        index=0,
        platform="Intel(R) FPGA SDK for OpenCL(TM)",
        platform_version="OpenCL 1.0",
        name="p520_hpc_sg280l : BittWare Stratix 10 (aclbitt_s10_pcie0)",
        kind=Kind.BOARD,
        driver="20.4",
        board="p520_hpc_sg280l",
        slot="aclbitt_s10_pcie0",
        memory_bytes=2**35,
        channels=True,
        fp64=True,
    )


@requires_pocl
def test_rows_on_another_opencl_device(tmp_path: Path) -> None:
    """Each point has a row beside its emulated latency: measured, or why not."""
    rows = measured_rows(load_config(configuration(tmp_path, "opencl")), quiet)
    outcomes = {(row["workload"], row["profile"], row["fpgas"]): row for row in rows}
    good = outcomes["rnn-32-b1-t4", "s10-gx2800-dac20", 2]
    assert (good["backend"], good["status"], good["termination"]) == ("CPU", "ok", "none")
    assert good["latency_median_s"] > 0
    assert 0 < good["emulated_latency_s"] < 1e-3
    other = outcomes["rnn-32-b1-t4", "brainwave-s10", 2]
    assert other["status"] == "unsupported"
    assert other["latency_median_s"] is None
    table = measured(rows)
    assert table["deviation"].isna().all()  # of a CPU, it would mean nothing
    assert set(table["outcome"]) >= {"every bit right"}


def test_too_few_boards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One board for a program of two: the row says so; no bitstream: the row names the command."""
    monkeypatch.setattr(
        "bench.boards.wanted.find_boards", lambda *_: Boards(Kind.BOARD, (board(),), None, tmp_path)
    )
    rows = measured_rows(load_config(configuration(tmp_path, "auto")), quiet)
    reasons = {(row["workload"], row["profile"], row["fpgas"]): row["reason"] for row in rows}
    assert reasons["rnn-32-b1-t4", "s10-gx2800-dac20", 2] == "needs 2 boards; this machine has 1"
    assert "bench boards build --board p520_hpc_sg280l" in reasons["gru-32-b1-t4", "s10-gx2800-dac20", 1]
    assert {row["status"] for row in rows} == {"unsupported"}


def test_the_deviation_is_of_boards_alone() -> None:
    """A board's median against the emulated latency; nothing for an emulated FPGA."""
    row: dict[str, object] = {
        "workload": "lstm-512-b1-t25",
        "partitioner": "row-wise",
        "parameters": "{}",
        "fpgas": 2,
        "profile": "p",
        "topology": "ring",
        "device": "d",
        "driver": "1",
        "repeats": 20,
        "warm_up": 3,
        "status": "ok",
        "termination": "none",
        "reason": None,
        **dict.fromkeys(TIMES, 1.0),
        "latency_median_s": 3e-6,
        "emulated_latency_s": 2e-6,
    }
    table = measured([row | {"device_kind": "board"}, row | {"device_kind": "emulated FPGA"}])
    assert table["deviation"].tolist()[0] == pytest.approx(0.5)
    assert table["deviation"].isna().tolist() == [False, True]


def test_a_configuration_without_the_section() -> None:
    """The error says what to add."""
    config = Config.model_validate(
        {
            "experiments": [
                {"name": "a", "workloads": ["x"], "profiles": ["y"], "fpgas": [1], "partitioners": ["z"]}
            ]
        }
    )
    with pytest.raises(UserError, match="add a section boards"):
        measured_rows(config, quiet)


def test_backends_that_do_not_exist(tmp_path: Path) -> None:
    """`bench boards run --on` names those that there are, a configuration the file and key."""
    result = CliRunner().invoke(
        app, ["boards", "run", "--workload", "rnn-32-b1-t4", "--partitioner", "single", "--on", "fpga"]
    )
    assert isinstance(result.exception, UserError)
    assert "--on fpga: expected auto, fpga-emulator, opencl" in str(result.exception)
    with pytest.raises(UserError, match=r"boards\.backend"):
        load_config(configuration(tmp_path, "fpga"))
