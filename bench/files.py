"""Reading the YAML files that people write: strict, whole, with errors that name the place.

Used for workloads, hardware profiles and configurations. A file is refused whole, with
every mistake in it at once.
"""

from __future__ import annotations

import difflib
import json
import re
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeVar, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, RootModel, Tag, ValidationError
from pydantic_core import ErrorDetails

from bench.errors import UserError

M = TypeVar("M", bound=BaseModel)

Loc = tuple[int | str, ...]


class FileModel(BaseModel):
    """Base of the models that files are checked against: no unknown keys, no silent conversions.

    Tags of unions should hold a blank ("a family"): pydantic puts them among the keys of a
    path, and `parse_yaml` takes out what is no key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


def load_yaml(path: Path, schema: type[M]) -> M:
    """Read one YAML file and check it against ``schema``.

    Raises UserError, naming file, line or key, and fix: the file is missing, empty, cut
    off, no YAML, repeats a key, or does not agree with the schema.
    """
    return parse_yaml(read_text(path), shown(path), schema)


def parse_yaml(text: str, name: str, schema: type[M]) -> M:
    """Check YAML ``text`` against ``schema``; ``name`` is the file that messages name.

    Raises UserError as `load_yaml` does.
    """
    document = parse_document(text, name)
    return check_data(document, document.data, schema)


@dataclass(frozen=True)
class Document:
    """A YAML file that is read, but not checked yet."""

    name: str
    """As messages show it."""
    node: yaml.Node
    """Where each key stands."""
    data: Any


def parse_document(text: str, name: str) -> Document:
    """The YAML ``text`` of the file ``name``; UserError as `load_yaml`, but for the schema."""
    return Document(name, *_parse(text, name))


def check_data(
    document: Document, data: Any, schema: type[M], remark: Callable[[Loc], str] = lambda loc: ""
) -> M:
    """Check ``data`` that is a document's own, or was completed from elsewhere.

    ``remark`` ends each message: it gets the path of the key (names and indices), and returns text
    or nothing. Raises UserError with all mistakes.
    """
    try:
        return schema.model_validate(data)
    except ValidationError as failure:
        errors = failure.errors(include_url=False)
    lines = [_error_line(document, data, schema, error, remark) for error in errors]
    raise UserError("\n".join(dict.fromkeys(lines)))


def shown(path: Path) -> str:
    """The path as messages show it: relative to the working directory where it lies below it."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def read_text(path: Path) -> str:
    """The text of ``path``; UserError if it is missing, a folder, unreadable or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        siblings = sorted(p.name for p in path.parent.glob("*")) if path.parent.is_dir() else []
        raise UserError(f"{shown(path)}: no such file{_hint(path.name, siblings)}") from None
    except IsADirectoryError:
        raise UserError(f"{shown(path)}: is a folder; name a file in it") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{shown(path)}: not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except OSError as error:
        raise UserError(f"{shown(path)}: cannot be read ({error.strerror})") from None


def json_schema(schema: type[BaseModel], title: str) -> str:
    """The JSON Schema of ``schema`` as text with a final newline; the same bytes each time."""
    value = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema.model_json_schema()}
    return as_text(value | {"title": title})


def as_text(schema: dict[str, Any]) -> str:
    """A JSON Schema as text with a final newline."""
    return json.dumps(schema, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


# --- YAML -------------------------------------------------------------------------------


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML 1.2 scalars only, and no key twice.

    YAML 1.1 would read 010 as eight, 1:30 as ninety, `no` as false and 1e9 as text.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, list[tuple[str, re.Pattern[str]]]]] = {}

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        first: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == "tag:yaml.org,2002:merge":
                continue
            line = key.start_mark.line + 1
            if key.value in first:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key.value!r} is given twice (first in line {first[key.value]}); "
                    "remove one",
                    problem_mark=key.start_mark,
                )
            first[key.value] = line
        result: dict[Any, Any] = super().construct_mapping(node, deep=deep)
        return result


for _tag, _pattern, _starts in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", list("-+0123456789")),
    (
        "float",
        r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.inf)|\.nan",
        list("-+0123456789."),
    ),
    ("merge", r"<<", ["<"]),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _starts)


def _parse(text: str, name: str) -> tuple[yaml.Node, Any]:
    """The node tree (for line numbers) and the plain value of ``text``."""
    if not text.strip():
        raise UserError(f"{name}: the file is empty")
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        data = None if node is None else loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        raise UserError(_yaml_problem(error, text, name)) from None
    except yaml.YAMLError as error:
        raise UserError(f"{name}: not YAML: {error}") from None
    finally:
        loader.dispose()
    if data is None:
        raise UserError(f"{name}: the file holds nothing but comments")
    if not text.endswith("\n"):
        # `steps: 1500` cut to `steps: 15` is valid: the missing line end is the only trace
        raise UserError(
            f"{name}: line {len(text.splitlines())}: the last line has no line end, so the file may be "
            f"cut off there ({_short(text.splitlines()[-1].strip())}); restore it, or, if it is whole, "
            "end it with a newline"
        )
    return node, data


def _yaml_problem(error: yaml.MarkedYAMLError, text: str, name: str) -> str:
    mark = error.problem_mark or error.context_mark
    lines = text.splitlines()
    line = min(mark.line + 1, len(lines)) if mark else 1
    reason = " ".join(part for part in (error.context, error.problem) if part)
    cut = line >= len(lines) and "given twice" not in reason
    advice = "; if the file is cut off here, restore it" if cut else ""
    found = lines[line - 1].strip()
    return f"{name}: line {line}: {reason} (at {_short(found)}){advice}"


# --- the schema's complaints -------------------------------------------------------------


def _error_line(
    document: Document, data: Any, schema: type[BaseModel], error: ErrorDetails, remark: Callable[[Loc], str]
) -> str:
    loc, line = _place(document.node, data, error["loc"], error["type"])
    place = f"{document.name}: {shown_key(loc) or 'the whole file'}"
    return f"{place}: {_complaint(schema, error, line)}{remark(loc)}"


def _complaint(schema: type[BaseModel], error: ErrorDetails, line: int) -> str:
    if error["type"] == "missing":
        return f"missing; add it (to what starts in line {line})"
    if error["type"] == "extra_forbidden":
        known = sorted(_known_keys(schema, error["loc"][:-1]))
        near = _hint(str(error["loc"][-1]), known) or f"; known keys: {', '.join(known)}"
        return f"unknown key{near} (line {line})"
    reason = re.sub(r"^(Value error, |Input )", "", error["msg"])
    return f"{reason} (got {_short(error['input'])}, line {line})"


def shown_key(loc: Loc) -> str:
    """A path of keys as messages show it: ``links[0].latency.unit``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in loc).lstrip(".")


