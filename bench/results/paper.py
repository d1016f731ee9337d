"""Ours beside published: every bar and point of the DAC 2020 figures, and who wins where.

Example: ``python -m bench.results.paper --results reports/results --out reports/tables``
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.results.beyond import BEYOND_NOTE, beyond
from bench.results.frames import prepare
from bench.results.output import write_table
from bench.results.published import FIGURES, PUBLISHED, read_figures
from bench.results.series import Point, by_definition, emulated_rows, emulated_value, workload_name
from bench.results.store import read_results

ONE_STEP = 1.05
"""A margin of up to this many digitisation steps is one step: the figures are rounded."""

WINNER_AXES = {"5c": "series", "7": "fpgas", "8": "series", "9": "fpgas", "10": "series", "11": "fpgas"}
"""What competes in a figure: its strategies, or the numbers of FPGAs."""

_CLOSE = 1e-9

POINT_COLUMNS = [
    "figure",
    "workload",
    "series",
    "cell",
    "hidden",
    "fpgas",
    "metric",
    "published",
    "step",
    "emulated",
    "deviation",
    "deviation_pct",
    "within_step",
    "within_15pct",
    "within_8pct",
    "counted",
    "note",
]

NOTE_POINTS = (
    "step: what the drawing can show. counted: false for values that hold by definition (1/N, one FPGA over "
    "itself), which the summaries leave out."
)
NOTE_SUMMARY = (
    "Shares of the counted points; a point without an emulated value counts as outside. The columns in "
    "percent also accept a deviation of up to one digitisation step."
)
NOTE_WINNERS = (
    "Strategies compared at one number of FPGAs (Figs. 5c, 8, 10), or numbers of FPGAs within one series "
    "(Figs. 7, 9, 11). decided: the paper's margin exceeds one digitisation step."
)


def compare(frame: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """`POINT_COLUMNS` for each published row, in the order of ``published``.

    ``frame`` is prepared (`bench.results.frames.prepare`). ``deviation`` is emulated less
    published, ``deviation_pct`` relative to published. Where a result is missing the
    deviations are NaN and every ``within`` is false.
    """
    rows = emulated_rows(frame)
    records = []
    for row in published.to_dict("records"):
        figure, series, metric = row["figure"], row["series"], row["metric"]
        workload = workload_name(row["model"], row["cell"], row["hidden_size"])
        point = Point(rows, workload, row["num_fpgas"])
        emulated = emulated_value(figure, series, metric, point)
        value, step = row["value"], row["digitisation_step"]
        deviation = emulated - value
        percent = 100 * deviation / value if value else np.nan
        records.append(
            {
                "figure": figure,
                "workload": workload,
                "series": series,
                "cell": row["cell"],
                "hidden": row["hidden_size"],
                "fpgas": point.fpgas,
                "metric": metric,
                "published": value,
                "step": step,
                "emulated": emulated,
                "deviation": deviation,
                "deviation_pct": percent,
                "within_step": bool(abs(deviation) <= step + _CLOSE),
                "within_15pct": bool(abs(percent) <= 15.0 + _CLOSE),
                "within_8pct": bool(abs(percent) <= 8.0 + _CLOSE),
                "counted": not by_definition(figure, series, metric, point.fpgas),
                "note": "hidden size assumed, not stated in the paper" if row["hidden_assumed"] else "",
            }
        )
    return pd.DataFrame(records, columns=POINT_COLUMNS)


def summarize(points: pd.DataFrame) -> pd.DataFrame:
    """One row a figure over its counted points, then one for Figs. 7, 8, 10, 11 and one for all."""
    counted = points[points["counted"]]
    groups: list[tuple[str, pd.DataFrame]] = [
        (figure, counted[counted["figure"] == figure])
        for figure in FIGURES
        if (counted["figure"] == figure).any()
    ]
    groups.append(("7, 8, 10, 11", counted[counted["figure"].isin(["7", "8", "10", "11"])]))
    groups.append(("all", counted))
    return pd.DataFrame([{"figure": name, **_summary_of(group)} for name, group in groups])


def share_within(points: pd.DataFrame, percent: int) -> float:
    """Share of ``points`` within ``percent`` (8 or 15) or one digitisation step; NaN for none."""
    if points.empty:
        return float("nan")
    return float((points[f"within_{percent}pct"] | points["within_step"]).mean())


def _summary_of(group: pd.DataFrame) -> dict[str, object]:
    size = group["deviation_pct"].abs()
    return {
        "points": len(group),
        "emulated": int(group["emulated"].notna().sum()),
        "within_step": float(group["within_step"].mean()),
        "within_8pct_or_step": share_within(group, 8),
        "within_15pct_or_step": share_within(group, 15),
        "mean_abs_deviation_pct": float(size.mean()),
        "max_abs_deviation_pct": float(size.max()),
        "mean_deviation_pct": float(group["deviation_pct"].mean()),
    }


def winners(points: pd.DataFrame) -> pd.DataFrame:
    """Who wins in each cell of a figure, in the paper and here.

    ``axis`` says what competes: strategies at one number of FPGAs (Figs. 5c, 8, 10), or
    numbers of FPGAs within a series (Figs. 7, 9, 11). ``margin_steps`` is the paper's
    distance between first and second in digitisation steps; ``agrees`` needs our winner to
    be the same one alone (a tie of ours is no agreement).
    """
    records = []
    for figure, axis in WINNER_AXES.items():
        chosen = _competing(points, figure)
        fixed = ["workload", "fpgas" if axis == "series" else "series"]
        for (workload, cell), group in chosen.groupby(fixed, sort=False):
            if len(group) > 1:
                head = {"figure": figure, "workload": workload, "at": _at(cell), "axis": axis}
                records.append(head | _winner_of(group, axis, lower=figure == "5c"))
    return pd.DataFrame(records)


def _competing(points: pd.DataFrame, figure: str) -> pd.DataFrame:
    rows = points[points["figure"] == figure]
    if figure == "5c":
        return rows[rows["series"].str.endswith("total (stack top)")]
    return rows[rows["metric"].str.startswith("speedup")]


def _at(cell: object) -> str:
    return cell if isinstance(cell, str) else f"{cell} FPGAs"


def _winner_of(group: pd.DataFrame, axis: str, *, lower: bool) -> dict[str, object]:
    sign = -1.0 if lower else 1.0
    # "(ours)" in a published series means the paper's own
    names = [str(name).removesuffix(": total (stack top)").removesuffix(" (ours)") for name in group[axis]]
    published = dict(zip(names, group["published"], strict=True))
    emulated = dict(zip(names, group["emulated"], strict=True))
    ranked = sorted(published, key=lambda name: -sign * published[name])
    first, second = ranked[0], ranked[1]
    margin = abs(published[first] - published[second]) / float(group["step"].max())
    known = {name: sign * value for name, value in emulated.items() if not np.isnan(value)}
    top = max(known.values(), default=np.nan)
    best = [name for name, value in known.items() if value >= top - _CLOSE * abs(top)]
    return {
        "published_winner": first,
        "published_best": published[first],
        "published_second": published[second],
        "margin_steps": round(margin, 2),
        "decided": bool(margin > ONE_STEP),
        "emulated_winner": " = ".join(best),
        "emulated_best": sign * top,
        "emulated_of_published_winner": emulated[first],
        "agrees": bool(best == [first] and len(known) == len(names)),
    }


def write_paper(results: Path, out: Path, published: Path = PUBLISHED) -> None:
    """Write ``paper_points``, ``paper_summary``, ``paper_winners``, ``beyond_paper``, ``paper/fig<name>``."""
    frame = prepare(read_results(results))
    points = compare(frame, read_figures(published))
    write_table(
        points, out / "paper_points", title="Emulated beside published, point by point", note=NOTE_POINTS
    )
    for figure, group in points.groupby("figure", sort=False):
        title = f"DAC 2020, Fig. {figure}: emulated beside published"
        shown = group.drop(columns=["figure", "within_step", "within_15pct", "within_8pct"])
        write_table(shown, out / "paper" / f"fig{figure}", title=title, note=NOTE_POINTS)
    write_table(summarize(points), out / "paper_summary", title="Deviation from the paper", note=NOTE_SUMMARY)
    write_table(winners(points), out / "paper_winners", title="Winners", note=NOTE_WINNERS)
    ours = beyond(frame, read_figures(published))
    write_table(ours, out / "beyond_paper", title="Our best plan beside the paper's best", note=BEYOND_NOTE)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: compare results with the paper, write tables; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.results.paper",
        description="Our emulated values beside the published ones of each DAC 2020 figure.",
        epilog="example: python -m bench.results.paper --results reports/results --out reports/tables",
    )
    parser.add_argument("--results", type=Path, default=Path("reports/results"), help="folder of *.parquet")
    parser.add_argument("--out", type=Path, default=Path("reports/tables"), help="folder to write to")
    parser.add_argument("--published", type=Path, default=PUBLISHED, help="folder of published_*.csv")
    arguments = parser.parse_args(argv)
    write_paper(arguments.results, arguments.out, arguments.published)
    print(f"emulated beside published in {arguments.out}")
    return 0


if __name__ == "__main__":
    from bench.results.command import run

    run(main)
