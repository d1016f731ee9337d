"""One thread for the numeric libraries of a process: several make small products slower, not faster."""

from __future__ import annotations

import os

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def use_one_thread() -> None:
    """Set what the libraries read when they are loaded, unless the user has; child processes inherit it.

    Without effect on a library that this process has loaded before.
    """
    for name in VARIABLES:
        os.environ.setdefault(name, "1")
