"""Evaluate points in a worker process that can be stopped: no point can take the run down.

One warm worker evaluates point after point. When a point takes too long, too much
memory, or the process with it, the worker is replaced and the point gets a row that says
so; a worker that was killed from outside is replaced once without. Workers never import
pandas, and their numeric libraries use one thread. Built-in partitioners plan in the worker
too; others in a process of their own (`bench.isolation`), and the worker reads what they
hand in.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import monotonic
from typing import Any

from bench.experiments import Limits, Point
from bench.isolation.answer import Answer
from bench.isolation.client import Plugins
from bench.ready import get_ready
from bench.rows import Row, evaluate_point, failure, search_progress
from bench.threads import use_one_thread
from bench.waste import collect_seldom

Evaluate = Callable[..., Row]
"""Of a point, of a function that is told the stage reached, and of a plug-in's answer where there is one."""

START_LIMIT_S = 120.0
"""To start a worker and import what it needs; not counted as a point's time."""


def run_points(
    points: Iterable[Point],
    limits: Limits,
    evaluate: Evaluate = evaluate_point,
    plugins: Plugins | None = None,
) -> Iterator[tuple[Point, Row]]:
    """Yield each point with its outcome columns, in order.

    ``evaluate`` is called in the worker, so it must be importable there. With ``plugins`` those plan,
    and what the plans of a search take is written beside their log. Raises RuntimeError if a worker
    does not start at all.
    """
    worker: Worker | None = None
    try:
        for point in points:
            answer = plugins.ask(point) if plugins else None
            if answer and answer.failed:
                yield point, failure(answer.status, answer.termination, answer.reason)
                continue
            worker = worker or Worker(limits)
            row, usable = worker.run(evaluate, point, answer)
            if not usable and worker.was_killed():
                # the machine's fault, perhaps; the second time it is the point's
                worker.stop()
                worker = Worker(limits)
                row, usable = worker.run(evaluate, point, answer)
            if plugins and answer and len(answer.plans) > 1 and usable:
                progress, usable = worker.run(search_progress, point, answer)
                plugins.write_progress(point, answer, progress.get("cycles"))
            if not usable:
                worker.stop()
                worker = None
            yield point, row
    finally:
        if worker:
            worker.stop()


class Worker:
    """A process and the pipe to it."""

    def __init__(self, limits: Limits) -> None:
        use_one_thread()
        # spawn: the same on every system, and nothing of this process is inherited half-used
        context = get_context("spawn")
        self._limits = limits
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, limits.memory_mib), daemon=True, name="bench-worker"
        )
        self._process.start()
        theirs.close()
        try:
            started = self._pipe.poll(START_LIMIT_S) and self._pipe.recv() == "ready"
        except EOFError:
            started = False
        if not started:
            self.stop()
            raise RuntimeError(f"a worker process did not start (exit code {self._process.exitcode})")

    def run(self, evaluate: Evaluate, point: Any, answer: Answer | None = None) -> tuple[Row, bool]:
        """The outcome of a point, or whatever ``evaluate`` takes; whether the worker can take more."""
        status, stage = "error", "planning"  # until the partitioner has answered
        if answer:
            status, stage = "ok", "reading the plan"
        seconds = self._limits.seconds_per_point
        deadline = monotonic() + seconds
        try:
            self._pipe.send((evaluate, point, answer))
            while self._pipe.poll(max(0.0, deadline - monotonic())):
                kind, value = self._pipe.recv()
                if kind == "reached":
                    status, stage = "ok", value
                elif kind == "row":
                    return value, True
                else:
                    reason = f"more than {self._limits.memory_mib} MiB needed"
                    return failure(status, "out of memory", reason), False
        except (EOFError, OSError):
            return failure(status, "crash", self._last_words()), False
        return failure(status, "timeout", f"stopped after {seconds:g} s, while {stage}"), False

    def stop(self) -> None:
        """End the process, however stuck it is."""
        self._pipe.close()
        self._process.kill()
        self._process.join()

    def was_killed(self) -> bool:
        """Whether the process was ended from outside: by the system, or by a person."""
        return self._process.exitcode in (-signal.SIGKILL, -signal.SIGTERM)

    def _last_words(self) -> str:
        self._process.join(5)
        code = self._process.exitcode
        if code is None or code >= 0:
            return f"the worker process ended with exit code {code}"
        name = signal.Signals(-code).name
        hint = "; the system may be out of memory" if name == "SIGKILL" else ""
        return f"the worker process was ended by {name}{hint}"


def _serve(pipe: Connection, memory_mib: int) -> None:
    """The worker: import first, then answer points until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    # so that a point's time is its own
    import bench.numerics.check  # noqa: F401

    get_ready()
    _limit_memory(memory_mib)
    collect_seldom()
    pipe.send("ready")
    while True:
        try:
            evaluate, point, answer = pipe.recv()
        except EOFError:
            return
        given = (answer,) if answer else ()
        try:
            result: tuple[str, Row | None] = (
                "row",
                evaluate(point, lambda stage: pipe.send(("reached", stage)), *given),
            )
        except MemoryError:
            result = ("memory", None)
        pipe.send(result)


def _limit_memory(memory_mib: int) -> None:
    """Bound the address space, where the system can."""
    try:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        limit = memory_mib * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit if hard < 0 else min(limit, hard), hard))
    except (ImportError, ValueError, OSError):  # no such limit here: the system's own still holds
        return
