"""How near the emulator comes to published results: row by row, set by set, fitted rows apart.

The sets, what was fitted and the recorded bounds stand in reports/expected/fidelity.yaml.
Example: ``python -m bench.results.fidelity --results reports/results --out reports/tables``
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from bench.results.disagreements import write_tables
from bench.results.fidelity_sets import FILE, Sets, read_sets, record_bounds, references, rounded_up
from bench.results.frames import prepare
from bench.results.output import write_table
from bench.results.paper import compare
from bench.results.published import PUBLISHED, read_figures
from bench.results.store import read_results
from bench.results.structure import sdm_table, trace_table

POINT_COLUMNS = ["set", "row", "use", "unit", "published", "rounding_pct", "emulated", "deviation_pct"]

NOTE_POINTS = (
    "deviation_pct: emulated less published, relative to published. rounding_pct: half a unit of the last "
    "printed digit (set G: one step of the drawing). use: whether a parameter of the profile was fitted on "
    "the row."
)
NOTE_SUMMARY = (
    "Absolute deviations in percent. bar: what the project aims at for predicted rows (set G: at least this "
    "share of all points within 8 % or one step of the drawing). bound: what it reached when it was recorded."
)
NOTE_TRACE = "Cycles from the start of a step of an RNN, h = 1920, on 4T-120D-40L."
NOTE_SDM = (
    "SDM is ISCA 2018's bound for 96,000 multipliers. The formula: ceil(8 h^2 / 96000) + 7 + ceil(log2 h) "
    "cycles a step of an LSTM, ceil(6 h^2 / 96000) + 7 + 2 ceil(log2 h) of a GRU, at 250 MHz."
)


def fidelity_points(frame: pd.DataFrame, sets: Sets, published: Path = PUBLISHED) -> pd.DataFrame:
    """`POINT_COLUMNS` for every published row, set by set.

    ``frame`` is prepared (`bench.results.frames.prepare`). ``emulated`` and
    ``deviation_pct`` are NaN where a result is missing.
    """
    return pd.concat(
        [_table_points(frame, sets, published), _figure_points(frame, sets, published)], ignore_index=True
    )


def _table_points(frame: pd.DataFrame, sets: Sets, published: Path) -> pd.DataFrame:
    solved = frame[frame["solved"] & (frame["partitioner"] == "single") & (frame["fpgas"] == 1)]
    values = {
        (row["experiment"], row["profile"], row["parameters"], row["workload"]): row
        for row in solved.to_dict("records")
    }
    records = []
    for one in sets.sets:
        for reference in references(one, published):
            key = (one.experiment, one.profile, one.choice, reference.row)
            emulated = math.nan
            if key in values:
                row = values[key]
                emulated = 1e3 * row["latency_s"] if one.unit == "ms" else float(row["cycles"])
            records.append(
                {
                    "set": one.id,
                    "row": reference.row,
                    "use": "fitted" if reference.row in one.fitted else "predicted",
                    "unit": one.unit,
                    "published": reference.value,
                    "rounding_pct": reference.rounding_pct,
                    "emulated": emulated,
                    "deviation_pct": 100 * (emulated / reference.value - 1),
                }
            )
    return pd.DataFrame(records, columns=POINT_COLUMNS)


def paper_rows(frame: pd.DataFrame, sets: Sets, published: Path = PUBLISHED) -> pd.DataFrame:
    """The points of set G as `bench.results.paper.compare` gives them, with ``row`` and ``use``."""
    points = compare(frame, read_figures(published))
    points = points[points["counted"] & points["figure"].isin(sets.figures.figures)].copy()
    points["row"] = [
        f"{p['figure']}/{p['workload']}/{p['series']}/{p['fpgas']}/{p['metric']}"
        for p in points.to_dict("records")
    ]
    points["use"] = ["fitted" if row in sets.figures.fitted else "predicted" for row in points["row"]]
    return points


def _figure_points(frame: pd.DataFrame, sets: Sets, published: Path) -> pd.DataFrame:
    points = paper_rows(frame, sets, published)
    points["rounding_pct"] = 100 * points["step"] / points["published"]
    return points.assign(set=sets.figures.id, unit="ratio")[POINT_COLUMNS]


def near_share(points: pd.DataFrame) -> float:
    """Percent of a set's points within 8 % or one step (`rounding_pct`); a missing result is outside."""
    size = points["deviation_pct"].abs()
    return float(100 * (size <= points["rounding_pct"].clip(lower=8.0) + 1e-9).mean())


