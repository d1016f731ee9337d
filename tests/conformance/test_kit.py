"""The conformance kit: what is shipped passes, and each broken rule is named with its fix."""

from __future__ import annotations

import json
import os
import textwrap
from pathlib import Path

import pytest

from bench.conformance import Report, assert_conforms, check, check_all
from bench.conformance.battery import CLUSTERS, WORKLOADS, points, workload_names
from bench.errors import UserError
from bench.experiments import read_workload
from bench.partitioners import partitioner_names
from bench.partitioners.sources import find_source
from tests.plugins.leftovers import VARIABLE, marked
from tests.plugins.test_hostile import ENDINGS, HOSTILE

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ("pipedream", "megatron", "fic_rnn", "random_rows", "greedy_depth_first")
"""Those that need no other package."""

ONE_CLUSTER_EACH = len(CLUSTERS)
"""As ``every``: each workload on one cluster, each cluster with some workload."""

ONE_WORKLOAD_EACH = 2 * len(CLUSTERS)
"""As ``every``: each cluster once."""

HEAD = '''
"""A partitioner."""
from dataclasses import replace
from bench.errors import Unsupported
from bench.partitioners import row_wise
__version__ = "1"
'''


def write(path: Path, body: str, arguments: str = "", head: str = HEAD) -> str:
    """A partitioner with this body; its path."""
    lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    path.write_text(f"{head}\ndef plan(workload, cluster{arguments}):\n{lines}\n", encoding="utf-8")
    return str(path)


def failed(report: Report) -> dict[str, str]:
    """Each failed finding with its first reason."""
    return {one.name: one.problems[0].reason for one in report.findings if one.status == "failed"}


def passed(report: Report) -> set[str]:
    """Findings that passed."""
    return {one.name for one in report.findings if one.status == "passed"}


def test_battery_is_awkward() -> None:
    """It has every cell and joint, FPGA numbers that are one, prime, and more than a layer's rows."""
    workloads = [read_workload(f"{WORKLOADS}:{name}") for name in workload_names()]
    layers = [layer for workload in workloads for layer in workload.layers]
    cells = {layer.cell for layer in layers}
    assert cells == {"lstm", "gru", "rnn_tanh", "rnn_relu", "mlstm", "linear"}
    assert {layer.reset for layer in layers if layer.cell == "gru"} == {"before", "after"}
    assert {layer.direction for layer in layers} == {"forward", "backward"}
    assert any(layer.projection_size for layer in layers)
    assert any(layer.skip_input for layer in layers)
    assert any(layer.after for layer in layers)
    assert any(feed.delay for layer in layers for feed in layer.inputs)
    assert any(feed.time_reduction > 1 for layer in layers for feed in layer.inputs)
    assert any(workload.batch > 1 for workload in workloads)
    fpgas = {cluster.fpgas for cluster in CLUSTERS}
    assert {1, 2, 3, 5, 7, 13} <= fpgas
    assert min(layer.hidden_size for layer in layers) < max(fpgas)
    assert len({cluster.topology for cluster in CLUSTERS}) >= 6


def test_every_thins_the_battery() -> None:
    """With a cluster for each workload, all workloads and all clusters are still there."""
    source = find_source("single")
    few = [point for point in points(source, {}, ONE_CLUSTER_EACH) if point.parameters == "{}"]
    assert len(few) == len(workload_names()) < len(points(source, {}))
    assert len({point.workload for point in few}) == len(workload_names())
    assert len({(point.fpgas, point.profile, point.topology) for point in few}) == len(CLUSTERS)
    fewer = [point for point in points(source, {}, ONE_WORKLOAD_EACH) if point.parameters == "{}"]
    assert sorted(point.fpgas for point in fewer) == sorted(cluster.fpgas for cluster in CLUSTERS)


def test_ends_of_ranges_are_tried() -> None:
    """Both values of a bool, both ends of a range, and two seeds, besides the defaults."""
    source = find_source(str(ROOT / "examples/partitioners/pipedream.py"))
    given = {point.parameters for point in points(source, {}, ONE_CLUSTER_EACH)}
    assert {"{}", '{"rows":false}', '{"rows":true}'} <= given
    source = find_source(str(ROOT / "examples/partitioners/random_rows.py"))
    assert '{"seed":1}' in {point.parameters for point in points(source, {}, ONE_CLUSTER_EACH)}


