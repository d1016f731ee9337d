"""The section on scaling, links and the ideas of the full search."""

from __future__ import annotations

from bench.results.studies import STUDIES
from bench.site.parts import Part, Section, Sources, show

LONG = 24
"""Rows of a table that is folded."""


def studies_section(sources: Sources) -> Section | None:
    """A part for each of `bench.results.studies.STUDIES` that has rows; None if none has."""
    parts, links = [], []
    for study in STUDIES:
        table = sources.table(study.name)
        if table.empty:
            continue
        shown = show(table.drop(columns="plan", errors="ignore"))
        folded = f"All {len(table)} rows" if len(table) > LONG else ""
        parts.append(Part(study.title, study.note, sources.image(f"study_{study.name}"), shown, folded))
        links.append(f"tables/{study.name}.csv")
    text = (
        "The full search beyond the paper's experiments: how far more FPGAs help, what it owes to the links, "
        "and to which of its ideas."
    )
    return Section("studies", "Scaling, links, ideas", text, tuple(parts), tuple(links)) if parts else None
