"""The JSON Schema of profile files that may extend another: required keys are required without a base."""

from __future__ import annotations

import copy
from typing import Any

REFERENCE = "#/$defs/"
PARTIAL = "Partial"
"""Begins the names of definitions for files with ``extends``."""


def with_extension(schema: dict[str, Any]) -> dict[str, Any]:
    """``schema`` of a whole profile, and with ``extends`` one in which groups need no key.

    Numbers, names with a source, and the links of a list stay whole: they replace the base's. Any
    key of a group may be null, which takes back what the base states.
    """
    definitions = {name: _own_needs_no_source(part) for name, part in schema["$defs"].items()}
    root = {key: value for key, value in schema.items() if key not in ("$defs", "$schema", "title")}
    groups = _groups(root, definitions)
    partial = {PARTIAL + name: _partial(definitions[name], groups) for name in groups}
    base = {**root, "properties": {k: v for k, v in root["properties"].items() if k != "extends"}}
    extension = {**_partial(root, groups), "required": ["extends", "name"]}
    return {
        "$schema": schema["$schema"],
        "title": schema["title"],
        "$defs": {**definitions, **partial, "WholeFile": base, "ExtendingFile": extension},
        "if": {"type": "object", "required": ["extends"]},
        "then": {"$ref": REFERENCE + "ExtendingFile"},
        "else": {"$ref": REFERENCE + "WholeFile"},
    }


def _own_needs_no_source(part: dict[str, Any]) -> dict[str, Any]:
    """A number's definition, with the source required unless the kind is ``own``."""
    if not {"kind", "source"} <= set(part.get("properties", {})):
        return part
    required = [key for key in part["required"] if key != "source"]
    own = {"properties": {"kind": {"const": "own"}}}
    return {**part, "required": required, "if": own, "else": {"required": ["source"]}}


def _groups(schema: dict[str, Any], definitions: dict[str, Any]) -> list[str]:
    """Definitions that ``schema`` holds under its keys, not in lists, and that are no numbers."""
    found = []
    for value in schema["properties"].values():
        for option in value.get("anyOf", [value]):
            name = option.get("$ref", "").removeprefix(REFERENCE)
            if name and "value" not in definitions[name]["properties"]:
                found += [name, *_groups(definitions[name], definitions)]
    return sorted(set(found))


def _partial(schema: dict[str, Any], groups: list[str]) -> dict[str, Any]:
    """``schema`` with nothing required and everything nullable, groups below it too."""
    part = copy.deepcopy(schema)
    part.pop("required", None)
    for key, value in part["properties"].items():
        options = value.pop("anyOf", None) or [
            {k: value.pop(k) for k in [*value] if k not in ("description", "default", "title")}
        ]
        for option in options:
            name = option.get("$ref", "").removeprefix(REFERENCE)
            if name in groups:
                option["$ref"] = REFERENCE + PARTIAL + name
        if key not in ("extends", "name") and {"type": "null"} not in options:
            options.append({"type": "null"})
        part["properties"][key] = {**value, "anyOf": options}
    return part
