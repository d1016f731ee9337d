"""The command line, as a user types it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench import cli
from bench.threads import VARIABLES

ROOT = Path(__file__).parents[1]

ONE_POINT = ["run", "--workload", "lstm-512-b1-t25", "--fpgas", "2", "--partitioner", "row-wise"]


def bench(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str
) -> tuple[int, str, str]:
    """Exit code, stdout, stderr of the command, run in this process."""
    monkeypatch.setattr(sys, "argv", ["bench", *arguments])
    with pytest.raises(SystemExit) as done:
        cli.main()
    captured = capsys.readouterr()
    return int(done.value.code or 0), captured.out, captured.err


@pytest.mark.parametrize("what", ["workloads", "profiles", "partitioners", "topologies", "formats"])
def test_list(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    """Every list has a line for each name, with something about it, and the same as JSON."""
    code, out, _ = bench(capsys, monkeypatch, "list", what)
    names = [line.split()[0] for line in out.splitlines()]
    assert code == 0
    assert names
    assert all(len(line.split()) > 1 for line in out.splitlines())
    _, as_json, _ = bench(capsys, monkeypatch, "list", what, "--json")
    assert [entry["name"] for entry in json.loads(as_json)] == names


def test_names_that_the_tables_use(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The documented profiles and partitioners are there."""
    _, profiles, _ = bench(capsys, monkeypatch, "list", "profiles")
    for name in ("s10-gx2800-dac20", "s10-gx2800-fccm19", "brainwave-s10", "s10-mx2100", "s10-nx2100"):
        assert name in profiles
    _, partitioners, _ = bench(capsys, monkeypatch, "list", "partitioners")
    for name in ("single", "layer-wise", "input-wise", "gate-wise", "row-wise", "column-wise", "full"):
        assert name in partitioners


