"""Profiles that extend another one: a file states what differs, the rest is its base's.

Groups of keys merge. A number or a name with a source replaces the base's as a whole, so that no
source is left beside a value that it does not speak of. Lists replace, and ``null`` takes back what
the base states. The result is checked like any profile; a message says what came from which file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.files import Document, Loc, check_data, parse_document, read_text, shown, shown_key
from bench.hardware.profile import Profile
from bench.hardware.schema import ProfileFile

OWN_KEYS = ("extends", "name", "summary")
"""Keys that speak of one file and are not inherited."""

Find = Callable[[str], Path]
"""From the name of a profile to its file; UserError if there is none."""


@dataclass(frozen=True)
class Whole:
    """A profile file with all that it takes from its bases."""

    file: ProfileFile
    data: Mapping[str, Any]
    """As one file would state it."""
    origins: Mapping[Loc, str]
    """Key of a number, a list or a plain value -> the file that states it."""
    extends: tuple[str, ...]
    """Its base, that one's base, and so on, as the files name them."""

    def profile(self) -> Profile:
        """The value that the emulator reads."""
        return replace(self.file.profile(), extends=self.extends)


def read_whole(path: Path, find: Find, above: tuple[Path, ...] = ()) -> Whole:
    """The profile in ``path``, completed from the bases that it names.

    ``above`` are the files that extend this one. Raises UserError: all mistakes of the file, a base
    that does not exist or has mistakes, files that extend each other in a circle.
    """
    document = parse_document(read_text(path), shown(path))
    data = document.data
    if not isinstance(data, dict) or data.get("extends") is None:
        file = check_data(document, data, ProfileFile)
        return Whole(file, data, {loc: document.name for loc, _ in leaves(data)}, ())
    base = _base(document, path, find, (*above, path.resolve()))
    inherited = {key: value for key, value in base.data.items() if key not in OWN_KEYS}
    whole = merge(inherited, data)
    whole.setdefault("summary", _summary(base.file.name, data))
    file = check_data(document, whole, ProfileFile, lambda loc: _remark(loc, data, base))
    own = {loc: document.name for loc, _ in leaves(data)}
    kept = {loc: origin for loc, origin in base.origins.items() if _at(whole, loc) is not None}
    return Whole(file, whole, kept | own, (str(data["extends"]), *base.extends))


def merge(base: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """``base`` with what ``own`` states: groups merge, everything else replaces, None takes back."""
    merged = dict(base)
    for key, value in own.items():
        if value is None and key in base:
            del merged[key]
        elif _is_group(value) and _is_group(base.get(key)):
            merged[key] = merge(base[key], value)
        else:
            merged[key] = value
    return merged


def leaves(data: Mapping[str, Any], place: Loc = ()) -> Iterator[tuple[Loc, Any]]:
    """Key and value of whatever replaces the base's as a whole: numbers, lists, plain values."""
    for key, value in data.items():
        if _is_group(value):
            yield from leaves(value, (*place, key))
        elif place or key not in OWN_KEYS:
            yield (*place, key), value


def _is_group(value: Any) -> bool:
    """Whether it is a mapping of keys, and not a number or a name with its source."""
    return isinstance(value, dict) and "value" not in value


def _base(document: Document, path: Path, find: Find, above: tuple[Path, ...]) -> Whole:
    name = document.data["extends"]
    place = f"{document.name}: extends"
    if not isinstance(name, str) or not name:
        raise UserError(f"{place}: got {name!r}; expected a profile's name, or a .yaml file beside it")
    try:
        base = path.parent / name if name.endswith((".yaml", ".yml")) else find(name)
    except UserError as error:
        beside = (path.parent / f"{name}.yaml").is_file()
        hint = f"; the file beside this one is called {name}.yaml" if beside else ""
        raise UserError(f"{place}: {error}{hint}") from None
    if base.resolve() in above:
        circle = [*above[above.index(base.resolve()) :], base]
        raise UserError(
            f"{place}: {' -> '.join(shown(one) for one in circle)} is a circle; take `extends` out of one "
            "of these files and state all its values there"
        )
    if not base.is_file():
        raise UserError(
            f"{place}: got {name!r}; there is no file {shown(base)} (paths start at this file's folder)"
        )
    try:
        return read_whole(base, find, above)
    except UserError as error:
        if len(above) > 1:  # the file that was asked for says it, once
            raise
        raise UserError(f"{place}: {name!r} cannot be extended before this is right:\n{error}") from None


def _summary(base: str, data: Mapping[str, Any]) -> str:
    """A line for lists: what a file states itself."""
    keys = [shown_key(loc) for loc, _ in leaves(data)]
    if not keys:
        return f"As {base}"
    more = f" and {len(keys) - 3} more" if len(keys) > 3 else ""
    return f"As {base}, but for {', '.join(keys[:3])}{more}"


def _remark(loc: Loc, own: Mapping[str, Any], base: Whole) -> str:
    """What a message about the key ``loc`` adds: which part of it is whose."""
    if loc == ("name",) and "name" not in own:
        return "; a profile that extends another has a name of its own"
    for length in range(len(loc), 0, -1):
        origin = base.origins.get(loc[:length])
        if origin is None:
            continue
        value = _shown_value(_at(base.data, loc[:length]))
        stated, found = _stated(own, loc[:length])
        if not stated:
            return f"; it comes from {origin}, which has {value}"
        if found is None:
            return f"; null takes back {value} of {origin}, and nothing else stands in for it"
        if loc[length:] != ("source",):
            return f"; it replaces {value} of {origin}"
        return f"; it replaces {value} of {origin}, whose source does not cover it (`kind: own` needs none)"
    return _rest(loc, own, base)


def _rest(loc: Loc, own: Mapping[str, Any], base: Whole) -> str:
    """The keys of a group that the file leaves to its base."""
    taken = {key: origin for key, origin in base.origins.items() if key[: len(loc)] == loc}
    taken = {key: origin for key, origin in taken.items() if not _stated(own, key)[0]}
    if not taken:
        return ""
    files = ", ".join(dict.fromkeys(taken.values()))
    keys = [f"{shown_key(key)} ({_shown_value(_at(base.data, key))})" for key in taken]
    named = ", ".join(keys) if len(keys) < 4 else "the rest"
    return f"; {named} of it comes from {files}; state it here too, or take it back with null"


def _stated(data: Mapping[str, Any], loc: Loc) -> tuple[bool, Any]:
    """Whether ``data`` says something about a key, if only by leaving a group above it out, and what."""
    value: Any = data
    for part in loc:
        if not isinstance(value, dict):
            return True, value
        if part not in value:
            return False, None
        value = value[part]
    return True, value


def _at(data: Any, loc: Loc) -> Any:
    """The value of a key, or None."""
    return _stated(data, loc)[1]


def _shown_value(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(f"{value[key]}" for key in ("value", "unit") if key in value)
    return "the list" if isinstance(value, list) else repr(value)
