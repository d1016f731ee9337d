"""The sets of published results that the emulator is held against: reports/expected/fidelity.yaml."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from bench.errors import UserError
from bench.experiments import canonical, read_profile, read_workload
from bench.files import FileModel, load_yaml, read_text
from bench.partitioners.parameters import Scalar
from bench.results.published import PUBLISHED
from bench.results.text import write_text

FILE = PUBLISHED.parent / "expected" / "fidelity.yaml"
"""The sets, with the rows that were used for fitting and the recorded bounds."""

Percent = Annotated[float, Field(ge=0)]
Column = Literal["latency_ms", "cycles", "effective_tops", "effective_tflops"]


class Rows(FileModel):
    """Rows of a file in reports/published, and where in them the result stands."""

    file: str
    where: dict[str, list[str]] = Field(description="column -> values, one of which a row must have")
    columns: dict[Column, int] = Field(min_length=1, description="column -> decimals that the source prints")


class Limit(FileModel):
    """Absolute deviations in percent: the mean, and that of the worst row."""

    mean: Percent
    worst: Percent


class Set(FileModel):
    """One table of a source: its rows, what emulates them, and how near that comes."""

    id: str
    title: str
    what: str
    published: Rows
    profile: str
    experiment: str = Field(description="experiment of the configuration that holds the rows")
    parameters: dict[str, Scalar] = Field(default={}, description="of the partitioner `single`")
    why: str = Field(description="reason for these parameters")
    unit: Literal["ms", "cycles"]
    label: str = Field(description="how fitted_on in hardware profiles names rows of this set")
    fitted: list[str]
    bar: Limit
    bound: Limit

    @property
    def choice(self) -> str:
        """The parameters as result rows carry them."""
        return canonical(self.parameters)


class FigureBar(FileModel):
    """Percent of all points that lie within 8 % or one step of the drawing."""

    share: Percent


class FigureBound(Limit):
    """A set's bound, with the share of points that must stay near."""

    share: Percent


class FigureSet(FileModel):
    """The set whose points are bars and lines of the DAC 2020 figures."""

    id: str
    title: str
    what: str
    figures: list[str]
    label: str
    fitted: list[str]
    bar: FigureBar
    bound: FigureBound


class Sets(FileModel):
    """The whole file."""

    sets: list[Set] = Field(min_length=1)
    figures: FigureSet


@dataclass(frozen=True, slots=True)
class Reference:
    """One published result: the workload it times, its value, and half a unit of its last digit."""

    row: str
    value: float
    """In the set's unit."""
    rounding_pct: float


def read_sets(path: Path = FILE) -> Sets:
    """The sets; UserError if the file is wrong or marks a row as fitted that is not in the set."""
    sets = load_yaml(path, Sets)
    for one in sets.sets:
        known = {reference.row for reference in references(one)}
        for row in one.fitted:
            if row not in known:
                raise UserError(
                    f"{path}: set {one.id!r} has no row {row!r}; it has {', '.join(sorted(known))}"
                )
    return sets


def references(one: Set, folder: Path = PUBLISHED) -> list[Reference]:
    """The published rows of a set, in the file's order; UserError if there are none."""
    path = folder / one.published.file
    if not path.is_file():
        raise UserError(f"{path}: missing; it is part of the project, restore it with `git checkout`")
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    chosen = [
        row
        for row in rows
        if all(row.get(column) in values for column, values in one.published.where.items())
    ]
    if not chosen:
        raise UserError(f"{path}: no row of set {one.id!r}; restore it with `git checkout`")
    clock_hz = read_profile(one.profile).clock_mhz * 1e6
    return [_reference(row, one, clock_hz) for row in chosen]


def _reference(row: Mapping[str, str], one: Set, clock_hz: float) -> Reference:
    name = f"{row['cell']}-{row['hidden_size']}-b{row['batch_size']}-t{row['time_steps']}"
    operations = 2 * read_workload(name).macs
    candidates = []
    for column, decimals in one.published.columns.items():
        text = row[column]
        if not text:
            continue
        printed = float(text)
        half = 0.5 * 10.0 ** -max(decimals, len(text.partition(".")[2]))
        seconds = {
            "latency_ms": printed * 1e-3,
            "cycles": printed / clock_hz,
            "effective_tops": operations / (printed * 1e12),
            "effective_tflops": operations / (printed * 1e12),
        }[column]
        rounding = 0.0 if column == "cycles" else 100 * half / printed
        candidates.append((rounding, seconds))
    if not candidates:
        raise UserError(
            f"{one.published.file}: {name}: none of {', '.join(one.published.columns)} has a value"
        )
    rounding, seconds = min(candidates)
    return Reference(name, seconds * (1e3 if one.unit == "ms" else clock_hz), rounding)


def record_bounds(bounds: Mapping[str, Mapping[str, float]], path: Path = FILE) -> None:
    """Write each set's ``bound`` (by set id) into the file, and change nothing else in it.

    Raises UserError, before anything is written, if a set has no line ``bound: {...}``.
    """
    text = read_text(path)
    for name, values in bounds.items():
        shown = ", ".join(f"{key}: {value:g}" for key, value in values.items())
        pattern = rf"(^ *(?:- )?id: {re.escape(name)}$(?:(?!^ *(?:- )?id:).|\n)*?^ *bound: )\{{[^}}\n]*\}}"
        text, count = re.subn(pattern, rf"\g<1>{{{shown}}}", text, count=1, flags=re.MULTILINE)
        if count != 1:
            raise UserError(f"{path}: set {name!r} has no line `bound: {{...}}`; add one")
    write_text(text, path)


def rounded_up(percent: float) -> float:
    """To the next 0.1 %, so that a bound is never below what was reached."""
    return math.ceil(round(10 * percent, 6)) / 10