def test_show(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A workload and a profile print all their values."""
    _, out, _ = bench(capsys, monkeypatch, "show", "workload", "dac20/blstm-4")
    assert "hidden_size: 2048" in out
    _, as_json, _ = bench(capsys, monkeypatch, "show", "profile", "s10-gx2800-dac20", "--json")
    assert json.loads(as_json)["clock_mhz"] == 275.0


def test_run_explains(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The explanation names latency, units and links."""
    code, out, _ = bench(capsys, monkeypatch, *ONE_POINT)
    assert code == 0
    for part in ("latency", "cycles", "utilization", "communication", "matrix unit", "0 -> 1"):
        assert part in out
    assert "exact: every bit as without a plan (int8, scaled down)" in out


def test_run_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One JSON object with the promised keys; parameters and latency are taken over."""
    options = ["--param", "software_pipelining=true", "--link-latency-ns", "250", "--json"]
    code, out, _ = bench(capsys, monkeypatch, *ONE_POINT, *options)
    value = json.loads(out)
    assert code == 0
    expected = {"workload": "lstm-512-b1-t25", "fpgas": 2, "topology": "ring", "status": "ok"}
    assert {key: value[key] for key in expected} == expected
    assert value["parameters"] == {"software_pipelining": True}
    assert value["link_latency_ns"] == 250.0
    assert value["numerics"] == "exact"
    assert value["numerics_full_size"] is False
    for key in ("latency_s", "cycles", "cycles_per_step", "utilization", "communication_share", "plan_id"):
        assert value[key] is not None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--partitioner", "rowwise"], "unknown partitioner 'rowwise'; did you mean 'row-wise'"),
        (["--workload", "dac20/blstm-5"], "did you mean 'dac20/blstm-4'"),
        (["--profile", "s10"], "unknown profile 's10'"),
        (["--topology", "rings"], "unknown topology 'rings'; did you mean 'ring'"),
        (["--topology", "switch", "--fpgas", "100000"], "100000"),
        (["--link", "nothing"], "unknown link 'nothing'"),
        (["--param", "software_pipelinin=true"], "did you mean 'software_pipelining'"),
        (["--param", "software_pipelining"], "expected KEY=VALUE"),
        (["--param", "software_pipelining=[1]"], "--param software_pipelining"),
    ],
)
def test_mistakes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    """One message on stderr, exit code 2, nothing on stdout."""
    code, out, err = bench(capsys, monkeypatch, *ONE_POINT, *arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert "Traceback" not in err


def test_plan_round_trip(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A saved plan is valid; with a block taken out it has a gap."""
    path = tmp_path / "plan.json"
    bench(capsys, monkeypatch, *ONE_POINT, "--save-plan", str(path))
    code, out, _ = bench(capsys, monkeypatch, "validate", str(path))
    said = "numbers exact: every bit as without a plan (int8, scaled down)"
    assert (code, out) == (0, f"{path}: valid plan; {said}\n")
    code, out, _ = bench(capsys, monkeypatch, "numerics", "--plan", str(path))
    assert code == 0
    assert "numbers  exact: every bit as without a plan" in out
    plan = json.loads(path.read_text(encoding="utf-8"))
    removed = plan["blocks"].pop()
    path.write_text(json.dumps(plan) + "\n", encoding="utf-8")
    code, out, err = bench(capsys, monkeypatch, "validate", str(path))
    assert (code, out) == (2, "")
    assert removed["layer"] in err
    assert removed["matrix"] in err


def test_validate_shipped_files(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file of the project is valid, and recognised as what it is."""
    kinds = {"models": "workload", "hw_profiles": "profile", "config": "(?:configuration|sweep)"}
    for folder, kind in kinds.items():
        files = [str(path) for path in sorted((ROOT / folder).glob("*.yaml"))]
        code, out, err = bench(capsys, monkeypatch, "validate", *files)
        assert (code, err) == (0, "")
        assert len(re.findall(rf": valid {kind}(?:; .*)?\n", out)) == len(files) > 0


def test_validate_reports_all_files(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A cut-off profile, an unknown key and a file of no kind: three messages, exit code 2."""
    profile = (ROOT / "hw_profiles" / "s10-mx2100.yaml").read_text(encoding="utf-8")
    (tmp_path / "cut.yaml").write_text(profile[: len(profile) // 2], encoding="utf-8")
    smoke = (ROOT / "config" / "smoke.yaml").read_text(encoding="utf-8")
    (tmp_path / "key.yaml").write_text(smoke.replace("    fpgas:", "    fpga:"), encoding="utf-8")
    (tmp_path / "what.yaml").write_text("colour: red\n", encoding="utf-8")
    files = [str(tmp_path / name) for name in ("cut.yaml", "key.yaml", "what.yaml")]
    code, out, err = bench(capsys, monkeypatch, "validate", *files)
    assert (code, out) == (2, "")
    assert all(name in err for name in ("cut.yaml", "key.yaml", "what.yaml"))
    assert "did you mean 'fpgas'" in err
    assert "Traceback" not in err


def test_validate_leaves_onnx_files_to_import(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An ONNX file is no YAML: one line that names the command for it; a missing one is missing."""
    path = tmp_path / "m.onnx"
    assert "m.onnx: no such file" in bench(capsys, monkeypatch, "validate", str(path))[2]
    path.write_bytes(b"\x08\xff")
    code, out, err = bench(capsys, monkeypatch, "validate", str(path))
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"`bench import {path}`" in err


@pytest.mark.parametrize(
    "command",
    [
        ["run", "--workload", "nothing", "--partitioner", "single"],
        ["search", "nothing"],
        ["explain", "nothing"],
        ["numerics", "--workload", "nothing", "--partitioner", "single"],
        ["validate", "nothing.yaml"],
        ["pipeline", "accuracy", "nothing.yaml", "out.jsonl"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_one_thread(command: list[str], tmp_path: Path) -> None:
    """Commands that compute ask for one thread before numpy, which reads that once, is loaded."""
    code = (
        "import os, sys; from bench import cli, threads; set_one = cli.use_one_thread\n"
        "def watched(): print('numpy' in sys.modules); set_one()\n"
        "cli.use_one_thread = watched\n"
        f"sys.argv = ['bench', *{command!r}]\n"
        "try: cli.main()\n"
        "except SystemExit: print(*(os.environ[name] for name in threads.VARIABLES))"
    )
    # what this run of the tests has set must not be inherited
    environment = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=environment,
    )
    assert done.stdout.split() == ["False", "1", "1", "1", "1"]


def test_every_command_shows_an_example(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """--help of each command ends with an example."""
    commands = [["list"], ["show"], ["run"], ["search"], ["explain"], ["numerics"]]
    commands += [["import"], ["export"], ["validate"], ["summary"]]
    steps = ("shards", "evaluate", "collect", "accuracy", "check", "schema")
    commands += [["pipeline", name] for name in steps]
    for command in commands:
        code, out, _ = bench(capsys, monkeypatch, *command, "--help")
        assert code == 0
        assert f"Example: bench {' '.join(command)}" in " ".join(out.split())


@pytest.mark.parametrize("what", ["workloads", "profiles", "partitioners", "topologies", "formats"])
def test_list_starts_quickly(what: str) -> None:
    """Listing imports neither numba nor pandas: those take a second."""
    code = (
        f"import sys; from bench.commands.listing import list_names; list_names({what!r}, as_json=True);"
        "print(sorted({'numba', 'pandas', 'matplotlib', 'pyarrow'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stderr.strip() == "[]"


def test_summary_without_results(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Summing up a folder without results says what to run."""
    code, _, err = bench(capsys, monkeypatch, "summary", str(tmp_path))
    assert code == 2
    assert "snakemake reproduce-all" in err


def test_summary_counts_numbers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Plans whose numbers are right are counted, one whose numbers are wrong is named with its reason."""
    from bench.experiments import Point
    from bench.results.store import write_results
    from bench.rows import evaluate_point, request_columns

    points = [
        Point("gru-64-b1-t5", "s10-gx2800-dac20", "ring", "dac20-ring", 1000.0, n, "row-wise") for n in (1, 2)
    ]
    right, wrong = [request_columns("mine", point, "digest") | evaluate_point(point) for point in points]
    wrong |= {"termination": "wrong numbers", "reason": "row 3 is 1", "numerics": "failed: row 3 is 1"}
    write_results([right, wrong | {"latency_s": None}], tmp_path / "results" / "results.parquet")
    code, out, _ = bench(capsys, monkeypatch, "summary", str(tmp_path))
    assert code == 0
    assert "numbers: 1 of 2 plans checked are right (1 in every bit), 2 checked at full size" in out
    where = "gru-64-b1-t5 on 2 x s10-gx2800-dac20, row-wise"
    assert f"wrong numbers: mine: {where}: row 3 is 1" in out


def test_summary_says_what_it_amounts_to(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The best speed-up, failures by reason, the deviation and claims, as text and as JSON."""
    from bench.results.store import write_results
    from tests.results.factory import make_row

    rows = [make_row(latency_s=8e-3), make_row(fpgas=4, partitioner="row-wise", latency_s=2e-3)]
    rows.append(make_row(fpgas=2, partitioner="full", termination="timeout", reason="after 5 s"))
    rows.append(make_row(fpgas=2, partitioner="gate-wise", status="unsupported", reason="no gates"))
    write_results(rows, tmp_path / "results" / "results.parquet")
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "paper_summary.csv").write_text(
        "figure,points,emulated,within_15pct_or_step,mean_abs_deviation_pct\n"
        '"7, 8, 10, 11",112,112,0.9,6.5\n',
        encoding="utf-8",
    )
    (tmp_path / "claims.csv").write_text(
        "id,claim,relation,expected,tolerance,got,result,source\na,b,within,1,,1,pass,c\nd,e,within,1,,2,fail,f\n",
        encoding="utf-8",
    )
    code, out, _ = bench(capsys, monkeypatch, "summary", str(tmp_path))
    assert code == 0
    assert "speed-up: 4.00 x over one FPGA: dac20/lstm-2048 on 4 x s10-gx2800-dac20, " in out
    assert "deviation: 6.5 % on average from the 112 points of Figs. 7, 8, 10, 11; 90.0% within" in out
    assert "no result: 1 point: timeout, for example: after 5 s" in out
    assert "no gates" not in out
    _, as_json, _ = bench(capsys, monkeypatch, "summary", str(tmp_path), "--json")
    value = json.loads(as_json)
    counts = {"points": 4, "solved": 2, "unsupported": 1, "failed": 1}
    assert value["experiments"][-1] == {"experiment": "all", **counts}
    assert [best["speedup"] for best in value["best_speedups"]] == [4.0]
    assert value["failures"] == [{"termination": "timeout", "reason": "after 5 s", "points": 1}]
    assert (value["claims"], value["failed_claims"]) == ({"hold": 1, "all": 2}, ["d"])
    assert value["files"]["tables"] == str(tmp_path / "tables")
