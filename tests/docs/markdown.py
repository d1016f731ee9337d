"""Code blocks of Markdown pages, and console blocks as commands with the output that is shown.

``python -m tests.docs.markdown`` brings README.md up to date after a change of a number: the
output below each ``$ bench`` command, the table between the ``speedups`` comments, and the
sentence between the ``fidelity`` comments (from reports/expected/tables, else reports/tables).
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
import shlex
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from bench import cli
from bench.evaluate import emulated_cycles
from bench.experiments import read_profile, read_workload
from bench.hardware.files import make_cluster
from bench.partitioners import load_partitioner
from bench.results.published import read_figures

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))

REST = "..."
"""A last line of a shown output that stands for what was left out."""

_FENCED = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Example:
    """A command as typed and the output shown below it, without trailing blanks."""

    command: str
    output: str


def read(page: str) -> str:
    """The text of one page of the project."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """The contents of fenced code blocks of one language, in order."""
    return [block for named, block in fenced(text) if named == language]


def fenced(text: str) -> list[tuple[str, str]]:
    """Language and contents of all fenced code blocks, in order."""
    return [(match[1], match[2]) for match in _FENCED.finditer(text)]


def commands(block: str) -> Iterator[Example]:
    """The commands of one console block."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield Example(command, output.rstrip())


def examples(text: str, tool: str = "bench") -> Iterator[Example]:
    """The commands of console blocks that start with ``tool``."""
    for block in blocks(text, "console"):
        yield from (example for example in commands(block) if example.command.split()[0] == tool)


def run(command: str) -> tuple[int, str]:
    """Exit code and standard output of a ``bench`` command, run in this process, 80 columns wide.

    It runs where it is called; `workplace` makes a folder for it.
    """
    out = io.StringIO()
    settings = patch.dict(os.environ, {"COLUMNS": "80", "TERM": "dumb", "NO_COLOR": "1"})
    arguments = patch.object(sys, "argv", shlex.split(command))
    with arguments, settings, redirect_stdout(out), redirect_stderr(io.StringIO()):
        try:
            cli.main()
        except SystemExit as done:
            return int(done.code or 0), tidy(out.getvalue())
    raise AssertionError(f"{command} did not exit")


def tidy(output: str) -> str:
    """Output without blanks at the ends of lines and at the end."""
    return "\n".join(line.rstrip() for line in output.splitlines()).rstrip()


def workplace(folder: Path) -> None:
    """Put the project's input files into ``folder``, so that commands run there write nothing elsewhere."""
    for name in ("models", "hw_profiles", "config", "docs"):
        (folder / name).symlink_to(ROOT / name)


def shortened(output: str, shown: str) -> str:
    """``output`` cut to as many lines as ``shown`` has, if that ends in `REST`."""
    if shown.endswith(REST):
        return "\n".join([*output.splitlines()[: len(shown.splitlines()) - 1], REST])
    return output


# --- the table of speed-ups in README.md ---------------------------------------------------

STACKS = {
    "encoder-8": "Encoder-8",
    "decoder-8": "Decoder-8",
    "blstm-4": "BLSTM-4",
    "blstm-pyramid-4": "BLSTM-Pyramid-4",
}
STRATEGIES: dict[str, tuple[str, bool, str | None]] = {
    "layer-wise": ("layer-wise", False, "layer-wise"),
    "row-wise": ("row-wise", False, "row-wise"),
    "full-dac20": ("full-dac20", False, "layer/row-wise (ours)"),
    "full-dac20, pipelined": ("full-dac20", True, "layer/row-wise + sw pipelining (ours)"),
    "full": ("full", False, None),
}
"""Heading -> partitioner, software pipelining, the paper's name of the series."""

FPGAS = 8
TABLE = re.compile(r"(?<=<!-- speedups -->\n).*?(?=<!-- /speedups -->)", re.DOTALL)


