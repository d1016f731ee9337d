"""What a person sees of a run: stage, points done, time left; the scheduler's lines stay away."""

from __future__ import annotations

import io
import logging
import os
import re
from pathlib import Path

import pytest

from bench.progress import Follower, Progress, hush, in_words, is_noise


class Terminal(io.StringIO):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        """Always."""
        return True


def record(message: str = "", level: int = logging.INFO, **extra: object) -> logging.LogRecord:
    """A record of Snakemake's log."""
    made = logging.LogRecord("snakemake", level, "", 0, message, None, None)
    made.__dict__.update(extra)
    return made


def begins(job: int, rule: str, shard: str = "") -> logging.LogRecord:
    """The event of a job that begins."""
    wildcards = {"shard": shard} if shard else {}
    return record(event="job_info", jobid=job, rule_name=rule, wildcards=wildcards)


def ends(job: int) -> logging.LogRecord:
    """The event of a job that has ended."""
    return record(event="job_finished", job_id=job)


def test_points_and_time_left(tmp_path: Path) -> None:
    """Finished shards count whole, running ones by their logs; the time left follows from both."""
    now = [100.0]
    progress = Progress({"evaluate": 2}, {"a": 30, "b": 70}, tmp_path, lambda: now[0])
    progress.start(1, "evaluate", "a")
    assert progress.line() == "evaluating: 0 of 100 points"
    (tmp_path / "a.log").write_text("a: 3/30 points\na: 10/30 points\n", encoding="utf-8")
    now[0] += 20
    assert progress.line() == "evaluating: 10 of 100 points, about 3 min left"
    progress.finish(1)
    assert progress.line() == ""
    progress.start(2, "evaluate", "b")
    (tmp_path / "b.log").write_text("b: 69/70 points\nwarning 7/9\n", encoding="utf-8")
    assert progress.line() == "evaluating: 99 of 100 points, less than 10 s left"


def test_log_of_a_run_before(tmp_path: Path) -> None:
    """What a run before has written into a shard's log is not counted as done."""
    log = tmp_path / "a.log"
    log.write_text("a: 30/30 points\n", encoding="utf-8")
    progress = Progress({"evaluate": 1}, {"a": 30}, tmp_path)
    progress.start(1, "evaluate", "a")
    assert progress.points_done == 0
    log.write_text("a: 3/30 points\n", encoding="utf-8")
    os.utime(log, ns=(1, 1))
    assert progress.points_done == 3


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(3, "less than 10 s"), (42, "about 40 s"), (600, "about 10 min"), (9_000, "about 2.5 h")],
)
def test_in_words(seconds: float, words: str) -> None:
    """Lengths of time are rough."""
    assert in_words(seconds) == words


def test_stages_in_plain_lines() -> None:
    """Elsewhere than on a terminal: a line where the stage changes, or a tenth of the points is done."""
    stream = io.StringIO()
    shards = {str(n): 1 for n in range(100)}
    follower = Follower(Progress({"evaluate": 100, "figures": 2, "claims": 1}, shards), stream)
    for n in range(100):
        follower.emit(begins(n, "evaluate", str(n)))
        follower.emit(ends(n))
    follower.emit(begins(200, "figures"))
    follower.emit(begins(201, "figures"))
    follower.emit(ends(200))
    follower.emit(ends(201))
    follower.emit(begins(202, "claims"))
    follower.emit(ends(202))
    follower.emit(begins(203, "reproduce-all"))
    lines = stream.getvalue().splitlines()
    points = [line for line in lines if line.startswith("evaluating: ")]
    assert len(points) == 10
    assert lines[len(points) :] == ["drawing figures: 0 of 2", "drawing figures: 1 of 2", "checking claims"]
    assert "\r" not in stream.getvalue()


def test_one_line_on_a_terminal() -> None:
    """On a terminal the line is written over, and an error, or the end, has it to itself."""
    stream = Terminal()
    follower = Follower(Progress({"evaluate": 1, "tables": 1}, {"a": 5}), stream)
    follower.emit(begins(1, "evaluate", "a"))
    follower.emit(ends(1))
    follower.emit(begins(2, "tables"))
    assert stream.getvalue() == "\revaluating: 0 of 5 points\r" + "writing tables".ljust(25)
    follower.emit(record("Error in rule tables", logging.ERROR, event="job_error", jobid=2))
    assert follower.progress.line() == ""
    assert stream.getvalue().endswith("\r" + " " * 14 + "\r")
    follower.stop()
    follower.emit(begins(3, "tables"))
    assert stream.getvalue().endswith("\r" + " " * 14 + "\r")


def test_it_looks_again_by_itself(tmp_path: Path) -> None:
    """The line follows a shard's log while no job begins or ends."""
    stream = Terminal()
    follower = Follower(Progress({"evaluate": 1}, {"a": 5}, tmp_path), stream, interval_s=0.005)
    follower.emit(begins(1, "evaluate", "a"))
    follower.begin()
    (tmp_path / "a.log").write_text("a: 4/5 points\n", encoding="utf-8")
    follower._thread.join(0.5)
    follower.stop()
    assert re.search(r"evaluating: 4 of 5 points, less than 10 s left", stream.getvalue())


def test_only_the_schedulers_lines_go() -> None:
    """Events of jobs and the table of jobs are hushed; other lines, warnings and errors are not."""
    stream = io.StringIO()
    logger = logging.Logger("snakemake")
    logger.addHandler(logging.StreamHandler(stream))
    hush(logger)
    for hushed in (begins(1, "tables"), record("Building DAG of jobs..."), record("5 of 9 steps (56%) done")):
        assert is_noise(hushed)
        logger.handle(hushed)
    logger.handle(record("Nothing to be done (all requested files are present and up to date)."))
    logger.handle(record("Error in rule tables", logging.ERROR, event="job_error"))
    logger.handle(record("Building DAG of jobs...", logging.WARNING))
    assert [line.split()[0] for line in stream.getvalue().splitlines()] == ["Nothing", "Error", "Building"]
