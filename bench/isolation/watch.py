"""Watching over one child: reading what it hands in, until it ends or its time is over."""

from __future__ import annotations

import json
import os
import select
import signal
from contextlib import suppress
from time import monotonic

from bench.isolation.answer import Answer, HandedIn, Peak
from bench.isolation.child import END, PLAN, REASON_CHARACTERS

PLAN_BYTES = 16 * 2**20
"""Of one plan as JSON; 64 FPGAs and 32 layers take less than 2 MiB."""

KEPT_PLANS, KEPT_BYTES = 64, 64 * 2**20
"""Of a search's plans; beyond that every second one is forgotten, the last one never."""

POLL_S = 0.01
"""Between two looks whether the child has ended without a word."""

ANSWERS = {
    ("ok", "none"),
    ("ok", "misbehaved"),
    ("error", "none"),
    ("error", "out of memory"),
    ("unsupported", "none"),
}
"""Status and termination that a child may report of itself."""


def watch(pid: int, pipe: int, tasks: int, seconds: float) -> Answer:
    """Read the child's messages from ``pipe`` until its last one, its end, or the end of its time.

    The child may still be running on return. Raises EOFError as soon as ``tasks`` has ended.
    """
    reader = _Reader()
    start = monotonic()
    waited = [pipe, tasks]
    code: int | None = None
    while reader.answer is None:
        left = start + seconds - monotonic()
        if left <= 0:
            return reader.stopped(seconds)
        ready, _, _ = select.select(waited, [], [], min(left, POLL_S) if code is None else 0)
        if tasks in ready:
            raise EOFError
        if pipe in ready:
            data = os.read(pipe, 2**20)
            reader.feed(data, monotonic() - start)
            if not data:
                waited.remove(pipe)
        elif code is not None:  # nothing that it has written is left in the pipe
            return reader.crashed(code)
        else:
            ended, status = os.waitpid(pid, os.WNOHANG)
            code = os.waitstatus_to_exitcode(status) if ended else None
    return reader.answer


class _Reader:
    """The messages of one child, none of which is trusted."""

    def __init__(self) -> None:
        self.answer: Answer | None = None
        self._plans: list[HandedIn] = []
        self._rest = bytearray()

    def feed(self, data: bytes, seconds: float) -> None:
        """Take the next bytes, which came so long after the start."""
        self._rest += data
        ends = b"\n" in data  # looking through all of a long message again each time would take longer
        while self.answer is None and ends:
            line, _, self._rest = self._rest.partition(b"\n")
            ends = b"\n" in self._rest
            kind, text = bytes(line[:1]), bytes(line[1:]).decode(errors="replace")
            if len(line) > PLAN_BYTES:
                self._too_large()
            elif kind == PLAN:
                self._keep(HandedIn(round(seconds, 3), text))
            else:
                self.answer = self._last(kind, text)
        if len(self._rest) > PLAN_BYTES:
            self._too_large()

    def stopped(self, seconds: float) -> Answer:
        """The answer when time is over."""
        if self._plans:
            reason = f"stopped after {seconds:g} s; the last plan until then counts"
            return Answer(tuple(self._plans), reason=reason)
        return Answer((), "error", "timeout", f"stopped after {seconds:g} s, while planning")

    def crashed(self, code: int) -> Answer:
        """The answer when the child has ended without one."""
        if code >= 0:
            return self._failed(
                "crash", f"the process ended with exit code {code} before plan() had returned"
            )
        name = signal.Signals(-code).name
        hint = "; the system may be out of memory" if name == "SIGKILL" else ""
        return self._failed("crash", f"the process was ended by {name}{hint}")

    def _last(self, kind: bytes, text: str) -> Answer:
        with suppress(ValueError, TypeError, RecursionError):
            status, termination, reason, *most = json.loads(text)
            peak = Peak(*(mib for mib in most if type(mib) is int))
            if kind == END and (status, termination) in ANSWERS and isinstance(reason, str):
                if status == "ok" and not self._plans:
                    return self._failed("crash", "sent no plan")
                return Answer(tuple(self._plans), status, termination, reason[:REASON_CHARACTERS], peak)
        return self._failed("misbehaved", "wrote into the pipe that its plans are sent through")

    def _keep(self, plan: HandedIn) -> None:
        self._plans.append(plan)
        while len(self._plans) > KEPT_PLANS or (
            len(self._plans) > 1 and sum(len(one.text) for one in self._plans) > KEPT_BYTES
        ):
            self._plans = self._plans[-1::-2][::-1]

    def _too_large(self) -> None:
        self.answer = self._failed("misbehaved", f"handed in a plan of more than {PLAN_BYTES // 2**20} MiB")

    def _failed(self, termination: str, reason: str) -> Answer:
        return Answer(tuple(self._plans), "error", termination, reason)
