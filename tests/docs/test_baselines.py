"""The tables of docs/baselines.md are those of the plans."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest

from tests.docs.baselines import PAGE, cells, planners, replaced, speedup
from tests.docs.markdown import read

NEEDED = {"Alpa": "ortools", "METIS": "pymetis", "Mt-KaHyPar": "mtkahypar"}
"""Beginning of a heading -> the package without which its column cannot be computed."""


def shown(name: str) -> dict[tuple[str, int], dict[str, str]]:
    """The page's table of this name: cell -> heading -> text, without the means."""
    match = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", read(PAGE), re.DOTALL)
    assert match
    header, _, *lines, _ = [line.strip("| ").split(" | ") for line in match[1].strip().splitlines()]
    prefix = "large/" if name == "large" else "dac20/"
    return {(prefix + line[0], int(line[1])): dict(zip(header[2:], line[2:], strict=True)) for line in lines}


@pytest.mark.parametrize("name", cells())
def test_tables_are_complete(name: str) -> None:
    """Each table has all its rows and columns, and a speed-up, or a dash for no plan, in each."""
    table = shown(name)
    assert list(table) == cells()[name]
    for row in table.values():
        assert list(row) == list(planners())
        assert all(re.fullmatch(r"(\*\*)?\d+\.\d\d(\*\*)?|–", text) for text in row.values())


@pytest.mark.parametrize("heading", planners())
def test_speedups_are_those_shown(heading: str) -> None:
    """Four FPGAs, a column at a time; `python -m tests.docs.baselines` brings the page up to date."""
    for begin, package in NEEDED.items():
        if heading.startswith(begin) and not find_spec(package):
            pytest.skip(f"{package} is not installed (`make field`)")
    for name in ("stacks", "layers"):
        for cell, row in shown(name).items():
            if cell[1] == 4:
                found = speedup(cell, planners()[heading])
                assert row[heading].strip("*") == ("–" if found is None else f"{found:.2f}"), cell


def test_tables_stand_between_comments() -> None:
    """Only what is between a table's comments is replaced."""
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
    assert replaced(text, "x", "new\n") == "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"
