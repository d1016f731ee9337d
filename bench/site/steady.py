"""A picture of one steady time step: what each unit of each device does, and the critical path."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from bench.site.svg import drawing, element, number, text
from bench.timeline.spans import LOADER, MATRIX, MULTIFUNCTION, RECEIVE, SEND, UNITS, Timeline

WIDTH, LEFT, RIGHT, TOP = 920.0, 150.0, 12.0, 26.0
LANE, BAR, BETWEEN = 13.0, 9.0, 12.0
NAMES = {
    MATRIX: "matrix",
    MULTIFUNCTION: "multifunction",
    LOADER: "loader",
    SEND: "send",
    RECEIVE: "receive",
}
TICKS = 6


def steady_drawing(timeline: Timeline) -> str:
    """The drawing: a lane for each kind of unit of each device, what the end waits for in full colour."""
    devices = sorted({span.device for span in timeline.spans})
    tops = {device: TOP + place * (len(UNITS) * LANE + BETWEEN) for place, device in enumerate(devices)}
    height = TOP + len(devices) * (len(UNITS) * LANE + BETWEEN)
    scale = (WIDTH - LEFT - RIGHT) / (timeline.end - timeline.start)

    def at(cycle: int) -> float:
        return LEFT + (min(max(cycle, timeline.start), timeline.end) - timeline.start) * scale

    content = _axis(timeline, height)
    bars: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for span in timeline.spans:
        x, width = at(span.start), at(span.end) - at(span.start)
        if width > 0:
            y = tops[span.device] + UNITS.index(span.unit) * LANE + (LANE - BAR) / 2
            shape = f"M{number(x)} {number(y)}h{number(max(width, 0.4))}v9h-{number(max(width, 0.4))}z"
            bars[span.unit, span.critical].append(shape)
    for (unit, critical), shapes in sorted(bars.items(), key=lambda item: item[0][1]):
        css = f"busy {unit}{' critical' if critical else ''}"
        content.append(element("path", css=css, d="".join(dict.fromkeys(shapes))))
    for device, top in tops.items():
        name = "switch" if device < 0 else f"device {device}"
        content.append(text(name, 0, top + 10, css="layer"))
        content += [
            text(NAMES[unit], LEFT - 6, top + 10 + lane * LANE, css="unit") for lane, unit in enumerate(UNITS)
        ]
    content.append(_path(timeline, tops, at))
    label = f"One time step of {timeline.end - timeline.start:,} cycles on {len(devices)} devices"
    return drawing(content, WIDTH, height, label, "plan steady")


def waits(timeline: Timeline) -> list[tuple[str, int]]:
    """What the critical path consists of: a word and its cycles, the most first."""
    cycles: dict[str, int] = defaultdict(int)
    for part in timeline.path:
        cycles[part.why] += part.end - part.start
    return sorted(cycles.items(), key=lambda item: (-item[1], item[0]))


def busy(timeline: Timeline) -> list[tuple[int, dict[str, float]]]:
    """Each device's units with the share of the step in which they work (links: the busiest of them)."""
    tracks: dict[tuple[int, str, int | None], int] = defaultdict(int)
    for span in timeline.spans:
        inside = min(span.end, timeline.end) - max(span.start, timeline.start)
        tracks[span.track] += max(inside, 0)
    shares: dict[int, dict[str, float]] = defaultdict(dict)
    for (device, unit, _), cycles in tracks.items():
        share = cycles / (timeline.end - timeline.start)
        shares[device][unit] = max(share, shares[device].get(unit, 0.0))
    return sorted(shares.items())


def _axis(timeline: Timeline, height: float) -> list[str]:
    """Lines at round numbers of cycles from the step's start, in cycles and microseconds."""
    length = timeline.end - timeline.start
    step = 10 ** (len(str(length // TICKS)) - 1)
    step *= next(factor for factor in (1, 2, 5, 10) if length / (step * factor) <= TICKS)
    content = []
    for cycle in range(0, length + 1, step):
        x = LEFT + cycle * (WIDTH - LEFT - RIGHT) / length
        content.append(element("path", css="tick", d=f"M{number(x)} 16V{number(height)}"))
        word = f"{cycle:,} cycles" if cycle == 0 else f"{cycle:,} ({timeline.microseconds(cycle):.1f} µs)"
        content.append(text(word, x + 3, 10, css="note start"))
    return content


def _path(timeline: Timeline, tops: dict[int, float], at: Callable[[int], float]) -> str:
    """The critical path as one line; it leaps where it goes on on another unit."""
    points: list[str] = []
    for part in timeline.path:
        if part.device in tops and part.why in UNITS:
            y = tops[part.device] + UNITS.index(part.why) * LANE + LANE / 2
            points += [f"{number(at(cycle))} {number(y)}" for cycle in (part.start, part.end)]
    return element("path", css="way", d="M" + "L".join(points)) if points else ""
