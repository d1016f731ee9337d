"""Starting points: what `bench new` writes works as it is, and never takes a file's or a name's place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bench.commands.new import SNAKEFILE
from bench.errors import UserError
from bench.experiments import Experiment, expand, load_config
from bench.hardware.files import load_profile, make_cluster
from bench.partitioners.sources import NAME, find_source
from bench.starters.names import checked_name
from bench.starters.write import FILES, TEMPLATES, starting_point, write_new
from bench.workloads.catalogue import load_workload
from tests.docs.markdown import blocks, read, run

ROOT = Path(__file__).parents[2]


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A module of the environment, run in ``folder``, on the package that is tested."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


CODE = pytest.mark.parametrize(("kind", "where"), [("partitioner", "."), ("package", "my-split")])
"""Kind, and the folder that one works in."""


@CODE
def test_code_passes_its_own_test(kind: str, where: str, tmp_path: Path) -> None:
    """The test that comes with a partitioner passes, whatever folder it is written to."""
    write_new(tmp_path, starting_point(kind, "my-split")[1])
    done = python(tmp_path / where, "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


@CODE
def test_code_is_clean_and_formatted(kind: str, where: str, tmp_path: Path) -> None:
    """The linter and the formatter, set as for the suite itself, have nothing to say."""
    write_new(tmp_path, starting_point(kind, "my-split")[1])
    rules = ("--config", str(ROOT / "pyproject.toml"), "--no-cache", ".")
    for command in (("check",), ("format", "--check")):
        done = python(tmp_path / where, "ruff", *command, *rules)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
def test_code_is_typed(tmp_path: Path) -> None:
    """The strict type checker finds nothing in any of the code, and finds the suite's types."""
    write_new(tmp_path, starting_point("partitioner", "my-file")[1])
    write_new(tmp_path, starting_point("package", "my-split")[1])
    (tmp_path / "wrong.py").write_text("from my_file import plan\n\nplan(1, 2)\n", encoding="utf-8")
    done = python(
        tmp_path,
        *("mypy", "--strict", "--no-incremental", "my_file.py", "test_my_file.py", "wrong.py"),
        *("my-split/src/my_split", "my-split/tests"),
    )
    lines = [line for line in done.stdout.splitlines() if "error" in line and not line.startswith("Found")]
    assert [line.partition(":")[0] for line in lines] == ["wrong.py"] * 2, done.stdout


def test_configuration_compares_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The configuration is valid, and has the partitioner on every cluster beside the suite's."""
    monkeypatch.chdir(tmp_path)
    write_new(Path(), starting_point("partitioner", "my-split")[1])
    points = list(expand(load_config(Path("config.yaml")).experiments[0]))
    mine = {(p.workload, p.fpgas) for p in points if p.partitioner == "my_split.py"}
    assert mine == {(p.workload, p.fpgas) for p in points if p.partitioner == "row-wise"}
    assert len(mine) == 12
    source = find_source("my_split.py")
    assert source.name == "my-split"
    assert set(source.interface.parameters) == {"most", "software_pipelining"}


