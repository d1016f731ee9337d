"""`bench search` and `bench explain`, as a user types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench import anytime
from bench.commands import search as cli_search
from bench.commands.validate import saved_plan
from bench.evaluate import emulated_cycles
from bench.partitioners.search import Progress
from bench.partitioners.space import Candidate, Layout, Schedule, Split
from bench.stopping import Stop
from tests.test_cli import ROOT, bench

SMALL = ["gru-512-b1-t25", "--fpgas", "4", "--topology", "ring-bidirectional"]
LONG = ["dac20/encoder-8", "--fpgas", "16", "--topology", "ring-bidirectional"]


def cycles_of(path: Path) -> int:
    """Cycles of a saved plan, which must be valid."""
    plan, workload, cluster = saved_plan(path)
    return emulated_cycles(workload, cluster, plan)


def test_search_says_each_improvement(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Lines with fewer and fewer cycles; the file holds the last; a second search keeps it."""
    out = tmp_path / "plan.json"
    code, said, _ = bench(capsys, monkeypatch, "search", *SMALL, "--out", str(out))
    lines = [line for line in said.splitlines() if line.startswith("  ")]
    cycles = [int(line.split()[1].replace(",", "")) for line in lines]
    assert code == 0
    assert len(cycles) > 1
    assert cycles == sorted(set(cycles), reverse=True)
    assert "search finished after" in said
    assert cycles_of(out) == cycles[-1]
    before = out.read_bytes()
    code, said, _ = bench(capsys, monkeypatch, "search", *SMALL, "--out", str(out), "--seconds", "0.001")
    assert code == 0
    assert f"keeps its plan, nothing faster was found: {cycles[-1]:,} cycles" in said
    assert out.read_bytes() == before
    assert list(tmp_path.iterdir()) == [out]


