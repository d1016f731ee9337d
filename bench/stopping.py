"""Ending a long computation from outside: Ctrl-C, or a time limit."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from types import FrameType
from typing import Literal, TypeVar

T = TypeVar("T")

Why = Literal["", "interrupted", "time"]


class _Stopped(BaseException):
    """Raised in the middle of the computation; no Exception, so that nothing takes it for a failure."""


class Stop:
    """A context in which Ctrl-C and the end of ``seconds`` stop `take`, and nothing else.

    ``why``: what has asked to stop, empty so far. ``has_result``: set it once there is something to
    stop with; a time limit waits for it, Ctrl-C does not. After the first Ctrl-C the next one is
    Python's own. In the main thread only, as signals are.
    """

    def __init__(self, seconds: float | None = None) -> None:
        self.why: Why = ""
        self.has_result = False
        self._limit = seconds
        self._began = time.monotonic()
        self._inside = False

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def __enter__(self) -> Stop:
        self._began = time.monotonic()
        self._before = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGALRM))
        if self._before[0] is not signal.SIG_IGN:  # a background job of a shell is not to be interrupted
            signal.signal(signal.SIGINT, self._on_interrupt)
        if self._limit is not None:
            signal.signal(signal.SIGALRM, self._on_alarm)
            signal.setitimer(signal.ITIMER_REAL, max(self._limit, 1e-6))  # 0 would mean never
        return self

    def __exit__(self, *_: object) -> None:
        if self._limit is not None:
            signal.setitimer(signal.ITIMER_REAL, 0.0)
            signal.signal(signal.SIGALRM, self._before[1])
        signal.signal(signal.SIGINT, self._before[0])

    def take(self, items: Iterator[T]) -> T | None:
        """The next of ``items``; None at their end, or where they were stopped (then ``why`` is set)."""
        if self.why == "interrupted" or (self.why and self.has_result):
            return None
        try:
            self._inside = True
            return next(items, None)
        except _Stopped:
            return None
        finally:
            self._inside = False

    def _on_interrupt(self, _number: int, _frame: FrameType | None) -> None:
        self.why = "interrupted"
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self._break_off()

    def _on_alarm(self, _number: int, _frame: FrameType | None) -> None:
        self.why = self.why or "time"
        if self.has_result:
            self._break_off()

    def _break_off(self) -> None:
        if self._inside:
            self._inside = False
            raise _Stopped
