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
    groups = rows[repeated].groupby(keys, sort=False, dropna=False)
    merged = [_merged(group) for _, group in groups]
    return pd.concat([rows[~repeated], pd.concat(merged)]).sort_index(kind="stable")


def _merged(group: pd.DataFrame) -> pd.DataFrame:
    ordered = group.assign(order=group["speedup"].fillna(-np.inf)).sort_values("order", kind="stable")
    values = ordered["order"].to_numpy(dtype=float)
    middle = float(np.median(values)) if np.isfinite(values[(len(values) - 1) // 2]) else np.nan
    row = ordered.iloc[[(len(values) - 1) // 2]].drop(columns="order")
    return row.assign(
        speedup=middle,
        solved=not np.isnan(middle) or bool(row["solved"].iloc[0]),
        repeats=len(values),
        speedup_least=ordered["speedup"].iloc[0],
        speedup_most=ordered["speedup"].iloc[-1],
    )