def test_profile_and_workload_load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are valid as they are, under the names that were given."""
    monkeypatch.chdir(tmp_path)
    write_new(Path(), starting_point("profile", "my-board")[1])
    write_new(Path(), starting_point("workload", "my-network")[1])
    profile = load_profile("my-board.yaml")
    assert profile.name == "my-board"
    assert make_cluster(profile, 2, "ring").fpgas == 2
    assert load_workload("my-network.yaml").name == "my-network"


def test_profile_is_that_of_the_page() -> None:
    """The page on profiles goes on with the very file that is written."""
    written = starting_point("profile", "mine")[1]["mine.yaml"]
    assert yaml.safe_load(written) == yaml.safe_load(blocks(read("docs/add-a-profile.md"), "yaml")[0])


def test_every_template_is_used() -> None:
    """No template lies about that nothing is made of."""
    used = {f"{template}.jinja" for files in FILES.values() for template in files}
    assert used == {path.name for path in TEMPLATES.iterdir()}


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("partitioner", "row-wise", "two partitioners would be called 'row-wise': the built-in one and here"),
        ("partitioner", "row_wise", "two partitioners would be called 'row-wise': the built-in one and here"),
        ("partitioner", "My-Split", "'My-Split' is no name for a partitioner; expected up to 60"),
        ("partitioner", "m" * 61, "is no name for a partitioner"),
        ("partitioner", "2d", "'2d' is no name"),
        ("partitioner", "../mine", "'../mine' is no name"),
        ("partitioner", "class", "'class' is a word of Python's own"),
        ("partitioner", "random", "'random' is a module of Python's own"),
        ("partitioner", "numpy", "'numpy' is an installed module"),
        ("partitioner", "bench", "'bench' is an installed module"),
        ("profile", "s10-nx2100", "two profiles would be called 's10-nx2100': .*s10-nx2100.yaml and here"),
        ("workload", "lstm-64-b1-t5", "the layer that this name spells out and here; choose another name"),
    ],
)
def test_names_that_are_refused(kind: str, name: str, message: str) -> None:
    """A name that is none, that Python has, or that something else has is refused with both places."""
    with pytest.raises(UserError, match=message):
        checked_name(kind, name, "here")


def outcome(name: str) -> tuple[str, str]:
    """A partitioner's name as tables show it, and why it is refused; one of the two is empty."""
    try:
        return checked_name("partitioner", name, "here"), ""
    except UserError as error:
        return "", str(error)


@given(st.text(max_size=8) | st.from_regex(r"[a-z0-9_-]{1,8}", fullmatch=True))
def test_names_that_are_taken(name: str) -> None:
    """Any text is refused in one line, or is a heading of tables, an experiment and a module."""
    taken, refusal = outcome(name)
    assert "\n" not in refusal
    if refusal:
        return
    assert NAME.fullmatch(taken)
    assert taken.replace("-", "_").isidentifier()
    experiment = {"workloads": ["w"], "profiles": ["p"], "fpgas": [1], "partitioners": [taken]}
    assert Experiment.model_validate({"name": taken, **experiment}).name == taken


def test_an_installed_name_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A partitioner cannot take the name of an installed package's either, and the package is named."""
    info = tmp_path / "theirs-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text("[bench.partitioners]\nzigzag = theirs\n", encoding="utf-8")
    (tmp_path / "theirs.py").write_text("def plan(workload, cluster):\n    ...\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"the installed package theirs 1\.0 and here"):
        checked_name("partitioner", "zigzag", "here")


def tree(folder: Path) -> dict[str, str | None]:
    """Everything below ``folder``: text of files, None for folders."""
    found = {path: path.is_file() and path.read_text(encoding="utf-8") for path in folder.rglob("*")}
    return {str(path): text or None for path, text in found.items()}


@pytest.mark.parametrize("there", ["mine.py", "test_mine.py", "config.yaml"])
def test_files_are_never_replaced(there: str, tmp_path: Path) -> None:
    """If one file is there already, it is named, stays, and none of the others is written."""
    (tmp_path / there).write_text("years of work\n", encoding="utf-8")
    before = tree(tmp_path)
    with pytest.raises(UserError, match=f"{there}: there already, and nothing was written"):
        write_new(tmp_path, starting_point("partitioner", "mine")[1])
    assert tree(tmp_path) == before


def test_a_failure_on_the_way_leaves_nothing(tmp_path: Path) -> None:
    """What was written before a folder could not be made is taken back, and so are new folders."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "src").write_text("a file\n", encoding="utf-8")
    before = tree(tmp_path)
    with pytest.raises(UserError, match=r"mine/src/mine: cannot be written .*; nothing was written"):
        write_new(tmp_path, starting_point("package", "mine")[1])
    assert tree(tmp_path) == before


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It names what it has written, into a folder that it makes, and commands that work there."""
    monkeypatch.chdir(tmp_path)
    code, output = run("bench new profile my-board boards/mine")
    assert code == 0
    assert "written: boards/mine/my-board.yaml" in output
    commands = [line.strip() for line in output.partition("next\n")[2].splitlines()]
    assert commands[0] == "cd boards/mine"
    monkeypatch.chdir(tmp_path / "boards" / "mine")
    assert all(run(command)[0] == 0 for command in commands[1:])
    assert run("bench new workload my-network --package")[0] == 2
    assert SNAKEFILE.is_file()
    assert str(SNAKEFILE) in run("bench new partitioner my-split --package")[1]