def summarize(points: pd.DataFrame, sets: Sets) -> pd.DataFrame:
    """One row for each set and use that has points: counts, mean and worst deviation, bar and bound.

    ``within_bar`` and ``within_bound`` are judged over the predicted rows (set G's bar and
    share over all points) and are false where a result is missing.
    """
    limits = {one.id: (one.title, one.bar, one.bound) for one in sets.sets}
    records = []
    for (name, use), group in points.groupby(["set", "use"], sort=True):
        size = group["deviation_pct"].abs().reset_index(drop=True)
        known = bool(size.notna().all())
        mean, worst = (float(size.mean()), float(size.max())) if known else (math.nan, math.nan)
        record = {
            "set": name,
            "title": limits[name][0] if name in limits else sets.figures.title,
            "use": use,
            "rows": len(group),
            "mean_pct": mean,
            "worst_pct": worst,
            "worst_row": str(group["row"].iloc[int(np.argmax(size))]) if known else "",
            "bias_pct": float(group["deviation_pct"].mean()) if known else math.nan,
        }
        if use == "fitted":
            judged: dict[str, object] = {}
        elif name in limits:
            _, bar, bound = limits[name]
            judged = {
                "bar": f"mean {bar.mean:g}, any {bar.worst:g}",
                "within_bar": mean <= bar.mean and worst <= bar.worst,
                "bound": f"mean {bound.mean:g}, any {bound.worst:g}",
                "within_bound": mean <= bound.mean + 1e-9 and worst <= bound.worst + 1e-9,
            }
        else:
            share = near_share(points[points["set"] == name])
            g = sets.figures
            judged = {
                "bar": f"{g.bar.share:g} % near; {share:.1f} % are",
                "within_bar": share >= g.bar.share,
                "bound": f"mean {g.bound.mean:g}, any {g.bound.worst:g}, {g.bound.share:g} % near",
                "within_bound": mean <= g.bound.mean + 1e-9
                and worst <= g.bound.worst + 1e-9
                and share >= g.bound.share - 1e-9,
            }
        records.append(record | judged)
    columns = ["bar", "within_bar", "bound", "within_bound"]
    table = pd.DataFrame(records)
    return table.reindex(columns=[*[c for c in table.columns if c not in columns], *columns])


def reached(points: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Bounds that today's predicted rows just keep, by set; a set with a missing result has none."""
    bounds: dict[str, dict[str, float]] = {}
    for name, group in points.groupby("set", sort=True):
        size = group.loc[group["use"] == "predicted", "deviation_pct"].abs()
        if group["deviation_pct"].isna().any() or size.empty:
            continue
        bounds[str(name)] = {"mean": rounded_up(float(size.mean())), "worst": rounded_up(float(size.max()))}
        if (group["unit"] == "ratio").all():
            bounds[str(name)]["share"] = math.floor(10 * near_share(group) + 1e-6) / 10
    return bounds


def write_fidelity(results: Path, out: Path, published: Path = PUBLISHED, expected: Path = FILE) -> None:
    """Write ``fidelity_summary``, ``fidelity_points`` and, a table a set, ``fidelity/`` under ``out``."""
    frame, sets = prepare(read_results(results)), read_sets(expected)
    points = fidelity_points(frame, sets, published)
    table = summarize(points, sets)
    write_table(
        table, out / "fidelity_summary", title="Emulated against published, set by set", note=NOTE_SUMMARY
    )
    write_table(
        points,
        out / "fidelity_points",
        title="Emulated against published, row by row",
        digits=4,
        note=NOTE_POINTS,
    )
    for one in sets.sets:
        rows = points[points["set"] == one.id].drop(columns="set")
        title = f"Set {one.id.upper()}, {one.title}: {one.what}"
        write_table(rows, out / "fidelity" / one.id, title=title, digits=4, note=NOTE_POINTS)
    title = "FCCM 2019, Fig. 4: when results are complete"
    write_table(
        trace_table(frame, published), out / "fidelity" / "trace", title=title, digits=4, note=NOTE_TRACE
    )
    title = "ISCA 2018: the bound SDM as a formula, and the emulator beside it"
    write_table(sdm_table(points, published), out / "fidelity" / "sdm", title=title, digits=4, note=NOTE_SDM)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: write the tables, or with ``--record`` the bounds; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.results.fidelity",
        description="Emulated results against published ones, set by set (docs/fidelity.md).",
        epilog="example: python -m bench.results.fidelity --record, after a run with a changed timing model",
    )
    parser.add_argument("--results", type=Path, default=Path("reports/results"), help="folder of *.parquet")
    parser.add_argument("--out", type=Path, default=Path("reports/tables"), help="folder to write to")
    parser.add_argument("--published", type=Path, default=PUBLISHED, help="folder of published_*.csv")
    parser.add_argument("--expected", type=Path, default=FILE, help="file with the sets and their bounds")
    parser.add_argument(
        "--record",
        action="store_true",
        help="write what is reached today as the bounds, and docs/fidelity.md",
    )
    arguments = parser.parse_args(argv)
    if arguments.record:
        frame = prepare(read_results(arguments.results))
        bounds = reached(fidelity_points(frame, read_sets(arguments.expected), arguments.published))
        record_bounds(bounds, arguments.expected)
        if arguments.expected == FILE:
            write_tables()
        for name, values in bounds.items():
            print(f"set {name}: {', '.join(f'{key} {value:g} %' for key, value in values.items())}")
        return 0
    write_fidelity(arguments.results, arguments.out, arguments.published, arguments.expected)
    print(f"fidelity in {arguments.out}")
    return 0


if __name__ == "__main__":
    from bench.results.command import run

    run(main)
