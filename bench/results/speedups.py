"""Speed-ups point by point, and what they amount to: geometric means that failures cannot improve."""

from __future__ import annotations

from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bench.results.frames import (
    BASELINE_SETUP,
    SETUP,
    best_conventional,
    single_latency,
    strategy_key,
)
from bench.results.repeats import merge_repeats

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

Against = Literal["single", "conventional"]

POINT = [*SETUP, "fpgas"]
"""What makes a point within one experiment; each strategy gives it one speed-up."""


def speedups(frame: pd.DataFrame, against: Against) -> pd.DataFrame:
    """Rows of a prepared frame with ``baseline`` (a name), ``baseline_latency_s`` and ``speedup``.

    Against ``single``: one FPGA, same workload, profile and batch. Against
    ``conventional``: the fastest conventional partitioner at the same number of FPGAs on
    the same cluster; rows on one FPGA are left out. ``speedup`` is NaN where the row or
    its baseline has no latency. The baselines themselves stay in. Runs that differ in their seed alone
    are one row, with their median (`bench.results.repeats`).
    """
    rows = frame.copy()
    if against == "single":
        single = single_latency(frame)
        keys = rows[BASELINE_SETUP].itertuples(index=False, name=None)
        rows["baseline_latency_s"] = [single.get(key, np.nan) for key in keys]
        rows["baseline"] = "single"
    else:
        rows = rows[rows["fpgas"] > 1].copy()
        best = best_conventional(frame)
        found = [best.get(key) for key in rows[POINT].itertuples(index=False, name=None)]
        rows["baseline_latency_s"] = [pair[0] if pair else np.nan for pair in found]
        rows["baseline"] = [pair[1] if pair else "" for pair in found]
    latency = rows["latency_s"].where(rows["solved"])
    rows["speedup"] = rows["baseline_latency_s"] / latency
    return merge_repeats(rows, ["experiment", *POINT, "strategy"])


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each experiment, number of FPGAs and strategy.

    ``n``: points that any strategy was tried on; ``n_ok``: those that this one solved (a
    point it was not tried on counts as not solved). ``geomean_common``: over the
    ``n_common`` points that every strategy solved which solved any. ``geomean_all``: over
    the points that have a baseline, 1.0 where this strategy has no result.
    """
    columns = ["experiment", "fpgas", "strategy", "n_ok", "n", "n_common", "geomean_common", "geomean_all"]
    rows = rows.assign(point=rows.groupby(POINT, sort=True, dropna=False).ngroup())
    records = []
    for (experiment, fpgas), group in rows.groupby(["experiment", "fpgas"], sort=True):
        names, speedup, solved = _grids(group)
        missing = np.isnan(speedup)
        counted = np.where(missing, 1.0, speedup)
        has_baseline = ~missing.all(axis=1)
        entered = [not column.all() for column in missing.T]
        common = ~missing[:, entered].any(axis=1) if any(entered) else has_baseline
        for place, name in enumerate(names):
            records.append(
                {
                    "experiment": experiment,
                    "fpgas": fpgas,
                    "strategy": name,
                    "n_ok": int(solved[:, place].sum()),
                    "n": len(speedup),
                    "n_common": int(common.sum()),
                    "geomean_common": geomean(speedup[common, place]) if entered[place] else np.nan,
                    "geomean_all": geomean(counted[has_baseline, place]),
                }
            )
    return pd.DataFrame(records, columns=columns)


def _grids(group: pd.DataFrame) -> tuple[list[str], FloatArray, BoolArray]:
    """Strategies, their speed-ups and whether they solved: a line for each ``point``, a column for each."""
    names = sorted((str(name) for name in group["strategy"].unique()), key=strategy_key)
    points, line = np.unique(group["point"].to_numpy(), return_inverse=True)
    column = group["strategy"].map({name: n for n, name in enumerate(names)}).to_numpy()
    speedup = np.full((len(points), len(names)), np.nan)
    solved = np.zeros(speedup.shape, dtype=bool)
    values, ok = group["speedup"].to_numpy(dtype=float), group["solved"].to_numpy(dtype=bool)
    last_first = np.flatnonzero(~np.isnan(values))[::-1]  # of several rows of one point the first counts
    speedup[line[last_first], column[last_first]] = values[last_first]
    solved[line[ok], column[ok]] = True
    return names, speedup, solved


def pivot(rows: pd.DataFrame, values: str = "speedup") -> pd.DataFrame:
    """Speed-ups with a row for each point and a column for each strategy, both sorted."""
    # not DataFrame.pivot_table: without dropna it makes a row of every combination of the keys' values first
    firsts = rows.groupby([*POINT, "strategy"], dropna=False)[values].first()
    wide = firsts.unstack("strategy")  # noqa: PD010
    names = sorted((str(name) for name in wide.columns), key=strategy_key)
    return wide[names]


def geomean(values: pd.Series[float] | FloatArray) -> float:
    """The geometric mean; NaN for no values.

    >>> round(geomean(pd.Series([1.0, 4.0])), 6)
    2.0
    """
    if not len(values):
        return float("nan")
    return float(np.exp(np.log(np.asarray(values, dtype=float)).mean()))
