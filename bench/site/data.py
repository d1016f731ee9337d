"""The rows as the Explore page's script reads them: columns, with dictionaries for what repeats."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bench.results.figures.colors import STRATEGY_COLORS
from bench.results.frames import CONVENTIONAL, strategy_key

SIGNIFICANT = 7
"""Digits of what is not a whole number."""

DIMENSIONS = {
    "experiment": "experiment",
    "workload": "workload",
    "cell": "cell",
    "size": "hidden_size",
    "layers": "layers",
    "steps": "steps",
    "batch": "batch",
    "profile": "profile",
    "topology": "topology",
    "link": "link",
    "link_ns": "link_latency_ns",
    "fpgas": "fpgas",
    "partitioner": "strategy",
    "outcome": "outcome",
}
"""Name on the page -> column of a prepared frame (`bench.results.frames.prepare`), or ``outcome``."""

MEASURES: dict[str, Callable[[pd.DataFrame], pd.Series[Any]]] = {
    "latency_us": lambda rows: rows["latency_s"] * 1e6,
    "cycles": lambda rows: rows["cycles"],
    "bound_cycles": lambda rows: rows["bound_cycles"],
    "utilization": lambda rows: rows["utilization"],
    "links": lambda rows: rows["communication_share"],
    "devices_used": lambda rows: rows["devices_used"],
    "weights_mb": lambda rows: rows["weight_bytes_per_device"] / 1e6,
}
"""Name on the page -> values; a row that is not solved has none."""


def explore_script(rows: pd.DataFrame) -> str:
    """A script that sets ``window.RESULTS`` to `explore_data`."""
    text = json.dumps(explore_data(rows), separators=(",", ":"), ensure_ascii=False)
    # "<" begins no tag in a file of its own; escaped all the same, in case somebody inlines it
    return "window.RESULTS=" + text.replace("<", "\\u003c") + ";\n"


def explore_data(rows: pd.DataFrame) -> dict[str, Any]:
    """``rows`` (prepared) as columns: ``dims`` with values and codes, ``measures`` with numbers or null."""
    rows = rows.assign(outcome=outcomes(rows))
    return {
        "rows": len(rows),
        "dims": {name: _encoded(rows[column], name) for name, column in DIMENSIONS.items()},
        "measures": {name: _numbers(values(rows), rows["solved"]) for name, values in MEASURES.items()},
        "conventional": list(CONVENTIONAL),
        "colors": STRATEGY_COLORS,
    }


def outcomes(rows: pd.DataFrame) -> list[str]:
    """``solved``, or how a row ended and its reason."""
    found = []
    columns = ("solved", "status", "termination", "reason")
    for solved, *ended in zip(*(rows[column].tolist() for column in columns), strict=True):
        status, termination, reason = map(str, ended)
        how = termination if termination != "none" else status
        found.append("solved" if solved else f"{how}: {reason}" if reason else how)
    return found


def _encoded(column: pd.Series[Any], name: str) -> dict[str, Sequence[Any]]:
    values = sorted(column.unique().tolist(), key=strategy_key if name == "partitioner" else None)
    values = [int(value) if isinstance(value, float) and value.is_integer() else value for value in values]
    code = {value: number for number, value in enumerate(values)}
    return {"values": values, "codes": [code[value] for value in column.tolist()]}


def _numbers(column: pd.Series[Any], solved: pd.Series[Any]) -> list[float | int | None]:
    values = column.to_numpy(dtype=float, na_value=np.nan)
    there = solved.to_numpy(dtype=bool) & np.isfinite(values)
    return [_short(value) if ok else None for value, ok in zip(values.tolist(), there.tolist(), strict=True)]


def _short(value: float) -> float | int:
    rounded = value if value.is_integer() else float(f"{value:.{SIGNIFICANT}g}")
    return int(rounded) if rounded.is_integer() else rounded
