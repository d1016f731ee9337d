"""The Paper page: each published figure beside ours, and who wins."""

from __future__ import annotations

import json

import pandas as pd

from bench.results.beyond import BEYOND_NOTE
from bench.site.parts import Part, Section, Sources, show


def paper_section(sources: Sources) -> Section | None:
    """Each figure with its points and deviations; None without the paper's points."""
    points, summary = sources.table("paper_points"), sources.table("paper_summary")
    if points.empty:
        return None
    parts = [
        Part(
            "Deviation by figure",
            "Without values that hold by definition; a missing result counts as outside.",
            sources.image("paper_deviation"),
            show(summary),
        )
    ]
    shares = summary.set_index("figure")
    for figure, group in points.groupby("figure", sort=False):
        view = group[["workload", "series", "fpgas", "published", "step", "emulated", "deviation_pct"]]
        if len(group["metric"].unique()) > 1:
            view = view.assign(metric=group["metric"])
        text = ""
        if figure in shares.index:
            row = shares.loc[figure]
            text = (
                f"{100 * row['within_15pct_or_step']:.0f} % of {row['points']:.0f} points within 15 % or one "
                f"drawing step; mean absolute deviation {row['mean_abs_deviation_pct']:.1f} %."
            )
        title = f"Fig. {figure}"
        folded = f"{len(group)} points of Fig. {figure}"
        image = sources.image(f"paper_fig{figure}")
        parts.append(Part(title, text, image, show(view), folded, chart=str(figure)))
    beyond = sources.image("paper_beyond")
    if beyond:
        text = (
            "The same networks with the full search, which also splits by gate and input, and hides "
            "exchanges behind products; nothing published stands beside it."
        )
        parts.append(Part("Beyond the paper", text, beyond))
    ours = sources.table("beyond_paper")
    if len(ours):
        title = "Both directions of each ring link in use"
        parts.append(Part(title, BEYOND_NOTE, table=show(ours.drop(columns=["step", "plan"]))))
    text = "Bars and solid lines are emulated; diamonds are published, with the reading error of the drawing."
    links = ("tables/paper_points.csv", "tables/paper_summary.csv", "tables/beyond_paper.csv")
    return Section("paper", "The paper's figures", text, tuple(parts), links)


def pairs_script(sources: Sources) -> str:
    """A script that sets ``window.PAIRS``: by figure, each value published and emulated."""
    points = sources.table("paper_points")
    pairs: dict[str, list[dict[str, object]]] = {}
    for row in points.to_dict("records"):
        pairs.setdefault(row["figure"], []).append(
            {
                "metric": row["metric"].replace("_", " "),
                "at": f"{row['workload'].rpartition('/')[2]}, {row['fpgas']}",
                "series": row["series"],
                "published": row["published"],
                "emulated": None if pd.isna(row["emulated"]) else row["emulated"],
            }
        )
    text = json.dumps(pairs, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return "window.PAIRS=" + text.replace("<", "\\u003c") + ";\n"


def winners_section(sources: Sources) -> Section | None:
    """Who wins each cell, the paper's winner beside ours."""
    table = sources.table("paper_winners")
    if table.empty:
        return None
    decided = table[table["decided"]]
    text = (
        f"In {len(decided)} of {len(table)} cells the paper's winner leads by more than one drawing step; "
        f"ours is the same in {int(decided['agrees'].sum())} of them."
    )
    columns = [
        "figure",
        "workload",
        "at",
        "published_winner",
        "margin_steps",
        "emulated_winner",
        "decided",
        "agrees",
    ]
    other = decided[~decided["agrees"].astype(bool)]
    parts = [Part("Cells with another winner", table=show(other[columns]))] if len(other) else []
    parts.append(Part(table=show(table[columns]), folded=f"All {len(table)} cells"))
    return Section("winners", "Who wins", text, tuple(parts), ("tables/paper_winners.csv",))
