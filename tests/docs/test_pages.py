"""What the pages name is there, and what they let a reader type works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.docs.markdown import (
    BEYOND,
    BEYOND_SENTENCE,
    PAGES,
    ROOT,
    SENTENCE,
    SUMMARIES,
    TABLE,
    Example,
    beyond_sentence,
    blocks,
    examples,
    fidelity_sentence,
    read,
    run,
    shortened,
    speedup_table,
    workplace,
)

WRITTEN = ("reports/expected/tables/",)
"""Paths that accepting tables makes."""


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    """Relative links name files of the project, and headings of those."""
    for target in re.findall(r"\]\(([^)#:]*(?:#[\w-]+)?)\)", read(page)):
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings}, target


@pytest.mark.parametrize("page", PAGES)
def test_named_files_exist(page: str) -> None:
    """Paths in the text exist; globs match something."""
    kept = "reports/(?:expected|published|templates)"
    folders = f"bench|config|docs|examples|hw_profiles|models|notebooks|profiles|tests|{kept}"
    for path in re.findall(rf"`((?:{folders})/[\w./*-]*)`", read(page)):
        found = list(ROOT.glob(path)) if "*" in path else [p for p in [ROOT / path] if p.exists()]
        assert found or path in WRITTEN, path


def test_assumptions_name_what_to_change() -> None:
    """Each key or constant that the table of assumptions names occurs in its file."""
    rows = re.findall(r"`([\w/*.-]+\.(?:yaml|py))`: ((?:`[\w.-]+`(?:, )?)+)", read("docs/assumptions.md"))
    assert len(rows) > 10
    for file, names in rows:
        text = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.glob(file))
        for name in re.findall(r"`([\w.-]+)`", names):
            assert all(part in text for part in name.split(".")), (file, name)


README = list(examples(read("README.md")))


@pytest.mark.parametrize("example", README, ids=lambda example: example.command)
def test_readme_commands(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each `bench` command of the README runs and prints what is shown (see tests/docs/markdown.py)."""
    workplace(tmp_path)
    monkeypatch.chdir(tmp_path)
    for earlier in README[: README.index(example)]:
        written = re.search(r"--out (\S+)", earlier.command)
        if written and written[1] in example.command.split():  # a file that the reader has by now
            assert run(earlier.command)[0] == 0
    code, output = run(example.command)
    assert code == 0
    if example.output:
        assert shortened(output, example.output) == example.output


@pytest.mark.slow
def test_readme_table() -> None:
    """The README's speed-ups are today's (`python -m tests.docs.markdown` writes them again)."""
    match = TABLE.search(read("README.md"))
    assert match
    assert match[0] == speedup_table()


def test_readme_fidelity() -> None:
    """The README's deviation from the paper is that of the committed table, where there is one."""
    if not SUMMARIES[0].exists():
        pytest.skip("no table is committed")
    match = SENTENCE.search(read("README.md"))
    assert match
    assert match[0] == fidelity_sentence(SUMMARIES[0])


def test_readme_beyond() -> None:
    """The README's comparison with the paper's best is that of the committed table."""
    match = BEYOND_SENTENCE.search(read("README.md"))
    assert match
    assert match[0] == beyond_sentence(BEYOND)


@pytest.mark.parametrize("page", PAGES)
def test_yaml_blocks_parse(page: str) -> None:
    """Every YAML block is YAML."""
    for block in blocks(read(page), "yaml"):
        assert yaml.safe_load(block)
