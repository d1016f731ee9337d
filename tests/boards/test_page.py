"""docs/boards.md says what the commands do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.boards.cables import Port, load_cables
from bench.boards.known import KNOWN_BOARDS
from bench.boards.platforms import Kind
from tests.boards.opencl import requires_intel_emulator, seeing_nothing
from tests.docs.markdown import ROOT, blocks, examples, read, shortened, tidy

PAGE = read("docs/boards.md")


@requires_intel_emulator
def test_the_listing_is_what_is_printed(tmp_path: Path) -> None:
    """The command of the page shows eight emulated FPGAs, as the page does."""
    shown = next(one for one in examples(PAGE) if "--emulate" in one.command)
    done = subprocess.run(
        [sys.executable, "-m", *shown.command.split()],
        cwd=ROOT,
        env=seeing_nothing(tmp_path),
        text=True,
        capture_output=True,
        check=True,
    )
    assert shortened(tidy(done.stdout), shown.output) == shown.output


def test_the_cables_of_the_page_are_valid(tmp_path: Path) -> None:
    """The example loads, with two cables between two boards."""
    path = tmp_path / "boards.yaml"
    path.write_text(blocks(PAGE, "yaml")[0], encoding="utf-8")
    cables = load_cables(path)
    assert cables.cables == (
        (Port("left", 0), Port("right", 1)),
        (Port("left", 1), Port("right", 0)),
    )


@pytest.mark.parametrize("board", KNOWN_BOARDS)
def test_the_page_names_the_known_boards(board: str) -> None:
    """Each stands in the table with its card."""
    row = next(line for line in PAGE.splitlines() if line.startswith("| `") and f"`{board}`" in line)
    assert KNOWN_BOARDS[board].card in row


def test_the_page_names_the_kinds() -> None:
    """The table of kinds has the words of the list."""
    table = PAGE.partition("| kind | told by |\n")[2].partition("\n\n")[0].splitlines()[1:]
    named = [word for line in table for word in line.split("|")[1].strip().split(", ")]
    assert named == [str(kind) for kind in Kind]
