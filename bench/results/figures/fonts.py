"""Fonts in PDF files without what only a typesetter reads: smaller files, written in half the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

FOR_TYPESETTING = ("GDEF", "GPOS", "GSUB")
"""Tables of kerning and ligatures. A PDF file says where each glyph stands, so a reader needs none."""


@contextmanager
def lean_fonts() -> Iterator[None]:
    """Within, matplotlib embeds fonts without the tables `FOR_TYPESETTING`."""
    from fontTools import subset

    usual = subset.Options

    def lean(**settings: Any) -> Any:
        options = usual(**settings)
        options.drop_tables += FOR_TYPESETTING
        return options

    subset.Options = lean
    try:
        yield
    finally:
        subset.Options = usual
