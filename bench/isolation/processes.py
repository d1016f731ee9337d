"""Processes and their ends, by what Linux offers; elsewhere less is found (docs/isolation.md)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
from collections import defaultdict
from pathlib import Path
from time import monotonic, sleep

PROC = Path("/proc")

LONGEST_END_S = 10.0
"""To wait for processes that are being killed; one that sits in the kernel may take longer."""

_SET_PARENT_DEATH_SIGNAL = 1
_SET_CHILD_SUBREAPER = 36


def become_subreaper() -> bool:
    """Become the parent of all orphans among our descendants; whether the system can do that."""
    return _prctl(_SET_CHILD_SUBREAPER, 1)


def end_with_parent() -> bool:
    """Be killed when the process that forked this one ends; whether the system can do that."""
    return _prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)


def _prctl(option: int, value: int) -> bool:
    try:
        return ctypes.CDLL(None).prctl(option, value, 0, 0, 0) == 0  # type: ignore[no-any-return]
    except (OSError, AttributeError, TypeError):  # no such call here
        return False


def peak_mib() -> tuple[int, int]:
    """The most memory that this process had, in MiB: resident, and address space; zeros if nobody says."""
    try:
        text = (PROC / "self" / "status").read_text(encoding="utf-8")
        found = {key: int(value.split()[0]) for key, value in re.findall(r"^(Vm\w+):\s*(.+)$", text, re.M)}
        return found["VmHWM"] // 1024, found["VmPeak"] // 1024
    except (OSError, ValueError, KeyError):
        return 0, 0


def end_children(grace_s: float = 0.0, own: int = 0) -> bool:
    """End every descendant of this process and wait for it; whether one besides ``own`` outlived ``grace_s``.

    Orphans become children of a subreaper, so there is none left when there are no children.
    """
    start = monotonic()
    killed = False
    while monotonic() - start < LONGEST_END_S:
        try:
            ended, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return killed
        if ended:
            continue
        if monotonic() - start >= grace_s:
            for pid in descendants():
                killed |= pid != own
                _kill(pid)
        sleep(0.002)
    return killed


def descendants() -> list[int]:
    """Ids of all processes below this one; none where there is no /proc."""
    children: dict[int, list[int]] = defaultdict(list)
    for pid in _all():
        with contextlib.suppress(OSError, ValueError):
            text = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
            children[int(text.rpartition(")")[2].split()[1])].append(pid)
    found, waiting = [], [os.getpid()]
    while waiting:
        below = children[waiting.pop()]
        found += below
        waiting += below
    return found


def end_marked(marker: str) -> None:
    """Kill every process whose environment held ``marker`` when it was started."""
    for _ in range(100):  # until none is found: one may just have forked another
        found = [pid for pid in _all() if pid != os.getpid() and _is_marked(pid, marker.encode())]
        for pid in found:
            _kill(pid)
        if not found:
            return
        sleep(0.01)


def _is_marked(pid: int, marker: bytes) -> bool:
    try:
        return marker in (PROC / str(pid) / "environ").read_bytes()
    except OSError:  # another user's, or gone by now
        return False


def _all() -> list[int]:
    try:
        return [int(path.name) for path in PROC.iterdir() if path.name.isdigit()]
    except OSError:
        return []


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signal.SIGKILL)
