"""The walk of docs/add-a-partitioner.md: what a reader types, in the page's order, from an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, Example, commands, fenced, read, shortened, tidy

PAGE = "docs/add-a-partitioner.md"

AFTER_A_RUN = ("snakemake", "cat", "grep")
"""Commands that run the pipeline, and those that look at what it wrote."""


def steps() -> Iterator[tuple[str, str]]:
    """The fenced blocks of the walk."""
    walk, heading, _ = read(PAGE).partition("## The interface")
    assert heading
    yield from fenced(walk)


def follow(
    folder: Path, skipped: tuple[str, ...] = (), check: str = "bench check"
) -> Iterator[tuple[Example, str]]:
    """Do in ``folder`` what the page says, without ``skipped`` commands; each with what it printed.

    ``check`` is run in place of `bench check`.
    """
    settings = {
        "SUITE": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        # what the reader installs must not change the environment of the tests
        "PIP_TARGET": str(folder / "site"),
        "PYTHONPATH": f"{ROOT}{os.pathsep}{folder / 'site'}",
        "COLUMNS": "80",
    }
    for language, text in steps():
        if language == "diff":
            _edit(folder / "mine.py", text)
        elif language == "awk":
            (folder / "rows.awk").write_text(text, encoding="utf-8")
        elif language == "yaml":
            with (folder / "config.yaml").open("a", encoding="utf-8") as file:
                file.write(text)
        for example in commands(text) if language == "console" else ():
            if example.command.split()[0] not in skipped:
                done = subprocess.run(
                    ["bash", "-c", example.command.replace("bench check", check)],
                    cwd=folder,
                    env=os.environ | settings,
                    text=True,
                    capture_output=True,
                    check=False,
                )
                assert done.returncode == 0, f"{example.command}\n{done.stdout}{done.stderr}"
                yield example, tidy(done.stdout)


def _edit(path: Path, diff: str) -> None:
    """Replace the lines that start with a minus; all others must be those of the file."""
    lines = diff.splitlines(keepends=True)
    old = "".join(line[1:] or line for line in lines if line[0] != "+")
    assert path.read_text(encoding="utf-8") == old
    path.write_text("".join(line[1:] or line for line in lines if line[0] != "-"), encoding="utf-8")


def test_five_lines() -> None:
    """The page's edit is of five lines."""
    (diff,) = (text for language, text in steps() if language == "diff")
    assert [sum(line[0] == sign for line in diff.splitlines() if line) for sign in "+-"] == [5, 5]


def test_walk_up_to_the_pipeline(tmp_path: Path) -> None:
    """Each command works and prints what is shown: a start, an edit, a check, a package, a plan from awk."""
    done = list(follow(tmp_path, (*AFTER_A_RUN, "pytest"), "bench check --every 16"))
    assert len(done) == 12
    assert all(_as_shown(example, output) for example, output in done)


@pytest.mark.slow
def test_walk(tmp_path: Path) -> None:
    """The whole walk, with the tables that the page shows; nothing is written into the suite's folder."""
    before = _stamps()
    for example, output in follow(tmp_path):
        assert _as_shown(example, output), output
    assert _stamps() == before
    shards = {path.stem for path in (tmp_path / "reports" / "shards").iterdir()}
    assert {"all--mine", "all--zigzag", "all--from-awk"} <= shards


def _as_shown(example: Example, output: str) -> bool:
    return not example.output or shortened(output, example.output) == example.output


def _stamps() -> dict[Path, int]:
    """When each file that a run of the pipeline might write in the suite's folder was changed."""
    folders = [ROOT / name for name in ("reports", "config", "notebooks", ".snakemake")]
    paths = [path for folder in folders for path in folder.rglob("*")] + list(ROOT.glob("*"))
    return {path: path.stat().st_mtime_ns for path in paths if path.is_file()}
