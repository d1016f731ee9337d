"""The process of one point: it shuts itself in, imports the plug-in, and hands its plans in.

Nothing here protects anyone from the plug-in, which shares this process; whoever reads what
comes out of the pipe must not trust it.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import importlib.util
import json
import os
import resource
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NoReturn

from bench.errors import Unsupported, describe
from bench.experiments import Point, read_workload
from bench.isolation.answer import plan_text
from bench.isolation.processes import end_with_parent, peak_mib
from bench.plans.plan import Plan

FILE_BYTES = 16 * 2**20
"""Of any file that a plug-in writes, its log among them."""

REASON_CHARACTERS = 1000

THREAD_GRACE_S = 0.2
"""For a thread that is about to end by itself."""

PLAN, END = b"P", b"E"
"""First byte of a message; what follows is JSON and a line end."""

OURS = ("bench", "numpy")
"""Packages whose modules a plug-in must leave as they are."""

Namespaces = dict[str, dict[str, object]]


@dataclass(frozen=True)
class Task:
    """What a child does. ``file`` is a plug-in's own file, or "" for an installed ``module``.

    ``folder`` is the working directory, ``log`` where all that is printed goes.
    """

    point: Point
    file: str
    module: str
    function: str
    seconds: float
    memory_mib: int
    folder: str
    log: str


def run_child(task: Task, intact: Namespaces, pipe: int, log: int) -> NoReturn:
    """Shut this process in, do the task, and end; called right after the fork.

    ``intact``: what `namespaces` were before. It comes from the parent because a look at them costs a
    forked process a copy of every page that they are on.
    """
    try:
        pipe = _shut_in(task, pipe, log)
        status, termination, reason = _answer(task, intact, pipe)
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        reason = reason.replace(task.folder, ".")[:REASON_CHARACTERS]  # the folder has another name each time
        _send(pipe, END, json.dumps([status, termination, reason, *peak_mib()]))
    finally:
        os._exit(0)


def _shut_in(task: Task, pipe: int, log: int) -> int:
    """Session, streams, folder and limits of its own; returns the pipe's new number."""
    parent = os.getppid()
    end_with_parent()
    if os.getppid() != parent:  # it ended before the line above
        os._exit(0)
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2), (pipe, 3)):
        os.dup2(source, target, inheritable=target < 3)
    os.closerange(4, max(os.sysconf("SC_OPEN_MAX"), 4096))
    sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
    sys.stdout = os.fdopen(1, "w", encoding="utf-8", errors="replace", closefd=False)
    sys.stderr = os.fdopen(2, "w", encoding="utf-8", errors="replace", closefd=False, buffering=1)
    os.chdir(task.folder)
    os.environ["TMPDIR"] = task.folder
    sys.dont_write_bytecode = True
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, FILE_BYTES)
    _limit(resource.RLIMIT_AS, task.memory_mib * 2**20)
    return 3


def _limit(which: int, value: int) -> None:
    _, hard = resource.getrlimit(which)
    most = value if hard == resource.RLIM_INFINITY else min(value, hard)
    with contextlib.suppress(ValueError, OSError):  # no such limit here: the system's own still holds
        resource.setrlimit(which, (most, most))


def _answer(task: Task, intact: Namespaces, pipe: int) -> tuple[str, str, str]:
    """Hand in all plans; status, termination and reason."""
    workload, cluster = read_workload(task.point.workload), task.point.cluster
    threads = set(threading.enumerate())
    try:
        result = _load(task)(workload, cluster, **json.loads(task.point.parameters))
        if isinstance(result, Plan):
            _send(pipe, PLAN, plan_text(result))
        elif isinstance(result, Iterator):
            _hand_in(result, pipe)
        else:
            raise _NoPlan(f"plan() returned {type(result).__name__}, not a Plan or an iterator of Plans")
    except Unsupported as refusal:
        return "unsupported", "none", " ".join(str(refusal).split())
    except _NoPlan as error:
        return "error", "none", str(error)
    except BaseException as error:
        if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
            return "error", "out of memory", f"more than {task.memory_mib} MiB needed"
        traceback.print_exc()
        return "error", "none", describe(error)
    wrong = _moved(task.folder) or _changed(intact) or _left_running(threads)
    return ("ok", "misbehaved", wrong) if wrong else ("ok", "none", "")


class _NoPlan(Exception):
    """What came is no plan; the text says what it is."""


def _load(task: Task) -> Callable[..., Any]:
    """The plug-in's function; this is where its code is run first."""
    if not task.file:
        function = getattr(importlib.import_module(task.module), task.function)
    else:
        sys.path.append(os.path.dirname(task.file))  # noqa: PTH120 - a text already
        name = f"partitioner_{task.module}"
        spec = importlib.util.spec_from_file_location(name, task.file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{task.module}.py cannot be imported")
        sys.modules[name] = module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        function = getattr(module, task.function)
    if not callable(function):
        raise TypeError(f"{task.function} is no function")
    return function  # type: ignore[no-any-return]


def _hand_in(plans: Iterator[object], pipe: int) -> None:
    """Send each plan as it comes."""
    sent = 0
    for plan in plans:
        if not isinstance(plan, Plan):
            raise _NoPlan(f"plan() yielded {type(plan).__name__}, not a Plan")
        _send(pipe, PLAN, plan_text(plan))
        sent += 1
    if not sent:
        raise _NoPlan("plan() yielded no plan; raise Unsupported with the reason if there is none")


def _send(pipe: int, kind: bytes, text: str) -> None:
    left = memoryview(kind + text.encode() + b"\n")
    while left:
        left = left[os.write(pipe, left) :]


def _moved(folder: str) -> str:
    """What has become of the working directory; "" if nothing."""
    try:
        return "" if os.path.samefile(os.getcwd(), folder) else "changed its working directory"  # noqa: PTH109, PTH121
    except FileNotFoundError:
        return "deleted its working directory"


def namespaces() -> Namespaces:
    """What each module of `OURS` holds."""
    return {
        name: dict(vars(module))
        for name, module in sys.modules.items()
        if name.partition(".")[0] in OURS and isinstance(module, ModuleType)
    }


def _changed(before: Namespaces) -> str:
    """The first name of `OURS` that means something else now; "" if none does. New names are no harm."""
    for module, names in before.items():
        now = vars(sys.modules.get(module, ModuleType(module)))
        for name, value in names.items():
            if now.get(name, before) is not value:
                return f"changed {module}.{name}, which is not its own"
    return ""


def _left_running(before: set[threading.Thread]) -> str:
    """A thread that is still there and would keep a program from ending; "" if none is."""
    for thread in threading.enumerate():
        if thread not in before and not thread.daemon:
            thread.join(THREAD_GRACE_S)
            if thread.is_alive():
                return "left a thread behind; end it before plan() returns"
    return ""
