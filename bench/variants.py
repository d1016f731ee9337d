"""How a workload or a profile with some numbers replaced is written: ``NAME?KEY=VALUE&KEY=VALUE``."""

from __future__ import annotations

from collections.abc import Mapping

from bench.errors import UserError


def split_reference(reference: str) -> tuple[str, dict[str, str]]:
    """The name before the question mark, and the text of each value behind it; UserError if malformed.

    >>> split_reference("board?clock_mhz=300&overlay.tiles=8")
    ('board', {'clock_mhz': '300', 'overlay.tiles': '8'})
    """
    name, mark, text = reference.partition("?")
    changes: dict[str, str] = {}
    for part in text.split("&") if mark else []:
        key, equals, value = part.partition("=")
        if not (key and equals and value) or key in changes:
            raise UserError(f"{reference}: expected NAME?KEY=VALUE&KEY=VALUE, each key once; got {part!r}")
        changes[key] = value
    return name, changes


def join_reference(name: str, changes: Mapping[str, object]) -> str:
    """The reverse of `split_reference`; keys in order, so that equal changes give equal text."""
    if not changes:
        return name
    joined = "&".join(f"{key}={_text(value)}" for key, value in sorted(changes.items()))
    return f"{name}{'&' if '?' in name else '?'}{joined}"


def _text(value: object) -> str:
    """As a YAML scalar; a whole float like the integer, so that 300 and 300.0 are one."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
