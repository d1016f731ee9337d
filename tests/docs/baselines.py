"""The tables of docs/baselines.md: speed-ups of the partitioners in examples/, beside the shipped ones.

``python -m tests.docs.baselines`` writes them again from the committed tables of the experiments called
``field-*`` (or from those of a run: ``python -m tests.docs.baselines reports/tables``). They stand between
comments that name them.
"""

from __future__ import annotations

import csv
import math
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.docs.markdown import ROOT, read

PAGE = "docs/baselines.md"
COMMITTED = ROOT / "reports" / "expected" / "tables"

SETS = ("stacks", "layers", "large")
"""Names of the page's tables; ``field-<name>`` is the experiment."""

SHIPPED = {name: name for name in ("row-wise", "layer-wise", "full-dac20", "full")}
EXAMPLES = {
    "random": "random-rows",
    "greedy": "greedy-depth-first",
    "FiC-RNN": "fic-rnn",
    "Megatron": "megatron",
    "Alpa ILP": "alpa-ilp",
    "PipeDream": "pipedream",
    "METIS": "graph-cut (form=folded, tool=metis)",
    "Mt-KaHyPar": "graph-cut (form=folded, tool=mt-kahypar)",
    "METIS, unrolled": "graph-cut (form=unrolled, tool=metis)",
    "Mt-KaHyPar, unrolled": "graph-cut (form=unrolled, tool=mt-kahypar)",
}
HEADINGS = SHIPPED | EXAMPLES
"""The page's heading -> the strategy in the results."""


def source(name: str, tables: Path = COMMITTED) -> Path:
    """The run's table behind the page's table ``name``."""
    return tables / "vs_single" / f"field-{name}.csv"


def table(path: Path) -> str:
    """Speed-ups over one FPGA as Markdown, the best of the examples in bold, and the geometric means."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["fpgas"] != "1"]
    lines = [f"| workload | FPGAs | {' | '.join(HEADINGS)} |", "| --- |" + " ---: |" * (len(HEADINGS) + 1)]
    found = [{heading: _number(row[name]) for heading, name in HEADINGS.items()} for row in rows]
    for row, values in zip(rows, found, strict=True):
        lines.append(_line(row["workload"].partition("/")[2], row["fpgas"], values))
    means = {heading: _mean([values[heading] for values in found]) for heading in HEADINGS}
    lines.append(_line("geometric mean", "", means))
    return "\n".join(lines) + "\n"


def _number(text: str) -> float | None:
    return float(text) if text else None


def _line(workload: str, fpgas: str, values: Mapping[str, float | None]) -> str:
    best = max(
        (f"{value:.2f}" for name, value in values.items() if name in EXAMPLES and value),
        default="",
        key=float,
    )
    shown = ["" if value is None else f"{value:.2f}" for value in values.values()]
    marked = [
        f"**{text}**" if name in EXAMPLES and text == best else text
        for name, text in zip(values, shown, strict=True)
    ]
    return f"| {workload} | {fpgas} | {' | '.join(text or '–' for text in marked)} |"


def _mean(values: Sequence[float | None]) -> float | None:
    """The geometric mean; None where a value is missing."""
    known = [value for value in values if value]
    return math.prod(known) ** (1 / len(known)) if len(known) == len(values) else None


def replaced(text: str, name: str, content: str) -> str:
    """``text`` with ``content`` between the comments of the table ``name``."""
    between = re.compile(rf"(?<=<!-- {name} -->\n).*?(?=<!-- /{name} -->)", re.DOTALL)
    return between.sub(lambda _: content, text)


def main(arguments: Sequence[str]) -> None:
    """Rewrite the tables of the page, from the folder named or the committed ones."""
    text = read(PAGE)
    for name in SETS:
        text = replaced(text, name, table(source(name, Path(*arguments) if arguments else COMMITTED)))
    (ROOT / PAGE).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
