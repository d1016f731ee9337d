"""Writing tables as CSV, Markdown and LaTeX, always the same bytes for the same values."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.results.text import write_text

LONG_TABLE_ROWS = 45
"""A LaTeX table longer than this breaks over pages."""

MISSING = "–"
"""What Markdown, LaTeX and the page show where there is no value; CSV leaves the field empty."""


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """CSV with numbers to 6 significant digits and ``true``/``false``."""
    write_text(csv_text(table), path)


def csv_text(table: pd.DataFrame) -> str:
    """What `write_csv` writes."""
    shown = table.astype(object).map(_csv_value)
    return shown.to_csv(index=False, lineterminator="\n")


def write_table(table: pd.DataFrame, stem: Path, *, title: str, digits: int = 3, note: str = "") -> None:
    """Write ``stem``.csv (6 significant digits), ``stem``.md and ``stem``.tex (``digits``).

    LaTeX needs the packages booktabs and, over `LONG_TABLE_ROWS` rows, longtable.
    """
    write_csv(table, stem.with_suffix(".csv"))
    write_text(markdown_text(table, title=title, digits=digits, note=note), stem.with_suffix(".md"))
    write_text(latex_text(table, title=title, digits=digits, note=note), stem.with_suffix(".tex"))


def markdown_text(table: pd.DataFrame, *, title: str, digits: int = 3, note: str = "") -> str:
    """A heading, a pipe table with numbers to the right, and a note."""
    columns = [str(column) for column in table.columns]
    rules = ["---:" if _numeric(table[column]) else "---" for column in table.columns]
    rows = [[_escape_pipe(cell) for cell in row] for row in shown_rows(table, digits)]
    lines = [f"## {title}", "", _pipe(columns), _pipe(rules), *(_pipe(row) for row in rows)]
    return "\n".join([*lines, *(["", note] if note else []), ""])


def latex_text(table: pd.DataFrame, *, title: str, digits: int = 3, note: str = "") -> str:
    """A booktabs table with a caption: ``tabular`` in a float, or ``longtable`` if it is long."""
    spec = "".join("r" if _numeric(table[column]) else "l" for column in table.columns)
    head = _ampersand([latex_escape(str(column)) for column in table.columns])
    body = [_ampersand([latex_escape(cell) for cell in row]) for row in shown_rows(table, digits)]
    caption = latex_escape(f"{title}. {note}" if note else title)
    if len(table) > LONG_TABLE_ROWS:
        lines = [
            rf"\begin{{longtable}}{{{spec}}}",
            rf"\caption{{{caption}}}\\",
            *(r"\toprule", head, r"\midrule", r"\endfirsthead"),
            *(r"\toprule", head, r"\midrule", r"\endhead"),
            *(r"\bottomrule", r"\endfoot"),
            *body,
            r"\end{longtable}",
        ]
    else:
        lines = [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{caption}}}",
            rf"\begin{{tabular}}{{{spec}}}",
            *(r"\toprule", head, r"\midrule"),
            *body,
            *(r"\bottomrule", r"\end{tabular}", r"\end{table}"),
        ]
    return "\n".join([*lines, ""])


def shown_rows(table: pd.DataFrame, digits: int) -> list[list[str]]:
    """Every row as texts, numbers to ``digits`` significant digits."""
    show = _shower(digits)
    return [[show(value) for value in row] for row in table.itertuples(index=False, name=None)]


def shown(value: Any, digits: int = 3) -> str:
    """One value as text: ``digits`` significant digits, no exponent between 1e-4 and 1e9."""
    return _shower(digits)(value)


def latex_escape(text: str) -> str:
    """Text with LaTeX's special signs escaped."""
    signs = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    signs |= {sign: "\\" + sign for sign in "&%$#_{}"} | {MISSING: "--", "×": r"$\times$", "±": r"$\pm$"}
    return "".join(signs.get(sign, sign) for sign in text)


def _shower(digits: int) -> Callable[[Any], str]:
    def show(value: Any) -> str:
        if isinstance(value, bool):
            return "yes" if value else "no"
        if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
            return MISSING
        if isinstance(value, float):
            if value and not 1e-4 <= abs(value) < 1e9:
                return f"{value:.{digits - 1}e}"
            decimals = max(digits - 1 - math.floor(math.log10(abs(value))), 0) if value else 0
            return f"{value:.{decimals}f}"
        return str(value)

    return show


def _csv_value(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return "" if math.isnan(value) else format(value + 0.0, ".6g")
    return value


def _numeric(column: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)


def _pipe(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ampersand(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _escape_pipe(text: str) -> str:
    return text.replace("|", r"\|").replace("\n", " ")
