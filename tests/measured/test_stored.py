"""Tests of stored times: what is written is read again, and what is damaged is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.baselines.stored import (
    STORED,
    Row,
    _rows,
    default_label,
    joined,
    read_description,
    read_machines,
    write_machine,
)
from bench.errors import UserError
from bench.workloads.catalogue import load_workload

MACHINE = {"processor": "A", "cores": 2}
ROW = Row(
    workload="lstm-512-b1-t25",
    engine="numpy",
    version="2",
    device="cpu",
    precision="float32",
    threads=1,
    batch=1,
    macs=25 * 8 * 512 * 512,
    status="ok",
    rounds=3,
    warmup_rounds=1,
    median_s=0.25,
    least_s=0.125,
    iqr_s=0.0625,
    p99_s=0.5,
    deviation=1e-7,
    load_average=1.5,
)
REFUSED = replace(
    Row(*list(vars(ROW).values())[:8], status="unsupported"), engine="torch", reason="layer 'a', no module"
)


def test_rows_are_read_as_written(tmp_path: Path) -> None:
    """Times, reasons with commas, and missing values come back; the label becomes a column."""
    write_machine(tmp_path, "one", MACHINE, [ROW, REFUSED])
    write_machine(tmp_path, "two", MACHINE, [ROW])
    frame = read_machines(tmp_path)
    assert frame["machine"].tolist() == ["one", "one", "two"]
    assert _rows(frame) == [ROW, REFUSED, ROW]
    assert read_description(tmp_path, "one") == MACHINE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.csv", "one.json", "two.csv", "two.json"]


@given(st.floats(1e-7, 1e3))
def test_times_keep_six_digits(seconds: float) -> None:
    """A time is stored to six significant digits, whatever its size."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        write_machine(Path(folder), "one", MACHINE, [replace(ROW, median_s=seconds)])
        assert read_machines(Path(folder))["median_s"][0] == pytest.approx(seconds, rel=1e-5)


def test_no_machine_is_an_empty_frame(tmp_path: Path) -> None:
    """A folder without files has no rows, and the columns of one that has."""
    assert read_machines(tmp_path).empty
    assert "median_s" in read_machines(tmp_path)


def test_adding_keeps_other_rows(tmp_path: Path) -> None:
    """Rows of the same workload, engine and threads are replaced, others stay in front."""
    write_machine(tmp_path, "one", MACHINE, [ROW, REFUSED])
    again, other = replace(ROW, median_s=0.3), replace(ROW, threads=2)
    assert joined(tmp_path, "one", MACHINE, [again, other]) == [REFUSED, again, other]
    assert joined(tmp_path, "new", MACHINE, [ROW]) == [ROW]


def test_another_machine_is_not_added_to(tmp_path: Path) -> None:
    """Times of a machine that is described in another way do not join those of this one."""
    write_machine(tmp_path, "one", MACHINE, [ROW])
    with pytest.raises(UserError, match=r"one\.json: cores was 2 and is 4; leave out --add"):
        joined(tmp_path, "one", {**MACHINE, "cores": 4}, [ROW])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("median_s", "median_ms", r"one\.csv: columns .*'median_ms'"),
        ("0.25", "soon", r"one\.csv: .*soon"),
        (",ok,", ",fine,", r"one\.csv: status 'fine', expected one of ok"),
    ],
)
def test_damaged_rows_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    """Other columns, a text for a time and an unknown status name the file and what to do."""
    path = write_machine(tmp_path, "one", MACHINE, [ROW])[1]
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=f"{message}.*measure again"):
        read_machines(tmp_path)


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_rows_need_a_description(tmp_path: Path, text: str | None) -> None:
    """Times of a machine that nothing is known of are not shown."""
    description = write_machine(tmp_path, "one", MACHINE, [ROW])[0]
    description.unlink() if text is None else description.write_text(text)
    with pytest.raises(UserError, match=r"one\.json: .*measure again"):
        read_machines(tmp_path)


@pytest.mark.parametrize("label", ["", "../up", "A B", "-a"])
def test_labels_are_file_names(tmp_path: Path, label: str) -> None:
    """A label that is no plain name is refused before anything is written."""
    with pytest.raises(UserError, match="small letters and digits"):
        write_machine(tmp_path / "new", label, MACHINE, [ROW])
    assert not (tmp_path / "new").exists()


def test_default_label() -> None:
    """Processor, cores and GPU, without trade marks."""
    machine = {"processor": "Intel(R) Xeon(R) CPU @ 2.20GHz", "cores": 4, "gpu": "NVIDIA H100"}
    assert default_label(machine) == "intel-xeon-cpu-2-20ghz-4-cores-nvidia-h100"


def test_shipped_times_are_whole() -> None:
    """Stored machines are described, networks are those of today, and a row without a time says why."""
    frame = read_machines(STORED)
    assert len(frame)
    for row in _rows(frame):
        assert load_workload(row.workload).macs == row.macs
        assert (row.status == "ok") == (row.median_s is not None) == (row.reason == "")
        if row.median_s is not None:
            assert row.rounds is not None
            assert row.rounds >= 3
            assert row.least_s is not None
            assert row.p99_s is not None
            assert row.least_s <= row.median_s <= row.p99_s
    for path in STORED.glob("*.json"):
        description = json.loads(path.read_text())
        assert {"processor", "cores", "memory_mib", "system", "packages"} <= description.keys()
        assert not {"node", "release"} & description.keys()


def test_shipped_times_cover_the_problems() -> None:
    """Every inference-server problem at batch 1 has a time or a reason for each engine of a machine's CPU."""
    from bench.baselines.measure import chosen_workloads

    frame = read_machines(STORED)
    problems = set(chosen_workloads(["deepbench/inference_server/*-b1-*"]))
    for _, rows in frame[frame["device"] == "cpu"].groupby(["machine", "engine"]):
        assert problems <= set(rows["workload"])