def _place(node: yaml.Node, data: Any, loc: Loc, kind: str) -> tuple[Loc, int]:
    """``loc`` without the names pydantic adds for members of a union, and its line."""
    kept: list[int | str] = []
    line = node.start_mark.line + 1
    for number, part in enumerate(loc):
        last = number == len(loc) - 1
        if isinstance(part, int) and isinstance(data, list) and part < len(data):
            data = data[part]
            node = node.value[part]
        elif isinstance(data, dict) and part in data:
            data = data[part]
            found = _child(node, str(part))
            if found is None:  # it came in through a merge key
                return (*kept, *loc[number:]), line
            key, node = found
            line = key.start_mark.line + 1
            kept.append(part)
            continue
        elif not (last and kind == "missing"):
            continue
        kept.append(part)
        if not (last and kind == "missing"):
            line = node.start_mark.line + 1
    return tuple(kept), line


def _child(node: yaml.Node, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return name, value
    return None


def _known_keys(schema: type[BaseModel], loc: Loc) -> set[str]:
    """Keys that any model at ``loc`` has."""
    types_here: list[Any] = [schema]
    for part in loc:
        members = [member for item in types_here for member in _members(item)]
        tagged = [member for member, tag in members if tag is not None and tag == part]
        after = tagged or [child for member, _ in members for child in _step(member, part)]
        types_here = after or types_here  # nothing found: the name of a union's member
    models = [member for item in types_here for member, _ in _members(item) if _is_model(member)]
    return {field.alias or key for model in models for key, field in model.model_fields.items()}


def _step(member: Any, part: int | str) -> Iterator[Any]:
    """What ``member`` holds under the key or index ``part``."""
    origin, args = get_origin(member), get_args(member)
    if _is_model(member):
        for key, field in member.model_fields.items():
            if part in (key, field.alias):
                yield field.annotation
    elif origin is dict and isinstance(part, str):
        yield args[1]
    elif origin in (list, tuple) and isinstance(part, int):
        yield args[0]


def _members(annotation: Any, tag: str | None = None) -> Iterator[tuple[Any, str | None]]:
    """The members of a union, or the type itself, each with its tag if it has one."""
    if hasattr(annotation, "__metadata__"):  # Annotated[...]
        own = [item.tag for item in annotation.__metadata__ if isinstance(item, Tag)]
        yield from _members(annotation.__origin__, own[0] if own else tag)
    elif get_origin(annotation) in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _members(member, tag)
    elif isinstance(annotation, type) and issubclass(annotation, RootModel):
        yield from _members(annotation.model_fields["root"].annotation, tag)
    else:
        yield annotation, tag


def _is_model(value: Any) -> bool:
    return isinstance(value, type) and issubclass(value, BaseModel)


def _hint(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
