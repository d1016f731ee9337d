"""Tests of the site's files: complete, by themselves, the same each time, and safe from a failed run."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bench.errors import UserError
from bench.results.store import write_results
from bench.site import ahead
from bench.site.__main__ import main
from bench.site.build import write_site
from bench.site.folder import replaced
from bench.site.parts import Sources
from tests.results.factory import make_row

LARGEST_BYTES = 5_000_000
PAGES = {"index", "explore", "paper", "fidelity", "studies", "methods"}


class _Links(HTMLParser):
    """Collects every address on a page, and open tags."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.stack: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in ("meta", "img", "link", "br", "input", "col", "hr"):
            self.stack.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``, by its path."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_pages_link_to_files_of_the_site_alone(site: Path) -> None:
    """Tags are balanced, and every address is a file of the site, so no page asks for a network."""
    assert {path.stem for path in site.glob("*.html")} >= PAGES
    for path in site.rglob("*.html"):
        parser = _Links()
        parser.feed(path.read_text(encoding="utf-8"))
        assert parser.stack == []
        for address in parser.addresses:
            if not address.startswith(("#", "data:,")):
                assert (path.parent / address.partition("#")[0]).is_file(), (path.name, address)
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(|@import", path.read_text())


def test_pages_show_what_the_run_holds(site: Path) -> None:
    """Each page has its sections: figures, sets, studies, failures, assumptions."""
    for name, texts in {
        "index": ["Fidelity at a glance", "60 s limit", "What was run"],
        "paper": ["Fig. 12"],
        "fidelity": ["Set F: intel/fpga-npu, RTL", "Predicted: no parameter", "Fitted: a parameter"],
        "studies": ["Where more FPGAs stop helping", "Plans that the full search misses"],
        "methods": ["Provenance", "How to cite", "requirements.lock, SHA-256", "Kwon"],
    }.items():
        page = (site / f"{name}.html").read_text(encoding="utf-8")
        assert [text for text in texts if text not in page] == []


def test_same_inputs_same_bytes(site: Path, results: Path, run: Path, tmp_path: Path) -> None:
    """From what was made ahead come the same files, byte for byte, and nothing else in the folder."""
    made, out = tmp_path / "ahead.json", tmp_path / "out" / "site"
    assert ahead.main(["--results", str(results), "--out", str(made)]) == 0
    given = ["--results", str(results), "--reports", str(run), "--ahead", str(made)]
    assert main([*given, "--out", str(out)]) == 0
    assert contents(out) == contents(site)
    assert [path.name for path in out.parent.iterdir()] == ["site"]


@pytest.mark.parametrize(("text", "reason"), [(None, "No such file"), ("{}", "not of this version")])
def test_what_was_made_ahead_is_read_whole_or_refused(text: str | None, reason: str, tmp_path: Path) -> None:
    """A file that is missing or another is named in one line, with the way out."""
    path = tmp_path / "ahead.json"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=rf"ahead\.json: cannot be read \({reason}.*run again") as raised:
        ahead.read_ahead(path)
    assert "\n" not in str(raised.value)


def test_site_is_small(site: Path) -> None:
    """The site of results like the default run's stays below 5 MB."""
    assert sum(map(len, contents(site).values())) < LARGEST_BYTES


def test_forward_leads_to_the_site(results: Path, tmp_path: Path) -> None:
    """The small page beside the site has its address, relative, so that the folder may move."""
    arguments = [
        "--results",
        str(results),
        "--reports",
        str(tmp_path),
        "--forward",
        str(tmp_path / "index.html"),
    ]
    assert main(arguments) == 0
    assert 'href="site/index.html"' in (tmp_path / "index.html").read_text()


def test_site_without_tables_or_claims(results: Path, tmp_path: Path) -> None:
    """A configuration that makes neither claims nor figures still gets a site, with the pages it can fill."""
    write_site(Sources(results, tmp_path), tmp_path / "site")
    names = {path.stem for path in (tmp_path / "site").glob("*.html")}
    assert {"index", "explore", "methods"} <= names
    assert "paper" not in names
    assert 'href="paper.html"' not in (tmp_path / "site" / "index.html").read_text()


@pytest.fixture
def before(site: Path, tmp_path: Path) -> Path:
    """A copy of the site, to be replaced."""
    return Path(shutil.copytree(site, tmp_path / "site"))


def test_truncated_parquet_leaves_the_site(before: Path, tmp_path: Path) -> None:
    """Half a results file is refused in one line that names it, and the site stays as it was."""
    known = contents(before)
    broken = tmp_path / "results.parquet"
    write_results([make_row()], broken)
    broken.write_bytes(broken.read_bytes()[:-100])
    with pytest.raises(UserError, match=r"results\.parquet: not a readable Parquet file") as raised:
        write_site(Sources(broken, tmp_path), before)
    assert "\n" not in str(raised.value)
    assert contents(before) == known


def test_older_schema_leaves_the_site(before: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results of an older schema are refused with both versions, and the site stays as it was."""
    known = contents(before)
    older = tmp_path / "results.parquet"
    with monkeypatch.context() as patch:
        from bench.results import store

        patch.setattr(store, "SCHEMA", store.SCHEMA.with_metadata({"schema_version": "2"}))
        write_results([make_row()], older)
    with pytest.raises(UserError, match="results schema version 2, expected 3"):
        write_site(Sources(older, tmp_path), before)
    assert contents(before) == known


def test_unwritable_folder_is_named(results: Path, tmp_path: Path) -> None:
    """A folder that cannot be written is named, with the way out; a file in its place stays."""
    (tmp_path / "file").write_text("mine")
    for out in (tmp_path / "file", tmp_path / "file" / "site"):
        with pytest.raises(UserError, match="give --out FOLDER"):
            write_site(Sources(results, tmp_path), out)
    assert (tmp_path / "file").read_text() == "mine"


def test_failure_while_writing_leaves_the_site(before: Path) -> None:
    """An exception or a full disk in the middle leaves the old site, and nothing half made beside it."""
    known = contents(before)
    for error, raised in (
        (ValueError("no"), ValueError),
        (OSError(28, "No space left on device"), UserError),
    ):
        with pytest.raises(raised):
            _fail_half_way(before, error)
        assert contents(before) == known
        assert [path.name for path in before.parent.iterdir()] == ["site"]


def _fail_half_way(out: Path, error: Exception) -> None:
    with replaced(out) as folder:
        (folder / "index.html").write_text("half")
        raise error
