"""The Methods page: assumptions, sources, how to cite, how to reproduce, provenance."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from markdown_it import MarkdownIt

from bench.results.published import PUBLISHED
from bench.site.parts import Part, Section, Sources, show

ROOT = PUBLISHED.parents[1]
"""The project's folder."""

REPRODUCE = """
In the project's folder, on Linux with make and Python 3.11 to 3.13:

```console
$ make reproduce
$ make test
```

The first makes the locked environment, evaluates every point, and writes tables, figures, claims and this
site; the second runs the linters, the type checker and all tests. `docs/reproducing.md` has what each step
costs.

A single row is evaluated again, and explained, by these commands; the Explore page has the names.

```console
$ bench run --workload NAME --fpgas N --partitioner NAME --profile NAME --topology NAME
$ bench explain NAME --fpgas N --profile NAME --topology NAME
```
"""


def method_sections(sources: Sources, rows: pd.DataFrame) -> tuple[Section, ...]:
    """The page's sections; what the project's folder does not hold is left out."""
    sections = []
    for name, title, path in (
        ("assumptions", "Assumptions", ROOT / "docs" / "assumptions.md"),
        ("sources", "Sources of published numbers", PUBLISHED / "README.md"),
    ):
        if path.is_file():
            sections.append(Section(name, title, "", (Part(html=_markup(path.read_text("utf-8"))),)))
    sections.append(Section("reproduce", "How to reproduce", "", (Part(html=_markup(REPRODUCE)),)))
    citation = ROOT / "CITATION.cff"
    if citation.is_file():
        sections.append(_cite(yaml.safe_load(citation.read_text("utf-8"))))
    return (*sections, _provenance(sources, rows))


def _markup(text: str) -> str:
    """Markdown as HTML, headings two levels down, links as their text: their targets are not in the site."""
    text = re.sub(r"^# .*\n", "", text)
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
    text = re.sub(r"^(#+) ", r"#\1 ", text, flags=re.MULTILINE)
    return str(MarkdownIt("commonmark", {"html": False}).enable("table").render(text))


def _cite(citation: dict[str, Any]) -> Section:
    def names(authors: list[dict[str, str]]) -> str:
        return ", ".join(one.get("name") or f"{one['given-names']} {one['family-names']}" for one in authors)

    lines = [f"{names(citation['authors'])}: {citation['title']}. Version {citation['version']}."]
    for paper in citation.get("references", []):
        where = paper.get("collection-title") or paper.get("journal") or ""
        doi = f", DOI {paper['doi']}" if "doi" in paper else ""
        lines.append(f"{names(paper['authors'])}: {paper['title']}. {where}, {paper['year']}{doi}.")
    return Section("cite", "How to cite", citation["message"], tuple(Part(text=line) for line in lines))


def _provenance(sources: Sources, rows: pd.DataFrame) -> Section:
    parts = []
    path = sources.reports / "provenance.json"
    if path.is_file():
        parts.append(Part("The run", table=show(_run(path))))
    for title, columns in (
        ("Hardware profiles", ["profile", "topology", "link", "backend"]),
        (
            "Partitioners and the digest of the sources that made their rows",
            ["partitioner", "source_digest", "version"],
        ),
    ):
        counts = rows.groupby(columns, sort=True).size().rename("points").reset_index()
        parts.append(Part(title, table=show(counts)))
    text = "What the results were made from; machine, package versions and times are in the file."
    links = ("provenance.json",) if path.is_file() else ()
    return Section("provenance", "Provenance", text if links else "", tuple(parts), links)


def _run(path: Path) -> pd.DataFrame:
    """Commit, configuration and locks; not the times, so that the page depends on its inputs alone."""
    found = json.loads(path.read_text("utf-8"))
    rows = [
        ("version", found["bench_version"]),
        ("commit", found["commit"] or "not under version control"),
        ("configuration", found["config"]),
        ("configuration, SHA-256", found["config_sha256"]),
        *((f"{name}, SHA-256", value) for name, value in found["locks_sha256"].items()),
    ]
    return pd.DataFrame(rows, columns=["what", "value"])
