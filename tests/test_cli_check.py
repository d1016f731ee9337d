"""`bench check` and `bench plan check`, as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.experiments import Limits
from tests.docs.markdown import run

RUN = "bench run --workload rnn-24-b1-t5 --fpgas 2 --partitioner row-wise --save-plan"


@pytest.fixture
def plans(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a plan in the folder ``plans``."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plans").mkdir()
    assert run(f"{RUN} plans/two.json")[0] == 0
    return tmp_path


def edit(path: Path, **values: object) -> None:
    """Replace keys of a plan; those that are None go."""
    value = json.loads(path.read_text(encoding="utf-8")) | values
    kept = {key: content for key, content in value.items() if content is not None}
    path.write_text(json.dumps(kept), encoding="utf-8")


def test_a_partitioner_conforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A table, the verdict, and exit code 0."""
    monkeypatch.chdir(tmp_path)
    code, output = run("bench check single --every 16 --param software_pipelining=true")
    assert code == 0
    assert output.splitlines()[0].startswith("single: ")
    assert output.splitlines()[-1] == "single conforms"
    assert "numbers" in output


def test_a_partitioner_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit code 1, and below the table the reason, the fix, and the command that shows it again."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("def plan(workload, cluster):\n    return None\n", encoding="utf-8")
    code, output = run("bench check mine.py --every 16 --json")
    assert (code, json.loads(output)["passed"]) == (1, False)
    code, output = run("bench check mine.py --every 16")
    assert code == 1
    assert "plan() returned NoneType, not a Plan or an iterator of Plans" in output
    assert "\n  fix: return a Plan, or yield Plans" in output
    assert "\n  bench run --partitioner mine.py --workload " in output
    assert output.splitlines()[-1] == "mine does not conform: answers"


def test_targets_that_are_files(plans: Path) -> None:
    """Plans, a workload and a profile are tried; what is wrong or missing is said, with a fix."""
    code, output = run("bench check plans/")
    assert (code, output.splitlines()[-1]) == (0, "plans conforms")
    Path("net.yaml").write_text(
        "name: net\nsteps: 3\nlayers: [{name: a, cell: lstm, input_size: 4, hidden_size: 4}]\n",
        encoding="utf-8",
    )
    code, output = run("bench check net.yaml")
    assert (code, output.splitlines()[-1]) == (0, "net conforms")
    assert "1 exact, 0 within 1e-5 of 1 plans" in output
    Path("mine.yaml").write_text("extends: s10-gx2800-dac20\nname: mine\n", encoding="utf-8")
    code, output = run("bench check mine.yaml --json")
    value = json.loads(output)
    assert (code, value["passed"], value["tried"]) == (0, True, 3)
    Path("mine.yaml").write_text("extends: s10-gx2800-dac20\nclok: 3\n", encoding="utf-8")
    code, output = run("bench check mine.yaml")
    assert code == 1
    assert "form: mine.yaml: clok: unknown key; did you mean 'clock'? (line 2)\n  fix: " in output
    assert run("bench check none.py")[0] == 2


def test_a_plan_is_right(plans: Path) -> None:
    """Step latency, bound, memory and notes; as JSON too, with the cycles that `bench run` says."""
    edit(plans / "plans/two.json", notes=["rows, as ever"])
    code, output = run("bench plan check plans/two.json")
    assert code == 0
    for word in ("right; rnn-24-b1-t5 on 2 x", "step latency", "bound", "memory", "exact", "rows, as ever"):
        assert word in output
    code, output = run("bench plan check plans --json")
    (value,) = json.loads(output)
    code, output = run("bench run --workload rnn-24-b1-t5 --fpgas 2 --partitioner row-wise --json")
    same = ("cycles", "bound_cycles", "latency_s", "plan_id", "numerics", "link_latency_ns")
    assert {key: value[key] for key in same} == {key: json.loads(output)[key] for key in same}


def test_what_a_plan_leaves_out(plans: Path) -> None:
    """A plan that names workload and FPGAs alone is tried on the profile and topology that are asked for."""
    left_out = ("plan_format", "profile", "topology", "link", "link_latency_ns", "partitioner")
    edit(plans / "plans/two.json", **dict.fromkeys(left_out))
    code, output = run("bench plan check plans/two.json --profile s10-nx2100 --topology switch")
    assert code == 0
    assert "2 x s10-nx2100, switch" in output


def test_plans_that_are_wrong(plans: Path) -> None:
    """Each is named with its mistake, and the right one beside them is still read; exit code 1."""
    text = (plans / "plans/two.json").read_text(encoding="utf-8")
    for name in ("form", "gap", "unknown", "again"):
        (plans / f"plans/{name}.json").write_text(text, encoding="utf-8")
    (plans / "plans/not.json").write_text(text[: len(text) // 2], encoding="utf-8")
    (plans / "plans/vague.json").write_text("{}", encoding="utf-8")
    edit(plans / "plans/form.json", groups="all", link="x")
    edit(plans / "plans/gap.json", blocks=json.loads(text)["blocks"][1:], topology="chain")
    edit(plans / "plans/unknown.json", workload="rnn-24-b1")
    code, output = run("bench plan check plans")
    lines = output.splitlines()
    assert code == 1
    for start in (
        "plans/form.json: groups: ",
        "plans/gap.json: invalid plan: layer 'rnn', matrix 'h.x': rows 0:12 x columns 0:24 is owned by no",
        "plans/unknown.json: unknown workload 'rnn-24-b1'",
        "plans/not.json: is not JSON: ",
        "plans/vague.json: does not say what it is a plan for; it needs workload and fpgas",
        "plans/two.json: is for the same workload and cluster as plans/again.json; remove one",
        "plans/again.json: right; ",
    ):
        assert any(line.startswith(start) for line in lines), start
    code, output = run("bench check plans/")
    assert code == 1
    assert output.splitlines()[-1] == "plans does not conform: form, valid plans"
    assert run("bench plan check none.json")[0] == 1


def test_a_plan_s_limits(plans: Path) -> None:
    """A plan that takes too long is stopped: it is read and emulated in a process of its own."""
    from bench.conformance.handed_in import check_plans

    (one,) = check_plans([plans / "plans/two.json"], Limits(seconds_per_point=1e-3))
    assert one.row
    assert (one.row["termination"], one.passed) == ("timeout", False)
