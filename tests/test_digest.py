"""Which modules a result depends on."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bench import digest
from bench.experiments import load_config, make_shards, read_profile
from bench.imports import import_statements


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A small package with a registry and two partitioners."""
    files = {
        "bench/__init__.py": "",
        "bench/a.py": "from bench.deep import b\nimport numpy",
        "bench/deep/__init__.py": "",
        "bench/deep/b.py": "def f():\n    from .c import g",
        "bench/deep/c.py": "",
        "bench/partitioners/__init__.py": "import bench.partitioners.one\nimport bench.partitioners.two",
        "bench/partitioners/one.py": "from bench.partitioners import Partitioner\nfrom . import helper",
        "bench/partitioners/two.py": "",
        "bench/partitioners/helper.py": "",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return tmp_path / "bench"


def names(package: Path, *roots: str) -> set[str]:
    """The sources of ``roots``, relative to the package."""
    found = digest.sources([package / root for root in roots], package)
    return {path.relative_to(package.resolve()).as_posix() for path in found}


def test_imports_are_followed(package: Path) -> None:
    """Absolute, relative and late imports count, with the packages on the way."""
    assert names(package, "a.py") == {"__init__.py", "a.py", "deep/__init__.py", "deep/b.py", "deep/c.py"}


def test_registry_does_not_join_partitioners(package: Path) -> None:
    """A partitioner depends on its helpers, not on its neighbours that the registry imports."""
    found = names(package, "partitioners/one.py")
    assert "partitioners/helper.py" in found
    assert "partitioners/two.py" not in found


def test_file_outside_the_package(package: Path, tmp_path: Path) -> None:
    """A user's own file counts with what it imports from the package."""
    mine = tmp_path / "mine.py"
    mine.write_text("from bench.deep.c import g", encoding="utf-8")
    found = digest.sources([mine], package)
    assert {path.name for path in found} == {"mine.py", "__init__.py", "c.py"}


def test_neighbours_do_not_share_sources() -> None:
    """Editing row-wise leaves layer-wise's results alone, editing the emulator does not."""
    row_wise = {path.name for path in digest.sources([digest.PACKAGE / "partitioners/row_wise.py"])}
    assert "layer_wise.py" not in row_wise
    shared = {path.name for path in digest.sources([digest.PACKAGE / root for root in digest.ROOTS])}
    assert {"engine.py", "lower.py", "validate.py", "profile.py", "model.py"} <= shared
    assert {"check.py", "interpreter.py", "numbers.py", "scale_down.py", "formats.py"} <= shared
    assert not {"row_wise.py", "layer_wise.py", "single.py", "tables.py"} & shared
    assert digest.source_digest("row-wise") != digest.source_digest("layer-wise")


def test_accuracies_depend_on_formats_and_workloads() -> None:
    """Another seed or workload, and an edit of the arithmetic, give another digest; experiments do not."""
    smoke = load_config(digest.PACKAGE.parent / "config" / "smoke.yaml")
    assert smoke.accuracy
    same = smoke.model_copy(update={"experiments": smoke.experiments[:1]})
    assert digest.accuracy_digest(same) == digest.accuracy_digest(smoke)
    for change in ({"seed": 1}, {"workloads": ["lstm-64-b1-t25"]}, {"formats": ["int8"]}):
        other = smoke.model_copy(update={"accuracy": smoke.accuracy.model_copy(update=change)})
        assert digest.accuracy_digest(other) != digest.accuracy_digest(smoke)
    found = {path.name for path in digest.sources([digest.PACKAGE / "numerics/accuracy.py"])}
    assert {"formats.py", "whole.py", "numbers.py", "activations.py"} <= found


def test_a_base_counts_for_what_extends_it(tmp_path: Path) -> None:
    """Another value in a base, or in its base, re-runs the points of what extends it; a comment does not."""
    files = {
        "far.yaml": "extends: s10-gx2800-fccm19\nname: far\nclock: {value: 300, unit: MHz, kind: own}\n",
        "near.yaml": "extends: ./far.yaml\nname: near\n",
        "mine.yaml": (
            "extends: near.yaml\nname: mine\noverlay:\n  tiles: {value: 6, unit: count, kind: own}\n"
        ),
        "config.yaml": (
            "experiments:\n  - name: one\n    workloads: [lstm-64-b1-t5]\n    fpgas: [1]\n"
            f"    partitioners: [single]\n    profiles: [{tmp_path}/mine.yaml]\n"
        ),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")

    def now() -> str:
        read_profile.cache_clear()
        config = load_config(tmp_path / "config.yaml")
        (shard,) = make_shards(config)
        return digest.shard_digest(shard, config)

    before = now()
    (tmp_path / "far.yaml").write_text("# a comment\n" + files["far.yaml"], encoding="utf-8")
    assert now() == before
    (tmp_path / "far.yaml").write_text(files["far.yaml"].replace("300", "310"), encoding="utf-8")
    changed = now()
    assert changed != before
    overridden = "overlay:\n  input_load: {value: 9, unit: cycles, kind: own}\n"
    (tmp_path / "near.yaml").write_text(files["near.yaml"] + overridden, encoding="utf-8")
    assert now() not in (before, changed)


def test_tools_of_a_plug_in_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Installing the package that a plug-in imports changes its jobs' digest; others' stay as they are."""
    (tmp_path / "helper.py").write_text("import json\n", encoding="utf-8")
    mine = tmp_path / "mine.py"
    mine.write_text(
        "import math, helper\nfrom bench.plans.plan import Plan\n"
        "def plan(workload, cluster):\n    from no_such_tool.deep import f\n    import pytest\n",
        encoding="utf-8",
    )
    config = tmp_path / "mine.yaml"
    config.write_text(
        "experiments: [{name: a, workloads: [lstm-512-b1-t25], profiles: [s10-gx2800-dac20], fpgas: [2], "
        f"partitioners: [{mine}]}}]\n",
        encoding="utf-8",
    )
    loaded = load_config(config)
    before = {shard.name: digest.shard_digest(shard, loaded) for shard in make_shards(loaded)}
    assert digest.tools(str(mine)) == ["no_such_tool missing", f"pytest {pytest.__version__}"]
    tool = tmp_path / "packages" / "no_such_tool"
    tool.mkdir(parents=True)
    (tool / "__init__.py").touch()
    monkeypatch.syspath_prepend(tool.parent)
    after = {shard.name: digest.shard_digest(shard, loaded) for shard in make_shards(loaded)}
    assert digest.tools(str(mine))[0] == "no_such_tool installed"
    assert [name for name in before if before[name] != after[name]] == ["all--mine"]
    assert digest.tools("full") == []


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import a.b, c as d\nfrom ..e import (\n    f,\n    g as h,\n)\n", {"a.b", "c", "e.f", "e.g"}),
        ("def p():\n    if True:\n        from a import b  # late\n    return b\n", {"a.b"}),
        ("x = 1; import a\ntry: import b\nexcept ImportError: from c import d\n", {"a", "b", "c.d"}),
        ('"""What to import: import a"""\nmatch 1:\n    case 1:\n        import b\n', {"b"}),
        ("from a import \\\n    b\nwith x:\n    from c import (  # why\n        d,\n    )\n", {"a.b", "c.d"}),
    ],
)
def test_all_imports_are_found(source: str, names: set[str]) -> None:
    """However an import is written and wherever it stands, it is found; a mention of the word is none."""
    found: set[str] = set()
    for node in import_statements(source.encode()):
        base = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
        found |= {f"{base}{alias.name}" for alias in node.names}
    assert found == names


def test_the_suites_imports_are_found() -> None:
    """The short way finds in each module of the suite what parsing all of it finds."""
    for path in digest.PACKAGE.rglob("*.py"):
        tree = ast.walk(ast.parse(path.read_bytes()))
        wanted = {ast.unparse(node) for node in tree if isinstance(node, ast.Import | ast.ImportFrom)}
        assert {ast.unparse(node) for node in import_statements(path.read_bytes())} == wanted
