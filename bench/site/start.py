"""The Start page: headline numbers, what was run, whether the claims hold, and what failed."""

from __future__ import annotations

import pandas as pd

from bench.results.numerics import by_experiment
from bench.results.output import shown
from bench.site.parts import Card, Part, Section, Sources, show


def run_section(rows: pd.DataFrame) -> Section:
    """What was run: how many workloads, profiles and partitioners, and how their points ended."""
    by = rows.groupby("experiment", sort=True)
    table = by.agg(
        workloads=("workload", "nunique"),
        profiles=("profile", "nunique"),
        partitioners=("strategy", "nunique"),
    )
    table["FPGAs"] = [_span(group) for _, group in by["fpgas"]]
    table["points"] = by.size()
    table["solved"] = by["solved"].sum()
    names = sorted(rows["partitioner"].unique())
    versions = ", ".join(sorted(rows["version"].unique()))
    text = (
        f"{rows['workload'].nunique()} workloads on {rows['profile'].nunique()} hardware profiles, planned "
        f"by {len(names)} partitioners ({', '.join(names)}), in {len(table)} experiments; version {versions}."
    )
    part = Part(table=show(table.reset_index()), folded=f"All {len(table)} experiments")
    return Section("run", "What was run", text, (part,))


def _span(counts: pd.Series[int]) -> str:
    least, most = int(counts.min()), int(counts.max())
    return str(least) if least == most else f"{least} to {most}"


def cards(sources: Sources, rows: pd.DataFrame) -> list[Card]:
    """The numbers at the top; those that a configuration does not make are left out."""
    cards = []
    claims = sources.table("claims")
    if len(claims):
        headline = claims[claims["id"].str.startswith("headline")]
        for claim in headline.to_dict("records"):
            text = f"{claim['claim']}; published {claim['expected']:g}"
            cards.append(Card(f"{shown(claim['got'])}×", text))
        held = int((claims["result"] == "pass").sum())
        cards.append(Card(f"{held} of {len(claims)}", "claims hold"))
    summary = sources.table("paper_summary")
    if len(summary):
        chosen = summary.set_index("figure").loc["7, 8, 10, 11"]
        cards.append(
            Card(
                f"{100 * chosen['within_15pct_or_step']:.0f} %",
                f"of {chosen['points']:.0f} points of Figs. 7, 8, 10 and 11 within 15 % or one drawing step",
            )
        )
    checked = by_experiment(rows)
    if len(checked):
        right = int(checked[["exact", "within_1e-5"]].sum().sum())
        text = "plans compute the right numbers, run on virtual FPGAs"
        cards.append(Card(f"{right:,} of {checked['plans'].sum():,}", text))
    solved = int(rows["solved"].sum())
    cards.append(
        Card(f"{solved:,} of {len(rows):,}", "points solved; the others stand below with their reasons")
    )
    return cards


def claims_section(sources: Sources) -> Section | None:
    """The claims, each with what was expected and what came out; None without claims."""
    table = sources.table("claims")
    if table.empty:
        return None
    signs = {"within": "", "at least": "≥ ", "at most": "≤ "}
    view = pd.DataFrame(
        {
            "result": table["result"],
            "claim": table["claim"],
            "expected": [
                f"{signs[row['relation']]}{row['expected']:g}"
                + (f" ± {row['tolerance']:g}" if row["tolerance"] else "")
                for row in table.to_dict("records")
            ],
            "got": table["got"],
            "source": table["source"],
        }
    )
    text = "What the results must show, each with its tolerance. Expectations are committed before the run."
    return Section("claims", "Claims", text, (Part(table=show(view)),), ("claims.csv",))


def failures_section(sources: Sources) -> Section:
    """Points without a result, counted by reason."""
    table = sources.table("failure_counts")
    if table.empty:
        return Section("failures", "Failures", "", (Part(text="Every point was solved."),))
    text = "status: what the partitioner said. termination: what the harness did."
    total = int(table["points"].sum())
    parts = (Part(table=show(table), folded=f"{total:,} rows without a result, by reason"),)
    return Section("failures", "Failures", text, parts, ("tables/failures.csv",))
