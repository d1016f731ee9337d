"""Small pieces of SVG: elements, numbers, and what tells devices apart."""

from __future__ import annotations

from html import escape

COLOURS = 8
"""Colours of devices in the style sheet (``d0`` ...); a ninth device has the first one's again."""


def element(tag: str, content: str = "", **attributes: str | float) -> str:
    """An element; ``css`` is its class, underscores in names are hyphens. ``content`` is markup already."""
    pairs = [
        f' {"class" if name == "css" else name.replace("_", "-")}="{_value(value)}"'
        for name, value in attributes.items()
    ]
    return f"<{tag}{''.join(pairs)}>{content}</{tag}>" if content else f"<{tag}{''.join(pairs)}/>"


def text(content: str, x: float, y: float, **attributes: str | float) -> str:
    """A line of text."""
    return element("text", escape(content), x=x, y=y, **attributes)


def titled(tag: str, title: str, **attributes: str | float) -> str:
    """An element that says ``title`` under the pointer."""
    return element(tag, element("title", escape(title)), **attributes)


def drawing(content: list[str], width: float, height: float, label: str, css: str) -> str:
    """A whole drawing of so many units; ``label`` is what a screen reader says."""
    return element(
        "svg",
        "".join(content),
        css=css,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=label,
        style=f"width:{number(width)}px",
    )


def device_class(device: int) -> str:
    """The CSS class of a device's colour."""
    return f"d{device % COLOURS}"


def number(value: float) -> str:
    """A coordinate to a hundredth of a unit, as short as it can be."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _value(value: str | float) -> str:
    return escape(value) if isinstance(value, str) else number(value)
