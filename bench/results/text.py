"""Writing text, for what needs no tables."""

from __future__ import annotations

from pathlib import Path


def write_text(text: str, path: Path) -> None:
    """Write UTF-8 text by rename, so that nobody sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)
