"""Sections on partitioners from the field, and on what plans say of themselves."""

from __future__ import annotations

from bench.results.field import PREFIX
from bench.results.series import LINK_LATENCY_NS, TOPOLOGY
from bench.results.studies import FIELD, NOTES
from bench.site.parts import Part, Section, Sources, show

LONG = 24
"""Rows of a table that is folded."""

RUNNERS_UP = "; then "
"""What comes after it in the notes of the full search is in the table's file."""


def field_section(sources: Sources) -> Section | None:
    """The geometric means by strategy, then every point; None without experiments of the field."""
    table = sources.table(FIELD.name)
    if table.empty:
        return None
    text = (
        "What others would do: graph cuts, pipelines, an integer program and simpler rules, each after its "
        "paper (examples/partitioners), under the same referee. One whose tool is not installed has no "
        "result and says so under Failures (make field). docs/baselines.md reads these tables: why cuts of "
        "the graph fail on recurrence, where pipelines win, and what all of them leave to be had."
    )
    parts = [Part("Means", FIELD.note, table=show(table.astype({"first": "Int64"})))]
    links = [f"tables/{FIELD.name}.csv"]
    for path in sorted((sources.reports / "tables" / "vs_single").glob(f"{PREFIX}*.csv")):
        points = sources.table(f"vs_single/{path.stem}")
        folded = f"{path.stem}: speed-up over one FPGA, all {len(points)} points"
        parts.append(Part(table=show(points), folded=folded))
        links.append(f"tables/vs_single/{path.name}")
    return Section("field", FIELD.title, text, tuple(parts), tuple(links))


def notes_section(sources: Sources) -> Section | None:
    """Notes of the fastest plans, those of the paper's networks first; None where nothing was solved."""
    table = sources.table(NOTES.name)
    if table.empty:
        return None
    table = table.assign(notes=[_first(text) for text in table["notes"]])
    paper = (
        table["workload"].str.startswith("dac20/")
        & table["links"].str.startswith(f"{TOPOLOGY},")
        & table["links"].str.endswith(f" {LINK_LATENCY_NS:g} ns")
    )
    parts = [
        Part(title, table=show(rows), folded=f"All {len(rows)} plans" if len(rows) > LONG else "")
        for title, rows in (("The paper's networks on its links", table[paper]), ("Others", table[~paper]))
        if len(rows)
    ]
    return Section("notes", NOTES.title, NOTES.note, tuple(parts), (f"tables/{NOTES.name}.csv",))


def _first(text: object) -> str:
    """Notes without what the full search has found second and third; empty for none."""
    return text.partition(RUNNERS_UP)[0] if isinstance(text, str) else ""
