"""The timeline as plain values: spans of units and links, and the critical path.

All times are whole cycles of the devices' clock, from the start of the run.
"""

from __future__ import annotations

from dataclasses import dataclass

MATRIX, MULTIFUNCTION, LOADER, SEND, RECEIVE = "matrix", "multifunction", "loader", "send", "receive"
UNITS = (MATRIX, MULTIFUNCTION, LOADER, SEND, RECEIVE)
"""Kinds of units, in the order in which they are shown."""

FLIGHT, ISSUE, STEP_INTERVAL, LOAD = "flight", "issue", "step interval", "load"
"""What a run may wait for beside units: see `PathPart`."""


@dataclass(frozen=True, slots=True)
class Span:
    """What one unit of one device does from cycle ``start`` up to cycle ``end``.

    ``device``: -1 is the switch or the host. ``unit``: one of `UNITS`. ``peer``: the device at the other
    end of a link, None for other units; each peer has a unit of its own. ``step``: time step of the layer,
    in the order in which they run, from 0. ``critical``: whether the end of the run waits for it.
    ``rows``: what it makes or carries, like ``0:256, 512:768``; empty where another instruction says it.
    ``message``: number that the two ends of a message share, None for other units.
    """

    device: int
    unit: str
    peer: int | None
    start: int
    end: int
    layer: str
    what: str
    step: int
    critical: bool
    rows: str = ""
    macs: int = 0
    size_bytes: int = 0
    message: int | None = None

    @property
    def track(self) -> tuple[int, str, int | None]:
        """The unit that the span is on; spans of one track do not overlap."""
        return self.device, self.unit, self.peer


@dataclass(frozen=True, slots=True)
class PathPart:
    """A part of the critical path: for ``why`` the run cannot end earlier, from ``start`` up to ``end``.

    ``why``: a unit's name (`UNITS`, its pipeline included), ``flight`` (a message between two cards),
    ``issue`` (the control processor's instructions), ``step interval`` or ``load`` (before the first
    instruction). ``device`` is -1 and ``layer`` and ``what`` are empty where no instruction is meant.
    """

    start: int
    end: int
    why: str
    device: int = -1
    layer: str = ""
    what: str = ""
    step: int = 0


@dataclass(frozen=True, slots=True)
class Timeline:
    """The spans of a run, or of a window of it, and the critical path over the same time.

    ``start``, ``end``: the window; spans that reach into it are there in full. ``cycles``: of the whole run.
    ``path``: parts without gaps between, from ``start`` to ``end``. ``left_out``: stretches of time in which
    spans are missing, because not all time steps were asked for.
    """

    start: int
    end: int
    cycles: int
    clock_mhz: float
    devices: int
    spans: tuple[Span, ...]
    path: tuple[PathPart, ...]
    left_out: tuple[tuple[int, int], ...] = ()

    def microseconds(self, cycles: int) -> float:
        """So many cycles in microseconds."""
        return cycles / self.clock_mhz
