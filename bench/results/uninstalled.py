"""Tables of a run in which some partitioners lacked the package that they call."""

from __future__ import annotations

import csv
from collections.abc import Collection
from pathlib import Path

import pandas as pd

SIGN = "is not installed"
"""In the reason of a partitioner that declines a point for want of a package."""


def uninstalled(frame: pd.DataFrame) -> frozenset[str]:
    """The strategies of a prepared frame that declined a point because a package was not installed."""
    rows = frame[(frame["status"] == "unsupported") & frame["reason"].str.contains(SIGN, regex=False)]
    return frozenset(str(name) for name in rows["strategy"])


def same_table(fresh: Path, committed: Path, without: Collection[str] = ()) -> bool:
    """Whether two CSV files have the same bytes, or say the same of all strategies but those of ``without``.

    A strategy has rows where there is a column ``strategy``, else columns of its name. A missing file is
    not the same as any.
    """
    if not fresh.is_file() or not committed.is_file():
        return False
    if fresh.read_bytes() == committed.read_bytes():
        return True
    return bool(without) and _rest(fresh, without) == _rest(committed, without)


def _rest(path: Path, without: Collection[str]) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kept = [row for row in rows if row.get("strategy") not in without]
    ends = {f"{name}, {end}" for name in without for end in ("least", "most")}
    return [{key: value for key, value in row.items() if key not in {*without, *ends}} for row in kept]
