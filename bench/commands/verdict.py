"""Which claims of a run hold: of its own, as the last job of a run needs nothing else."""

from __future__ import annotations

import csv
from pathlib import Path

from bench.errors import UserError


def read_claims(path: Path) -> list[dict[str, str]]:
    """The rows of a claim table; UserError if it cannot be read."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None


def failed_claims(path: Path) -> list[str]:
    """A line for each claim that does not hold."""
    return [
        f"{row['claim']}: expected {row['expected']}, got {row['got']}"
        for row in read_claims(path)
        if row["result"] == "fail"
    ]
