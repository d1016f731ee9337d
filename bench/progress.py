"""What a run of the pipeline is at, for a person: stage, points done of how many, time left.

Snakemake's own lines about jobs stay in its log file; on a terminal one line takes their place, which
changes as the run goes on, elsewhere a line now and then. Warnings and errors appear as ever.
"""

from __future__ import annotations

import atexit
import logging
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TextIO

STAGES = {
    "evaluate": "evaluating",
    "sweep_shard": "evaluating",
    "collect": "joining results",
    "accuracy": "comparing number formats",
    "boards": "measuring on boards",
    "baselines": "timing this machine",
    "tables": "writing tables",
    "sweep_tables": "writing tables",
    "figures": "drawing figures",
    "claims": "checking claims",
    "provenance": "noting provenance",
    "site_ahead": "drawing plans",
    "site": "writing the site",
    "check": "checking claims",
}
"""Rule -> what it does, in the order in which stages are named where several run at once."""

TARGET = "reproduce-all"
"""The rule that has nothing to do."""

EVALUATE = ("evaluate", "sweep_shard")
"""The rules whose jobs are shards of points."""

NOISE = re.compile(
    r"Building DAG|Using shell|Provided cores|Rules claiming|Select jobs|Execute \d|host: |Job stats|"
    r"Conda environments|Singularity containers|Group jobs|Finished jobid|Complete log|\d+ of \d+ steps"
)
"""How lines of Snakemake begin that tell of its scheduler."""

NOISY = (
    *("run_info", "resources_info", "workflow_started", "job_info", "job_started", "job_finished"),
    *("shellcmd", "progress", "group_info", "rulegraph"),
)
"""Snakemake's log events that tell of its scheduler."""

TENTH = 10
SURE_AFTER = 0.03
"""Share of the points after which the time left is stated."""


