"""The documentation site is built without a warning, and holds what is made from the code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def site(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` builds it."""
    out = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(out / "trees")]
    done = subprocess.run(
        [*command, "docs", str(out / "html")], cwd=root, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return out / "html"


def test_every_page_is_reached(site: Path, root: Path) -> None:
    """Each page of docs/ is in the index."""
    index = (site / "index.html").read_text(encoding="utf-8")
    pages = [path.stem for path in (root / "docs").glob("*.md") if path.stem != "index"]
    assert len(pages) > 10
    assert not [page for page in pages if f'href="{page}.html"' not in index]


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        ("reference/commands.html", ["bench run", "bench pipeline", "Example: bench search"]),
        ("reference/files.html", ["seconds_per_point", "hidden_size", "fpgas"]),
        ("api.html", ["own_rows", "lower_bound", "load_workload"]),
    ],
)
def test_reference_is_made_from_the_code(site: Path, page: str, expected: list[str]) -> None:
    """Commands, keys of files and functions are listed."""
    text = (site / page).read_text(encoding="utf-8")
    assert not [each for each in expected if each not in text]


def test_pages_ask_the_network_for_nothing(site: Path) -> None:
    """No script, style or picture of a page lies elsewhere."""
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        assert 'src="http' not in text, path
        assert '<link rel="stylesheet" href="http' not in text, path
