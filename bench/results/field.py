"""Partitioners from the field beside the shipped ones: what each is worth, by set of networks."""

from __future__ import annotations

import pandas as pd

from bench.results.frames import STRATEGY_ORDER, strategy_key
from bench.results.speedups import geomean, pivot, speedups

FIELD_NOTE = (
    "Geometric means of the speed-up over row-wise at the same number of FPGAs, for each set of networks and "
    "over all points; none where a strategy has no result at a point. over_one: over one FPGA, all points. "
    "first: points at which no other partitioner from the field is faster. One-way rings, and no software "
    "pipelining but in full, which searches over it."
)

PREFIX = "field-"
"""Of the experiments; what follows names a set of networks."""

SETS = ("stacks", "layers", "large")
"""In this order; others follow by name."""

REFERENCE = "row-wise"


def field(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each strategy of the experiments called ``field-*``, the shipped ones first.

    Columns: strategy, ``n_ok/n``, one for each set of networks, ``all``, ``over_one``, and ``first``, which
    shipped strategies have not. Empty without such experiments. ``frame`` is prepared
    (`bench.results.frames.prepare`).
    """
    rows = speedups(frame, "single")
    rows = rows[rows["experiment"].str.startswith(PREFIX) & (rows["strategy"] != "single")]
    if REFERENCE not in set(rows["strategy"]):
        return pd.DataFrame(columns=["strategy"])
    sets = sorted({str(name) for name in rows["experiment"]}, key=_place)
    wide = pd.concat({name: pivot(rows[rows["experiment"] == name]) for name in sets})
    names = sorted(wide.columns, key=strategy_key)
    over = wide.div(wide[REFERENCE], axis=0)
    theirs = wide[[name for name in names if name not in STRATEGY_ORDER]]
    fastest = theirs.max(axis=1)
    records = []
    for name in names:
        parts = {key.removeprefix(PREFIX): _mean(over.loc[[key], name]) for key in sets}
        records.append(
            {
                "strategy": name,
                "n_ok/n": f"{wide[name].notna().sum()}/{len(wide)}",
                **parts,
                "all": _mean(over[name]),
                "over_one": _mean(wide[name]),
                "first": int((wide[name] == fastest).sum()) if name in theirs else None,
            }
        )
    return pd.DataFrame(records).astype({"first": "Int64"})


def _place(experiment: str) -> tuple[int, str]:
    name = experiment.removeprefix(PREFIX)
    return (SETS.index(name) if name in SETS else len(SETS), name)


def _mean(values: pd.Series[float]) -> float:
    """The geometric mean; NaN where a value is missing."""
    return geomean(values) if values.notna().all() else float("nan")
