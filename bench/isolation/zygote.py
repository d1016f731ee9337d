"""The clean process that forks a child for each point, and survives it.

It has imported what a plug-in's files import of the suite and of a few packages, but nothing of the
plug-in itself, and runs no thread, so a fork is cheap and safe. It is started by `client`, reads a task
a line from its standard input, and answers each with a line of JSON that says how many bytes of plans
follow. It ends when its input does.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from bench.experiments import Point, read_profile, read_workload
from bench.isolation.answer import Answer
from bench.isolation.child import FILE_BYTES, Namespaces, Task, namespaces, run_child
from bench.isolation.processes import become_subreaper, end_children
from bench.isolation.watch import watch
from bench.ready import get_ready
from bench.waste import collect_seldom

ENGINE = "bench.evaluate"
"""What a search emulates its own plans with."""

GRACE_S = 0.25
"""For processes that a plug-in has started and that are about to end by themselves."""

LOG_KEPT = 64 * 2**10
"""Bytes that stay of a log which went over its limit."""

PRINTED_TOO_MUCH = f"printed more than {FILE_BYTES // 2**20} MiB"
LEFT_BEHIND = "left a process behind, which was ended; wait for it before plan() returns"


def main(imports: Iterable[str]) -> None:
    """Import what has one of these names, and serve until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that started this one
    tasks, answers = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # nothing that is printed by accident gets among the answers
    _prepare(imports)
    intact = namespaces()
    become_subreaper()
    _write(answers, b"ready\n")
    waiting = b""
    while True:
        while b"\n" not in waiting:
            read = os.read(tasks, 2**16)
            if not read:
                return
            waiting += read
        line, _, waiting = waiting.partition(b"\n")
        try:
            answer = serve(read_task(line), intact, tasks)
        except EOFError:  # whoever asked is gone; its child is ended by now
            return
        header = asdict(answer) | {"plans": [(one.seconds, len(one.text.encode())) for one in answer.plans]}
        _write(
            answers, json.dumps(header).encode() + b"\n" + b"".join(one.text.encode() for one in answer.plans)
        )


def _prepare(imports: Iterable[str]) -> None:
    """Import what the children would, and compile the engine if one of them may emulate with it."""
    for name in imports:
        with suppress(ImportError):  # not installed, or no module but a function of one
            importlib.import_module(name)
    if ENGINE in sys.modules:
        get_ready()
    collect_seldom()  # nor is what a child never looks through copied for it


def read_task(line: bytes) -> Task:
    """A task from its line, with a new working directory."""
    value: dict[str, Any] = json.loads(line)
    folder = tempfile.mkdtemp(prefix="plugin-")
    return Task(**value | {"point": Point(**value["point"]), "folder": folder})


def serve(task: Task, intact: Namespaces, tasks: int) -> Answer:
    """Fork a child for the task, wait for its end, and leave nothing of it behind.

    ``intact``: what the suite's modules hold. Raises EOFError if ``tasks``, where tasks come from, has ended.
    """
    # here, so that the next child has them too, and before a child leaves the folder that paths start from
    read_workload(task.point.workload)
    read_profile(task.point.profile)
    log = os.open(task.log, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o644)
    mine, theirs = os.pipe()
    try:
        pid = os.fork()
        if not pid:
            run_child(task, intact, theirs, log)
        os.close(theirs)
        answer = watch(pid, mine, tasks, task.seconds)
        good = not answer.failed and not answer.reason
        outlived = end_children(GRACE_S if good else 0.0, pid)
        if _cut_log(log):
            answer = replace(answer, termination="misbehaved", reason=PRINTED_TOO_MUCH)
        elif good and outlived:
            answer = replace(answer, termination="misbehaved", reason=LEFT_BEHIND)
        return answer
    finally:
        end_children()
        os.close(mine)
        os.close(log)
        _remove(Path(task.folder))


def _cut_log(log: int) -> bool:
    """Shorten a log that went over its limit; whether it did."""
    if os.fstat(log).st_size < FILE_BYTES:
        return False
    os.ftruncate(log, LOG_KEPT)
    os.write(log, f"\n[{PRINTED_TOO_MUCH}; the rest is left out]\n".encode())
    return True


def _remove(folder: Path) -> None:
    """Remove a folder, whatever its rights were set to."""
    for root, _, _ in os.walk(folder):
        with_rights = Path(root)
        if not with_rights.is_symlink():
            with_rights.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)


def _write(number: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(number, left) :]


if __name__ == "__main__":
    sys.exit("started by bench.isolation.client")
