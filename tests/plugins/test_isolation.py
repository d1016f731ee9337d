"""Plug-ins that behave: what they hand in is what counts, and is all that comes back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bench.experiments import Limits, Point, read_workload
from bench.isolation.answer import Answer, plan_text
from bench.isolation.client import Plugins
from bench.partitioners import load_partitioner, partitioner_names
from bench.partitioners.plan_folders import plan_from_text
from bench.rows import make_plan
from bench.runner import run_points
from tests.plugins.leftovers import VARIABLE, marked

HEAD = """
from bench.hardware.profile import Cluster
from bench.partitioners import row_wise, single
from bench.plans.plan import Plan
from bench.workloads.model import Workload
"""


def point(partitioner: str, fpgas: int = 2, parameters: str = "{}") -> Point:
    """A small point of this partitioner."""
    return Point(
        "lstm-32-b1-t5", "s10-gx2800-dac20", "ring", "dac20-ring", 1000.0, fpgas, partitioner, parameters
    )


def write(path: Path, body: str, arguments: str = "", head: str = "") -> str:
    """A plug-in with this body; its path."""
    lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    path.write_text(f"{HEAD}{head}\ndef plan(workload, cluster{arguments}):\n{lines}\n", encoding="utf-8")
    return str(path)


def ask(folder: Path, partitioner: str, seconds: float = 20, parameters: str = "{}") -> Answer:
    """The answer for one point; the log is ``folder/NAME/ID.log``."""
    limits = Limits(seconds_per_point=seconds, memory_mib=1024)
    with Plugins(limits, folder) as plugins:
        return plugins.ask(point(partitioner, parameters=parameters))


@pytest.mark.parametrize("name", partitioner_names())
def test_plans_as_text_are_the_same_plans(name: str) -> None:
    """Every plan that a built-in partitioner makes comes back from its text as it was."""
    one = Point("dac20/blstm-4", "s10-gx2800-dac20", "ring", "dac20-ring", 1000.0, 4, name)
    plan = load_partitioner(name).plan(read_workload(one.workload), one.cluster)
    assert plan_from_text(plan_text(plan), one).to_json() == plan.to_json()


def test_numbers_of_other_libraries_are_numbers(tmp_path: Path) -> None:
    """A device that is a numpy integer is the same device."""
    body = """
    from dataclasses import replace
    import numpy as np
    plan = row_wise.plan(workload, cluster)
    return replace(plan, blocks=tuple(b._replace(device=np.int64(b.device)) for b in plan.blocks))
    """
    answer = ask(tmp_path, write(tmp_path / "numbers.py", body))
    assert not answer.failed, answer.reason
    assert plan_from_text(answer.plans[0].text, point("row-wise")) == make_plan(point("row-wise"))


def test_parameters_prints_and_neighbours(tmp_path: Path) -> None:
    """Parameters arrive, prints and warnings go to the log, and a module beside the file is found."""
    (tmp_path / "_helper.py").write_text("def double(x):\n    return 2 * x\n", encoding="utf-8")
    body = """
    import sys, os
    print("parts:", double(parts))
    print("careful", file=sys.stderr)
    os.system("echo from a shell")
    return row_wise.plan(workload, cluster)
    """
    path = write(tmp_path / "talks.py", body, ", *, parts: int = 1", "from _helper import double\n")
    answer = ask(tmp_path, path, parameters='{"parts":21}')
    assert not answer.failed, answer.reason
    (log,) = (tmp_path / "talks").glob("*.log")
    lines = log.read_text(encoding="utf-8").splitlines()
    assert sorted(lines) == ["careful", "from a shell", "parts: 42"]
    assert not list(tmp_path.rglob("*.pyc"))


def test_the_most_memory_is_reported(tmp_path: Path) -> None:
    """What was allocated and given back again is counted, and no less as address space than in RAM."""
    usual = ask(tmp_path, write(tmp_path / "small.py", "return row_wise.plan(workload, cluster)")).peak
    body = "much = bytearray(200 * 2**20); much[::4096] = b'x' * 51200; del much\n"
    large = ask(tmp_path, write(tmp_path / "large.py", body + "return row_wise.plan(workload, cluster)")).peak
    assert 0 < usual.resident_mib < usual.address_mib
    assert large.resident_mib > usual.resident_mib + 190
    assert large.address_mib > usual.address_mib + 190


def test_files_of_relative_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile and a workload may be files beside the user, although the plug-in plans elsewhere."""
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("extends: s10-gx2800-dac20\nname: mine\n", encoding="utf-8")
    layer = "{name: a, cell: lstm, input_size: 4, hidden_size: 4}"
    Path("net.yaml").write_text(f"name: net\nsteps: 3\nlayers: [{layer}]\n", encoding="utf-8")
    path = write(Path("rows.py"), "return row_wise.plan(workload, cluster)")
    asked = replace(point(path), profile="mine.yaml", workload="net.yaml")
    with Plugins(Limits(), tmp_path) as plugins:
        answer = plugins.ask(asked)
    assert not answer.failed, answer.reason


