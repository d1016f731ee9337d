"""What is compared: the points of a run's folder, or the tables that a revision expects."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import UserError
from bench.files import shown
from bench.results.store import read_results

EXPECTED = "reports/expected/tables"
"""Where a revision keeps its tables, within the repository."""


@dataclass(frozen=True, eq=False)
class Run:
    """One side of a comparison, by the name that the user gave.

    ``points``: result rows, None if there are only tables. ``tables``: file name -> CSV text.
    ``provenance``: what is known of where it comes from.
    """

    name: str
    points: pd.DataFrame | None = None
    tables: dict[str, str] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)


def read_run(name: str) -> Run:
    """A folder that `snakemake reproduce-all` wrote, or one of CSV tables; else a git revision.

    Raises UserError: neither, nothing to compare in it, Parquet that is cut off or has another schema.
    """
    path = Path(name)
    if path.is_dir():
        return _folder(name, path)
    if path.exists():
        raise UserError(f"{name}: is a file; name the folder that `snakemake reproduce-all` wrote")
    return _revision(name)


def _folder(name: str, path: Path) -> Run:
    provenance: dict[str, Any] = {}
    file = path / "provenance.json"
    if file.exists():
        provenance = _provenance(file)
    places = [place for place in (path / "results", path) if any(place.glob("*.parquet"))]
    points = read_results(places[0]) if places else None
    tables: dict[str, str] = {}
    for place in (path / "tables", path):
        for table in sorted(place.glob("*.csv")):
            tables.setdefault(table.name, _text(table))
    if points is None and not tables:
        raise UserError(
            f"{name}: neither results/*.parquet nor tables/*.csv is in it; name the folder that "
            "`snakemake reproduce-all` wrote"
        )
    return Run(name, points, tables, provenance)


def _revision(name: str) -> Run:
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if commit is None:
        raise UserError(f"{name}: no such folder, and no git revision of the repository here")
    commit = commit.strip()
    listed = _git("ls-tree", "--name-only", f"{commit}:{EXPECTED}") or ""
    files = [file for file in listed.splitlines() if file.endswith(".csv")]
    if not files:
        raise UserError(f"{name}: the revision has no tables in {EXPECTED}")
    tables = {file: _git("show", f"{commit}:{EXPECTED}/{file}") or "" for file in files}
    return Run(name, None, tables, {"commit": commit})


def _git(*arguments: str) -> str | None:
    """What git prints, in the working directory; None if it fails."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode("utf-8", "replace")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{shown(path)}: cannot be read ({error})") from None


def _provenance(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(_text(path))
    except ValueError as error:
        raise UserError(f"{shown(path)}: not JSON ({error}); remove it, or run again") from None
    if not isinstance(value, dict):
        raise UserError(f"{shown(path)}: expected an object with commit, versions and so on")
    return value
