"""Reference pages that are made from the code: commands from their help, files from their JSON Schemas."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.main import get_command
from typer.testing import CliRunner

from bench.cli import app

SCHEMAS = Path(__file__).parent / "schemas"
WIDTH = "110"
LIMITS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def write(folder: Path) -> None:
    """Write commands.md and files.md into ``folder``."""
    folder.mkdir(exist_ok=True)
    pages = {"commands.md": "".join(commands_page()), "files.md": "".join(files_page())}
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def commands_page() -> Iterator[str]:
    """The help of every command of `bench`."""
    yield "# Commands\n\nWhat `bench COMMAND --help` says.\n"
    for path in _commands(get_command(app), ()):
        # Plain, of one width, whatever the terminal of the build.
        settings = {"COLUMNS": WIDTH, "TERMINAL_WIDTH": WIDTH, "NO_COLOR": "1", "TERM": "dumb"}
        result = CliRunner().invoke(app, [*path, "--help"], env=settings)
        if result.exit_code:
            raise RuntimeError(f"bench {' '.join(path)} --help: {result.output}")
        yield f"\n## bench {' '.join(path)}\n\n```text\n{result.output.strip()}\n```\n"


def _commands(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """All commands without commands of their own."""
    if not hasattr(command, "commands"):
        yield path
        return
    for name, inner in command.commands.items():
        if not inner.hidden:
            yield from _commands(inner, (*path, name))


def files_page() -> Iterator[str]:
    """All keys of the files that users write."""
    yield "# Files\n\nThe keys of each kind of file. `bench validate FILE` checks one; an editor can, too,\n"
    yield "with the JSON Schemas in `docs/schemas/`.\n"
    for path in sorted(SCHEMAS.glob("*.schema.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        yield f"\n## {schema['title']}\n\n`docs/schemas/{path.name}`"
        yield f": {schema['description'].rstrip('.')}.\n" if "description" in schema else "\n"
        if "properties" in schema:
            yield from _table(schema)
        for name, part in schema.get("$defs", {}).items():
            if "properties" in part and not name.startswith("Partial"):
                yield f"\n### {schema['title']}: {name}\n\n"
                yield f"{_cell(part['description'])}\n" if "description" in part else ""
                yield from _table(part)


def _table(schema: dict[str, Any]) -> Iterator[str]:
    required = schema.get("required", [])
    yield "\n| key | value | default | what |\n| --- | --- | --- | --- |\n"
    for key, value in schema["properties"].items():
        default = "required" if key in required else ""
        if "default" in value:
            default = f"`{json.dumps(value['default'])}`"
        cells = (f"`{key}`", _kind(value), default, value.get("description", ""))
        yield f"| {' | '.join(_cell(cell) for cell in cells)} |\n"


def _kind(value: dict[str, Any]) -> str:
    """What may stand there, in words."""
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    for key in ("anyOf", "oneOf", "allOf"):
        if key in value:
            return " or ".join(dict.fromkeys(_kind(each) for each in value[key]))
    if "enum" in value:
        return ", ".join(f"`{each}`" for each in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    if value.get("type") == "array":
        return f"list of {_kind(value['items'])}" if "items" in value else "list"
    if value.get("type") == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"map to {_kind(value['additionalProperties'])}"
    limits = [
        f"{sign} {value[key]}"
        for key, sign in (
            ("minimum", "≥"),
            ("exclusiveMinimum", ">"),
            ("maximum", "≤"),
            ("exclusiveMaximum", "<"),
        )
        if key in value
    ]
    return " ".join([str(value.get("type", "anything")), *limits])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