def test_no_state_is_carried_over(tmp_path: Path) -> None:
    """Each point is planned in a new process, whatever the plug-in remembers."""
    body = """
    seen.append(workload.name)
    print(len(seen), os.getpid(), os.getcwd())
    open("left-over", "x").close()
    return row_wise.plan(workload, cluster)
    """
    path = write(tmp_path / "counts.py", body, head="import os\nseen = []\n")
    points = [point(path, fpgas) for fpgas in (1, 2, 3)]
    with Plugins(Limits(), tmp_path) as plugins:
        answers = [plugins.ask(one) for one in points]
        said = [plugins.log(one).read_text(encoding="utf-8").split() for one in points]
    assert not any(answer.failed for answer in answers)
    assert [count for count, _, _ in said] == ["1", "1", "1"]
    assert len({pid for _, pid, _ in said}) == len({folder for _, _, folder in said}) == 3
    assert not any(Path(folder).exists() for _, _, folder in said)


SEARCH = """
import time
yield single.plan(workload, cluster)
time.sleep(0.3)
yield row_wise.plan(workload, cluster)
"""


def test_the_last_plan_of_a_search_counts(tmp_path: Path) -> None:
    """Plans come with their times; what each takes is written beside the log."""
    path = write(tmp_path / "search.py", SEARCH)
    with Plugins(Limits(), tmp_path) as plugins:
        ((one, row),) = run_points([point(path)], Limits(), plugins=plugins)
        ((_, rows),) = run_points([point("row-wise")], Limits())
        lines = plugins.log(one).with_suffix(".progress.jsonl").read_text(encoding="utf-8").splitlines()
    assert {**row, "plan_notes": ""} == {**rows, "plan_notes": ""}
    first, second = (json.loads(line) for line in lines)
    assert first["point_id"] == second["point_id"] == one.point_id
    assert second["seconds"] - first["seconds"] >= 0.29
    assert second["cycles"] == row["cycles"] != first["cycles"]


def test_a_search_that_is_stopped_keeps_its_last_plan(tmp_path: Path) -> None:
    """The limit ends a search, not what it has found; the row says that it was stopped."""
    path = write(tmp_path / "endless.py", SEARCH + "time.sleep(600)\n")
    with Plugins(Limits(seconds_per_point=2), tmp_path) as plugins:
        ((_, row),) = run_points([point(path)], Limits(seconds_per_point=2), plugins=plugins)
    assert (row["status"], row["termination"]) == ("ok", "none")
    assert row["reason"] == "stopped after 2 s; the last plan until then counts"
    assert row["cycles"] > 0


