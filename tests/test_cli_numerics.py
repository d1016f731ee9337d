"""`bench numerics`, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.test_cli import ONE_POINT, bench

NUMERICS = ["numerics", "--workload", "lstm-96-b2-t9", "--fpgas", "3", "--partitioner"]


@pytest.mark.parametrize(
    ("options", "said", "layer"),
    [
        (["row-wise"], "int8, 4 steps, scaled down", "every bit"),
        (["column-wise", "--full-size"], "int8, 9 steps, full size", "every bit"),
        (["column-wise", "--full-size", "--steps", "5"], "int8, 5 steps, full size", "every bit"),
        (["column-wise", "--format", "float32"], "numbers  within 1e-5", "within"),
        (["row-wise", "--format", "bfp5"], "numbers  within 1e-5 in float32", "every bit"),
    ],
)
def test_numerics(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    said: str,
    layer: str,
) -> None:
    """A table a layer, in the format and at the size that were asked for, and the same as JSON."""
    code, out, _ = bench(capsys, monkeypatch, *NUMERICS, *options)
    assert code == 0
    assert said in out
    assert layer in next(line for line in out.splitlines() if line.startswith("lstm ")).partition("lstm")[2]
    assert " dB" in out
    code, out, _ = bench(capsys, monkeypatch, *NUMERICS, *options, "--json")
    value = json.loads(out)
    assert code == 0
    assert [entry["layer"] for entry in value["layers"]] == ["lstm"]
    assert value["layers"][0]["deviation"] <= 1e-5
    assert value["layers"][0]["snr_db"] > 0


def test_numerics_of_a_wrong_plan(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Rows in the wrong order on one device: validate (exit 2) and numerics (exit 1) name the place."""
    from bench.numerics import numbers

    def swapped(self: numbers.Numbers, layer: object, product: object, rows: object, cols: object) -> object:
        values = block(self, layer, product, rows, cols)  # type: ignore[arg-type]
        return values if rows[0] == 0 else values[::-1]  # type: ignore[index]

    path = tmp_path / "plan.json"
    bench(capsys, monkeypatch, *ONE_POINT, "--save-plan", str(path))
    block = numbers.Numbers.block
    monkeypatch.setattr(numbers.Numbers, "block", swapped)
    from bench.numerics import check

    check._verdict.cache_clear()
    code, out, err = bench(capsys, monkeypatch, "validate", str(path))
    check._verdict.cache_clear()
    assert (code, out) == (2, "")
    assert "wrong numbers: layer 'lstm', h at time 0" in err
    assert "(device 1)" in err
    code, out, _ = bench(capsys, monkeypatch, "numerics", "--plan", str(path))
    assert code == 1
    assert "numbers  failed: layer 'lstm', h at time 0" in out


def test_numerics_without_a_plan(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal is exit code 1 with the partitioner's words; what is missing or unknown is 2."""
    skip = "deepbench-skip-input/inference_server/lstm-512-b1-t25"
    code, out, _ = bench(
        capsys, monkeypatch, "numerics", "--workload", skip, "--partitioner", "input-wise", "--fpgas", "2"
    )
    assert code == 1
    assert out.startswith("no result: unsupported: ")
    for arguments, message in (
        (["numerics"], "give --workload and --partitioner, or --plan"),
        ([*NUMERICS, "row-wise", "--plan", "plan.json"], "leave --workload, --partitioner, --param"),
        (["numerics", "--fpgas", "3", "--plan", "plan.json"], "--plan has its own workload, partitioner and"),
        ([*NUMERICS, "row-wise", "--format", "int9"], "unknown format 'int9'; did you mean 'int8'"),
    ):
        code, out, err = bench(capsys, monkeypatch, *arguments)
        assert (code, out) == (2, "")
        assert message in err


def test_numerics_of_files_that_do_not_fit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A file that is no plan, and a plan for another workload: one line each, nothing printed."""
    path = tmp_path / "plan.json"
    command = ["run", "--workload", "lstm-64-b1-t5", "--partitioner", "single", "--save-plan", str(path)]
    assert bench(capsys, monkeypatch, *command)[0] == 0
    text = path.read_text(encoding="utf-8")
    for content, message in (
        ('{"a": 1}', "plan.json: is no plan; expected a file that `bench run --save-plan` wrote"),
        (
            text.replace("lstm-64-b1-t5", "lstm-32-b1-t5"),
            "plan.json: no plan for lstm-32-b1-t5: layer 'lstm'",
        ),
        (text.replace("lstm-64-b1-t5", "dac20/decoder-8"), "no plan for dac20/decoder-8: there is no layer"),
    ):
        path.write_text(content, encoding="utf-8")
        code, out, err = bench(capsys, monkeypatch, "numerics", "--plan", str(path))
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err