def test_search_json(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One object: what was asked, the improvements, and whether the search was finished."""
    code, out, _ = bench(capsys, monkeypatch, "search", *SMALL, "--json")
    value = json.loads(out)
    assert code == 0
    assert (value["fpgas"], value["finished"], value["stopped_by"]) == (4, True, None)
    assert value["best"] == value["improvements"][-1]
    assert value["best"]["over_bound"] == value["best"]["cycles"] / value["bound_cycles"] >= 1.0


def test_seconds_run_out(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """However short the time, there is a plan in the end, and it is said that more was to do."""
    out = tmp_path / "plan.json"
    code, said, _ = bench(capsys, monkeypatch, "search", *LONG, "--seconds", "0.001", "--out", str(out))
    assert code == 0
    assert "search not finished, stopped by --seconds after" in said
    assert f"holds the best plan: {cycles_of(out):,} cycles" in said


def start(out: Path) -> subprocess.Popen[str]:
    """A search in a process of its own that would go on for a while, after its first improvement."""
    command = [sys.executable, "-m", "bench", "search", *LONG, "--out", str(out)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    assert process.stdout
    assert "no plan takes fewer than" in process.stdout.readline()
    assert process.stdout.readline().split() == ["seconds", "cycles", "latency", "x", "bound", "plan"]
    assert process.stdout.readline().startswith("  ")
    return process


def test_a_killed_search_leaves_its_best_plan(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """After SIGKILL the file is whole: its plan is valid and computes the network."""
    out = tmp_path / "plan.json"
    with start(out) as process:
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert cycles_of(out) > 0
    code, said, _ = bench(capsys, monkeypatch, "numerics", "--plan", str(out))
    assert code == 0
    assert "exact: every bit as without a plan" in said


def test_an_interrupted_search_ends_well(tmp_path: Path) -> None:
    """Ctrl-C: exit code 0, the best so far, and it is said that the search was not finished."""
    out = tmp_path / "plan.json"
    with start(out) as process:
        process.send_signal(signal.SIGINT)
        assert process.stdout
        said = process.stdout.read()
    assert process.returncode == 0
    assert "search not finished, interrupted after" in said
    assert f"holds the best plan: {cycles_of(out):,} cycles" in said


def test_slower_plans_do_not_replace_faster_ones(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What is no faster than a plan before it is neither said nor written."""
    schedule = Schedule(True, 1, 0, True)
    fast, slow = (Candidate(Layout((Split("rows", (n,)),)), schedule) for n in (3, 1))

    def wrong_way(*_: object) -> Iterator[Progress]:
        yield Progress(((fast, 9),), 2, False)
        yield Progress(((slow, 9), (fast, 9)), 2, False)
        yield Progress(((slow, 9), (fast, 9)), 2, True)

    out = tmp_path / "plan.json"
    monkeypatch.setattr(anytime, "search", wrong_way)
    code, said, _ = bench(
        capsys, monkeypatch, "search", "lstm-2048-b1-t25", "--fpgas", "4", "--out", str(out)
    )
    assert code == 0
    assert (str(fast) in said, str(slow) in said) == (True, False)
    assert len(saved_plan(out)[0].devices) == 3


def test_searches_without_a_plan(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Ctrl-C before the first plan, or nothing that fits: exit code 1, a reason, no file."""
    candidate = Candidate(Layout((Split("rows", (3,)),)), Schedule(False))

    def interrupted(*_: object) -> Iterator[Progress]:
        os.kill(os.getpid(), signal.SIGINT)
        yield Progress(((candidate, 9),), 1, False)

    def finished(*_: object) -> Iterator[Progress]:
        yield from ()

    for found, reason in (
        (interrupted, "interrupted before there was a plan"),
        (finished, "unsupported: no plan of the search space fits the devices' memory"),
    ):
        monkeypatch.setattr(anytime, "search", found)
        code, said, _ = bench(capsys, monkeypatch, "search", *SMALL, "--out", str(tmp_path / "plan.json"))
        assert code == 1
        assert said.endswith(f"no result: {reason}\n")
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["search", "explain"])
def test_weights_that_fit_nowhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """Exit code 1 at once, with the least number of FPGAs, and the same as JSON."""
    question = [command, "dac20/encoder-8", "--profile", "brainwave-s10", "--fpgas", "4"]
    reason = "unsupported: the weights need 6 FPGAs at least; the cluster has 4"
    assert bench(capsys, monkeypatch, *question)[:2] == (1, f"no result: {reason}\n")
    code, out, _ = bench(capsys, monkeypatch, *question, "--json")
    assert (code, json.loads(out)["reason"]) == (1, reason)


def test_files_that_cannot_take_a_plan(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No folder, a folder, a text, another cluster's plan: refused in a line before the search begins."""

    def never(*_: object) -> None:
        raise AssertionError("the search began")

    text, other = tmp_path / "notes.txt", tmp_path / "plan.json"
    text.write_text("mine\n", encoding="utf-8")
    bench(capsys, monkeypatch, "search", "lstm-64-b1-t5", "--out", str(other))
    monkeypatch.setattr(cli_search, "watch", never)
    for path, message in (
        (tmp_path / "nowhere" / "plan.json", "cannot be written (No such file or directory); name a file in"),
        (tmp_path, "is a folder; name a file in it"),
        (text, "exists and is no plan; name another file, or remove this one"),
        (other, "holds a plan for workload lstm-64-b1-t5, not for gru-512-b1-t25; name another"),
    ):
        code, out, err = bench(capsys, monkeypatch, "search", *SMALL, "--out", str(path))
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert message in err
    assert text.read_text(encoding="utf-8") == "mine\n"


def test_explain(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A column for each plan and the bound, sentences, and the ideas, the dearest first; no colours."""
    code, out, _ = bench(capsys, monkeypatch, "explain", *SMALL)
    assert code == 0
    assert "\x1b" not in out
    table = next(line for line in out.splitlines() if "winner  " in line and "bound" in line)
    assert table.split() == ["winner", "runner-up", "conventional", "bound"]
    for label in ("cycles", "over the bound", "lost to links", "exchanges a step", "fullest device, MB"):
        assert f"\n{label}" in out
    code, as_json, _ = bench(capsys, monkeypatch, "explain", *SMALL, "--json")
    value = json.loads(as_json)
    assert code == 0
    assert value["winner"]["over_bound"] >= 1.0
    assert all(" ".join(reason.split()) in " ".join(out.split()) for reason in value["reasons"])
    cycles = [idea["cycles"] for idea in value["without"]]
    assert cycles == sorted(cycles, reverse=True)


def numbers() -> Iterator[int]:
    """0, 1, 2, ... at a leisurely pace."""
    for number in range(10_000):
        time.sleep(0.001)
        yield number


def test_a_time_limit_waits_for_a_result() -> None:
    """Without a result the limit only asks; with one it ends the computation, in its middle too."""

    def forever() -> Iterator[int]:
        for _ in range(10**9):
            time.sleep(0.001)
            yield from ()

    with Stop(0.02) as stop:
        items = numbers()
        while stop.why != "time":
            assert stop.take(items) is not None
        assert stop.take(items) is not None
        stop.has_result = True
        assert stop.take(items) is None
    with Stop(0.02) as stop:
        stop.has_result = True
        assert stop.take(forever()) is None
        assert stop.why == "time"


def test_handlers_are_given_back() -> None:
    """After the context Ctrl-C and alarms are whose they were."""
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)
    with Stop(10.0) as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.take(numbers()) is None
        assert stop.why == "interrupted"
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM)) == before
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0.0
