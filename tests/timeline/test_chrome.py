"""Trace files: the format that viewers read, the emulated latency, and messages with two ends."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bench.commands import trace as cli_trace
from bench.commands.run import make_point
from bench.evaluate import emulated_cycles
from bench.experiments import Point, read_workload
from bench.plans.files import save_plan
from bench.rows import make_plan
from bench.timeline.chrome import trace_events
from bench.timeline.timelines import whole_run
from tests.test_cli import bench

SCHEMA = json.loads(Path(__file__).with_name("trace.schema.json").read_text(encoding="utf-8"))
CLOCK_MHZ = 275.0


def point(topology: str = "ring", workload: str = "dac20/blstm-4", fpgas: int = 8) -> Point:
    """Full-dac20 with software pipelining on the paper's cluster."""
    cluster = ("s10-gx2800-dac20", topology, None, None, fpgas)
    return make_point(workload, cluster, "full-dac20", ["software_pipelining=true"])


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The trace of BLSTM-4 on 8 FPGAs, all time steps."""
    path = tmp_path_factory.mktemp("trace") / "blstm-4.json.gz"
    assert cli_trace.trace(point(), path, None)
    read: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return read


def slices(trace: dict[str, Any]) -> list[dict[str, Any]]:
    """All spans of a trace."""
    return [event for event in trace["traceEvents"] if event["ph"] == "X"]


def test_format(trace: dict[str, Any]) -> None:
    """The file is what the trace format says, and an event that lacks its time is refused."""
    checker = jsonschema.Draft202012Validator(SCHEMA)
    checker.validate(trace)
    without = {key: value for key, value in slices(trace)[0].items() if key != "ts"}
    assert list(checker.iter_errors(trace | {"traceEvents": [without]}))


def test_span_is_the_emulated_latency(trace: dict[str, Any]) -> None:
    """From the first event to the last: as many cycles as the emulator says, and as many nanoseconds."""
    asked = point()
    cycles = emulated_cycles(read_workload(asked.workload), asked.cluster, make_plan(asked))
    assert min(event["args"]["start_cycle"] for event in slices(trace)) == 0
    assert max(event["args"]["end_cycle"] for event in slices(trace)) == cycles
    ends = [round(1000 * (event["ts"] + event["dur"])) for event in slices(trace)]
    assert max(ends) == round(cycles / CLOCK_MHZ * 1000)
    path = [event for event in slices(trace) if event["pid"] == event["tid"] == 0]
    assert sum(event["args"]["end_cycle"] - event["args"]["start_cycle"] for event in path) == cycles


def test_threads_are_named_and_do_one_thing_at_a_time(trace: dict[str, Any]) -> None:
    """Every thread has a name; its spans follow each other, in cycles and as a viewer draws them."""
    named = {
        (event["pid"], event["tid"]): event["args"]["name"]
        for event in trace["traceEvents"]
        if event["name"] == "thread_name"
    }
    threads = defaultdict(list)
    for event in slices(trace):
        threads[event["pid"], event["tid"]].append(event)
    assert set(threads) == set(named)
    assert {"critical path", "matrix unit", "multifunction units", "loader"} <= set(named.values())
    assert {"send to device 1", "receive from device 0"} <= set(named.values())
    for events in threads.values():
        for before, after in pairwise(events):
            assert before["args"]["end_cycle"] <= after["args"]["start_cycle"]
            assert round(1000 * (before["ts"] + before["dur"])) <= round(1000 * after["ts"])


def test_arrows_have_two_ends(trace: dict[str, Any]) -> None:
    """Each message's arrow begins and ends once, at a span of the sender and one of the receiver, later."""
    starts = {(e["pid"], e["tid"], e["ts"]): e for e in slices(trace)}
    ends = defaultdict(dict)
    for event in trace["traceEvents"]:
        if event["ph"] in "sf":
            assert event["ph"] not in ends[event["id"]]
            ends[event["id"]][event["ph"]] = event
    assert len(ends) > 1000
    for pair in ends.values():
        sent, received = (starts[pair[kind]["pid"], pair[kind]["tid"], pair[kind]["ts"]] for kind in "sf")
        assert sent["cat"].startswith("send")
        assert received["cat"].startswith("receive")
        assert sent["pid"] != received["pid"]
        assert sent["ts"] < received["ts"]
        assert sent["args"]["bytes"] == received["args"]["bytes"] > 0