def test_many_plans_are_thinned_out(tmp_path: Path) -> None:
    """Of a thousand plans a few dozen are kept, the last one among them."""
    body = """
    from dataclasses import replace
    plan = row_wise.plan(workload, cluster)
    for number in range(1000):
        yield replace(plan, notes=(str(number),))
    """
    answer = ask(tmp_path, write(tmp_path / "many.py", body))
    notes = [int(json.loads(one.text)["notes"][0]) for one in answer.plans]
    assert 20 < len(notes) <= 64
    assert notes == sorted(notes)
    assert notes[-1] == 999


def test_a_refusal_keeps_its_reason(tmp_path: Path) -> None:
    """Unsupported is no failure of the plug-in."""
    body = 'from bench.errors import Unsupported\nraise Unsupported("needs a power of two")'
    answer = ask(tmp_path, write(tmp_path / "refuses.py", body))
    assert (answer.status, answer.termination, answer.reason) == (
        "unsupported",
        "none",
        "needs a power of two",
    )


@pytest.mark.parametrize(
    "imported", ["bench.evaluate", "mtkahypar", "ortools.sat.python.cp_model", "pymetis"]
)
def test_zygote_runs_no_thread(tmp_path: Path, imported: str) -> None:
    """The process that is forked has one thread, although it has imported what the plug-in will."""
    pytest.importorskip(imported)
    body = f"""
    print(os.getppid(), "{imported}" in sys.modules)
    import {imported}
    return row_wise.plan(workload, cluster)
    """
    path = write(tmp_path / "good.py", body, head="import os, sys\n")
    with Plugins(Limits(), tmp_path) as plugins:
        plugins.ask(point(path))
        zygote, there = plugins.log(point(path)).read_text(encoding="utf-8").split()
        assert there == "True"
        assert len(list(Path(f"/proc/{zygote}/task").iterdir())) == 1
    assert not Path(f"/proc/{zygote}").exists()


def test_a_package_that_ends_the_process_costs_the_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the clean process does not survive an import, its child does it, and the row says so."""
    (tmp_path / "broken_package.py").write_text("import os\nos._exit(7)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("bench.isolation.client.SHARED", ("bench", "broken_package"))
    answer = ask(tmp_path, write(tmp_path / "plugins.py", "import broken_package"))
    assert answer.termination == "crash"
    assert "exit code 7" in answer.reason


def test_nothing_outlives_the_process_that_asks(tmp_path: Path) -> None:
    """If the whole run is killed, so are the plug-in and what watched over it."""
    path = write(
        tmp_path / "sleeps.py",
        'open(MARK, "x").close()\ntime.sleep(600)',
        head=f"import time\nMARK={str(tmp_path / 'started')!r}\n",
    )
    code = (
        "from pathlib import Path; from bench.experiments import Limits; "
        "from bench.isolation.client import Plugins; from tests.plugins.test_isolation import point; "
        f"Plugins(Limits(), Path({str(tmp_path)!r})).ask(point({path!r}))"
    )
    root = Path(__file__).parents[2]
    mark = f"{tmp_path.name}-{os.getpid()}"
    run = subprocess.Popen([sys.executable, "-c", code], cwd=root, env=os.environ | {VARIABLE: mark})
    deadline = time.monotonic() + 60
    while not (tmp_path / "started").exists():
        assert run.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert len(marked(mark)) == 3
    os.kill(run.pid, signal.SIGKILL)
    run.wait()
    while marked(mark):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_commands_take_plug_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`bench run` prints its own result to stdout and the plug-in's words elsewhere; `numerics` works too."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "talks.py", 'print("{not json")\nreturn row_wise.plan(workload, cluster)')
    asked = ["--workload", "lstm-32-b1-t5", "--fpgas", "2", "--partitioner", "talks.py"]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}

    def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "bench", *arguments, *asked]
        return subprocess.run(command, env=environment, text=True, capture_output=True, check=True)

    done = bench("run", "--json", "--save-plan", "plan.json")
    row = json.loads(done.stdout)
    assert (row["partitioner"], row["status"]) == ("talks", "ok")
    assert "{not json" in done.stderr
    assert (tmp_path / "plan.json").exists()
    assert "exact" in bench("numerics").stdout
