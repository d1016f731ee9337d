"""The Fidelity page: published and emulated latencies, fitted rows apart from predicted ones."""

from __future__ import annotations

import pandas as pd

from bench.site.parts import Part, Section, Sources, show

USES = {
    "predicted": "Predicted: no parameter was fitted on these rows",
    "fitted": "Fitted: a parameter of the profile was set so that these rows come out right",
}


def fidelity_sections(sources: Sources) -> list[Section]:
    """An overview, and a section for each reference set; empty without emulated points."""
    points, summary = sources.table("fidelity_points"), sources.table("fidelity_summary")
    if points.empty or points["emulated"].isna().all():
        return []
    sections = [_overview(sources, summary)]
    for name, group in points.groupby("set", sort=True):
        mine = summary[summary["set"] == name]
        title = f"Set {str(name).upper()}: {mine['title'].iloc[0]}"
        parts = [Part(image=sources.image(f"fidelity_{name}"))] if sources.image(f"fidelity_{name}") else []
        for use, heading in USES.items():
            rows = group[group["use"] == use].drop(columns=["set", "use"])
            if rows.empty:
                continue
            text = _deviation(mine[mine["use"] == use])
            parts.append(Part(heading, text, table=show(rows, 4), folded=f"{len(rows)} {use} rows"))
        sections.append(Section(f"set-{name}", title, "", tuple(parts)))
    parts = []
    for key, title in (
        ("trace", "FCCM 2019, Fig. 4: cycles of one step of an RNN"),
        ("sdm", "ISCA 2018: the bound SDM as a formula"),
    ):
        inside = sources.table(f"fidelity/{key}")
        if len(inside) and inside.notna().all(axis=None):
            parts.append(Part(table=show(inside, 4), folded=title))
    return [*sections, *([Section("more", "Inside a step", "", tuple(parts))] if parts else [])]


def glance_section(sources: Sources) -> Section | None:
    """Fidelity at a glance, for the first page: mean and worst deviation of each set."""
    summary = sources.table("fidelity_summary")
    if summary.empty or summary["mean_pct"].isna().all():
        return None
    wide = summary.pivot_table(
        index=["set", "title"], columns="use", values=["rows", "mean_pct", "worst_pct"], sort=False
    )
    view = pd.DataFrame(index=wide.index)
    for use in ("predicted", "fitted"):
        for value, title in (("rows", "rows"), ("mean_pct", "mean %"), ("worst_pct", "worst %")):
            if (value, use) in wide.columns:
                column = wide[(value, use)]
                view[f"{use}: {title}"] = column.astype("Int64") if value == "rows" else column
    text = (
        "Absolute deviation from published latencies, in per cent. Set G is the ratios of DAC 2020; the "
        "others are single FPGAs. Predicted rows had no part in fitting a parameter."
    )
    parts = (Part(table=show(view.reset_index())),)
    return Section("fidelity", "Fidelity at a glance", text, parts)


def _overview(sources: Sources, summary: pd.DataFrame) -> Section:
    parts = [Part("Set by set", "Absolute deviations.", sources.image("fidelity_summary"))]
    for use, heading in USES.items():
        rows = summary[summary["use"] == use].drop(columns="use").dropna(axis=1, how="all")
        if len(rows):
            parts.append(Part(heading, table=show(rows)))
    text = (
        "Emulated latencies of single FPGAs against published ones, and (set G) the ratios of DAC 2020. "
        "Bound: what the emulator reached when it was recorded; a run that is worse fails."
    )
    links = ("tables/fidelity_points.csv", "tables/fidelity_summary.csv")
    return Section("sets", "All sets", text, tuple(parts), links)


def _deviation(summary: pd.DataFrame) -> str:
    if summary.empty or summary["mean_pct"].isna().all():
        return ""
    row = summary.iloc[0]
    return f"Mean deviation {row['mean_pct']:.1f} %, worst {row['worst_pct']:.1f} % ({row['worst_row']})."
