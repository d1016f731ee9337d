"""The section on CPUs and GPUs that run the same networks."""

from __future__ import annotations

import pandas as pd

from bench.results.baselines import NOTE, OVERVIEW_NOTE, OVERVIEW_TITLE, SKIP_INPUT, TITLE
from bench.site.parts import Part, Section, Sources, show


def baselines_section(sources: Sources) -> Section | None:
    """Times measured and published beside emulated ones, then every row; None if there are none."""
    overview, rows = sources.table("baselines"), sources.table("baselines_all")
    if overview.empty or rows.empty:
        return None
    skipping = overview["workload"].str.startswith(SKIP_INPUT)
    parts = [
        Part(title, OVERVIEW_NOTE if number == 0 else "", table=show(_without_empty(table)))
        for number, (title, table) in enumerate(
            (
                (f"{OVERVIEW_TITLE}: measured", overview[~skipping]),
                (f"{OVERVIEW_TITLE}: published, recurrent products only", overview[skipping]),
            )
        )
        if len(table)
    ]
    parts += [
        Part(title, text, table=show(_without_empty(group)), folded=f"All {len(group)} {kind} rows")
        for kind, title, text in (
            ("measured", "Measured, with spread", NOTE),
            ("published", "Published", ""),
            ("emulated", "Emulated", ""),
        )
        if len(group := rows[rows["kind"] == kind])
    ]
    text = (
        "What numpy, ONNX Runtime and PyTorch do with these networks on a CPU or GPU, and what others have "
        "published; measured rows were made by bench baseline and stored with the machine's description "
        "(reports/baselines), emulated ones come from this run."
    )
    return Section(
        "baselines", TITLE, text, tuple(parts), ("tables/baselines.csv", "tables/baselines_all.csv")
    )


def _without_empty(table: pd.DataFrame) -> pd.DataFrame:
    """``table`` without the columns that have no value in it."""
    return table.dropna(axis="columns", how="all")
