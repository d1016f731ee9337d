"""A process made ready to evaluate points, so that none pays for what all need: the compiled engine."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

LONGEST_WAIT_S = 60.0
"""For another process that compiles; after that this one compiles, too."""


def get_ready() -> None:
    """Import what points are evaluated with, and emulate a first plan.

    In a fresh checkout that compiles the engine, which takes seconds, and keeps it; one process of a
    machine does so, those beside it wait and load it.
    """
    from bench.evaluate import emulated_cycles
    from bench.hardware.files import load_profile, make_cluster, profile_names
    from bench.partitioners import load_partitioner
    from bench.workloads.catalogue import load_workload

    workload = load_workload("lstm-8-b1-t2")
    cluster = make_cluster(load_profile(profile_names()[0]), 1, "ring")
    plan = load_partitioner("single").plan(workload, cluster)
    with _alone():
        emulated_cycles(workload, cluster, plan)


@contextmanager
def _alone(longest_wait_s: float = LONGEST_WAIT_S) -> Iterator[None]:
    """Inside, no other process of this user and checkout on this machine; at least not one that was asked."""
    try:
        import fcntl
    except ImportError:  # no such locks here
        yield
        return
    checkout = hashlib.sha256(os.fsencode(Path(__file__).resolve())).hexdigest()[:16]
    path = Path(tempfile.gettempdir()) / f"bench-engine-{os.getuid()}-{checkout}.lock"
    try:
        lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:  # no place for it
        yield
        return
    try:
        deadline = monotonic() + longest_wait_s
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if monotonic() > deadline:
                    break
                sleep(0.05)
        yield
    finally:
        os.close(lock)
