"""A picture of a plan's device groups and of the cables between them."""

from __future__ import annotations

from collections.abc import Sequence

from bench.hardware.profile import Cluster
from bench.hardware.topology import HUB, Link, routes
from bench.plans.plan import Plan
from bench.site.svg import device_class, drawing, element, number, text, titled

STEP, ROW, RADIUS, MARGIN, TOP = 104.0, 116.0, 19.0, 46.0, 66.0

Place = tuple[float, float]


def cabling(plan: Plan, cluster: Cluster, megabytes: Sequence[float]) -> str:
    """The drawing: a box a group, a circle a device with its weights, a line a cable.

    ``megabytes``: weights, by device.
    """
    topology = routes(cluster, plan.groups)
    groups = plan.groups
    idle = tuple(sorted(set(range(cluster.fpgas)) - {device for group in groups for device in group}))
    rows = [*groups, *([idle] if idle else [])]
    places = {
        device: (MARGIN + rank * STEP, TOP + line * ROW)
        for line, group in enumerate(rows)
        for rank, device in enumerate(group)
    }
    hub = any(HUB in (link.source, link.destination) for link in topology.links)
    width = 2 * MARGIN + STEP * (max(map(len, rows)) - 1)
    height = TOP + MARGIN + ROW * (len(rows) - 1 + hub) + 4
    if hub:
        places[HUB] = (width / 2, TOP + ROW * len(rows))
    content = [_box(places, group, idle) for group in rows]
    content += [_cable(places, ends, both) for ends, both in _cables(topology.links)]
    for device, (x, y) in places.items():
        if device == HUB:
            content += [element("rect", css="hub", x=x - 34, y=y - 13, width=68, height=26, rx=5)]
            content += [text("hub", x, y + 4, css="mark")]
            continue
        css = "block idle" if device in idle else f"block {device_class(device)}"
        title = f"device {device}: {megabytes[device]:.1f} MB of weights"
        content += [titled("circle", title, css=css, cx=x, cy=y, r=RADIUS)]
        mark = "mark" if device in idle else f"mark {device_class(device)}"
        content += [text(str(device), x, y + 4, css=mark)]
        content += [
            text("idle" if device in idle else f"{megabytes[device]:.1f} MB", x, y + RADIUS + 13, css="note")
        ]
    label = f"{len(groups)} device groups on {topology.name}, {len(idle)} devices idle"
    return drawing(content, width, height, label, "plan cabling")


def _cables(links: Sequence[Link]) -> list[tuple[tuple[int, int], bool]]:
    """(ends, whether both directions are in use), each cable once."""
    directed = {(link.source, link.destination) for link in links}
    found: dict[tuple[int, int], bool] = {}
    for source, destination in sorted(directed):
        both = (destination, source) in directed
        if not (both and (destination, source) in found):
            found[source, destination] = both
    return list(found.items())


def _box(places: dict[int, Place], group: tuple[int, ...], idle: tuple[int, ...]) -> str:
    left, top = places[group[0]]
    right = places[group[-1]][0]
    side = RADIUS + 13
    width = right - left + 2 * side
    css = "group idle" if group == idle else "group"
    return element("rect", css=css, x=left - side, y=top - side, rx=12, width=width, height=2 * side + 16)


def _cable(places: dict[int, Place], ends: tuple[int, int], both: bool) -> str:
    """A line between neighbours, an arc past others that lie between; a dot at the head of a one-way one."""
    (x0, y0), (x1, y1) = places[ends[0]], places[ends[1]]
    far_along = y0 == y1 and abs(x1 - x0) > STEP + 1
    far_down = x0 == x1 and abs(y1 - y0) > ROW + 1
    bend = (
        (0.0, -RADIUS - 9 - abs(x1 - x0) * 0.03)
        if far_along
        else (-RADIUS - 30.0, 0.0)
        if far_down
        else (0.0, 0.0)
    )
    middle = ((x0 + x1) / 2 + 2 * bend[0], (y0 + y1) / 2 + 2 * bend[1])
    path = f"M{number(x0)} {number(y0)}Q{number(middle[0])} {number(middle[1])} {number(x1)} {number(y1)}"
    lines = element("path", css="cable", d=path)
    if not both:
        # a third of the way along the curve's end, clear of the circle
        part = 0.72
        x = (1 - part) ** 2 * x0 + 2 * part * (1 - part) * middle[0] + part**2 * x1
        y = (1 - part) ** 2 * y0 + 2 * part * (1 - part) * middle[1] + part**2 * y1
        lines += element("circle", css="head", cx=x, cy=y, r=3.5)
    return lines