def speedup_table() -> str:
    """Emulated speed-ups of the deep networks on eight FPGAs, the paper's Fig. 8 in brackets."""
    figure = read_figures()
    figure = figure[(figure["figure"] == "8") & (figure["num_fpgas"] == FPGAS)]
    published = {(row["model"], row["series"]): row["value"] for row in figure.to_dict("records")}
    lines = [f"| workload | {' | '.join(STRATEGIES)} |", "| --- |" + " ---: |" * len(STRATEGIES)]
    for name, model in STACKS.items():
        single = _cycles(name, "single", False, 1)
        cells = []
        for partitioner, pipelined, series in STRATEGIES.values():
            speedup = f"{single / _cycles(name, partitioner, pipelined, FPGAS):.2f}"
            cells.append(speedup + (f" ({published[model, series] + 1e-9:.2f})" if series else ""))
        lines.append(f"| {model} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cycles(name: str, partitioner: str, pipelined: bool, fpgas: int) -> int:
    workload = read_workload(f"dac20/{name}")
    cluster = make_cluster(read_profile("s10-gx2800-dac20"), fpgas, "ring")
    parameters = {"software_pipelining": True} if pipelined else {}
    plan = load_partitioner(partitioner).plan(workload, cluster, **parameters)
    return emulated_cycles(workload, cluster, plan)


SUMMARIES = tuple(ROOT / "reports" / folder / "paper_summary.csv" for folder in ("expected/tables", "tables"))
"""Where the deviation from the paper stands: the committed table, and that of the last run."""

SENTENCE = re.compile(r"(?<=<!-- fidelity -->\n).*?(?=<!-- /fidelity -->)", re.DOTALL)


def fidelity_sentence(summary: Path) -> str:
    """How far Figs. 7, 8, 10 and 11 are from the paper, in words."""
    with summary.open(encoding="utf-8", newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["figure"] == "7, 8, 10, 11")
    close = f"{float(row['within_15pct_or_step']):.1%}".replace("%", " %")
    mean = f"{float(row['mean_abs_deviation_pct']):.1f} %"
    return (
        f"Of the {row['points']} points of Figs. 7, 8, 10 and 11, {close} lie within 15 % of the paper\n"
        f"or within one step of its drawings; the mean deviation is {mean}.\n"
    )


BEYOND = ROOT / "reports" / "expected" / "tables" / "beyond_paper.csv"
BEYOND_SENTENCE = re.compile(r"(?<=<!-- beyond -->\n).*?(?=<!-- /beyond -->)", re.DOTALL)


def beyond_sentence(table: Path) -> str:
    """How our best plans compare with the paper's best, and with the bound, in words."""
    with table.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    ratios = [float(row["ratio"]) for row in rows]
    mean = math.prod(ratios) ** (1 / len(ratios))
    near = sum(float(row["over_bound"]) <= 1.1 for row in rows)
    span = f"{min(ratios):.2f} to {max(ratios):.2f}"
    return (
        f"On the {len(rows)} cells of Figs. 8, 10 and 12, with both directions of each ring link in use, "
        f"`full` is\n{mean:.2f} times as fast as the paper's best (geometric mean; {span}); "
        f"in {near} of them it is within\n10 % of a [bound that no plan can beat](docs/bounds.md).\n"
    )


def main() -> None:
    """Rewrite the outputs, the table and the sentences in README.md."""
    text = read("README.md")
    with TemporaryDirectory() as folder, chdir(folder):
        workplace(Path(folder))
        for example in examples(text):
            if example.output:
                fresh = shortened(run(example.command)[1], example.output)
                shown = f"$ {example.command}\n"
                text = text.replace(shown + example.output, shown + fresh)
    text = TABLE.sub(lambda _: speedup_table(), text)
    for summary in [path for path in SUMMARIES if path.exists()][:1]:
        text = SENTENCE.sub(fidelity_sentence(summary), text)
    if BEYOND.exists():
        text = BEYOND_SENTENCE.sub(beyond_sentence(BEYOND), text)
    (ROOT / "README.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