def test_shipped_partitioners_conform() -> None:
    """All built-in partitioners, and the examples that need no package."""
    targets = [*partitioner_names(), *(str(ROOT / f"examples/partitioners/{name}.py") for name in EXAMPLES)]
    for report in check_all(targets, every=ONE_CLUSTER_EACH):
        assert report.passed, (report.name, report.problems)
        assert report.tried == report.points >= len(workload_names())
        assert len(report.declined) < report.tried / 2


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Report]]:
    """What a process of the check is marked by, and the report on each hostile plug-in."""
    mark = f"check-{os.getpid()}"
    targets = [str(path) for path in sorted(HOSTILE.glob("*.py"))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, mark)
        reports = check_all(targets, every=ONE_WORKLOAD_EACH, seconds=1.5, memory_mib=1024)
    return mark, {report.name: report for report in reports}


@pytest.mark.parametrize("name", sorted(ENDINGS))
def test_hostile_partitioners_fail_clearly(hostile: tuple[str, dict[str, Report]], name: str) -> None:
    """Each fails by one rule, with the reason that its rows have, and with a fix."""
    report = hostile[1][name]
    if name == "writes-to-stdout":
        assert report.passed
        return
    rules = failed(report)
    assert len(rules) == 1
    (rule,) = rules
    reason = ENDINGS[name][2].replace("3 s", "1.5 s").replace("device 2; the cluster has 0 to 1", "device")
    assert any(problem.reason.startswith(reason) for problem in report.problems)
    assert all(problem.fix and problem.again.startswith("bench run ") for problem in report.problems)
    expected = {
        "timeout": "time", "out of memory": "memory", "invalid plan": "valid plans", "none": "answers",
    }  # fmt: skip
    assert rule == expected.get(ENDINGS[name][1], "conduct")


def test_hostile_partitioners_leave_nothing(hostile: tuple[str, dict[str, Report]]) -> None:
    """No process of the check, or of what it has tried, is left."""
    assert not [pid for pid in marked(hostile[0]) if _parent(pid) != os.getpid()]


def _parent(pid: int) -> int:
    """The parent of a process; multiprocessing keeps a resource tracker, which is a child of ours."""
    text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    return int(text.rpartition(")")[2].split()[1])


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Report]:
    """Reports on partitioners that break one rule each, or none in an unusual way."""
    folder = tmp_path_factory.mktemp("broken")
    bodies = {
        "gap": "plan = row_wise.plan(workload, cluster)\n"
        "return plan if cluster.fpgas < 5 else replace(plan, blocks=plan.blocks[:-1])",
        "clock": "import time\n"
        "return replace(row_wise.plan(workload, cluster), notes=(str(time.time_ns()),))",
        "global-random": "import numpy\n"
        "notes = (str(numpy.random.randint(2**60)),)\n"
        "return replace(row_wise.plan(workload, cluster), notes=notes)",
        "picky": 'if cluster.fpgas != 2:\n    raise Unsupported("two only")\n'
        'return replace(row_wise.plan(workload, cluster), notes=("two",))',
        "proud": 'raise Unsupported("nothing is worth it")',
        "streams": "for _ in range(3):\n    yield row_wise.plan(workload, cluster)",
        "endless": "from time import sleep\n"
        "while True:\n    yield row_wise.plan(workload, cluster)\n    sleep(0.2)",
    }
    targets = [write(folder / f"{name.replace('-', '_')}.py", body) for name, body in bodies.items()]
    ranged = write(
        folder / "ends.py",
        "if parts == 9:\n    raise ValueError('nine')\nreturn row_wise.plan(workload, cluster)",
        ", *, parts: Annotated[int, Range(1, 9)] = 4",
        HEAD + "from typing import Annotated\nfrom bench.partitioners.parameters import Range\n",
    )
    untyped = write(folder / "untyped.py", "return row_wise.plan(workload, cluster)", ", parts, *rest")
    bare = write(
        folder / "bare.py",
        "return row_wise.plan(workload, cluster)",
        head="from bench.partitioners import row_wise",
    )
    endless = targets.pop()
    reports = check_all([*targets, ranged, untyped, bare], every=ONE_WORKLOAD_EACH)
    reports += check_all([endless], every=10 * ONE_CLUSTER_EACH, seconds=0.5)
    return {report.name: report for report in reports}


