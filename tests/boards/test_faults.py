"""What goes wrong on devices costs one row, with the reason, and leaves nothing running."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import pytest

from bench.boards import measure as measuring
from bench.boards.found import Boards, Where, find_boards
from bench.boards.measure import Effort, measure
from bench.boards.run import Seat, run_images
from bench.boards.workers import BoardFailed, Workers
from bench.hardware.files import load_profile, make_cluster
from bench.isolation.processes import descendants
from bench.partitioners import load_partitioner
from bench.workloads.catalogue import load_workload
from tests.boards.opencl import requires_intel_emulator, requires_pocl, seeing_emulated, seeing_pocl
from tests.boards.programs import Case, make_case, run_emulated, run_staged


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """No worker outlives a test."""
    yield
    assert not workers()


def workers() -> list[int]:
    """Ids of worker processes below this one."""
    found = []
    for pid in descendants():
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"bench.boards.worker" in command:
            found.append(pid)
    return found


def long_case(fpgas: int) -> Case:
    """A program that takes some seconds on emulated devices."""
    return make_case("lstm-128-b1-t1500", "row-wise", fpgas)


def fails(
    run: Callable[[], object], then: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> BoardFailed:
    """What ``run`` ends with when ``then`` is done to device 1's worker in the middle of a run."""
    raised: list[BoardFailed] = []
    asked: list[str] = []
    ask = Workers.ask

    def noted(self: Workers, request: str) -> list[dict[str, object]]:
        asked.append(request)
        return ask(self, request)

    def go() -> None:
        try:
            run()
        except BoardFailed as error:
            raised.append(error)

    monkeypatch.setattr(Workers, "ask", noted)
    thread = threading.Thread(target=go)
    thread.start()
    deadline = monotonic() + 60
    while "run" not in asked and monotonic() < deadline:
        sleep(0.01)
    sleep(0.2)
    assert asked[-1] == "run", "the program is too short to be disturbed"
    then(workers()[1])
    thread.join(60)
    assert not thread.is_alive()
    assert raised, "the run ended as if nothing had happened"
    return raised[0]


@requires_intel_emulator
def test_a_device_that_is_removed_in_the_middle_of_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process is gone: the row says which device, and how; the others are ended."""
    case, environment = long_case(2), seeing_emulated(tmp_path, 1)
    error = fails(
        lambda: run_emulated(case, environment), lambda pid: os.kill(pid, signal.SIGKILL), monkeypatch
    )
    assert error.termination == "crash"
    assert "device 1" in str(error)
    assert "signal 9" in str(error)


@requires_intel_emulator
def test_a_peer_that_stops_reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FIFOs fill up and nobody goes on: the time limit ends the run, and names who was silent."""
    case, environment = long_case(2), seeing_emulated(tmp_path, 1)
    error = fails(
        lambda: run_emulated(case, environment, limit_s=10.0),
        lambda pid: os.kill(pid, signal.SIGSTOP),
        monkeypatch,
    )
    assert error.termination == "timeout"
    assert "no answer to `run` within 10 s" in str(error)
    assert "device 1" in str(error)


@requires_pocl
def test_kernels_that_do_not_build(tmp_path: Path) -> None:
    """The compiler's first error is in the reason."""
    case = make_case("rnn-32-b1-t2", "single", 1)
    broken = replace(case.images[0], fmt=replace(case.images[0].fmt, activation="cubic"))  # type: ignore[arg-type]
    with pytest.raises(BoardFailed, match=r"does not take the kernels: .*error") as raised:
        run_staged(replace(case, images=(broken,)), seeing_pocl(tmp_path))
    assert raised.value.termination == "build failed"


@requires_intel_emulator
def test_a_bitstream_that_is_none(tmp_path: Path) -> None:
    """A device refuses bytes of something else."""
    case = make_case("rnn-32-b1-t2", "single", 1)
    seats = [Seat(0, 0, seeing_emulated(tmp_path, 1), b"of another make")]
    with pytest.raises(BoardFailed, match="does not take the bitstream") as raised:
        run_images(case.images, case.workload, seats, None)
    assert raised.value.termination == "build failed"


@requires_pocl
def test_too_little_memory(tmp_path: Path) -> None:
    """What the image takes and what the device has are in the reason."""
    case = make_case("rnn-32-b1-t2", "single", 1)
    huge = replace(case.images[0], vector_file=2**45)
    with pytest.raises(BoardFailed, match=r"the image takes \d+ bytes, and .* has \d+") as raised:
        run_staged(replace(case, images=(huge,)), seeing_pocl(tmp_path))
    assert raised.value.termination == "out of memory"


@requires_pocl
def test_a_device_that_does_not_exist(tmp_path: Path) -> None:
    """Something that was there when boards were looked for is gone: one line, no traceback."""
    case = make_case("rnn-32-b1-t2", "single", 1)
    with pytest.raises(BoardFailed, match="device 0: ") as raised:
        run_images(case.images, case.workload, [Seat(0, 7, seeing_pocl(tmp_path))], None)
    assert "\n" not in str(raised.value)
    assert raised.value.termination == "crash"


@pytest.fixture
def stand_in() -> Boards:
    """An OpenCL device in place of boards."""
    boards = find_boards(Where.OPENCL)
    if isinstance(boards, str):
        pytest.skip(boards)
    return boards


@requires_pocl
def test_wrong_numbers_are_no_result(stand_in: Boards, monkeypatch: pytest.MonkeyPatch) -> None:
    """A weight that has changed on its way costs the row, with the first element that differs."""

    def damaged(*arguments: object) -> tuple[object, ...]:
        images = assembled(*arguments)
        weights = images[0].weights.copy()
        weights[::3] = np.where(weights[::3] == 0, 55, -weights[::3])
        return (replace(images[0], weights=weights), *images[1:])

    assembled = measuring.assemble  # type: ignore[attr-defined]
    monkeypatch.setattr(measuring, "assemble", damaged)
    row = measured_row(stand_in)
    assert (row["status"], row["termination"]) == ("ok", "wrong numbers")
    assert "layer 'rnn'" in str(row["reason"])
    assert row["latency_median_s"] is None


@requires_pocl
def test_the_next_row_is_none_the_worse(stand_in: Boards) -> None:
    """After a format that boards do not have, a point that they have is measured."""
    other = measured_row(stand_in, profile="brainwave-s10")
    assert (other["status"], other["termination"]) == ("unsupported", "none")
    assert "bfp2" in str(other["reason"])
    row = measured_row(stand_in)
    assert (row["status"], row["termination"], row["reason"]) == ("ok", "none", None)
    assert 0 < row["latency_least_s"] <= row["latency_median_s"] <= row["latency_p99_s"]  # type: ignore[operator]


def measured_row(boards: Boards, profile: str = "s10-gx2800-dac20") -> dict[str, object]:
    """A small point measured on ``boards``."""
    workload = load_workload("rnn-32-b1-t2")
    cluster = make_cluster(load_profile(profile), 2, "ring")
    plan = load_partitioner("row-wise").plan(workload, cluster)
    return measure(plan, workload, cluster, boards, Effort(2, 1))