class Progress:
    """Jobs of a run and how far they are. ``points``: of each shard; ``jobs``: rule -> how many will run."""

    def __init__(
        self,
        jobs: Mapping[str, int],
        points: Mapping[str, int],
        logs: Path | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.jobs = dict(jobs)
        self.points = dict(points)
        self.logs = logs
        self.clock = clock
        self.started = clock()
        self.running: dict[int, tuple[str, str]] = {}
        self.stale: dict[str, int | None] = {}  # of a running shard: when its log was last written before
        self.finished: Counter[str] = Counter()
        self.done = 0

    def start(self, job: int, rule: str, shard: str = "") -> None:
        """A job begins; ``shard``: of a rule in `EVALUATE`."""
        self.running[job] = rule, shard
        self.stale[shard] = self._written(shard)

    def finish(self, job: int) -> None:
        """A job has ended."""
        rule, shard = self.running.pop(job, ("", ""))
        self.finished[rule] += 1
        self.done += self.points.get(shard, 0)

    def fail(self, job: int) -> None:
        """A job has failed."""
        self.running.pop(job, None)

    @property
    def stage(self) -> str:
        """The rule that is named: of those that run the first of `STAGES`; empty if none does."""
        rules = {rule for rule, _ in self.running.values()} - {TARGET}
        return next((rule for rule in (*STAGES, *sorted(rules)) if rule in rules), "")

    @property
    def points_done(self) -> int:
        """Points of finished shards, and what the logs of the others say."""
        shards = [shard for rule, shard in self.running.values() if rule in EVALUATE]
        return self.done + sum(min(self._logged(shard), self.points.get(shard, 0)) for shard in shards)

    def _logged(self, shard: str) -> int:
        """The last count in a shard's log; 0 while there is none, or that of a run before."""
        if self.logs is None or self._written(shard) == self.stale.get(shard):
            return 0
        try:
            text = (self.logs / f"{shard}.log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return 0
        counts = re.findall(r"(\d+)/\d+ points", text)
        return int(counts[-1]) if counts else 0

    def _written(self, shard: str) -> int | None:
        """When a shard's log was written, in ns; None if there is none."""
        try:
            return (self.logs / f"{shard}.log").stat().st_mtime_ns if self.logs and shard else None
        except OSError:
            return None

    def line(self) -> str:
        """Stage, how much of it is done, and the time left for the points."""
        rule = self.stage
        if not rule:
            return ""
        name = STAGES.get(rule, rule)
        if rule not in EVALUATE:
            total = self.jobs.get(rule, 1)
            return f"{name}: {self.finished[rule]} of {total}" if total > 1 else name
        done, total = self.points_done, sum(self.points.values())
        text = f"{name}: {done:,} of {total:,} points"
        if not total or done < SURE_AFTER * total or done == total:
            return text
        left = (self.clock() - self.started) / done * (total - done)
        return f"{text}, {in_words(left)} left"


def in_words(seconds: float) -> str:
    """A length of time, roughly.

    >>> in_words(200)
    'about 3 min'
    """
    if seconds < 10:
        return "less than 10 s"
    if seconds < 90:
        return f"about {round(seconds, -1):.0f} s"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 90 else f"about {seconds / 3600:.1f} h"


class Follower(logging.Handler):
    """Follows Snakemake's log events and shows a `Progress` on ``stream``."""

    def __init__(self, progress: Progress, stream: TextIO, *, interval_s: float = 1.0) -> None:
        super().__init__()
        self.progress = progress
        self.stream = stream
        self.live = stream.isatty()
        self._width = 0
        self._said: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tick, args=(interval_s,), daemon=True)
        atexit.register(self.stop)

    def begin(self) -> None:
        """Show the progress from now on, and each second."""
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Take note of a job that begins or ends; make room for warnings and errors."""
        event = str(getattr(record, "event", ""))
        if event == "job_info":
            wildcards = getattr(record, "wildcards", None) or {}
            shard = str(dict(wildcards).get("shard", ""))
            self.progress.start(record.jobid, record.rule_name, shard)  # type: ignore[attr-defined]
        elif event == "job_finished":
            self.progress.finish(record.job_id)  # type: ignore[attr-defined]
        elif event == "job_error":
            self.progress.fail(getattr(record, "jobid", -1))
        if record.levelno >= logging.WARNING:
            self._clear()
        elif event in ("job_info", "job_finished"):
            self._show()

    def stop(self) -> None:
        """Show nothing any more."""
        if not self._stop.is_set():
            self._stop.set()
            with self.lock or threading.RLock():
                self._clear()

    def _tick(self, interval_s: float) -> None:
        while not self._stop.wait(interval_s):
            with self.lock or threading.RLock():
                self._show()

    def _show(self) -> None:
        """The line, in place of the one before on a terminal; else where the stage or a tenth is new."""
        line = self.progress.line()
        if self._stop.is_set() or not line:
            return
        if self.live:
            self.stream.write("\r" + line.ljust(self._width))
            self._width = len(line)
        else:
            said = line
            if self.progress.stage in EVALUATE:
                total = max(sum(self.progress.points.values()), 1)
                said = f"{self.progress.stage} {self.progress.points_done * TENTH // total}"
            if said in self._said:
                return
            self._said.add(said)
            self.stream.write(line + "\n")
        self.stream.flush()

    def _clear(self) -> None:
        if self.live and self._width:
            self.stream.write("\r" + " " * self._width + "\r")
            self.stream.flush()
            self._width = 0


def is_noise(record: logging.LogRecord) -> bool:
    """Whether a record of Snakemake's log tells of its scheduler alone."""
    if record.levelno >= logging.WARNING:
        return False
    event = str(getattr(record, "event", None) or "")
    return event in NOISY or bool(NOISE.match(str(record.msg).strip()))


def hush(logger: logging.Logger) -> None:
    """Keep the scheduler's lines off the terminal; log files have them still."""
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.addFilter(lambda record: not is_noise(record))


def follow(
    logger: logging.Logger, jobs: Iterable[tuple[str, str]], points: Mapping[str, int], logs: Path
) -> Follower:
    """Show the progress of a run on standard error; ``jobs``: rule and shard (or "") of all that will run.

    ``points``: of every shard of the configuration. ``logs``: the folder of the shards' logs.
    """
    will_run = list(jobs)
    wanted = {shard: points[shard] for rule, shard in will_run if rule in EVALUATE and shard in points}
    progress = Progress(Counter(rule for rule, _ in will_run), wanted, logs)
    follower = Follower(progress, sys.stderr)
    logger.handlers.insert(0, follower)  # before the one that prints errors, to clear the line first
    follower.begin()
    return follower
