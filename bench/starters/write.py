"""Write a starting point: its templates, filled in, as new files, all of them or none."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import jinja2

from bench.errors import UserError
from bench.files import shown
from bench.starters.names import checked_name

TEMPLATES = Path(__file__).with_name("templates")

FILES: dict[str, dict[str, str]] = {
    "partitioner": {
        "partitioner.py": "{module}.py",
        "test_partitioner.py": "test_{module}.py",
        "config.yaml": "config.yaml",
    },
    "package": {
        "pyproject.toml": "{name}/pyproject.toml",
        "README.md": "{name}/README.md",
        "config.yaml": "{name}/config.yaml",
        "package.py": "{name}/src/{module}/__init__.py",
        "partitioner.py": "{name}/src/{module}/partitioner.py",
        "py.typed": "{name}/src/{module}/py.typed",
        "test_partitioner.py": "{name}/tests/test_{module}.py",
    },
    "profile": {"profile.yaml": "{name}.yaml"},
    "workload": {"workload.yaml": "{name}.yaml"},
}
"""Kind -> template (without `.jinja`) -> file, relative to the user's folder."""


def starting_point(kind: str, given: str) -> tuple[str, dict[str, str]]:
    """The name as tables show it, and text by relative path; ``kind`` is a key of `FILES`.

    Raises UserError as `checked_name` does.
    """
    spelled = given.replace("_", "-")
    names = {"name": spelled, "module": spelled.replace("-", "_")}
    first = next(iter(FILES[kind].values())).format(**names)
    name = checked_name("partitioner" if kind == "package" else kind, given, first)
    package = kind == "package"
    values = {**names, "package": package, "reference": name if package else f"{names['module']}.py"}
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    texts = {
        file.format(**names): environment.get_template(f"{template}.jinja").render(values)
        for template, file in FILES[kind].items()
    }
    return name, texts


def write_new(folder: Path, texts: Mapping[str, str]) -> None:
    """Write ``texts`` (relative path -> text) below ``folder``, all or none of them.

    Folders are made as needed. Raises UserError, and leaves everything as it was, if a file
    exists already or cannot be written.
    """
    there = [shown(folder / name) for name in texts if (folder / name).exists()]
    if there:
        raise UserError(
            f"{', '.join(there)}: there already, and nothing was written; choose another name or folder"
        )
    made: list[Path] = []
    try:
        for name, text in texts.items():
            _make_folders((folder / name).parent, made)
            with (folder / name).open("x", encoding="utf-8", newline="\n") as file:
                made.append(folder / name)
                file.write(text)
    except BaseException as error:
        for path in reversed(made):
            with suppress(OSError):
                path.rmdir() if path.is_dir() else path.unlink()
        if isinstance(error, OSError):
            where = shown(Path(error.filename or folder))
            raise UserError(f"{where}: cannot be written ({error.strerror}); nothing was written") from None
        raise


def _make_folders(folder: Path, made: list[Path]) -> None:
    """Make ``folder`` and those above it that are missing; each is added to ``made``."""
    for one in [*reversed(folder.parents), folder]:
        if not one.exists():
            one.mkdir()
            made.append(one)
