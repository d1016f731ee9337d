"""Profiles with some numbers replaced: ``s10-gx2800-dac20?clock_mhz=300&overlay.tiles=8``.

Behind the question mark stand fields of `bench.hardware.profile.Profile`, in its units; ``link.`` is
the profile's first link, ``links.NAME.`` any of them.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from bench.errors import UserError
from bench.hardware.profile import Profile

MAY_BE_ZERO = ("_cycles", "latency_ns")
"""How the fields end that may be 0; all others are greater."""


def vary_profile(profile: Profile, reference: str, changes: Mapping[str, str]) -> Profile:
    """``profile`` with each of ``changes``, named ``reference``; UserError for an unknown path or value."""
    for path, text in changes.items():
        try:
            profile = _changed(profile, path.split("."), text)
        except UserError as error:
            raise UserError(f"profile {reference}: {path}: {error}") from None
    return replace(profile, name=reference)


def _changed(value: Any, path: list[str], text: str) -> Any:
    """A dataclass with the field at ``path`` replaced."""
    name, *rest = path
    if isinstance(value, Profile) and name in ("link", "links"):
        return _with_link(value, name, rest, text)
    known = [field.name for field in fields(value)]
    if name == "bandwidth_gbps" and "ns_per_byte" in known:
        return _changed(value, ["ns_per_byte"], repr(8.0 / _number(text, name)))
    if name not in known:
        near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)}"
        raise UserError(f"there is no {name!r}; {hint}")
    old = getattr(value, name)
    if rest:
        if not hasattr(old, "__dataclass_fields__"):
            raise UserError(f"{name} has no parts, or this profile has none of it")
        return replace(value, **{name: _changed(old, rest, text)})
    return replace(value, **{name: _read(old, name, text)})


def _with_link(profile: Profile, name: str, rest: list[str], text: str) -> Profile:
    chosen = profile.links[0].name if name == "link" else rest.pop(0) if rest else ""
    if not rest or chosen not in [link.name for link in profile.links]:
        names = ", ".join(link.name for link in profile.links)
        raise UserError(f"expected link.FIELD or links.NAME.FIELD; the profile's links are: {names}")
    links = tuple(_changed(link, rest, text) if link.name == chosen else link for link in profile.links)
    return replace(profile, links=links)


def _read(old: object, name: str, text: str) -> object:
    """``text`` as a value of the kind that ``old`` is."""
    if isinstance(old, bool):
        if text not in ("true", "false"):
            raise UserError(f"got {text!r}, expected true or false")
        return text == "true"
    if not isinstance(old, int | float):
        raise UserError("is no number that this profile states, so it cannot be replaced")
    number = _number(text, name)
    if isinstance(old, int) and not number.is_integer():
        raise UserError(f"got {text}, expected a whole number")
    return int(number) if isinstance(old, int) else number


def _number(text: str, name: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise UserError(f"got {text!r}, expected a number") from None
    zero = name.endswith(MAY_BE_ZERO)
    if not math.isfinite(number) or number < 0 or (number == 0 and not zero):
        raise UserError(f"got {text}, expected a number {'of 0 or more' if zero else 'greater than 0'}")
    return number
