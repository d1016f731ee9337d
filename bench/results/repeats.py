"""Runs of a randomised partitioner that differ in their seed alone: their median and their spread."""

from __future__ import annotations

import numpy as np
import pandas as pd

SEED = "seed"
"""The parameter that makes no other strategy, only another run."""


def merge_repeats(rows: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """One row for the runs that agree in ``keys``, with their median ``speedup``; other rows as they are.

    Adds ``repeats``, ``speedup_least`` and ``speedup_most``. A run without a result counts as slower
    than any other, so that failures cannot improve a median: it is NaN where the middle has failed. What
    else a row says is that of the run in the middle.
    """
    rows = rows.copy()
    rows["repeats"] = 1
    rows["speedup_least"] = rows["speedup_most"] = rows["speedup"]
    repeated = rows["seeded"] & rows.duplicated(keys, keep=False)
    if not repeated.any():
        return rows
    runs = rows[repeated].assign(order=rows["speedup"].fillna(-np.inf)).sort_values("order", kind="stable")
    groups = runs.groupby(keys, sort=False, dropna=False)
    speeds, size = groups["order"], groups["order"].transform("size")
    runs = runs.assign(
        speedup=_finite(speeds.transform("median")),
        repeats=size,
        speedup_least=_finite(speeds.transform("min")),
        speedup_most=_finite(speeds.transform("max")),
    )
    middle = runs[groups.cumcount() == (size - 1) // 2].drop(columns="order")
    middle["solved"] |= middle["speedup"].notna()
    return pd.concat([rows[~repeated], middle]).sort_index(kind="stable")


def _finite(values: pd.Series[float]) -> pd.Series[float]:
    return values.where(np.isfinite(values))