def test_a_gap_is_named(broken: dict[str, Report]) -> None:
    """The range that nobody owns, how often, and the helpers that avoid it; all points are tried."""
    report = broken["gap"]
    assert list(failed(report)) == ["valid plans"]
    assert "is owned by no device" in failed(report)["valid plans"]
    assert "split()" in report.problems[0].fix
    assert report.tried == report.points
    (finding,) = (one for one in report.findings if one.name == "valid plans")
    assert finding.count > len(finding.problems) == 3


@pytest.mark.parametrize("name", ["clock", "global-random"])
def test_another_plan_is_found(broken: dict[str, Report], name: str) -> None:
    """A clock, and a generator that every process starts anew; the first difference is shown."""
    report = broken[name]
    assert list(failed(report)) == ["same plan twice"]
    assert failed(report)["same plan twice"].startswith("notes: [0] is ")
    assert "`seed: int`" in report.problems[0].fix


def test_declining_is_no_failure(broken: dict[str, Report]) -> None:
    """Unless nothing is left: then nothing was checked, and the reason is said."""
    assert broken["picky"].passed
    assert {reason for _, reason in broken["picky"].declined} == {"two only"}
    assert len(broken["picky"].declined) == broken["picky"].tried - 1
    assert failed(broken["proud"]) == {"answers": "declined every point: nothing is worth it"}


def test_streams_of_plans_conform(broken: dict[str, Report]) -> None:
    """The last plan counts; one that was stopped is valid, and not compared with a second run."""
    assert broken["streams"].passed
    assert "same plan twice" in passed(broken["streams"])
    endless = broken["endless"]
    assert endless.passed, endless.problems
    (same,) = (one for one in endless.findings if one.name == "same plan twice")
    assert (same.status, same.detail[:9]) == ("not reached", "0 of 0 pl")
    assert "stopped" in same.detail


def test_ends_of_a_range_fail(broken: dict[str, Report]) -> None:
    """A value that is allowed and raises: the command shows which one it was."""
    report = broken["ends"]
    assert failed(report)["answers"].startswith("ValueError: nine")
    assert report.problems[0].again.endswith("--param parts=9")
    assert '{"parts":9}' in report.problems[0].place


def test_a_wrong_signature_is_not_run(broken: dict[str, Report]) -> None:
    """The message of the reader, and nothing is tried."""
    report = broken["untyped"]
    assert "expected workload and cluster, then * and keywords" in failed(report)["signature"]
    assert report.tried == 0
    assert {one.status for one in report.findings} == {"failed", "not reached"}


def test_remarks_are_no_failures(broken: dict[str, Report]) -> None:
    """No docstring, no version, no notes: allowed, and said."""
    assert broken["bare"].passed
    words = " ".join(broken["bare"].remarks)
    assert all(word in words for word in ("docstring", "__version__", "notes"))


def test_reports_are_json(broken: dict[str, Report]) -> None:
    """A report comes through JSON as it was, with its verdict."""
    for report in broken.values():
        value = json.loads(json.dumps(report.as_object()))
        assert value["passed"] == report.passed
        assert len(value["findings"]) == len(report.findings)
        assert len(value["declined"]) == len(report.declined)


def test_assert_conforms(tmp_path: Path) -> None:
    """What an author's test calls: silent, or an AssertionError that holds place, reason and fix."""
    assert_conforms("single", every=10 * ONE_CLUSTER_EACH)
    path = write(tmp_path / "raises.py", "raise KeyError('gate')")
    with pytest.raises(AssertionError) as caught:
        assert_conforms(path, every=10 * ONE_CLUSTER_EACH)
    assert "raises.py does not conform:" in str(caught.value)
    assert "answers: lstm on 1 x" in str(caught.value)
    assert "fix: where it cannot plan, raise bench.errors.Unsupported" in str(caught.value)


def test_what_is_not_there_is_a_user_s_error(tmp_path: Path) -> None:
    """No report on a partitioner that does not exist, or on parameters that it has not."""
    with pytest.raises(UserError, match="no such file"):
        check(str(tmp_path / "none.py"))
    with pytest.raises(UserError, match="has no parameter 'colour'"):
        check("single", {"colour": 1})
