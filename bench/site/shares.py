"""A picture of where the time of several plans goes, beside the bound."""

from __future__ import annotations

from bench.explanation.figures import Figures
from bench.site.svg import drawing, element, text, titled

WIDTH, LEFT, BAR, LINE, LEGEND = 920.0, 190.0, 22.0, 34.0, 230.0
PARTS = ("work", "waiting", "links")
WORDS = {
    "work": "busiest matrix unit at work",
    "waiting": "waiting for other than links",
    "links": "would go if links took no time",
}


def shares_drawing(plans: list[tuple[str, Figures]], bound_cycles: int) -> str:
    """The drawing: a bar for each plan, in three parts that add up to its cycles, and a line at the bound."""
    longest = max(figures.cycles for _, figures in plans)
    scale = (WIDTH - LEFT - 110) / longest
    content: list[str] = []
    for place, (name, figures) in enumerate(plans):
        top = 20 + place * LINE
        content.append(text(name, 0, top + 16, css="layer"))
        parts = (figures.matrix_cycles, figures.waiting_cycles, figures.communication_cycles)
        left = LEFT
        for part, cycles in zip(PARTS, parts, strict=True):
            width = max(cycles, 0) * scale
            title = f"{name}: {WORDS[part]}, {cycles:,} cycles"
            content.append(titled("rect", title, css=f"part {part}", x=left, y=top, width=width, height=BAR))
            left += width
        content.append(text(f"{figures.cycles:,}", left + 6, top + 16, css="note start"))
    below = 20 + len(plans) * LINE
    x = LEFT + bound_cycles * scale
    content.append(element("path", css="bound", d=f"M{x:.2f} 14V{below:.0f}"))
    content.append(text(f"bound {bound_cycles:,}", x + 4, 11, css="note start"))
    for number, part in enumerate(PARTS):
        left = LEFT + number * LEGEND
        content.append(element("rect", css=f"part {part}", x=left, y=below + 4, width=12, height=12))
        content.append(text(WORDS[part], left + 18, below + 14, css="note start"))
    height = below + 22
    label = f"Cycles of {len(plans)} plans in parts, beside the bound of {bound_cycles:,}"
    return drawing(content, WIDTH, height, label, "plan shares")
