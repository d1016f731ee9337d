"""The architecture page says what the code does."""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, blocks, examples, read, run

PAGE = "docs/architecture.md"
PACKAGE = ROOT / "bench"


def stated_layers() -> dict[str, int]:
    """Member of the package -> line of the page's list."""
    text = read(PAGE).partition("## Package layers")[2]
    lines = re.findall(r"^(\d+)\. (.+)$", text, flags=re.MULTILINE)
    return {name: int(number) for number, names in lines for name in re.findall(r"`(\w+)`", names)}


def member(path: Path) -> str:
    """The subpackage, or the module at the top, that a file belongs to."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_members(node: ast.AST) -> Iterator[str]:
    """Members that ``node`` and what is in it import, but for type annotations alone."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module == "bench":
        names = [f"bench.{alias.name}" for alias in node.names if alias.name != "__version__"]
    elif isinstance(node, ast.ImportFrom) and node.module:
        names = [node.module]
    yield from (name.split(".")[1] for name in names if name.startswith("bench."))
    for child in ast.iter_child_nodes(node):
        yield from imported_members(child)


def test_layers_list_is_complete() -> None:
    """Every member of the package stands in the page's list of layers, and nothing else does."""
    members = {member(path) for path in PACKAGE.rglob("*.py") if path != PACKAGE / "__init__.py"}
    assert set(stated_layers()) == members


def test_imports_go_one_way() -> None:
    """A module imports from its own member, or from members on earlier lines of the list."""
    layers = stated_layers()
    wrong = [
        f"{path.relative_to(ROOT)} imports {other}"
        for path in sorted(PACKAGE.rglob("*.py"))
        for me in [member(path)]
        for other in sorted(set(imported_members(ast.parse(path.read_bytes()))))
        if me != "__init__" and other != me and layers[other] >= layers[me]
    ]
    assert not wrong


def test_arrows_exist() -> None:
    """Each function of the table of arrows is defined in a module that its row names."""
    rows = re.findall(r"^\| .* \| (`\w+`.*?) \| (.*) \|$", read(PAGE), flags=re.MULTILINE)
    assert rows
    for functions, modules in rows:
        paths = [ROOT / path for path in re.findall(r"`(bench/[\w/]+(?:\.py)?)/?`", modules)]
        files = [file for path in paths for file in (path.rglob("*.py") if path.is_dir() else [path])]
        source = "\n".join(file.read_text(encoding="utf-8") for file in files)
        for name in re.findall(r"`(\w+)`", functions):
            assert f"def {name}(" in source, (name, modules)


def test_plan_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ownership map on the page is what the command above it writes; the other command works too."""
    monkeypatch.chdir(tmp_path)
    example, numerics = examples(read(PAGE))
    assert run(example.command)[0] == 0
    code, output = run(numerics.command)
    assert code == 0
    assert "full size" in output
    written = json.loads((tmp_path / "plan.json").read_text(encoding="utf-8"))
    (shown,) = blocks(read(PAGE), "json")
    part = json.loads(f"{{{shown}}}")
    assert part
    assert {key: written[key] for key in part} == part


def test_program_example() -> None:
    """The instruction stream on the page is what the code above it prints."""
    (code,) = blocks(read(PAGE), "python")
    (shown,) = blocks(read(PAGE), "text")
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(compile(code, PAGE, "exec"), {})
    assert printed.getvalue() == shown
