"""Fonts in PDF files without what only a typesetter reads: smaller files, written in less time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FOR_TYPESETTING = ("GDEF", "GPOS", "GSUB", "kern")
"""Tables of kerning and ligatures. A PDF file says where each glyph stands, so a reader needs none."""


@contextmanager
def lean_fonts() -> Iterator[None]:
    """Within, matplotlib embeds fonts without the tables `FOR_TYPESETTING`, and does not read them."""
    from fontTools import subset

    load = subset.load_font

    def load_lean(*arguments: Any, **settings: Any) -> Any:
        font = load(*arguments, **settings)
        for table in FOR_TYPESETTING:
            if table in font:
                del font[table]
        return font

    subset.load_font = load_lean
    try:
        yield
    finally:
        subset.load_font = load
