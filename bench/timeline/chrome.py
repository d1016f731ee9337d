"""Timelines in the Chrome trace format, which Perfetto and chrome://tracing open.

The times that a viewer shows are nanoseconds, rounded; each event's ``args`` have the exact cycles. The same
timeline makes the same bytes.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.hardware.topology import HUB
from bench.timeline.spans import RECEIVE, SEND, UNITS, Span, Timeline

Event = dict[str, Any]

RUN = 0
"""The process of what belongs to no device; device 0 is process 1, and so on, then switch or host."""

PATH, LEFT_OUT = 0, 1
"""Threads of the process `RUN`."""

CRITICAL = "critical"
"""The category of spans that the end of the run waits for; in a viewer: their second one."""

COLOUR = "terrible"
"""The name of chrome://tracing for its red; Perfetto takes colours from names, and lists the category."""

TRACK_NAMES = {
    "matrix": "matrix unit",
    "multifunction": "multifunction units",
    "loader": "loader",
    SEND: "send to",
    RECEIVE: "receive from",
}


def trace_events(timeline: Timeline, hub: str = "switch") -> Iterator[Event]:
    """Names of processes and threads, then spans and messages, in order of time.

    ``hub``: what to call the node that is no device.
    """
    tracks = sorted({span.track for span in timeline.spans}, key=_track_order)
    threads = {track: number for number, track in enumerate(tracks)}
    devices = sorted({*range(timeline.devices), *(span.device for span in timeline.spans)})
    yield from _named(RUN, "run", 0)
    yield from _named_thread(RUN, PATH, "critical path")
    if timeline.left_out:
        yield from _named_thread(RUN, LEFT_OUT, "not shown")
    for device in devices:
        process = _process(device, timeline)
        yield from _named(process, _device_name(device, hub), process)
    for (device, unit, peer), thread in threads.items():
        name = TRACK_NAMES[unit] if peer is None else f"{TRACK_NAMES[unit]} {_device_name(peer, hub)}"
        yield from _named_thread(_process(device, timeline), thread, name)
    for part in timeline.path:
        args = {"layer": part.layer, "step": part.step} if part.layer else {}
        where = f"{_device_name(part.device, hub)}: {part.what}, " if part.layer else ""
        event = _slice(RUN, PATH, f"{where}{part.why}", part.why, part.start, part.end, timeline)
        event["args"].update(args)
        yield event
    for start, end in timeline.left_out:
        yield _slice(RUN, LEFT_OUT, "time steps left out", "left out", start, end, timeline)
    for span in timeline.spans:
        process, thread = _process(span.device, timeline), threads[span.track]
        event = _slice(process, thread, span.what, span.unit, span.start, span.end, timeline)
        event["args"].update(_details(span))
        if span.critical:
            event["cat"] += f",{CRITICAL}"
            event["cname"] = COLOUR
        yield event
        if span.message is not None:
            yield _end_of_flow(span, event)


def write_trace(timeline: Timeline, path: Path, hub: str = "switch", about: Event | None = None) -> int:
    """Write ``path`` by rename, compressed if it ends in ``.gz``; the number of events.

    ``about``: what to say of the run, among the file's ``otherData``. Raises OSError.
    """
    events = [_line(event) for event in trace_events(timeline, hub)]
    other = {**(about or {}), "cycles": timeline.cycles, "clock_mhz": timeline.clock_mhz}
    head = f'{{"displayTimeUnit":"ns","otherData":{_line(other)},"traceEvents":[\n'
    data = (head + ",\n".join(events) + "\n]}\n").encode()
    if path.suffix == ".gz":
        data = gzip.compress(data, 6, mtime=0)
    partial = path.with_name(path.name + ".partial")
    partial.write_bytes(data)
    partial.replace(path)
    return len(events)


def _line(value: Event) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _slice(
    process: int, thread: int, name: str, category: str, start: int, end: int, timeline: Timeline
) -> Event:
    first, last = (round(timeline.microseconds(cycles) * 1000) for cycles in (start, end))
    return {
        "ph": "X",
        "pid": process,
        "tid": thread,
        "name": name,
        "cat": category,
        "ts": first / 1000,
        "dur": (last - first) / 1000,
        "args": {"start_cycle": start, "end_cycle": end},
    }


def _details(span: Span) -> Event:
    details: Event = {"layer": span.layer, "what": span.what, "step": span.step}
    if span.rows:
        details["rows"] = span.rows
    if span.macs:
        details["macs"] = span.macs
    if span.message is not None:
        details["bytes"] = span.size_bytes
    return details


def _end_of_flow(span: Span, event: Event) -> Event:
    """Where an arrow begins, or ends: at the start of the slice that it belongs to."""
    end: Event = {"bp": "e"} if span.unit == RECEIVE else {}
    shared = {key: event[key] for key in ("pid", "tid", "ts")}
    kind = "s" if span.unit == SEND else "f"
    return {"ph": kind, "id": span.message, "name": "message", "cat": "message", **shared, **end}


def _process(device: int, timeline: Timeline) -> int:
    return timeline.devices + 1 if device == HUB else device + 1


def _device_name(device: int, hub: str) -> str:
    return hub if device == HUB else f"device {device}"


def _track_order(track: tuple[int, str, int | None]) -> tuple[int, int, int]:
    device, unit, peer = track
    return device, UNITS.index(unit), -2 if peer is None else peer


def _named(process: int, name: str, order: int) -> Iterator[Event]:
    yield {"ph": "M", "pid": process, "name": "process_name", "args": {"name": name}}
    yield {"ph": "M", "pid": process, "name": "process_sort_index", "args": {"sort_index": order}}


def _named_thread(process: int, thread: int, name: str) -> Iterator[Event]:
    yield {"ph": "M", "pid": process, "tid": thread, "name": "thread_name", "args": {"name": name}}
    sort = {"sort_index": thread}
    yield {"ph": "M", "pid": process, "tid": thread, "name": "thread_sort_index", "args": sort}