def test_critical_spans_are_marked(trace: dict[str, Any]) -> None:
    """What the path track names is marked on the unit's own track, and most spans are not."""
    marked = [event for event in slices(trace) if "critical" in event["cat"].split(",")]
    assert 0 < len(marked) < len(slices(trace)) / 4
    assert {event["cat"] for event in marked} >= {"matrix,critical", "send,critical", "receive,critical"}


def test_the_same_bytes(tmp_path: Path) -> None:
    """Two runs write the same file, compressed or not."""
    small = point(workload="lstm-512-b1-t25", fpgas=2)
    for name in ("a.json", "b.json", "a.json.gz", "b.json.gz"):
        assert cli_trace.trace(small, tmp_path / name, 3)
    for ending in ("json", "json.gz"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
    plain = (tmp_path / "a.json").read_bytes()
    assert gzip.decompress((tmp_path / "a.json.gz").read_bytes()) == plain


def test_few_steps_say_what_is_left_out() -> None:
    """With a limit, spans end after the steps asked for; the rest is one span, and the path is whole."""
    asked = point(workload="lstm-512-b1-t25", fpgas=2)
    workload = read_workload(asked.workload)
    timeline = whole_run(make_plan(asked), workload, asked.cluster, 3)
    everything = whole_run(make_plan(asked), workload, asked.cluster)
    assert {span.step for span in timeline.spans} <= set(range(4))
    assert set(timeline.spans) < set(everything.spans)
    ((start, end),) = timeline.left_out
    assert start == max(span.end for span in timeline.spans)
    assert end == timeline.cycles
    assert timeline.path == everything.path


def test_a_switch_is_a_process(tmp_path: Path) -> None:
    """Messages over a switch arrive there and leave again, and its track has its name."""
    asked = point(topology="switch", workload="lstm-512-b1-t25", fpgas=2)
    timeline = whole_run(make_plan(asked), read_workload(asked.workload), asked.cluster, 2)
    events = list(trace_events(timeline, "switch"))
    jsonschema.Draft202012Validator(SCHEMA["$defs"]["event"] | {"$defs": SCHEMA["$defs"]}).validate(events[0])
    assert "switch" in [event["args"].get("name") for event in events if event["ph"] == "M"]
    assert "receive from switch" in [event["args"].get("name") for event in events if event["ph"] == "M"]


def test_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command says what it wrote, how much is left out, and what the path consists of; a plan will do."""
    small = ("--workload", "lstm-512-b1-t25", "--fpgas", "2", "--partitioner", "row-wise")
    code, out, _ = bench(capsys, monkeypatch, "trace", *small, "--out", str(tmp_path / "t.json"))
    assert code == 0
    assert "t.json: " in out
    assert "the first 8 time steps" in out
    assert "flight" in out
    asked = make_point("lstm-512-b1-t25", ("s10-gx2800-dac20", "ring", None, None, 2), "row-wise", [])
    save_plan(tmp_path / "plan.json", make_plan(asked), asked)
    plan = ("--plan", str(tmp_path / "plan.json"), "--all-steps")
    code, out, _ = bench(capsys, monkeypatch, "trace", *plan, "--out", str(tmp_path / "t.json"))
    assert code == 0
    assert "left out" not in out


def test_no_plan_and_no_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Exit code 1 and the reason where there is no plan; 2 and the path where nothing can be written."""
    skip = (
        "--workload",
        "deepbench-skip-input/inference_server/lstm-512-b1-t25",
        "--partitioner",
        "input-wise",
    )
    code, out, _ = bench(
        capsys, monkeypatch, "trace", *skip, "--fpgas", "2", "--out", str(tmp_path / "t.json")
    )
    assert code == 1
    assert out.startswith("no result: unsupported: ")
    assert not list(tmp_path.iterdir())
    small = ("--workload", "lstm-512-b1-t25", "--partitioner", "single")
    missing = tmp_path / "missing" / "t.json"
    code, _, err = bench(capsys, monkeypatch, "trace", *small, "--out", str(missing))
    assert code == 2
    assert f"{missing}: cannot be written (No such file or directory)" in err
