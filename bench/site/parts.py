"""What pages are made of: sections of figures and tables, and where they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from bench.results.output import shown


@dataclass(frozen=True, slots=True)
class Column:
    """A table's heading, and whether its cells are numbers."""

    title: str
    numeric: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell as text, and its CSS class."""

    text: str
    css: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A table as the templates take it."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A figure, a table, or both; ``folded`` is the line that unfolds the table.

    ``image``: address within the site. ``chart``: name of a chart that the page's script draws.
    ``html``: markup that stands for ``text``; it is not escaped again.
    """

    title: str = ""
    text: str = ""
    image: str = ""
    table: Shown | None = None
    folded: str = ""
    chart: str = ""
    html: str = ""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading with its parts and the files behind them, as the reports folder names them."""

    id: str
    title: str
    text: str
    parts: tuple[Part, ...]
    links: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """A number at the top."""

    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Link:
    """A line of a list of pages."""

    file: str
    title: str
    text: str
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """A page of sections. ``menu``: file of the menu's entry; ``root``: the way up to the site's folder.

    ``charts``: file in ``data/`` of the charts that its parts name; empty if none does.
    """

    file: str
    title: str
    lead: str = ""
    sections: tuple[Section, ...] = ()
    cards: tuple[Card, ...] = ()
    charts: str = ""
    wide: bool = False

    @property
    def menu(self) -> str:
        """The file that the menu shows as the current one."""
        return "plans.html" if self.root else self.file

    @property
    def root(self) -> str:
        """What leads from the page to the site's folder."""
        return "../" * self.file.count("/")


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the site finds what it shows; a file that a configuration does not make is left out."""

    results: Path
    reports: Path

    def table(self, name: str) -> pd.DataFrame:
        """``tables/<name>.csv`` (or ``<name>.csv``), empty if there is none."""
        for path in (self.reports / "tables" / f"{name}.csv", self.reports / f"{name}.csv"):
            if path.is_file():
                return pd.read_csv(path, keep_default_na=False, na_values=[""], dtype={"figure": str})
        return pd.DataFrame()

    def image(self, name: str) -> str:
        """Address within the site of ``figures/<name>.svg``, empty if there is none."""
        return f"figures/{name}.svg" if (self.reports / "figures" / f"{name}.svg").is_file() else ""


def show(table: pd.DataFrame, digits: int = 3) -> Shown:
    """A frame as the page shows it: numbers to the right, pass and fail coloured."""
    columns = tuple(
        Column(
            str(name).replace("_", " "),
            bool(pd.api.types.is_numeric_dtype(table[name]) and not pd.api.types.is_bool_dtype(table[name])),
        )
        for name in table.columns
    )
    rows = tuple(
        tuple(_cell(value, column, digits) for value, column in zip(row, columns, strict=True))
        for row in table.astype(object).itertuples(index=False, name=None)
    )
    return Shown(columns, rows)


def _cell(value: object, column: Column, digits: int) -> Cell:
    text = shown(value, digits)
    if column.numeric:
        return Cell(text, "number")
    if text in ("pass", "fail"):
        return Cell(text, text)
    return Cell(text, "name" if len(text) <= 28 else "text")
