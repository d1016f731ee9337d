"""The tables of docs/baselines.md are those of the results, and the results are those of the plans."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from statistics import median

import pytest

from bench.evaluate import emulated_cycles
from bench.experiments import Point, expand, load_config, read_workload
from bench.partitioners import load_partitioner
from bench.results.frames import strategy_name
from tests.docs.baselines import EXAMPLES, HEADINGS, PAGE, SETS, replaced, source, table
from tests.docs.markdown import ROOT, read
from tests.examples.loading import load_example

NEEDED = {"Alpa": "ortools", "METIS": "pymetis", "Mt-KaHyPar": "mtkahypar"}
"""Beginning of a heading -> the package without which its column cannot be computed."""

SAMPLE = ("dac20/gru-2048", "dac20/blstm-4")
FPGAS = 4


def shown(name: str) -> dict[tuple[str, int], dict[str, str]]:
    """The page's table of this name: cell -> heading -> text, without the means."""
    match = re.search(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", read(PAGE), re.DOTALL)
    assert match
    header, _, *lines, _ = [line.strip("| ").split(" | ") for line in match[1].strip().splitlines()]
    prefix = "large/" if name == "large" else "dac20/"
    return {(prefix + line[0], int(line[1])): dict(zip(header[2:], line[2:], strict=True)) for line in lines}


@cache
def points(name: str) -> list[Point]:
    """What the default configuration asks for behind the page's table of this name."""
    experiments = load_config(ROOT / "config" / "default.yaml").experiments
    (one,) = [experiment for experiment in experiments if experiment.name == f"field-{name}"]
    return list(expand(one))


def strategy(point: Point) -> str:
    """What the tables call the point's partitioner with its parameters."""
    stem = Path(point.partitioner).stem.replace("_", "-")
    return strategy_name(stem, json.loads(point.parameters))


@pytest.mark.parametrize("name", SETS)
def test_tables_are_complete(name: str) -> None:
    """Each table has the rows and columns that the default configuration asks for, each with a value."""
    asked = {(point.workload, point.fpgas) for point in points(name) if point.fpgas > 1}
    assert {strategy(point) for point in points(name)} == {*HEADINGS.values(), "single"}
    assert shown(name).keys() == asked
    for row in shown(name).values():
        assert list(row) == list(HEADINGS)
        assert all(re.fullmatch(r"(\*\*)?\d+\.\d\d(\*\*)?|–", text) for text in row.values())


@pytest.mark.parametrize("name", SETS)
def test_tables_are_the_committed_ones(name: str) -> None:
    """`python -m tests.docs.baselines` brings the page up to date with the committed tables."""
    if not source(name).exists():
        pytest.skip("no table is committed")
    assert replaced(read(PAGE), name, table(source(name))) == read(PAGE)


@pytest.mark.parametrize("heading", EXAMPLES)
def test_speedups_are_those_of_the_plans(heading: str) -> None:
    """A layer and a stack on four FPGAs, planned and emulated now; of several seeds the median."""
    for begin, package in NEEDED.items():
        if heading.startswith(begin) and not find_spec(package):
            pytest.skip(f"{package} is not installed (`make field`)")
    known = shown("stacks") | shown("layers")
    for workload in SAMPLE:
        mine = [
            point
            for point in [*points("stacks"), *points("layers")]
            if (point.workload, point.fpgas, strategy(point)) == (workload, FPGAS, HEADINGS[heading])
        ]
        found = median(speedup(point) for point in mine)
        assert known[workload, FPGAS][heading].strip("*") == f"{found:.2f}", workload


def speedup(point: Point) -> float:
    """Over one FPGA, planned here and now."""
    workload = read_workload(point.workload)
    plan = load_example(Path(point.partitioner).stem).plan(
        workload, point.cluster, **json.loads(point.parameters)
    )
    (one,) = [p for name in SETS for p in points(name) if p.workload == point.workload and p.fpgas == 1]
    single = load_partitioner("single").plan(workload, one.cluster)
    return emulated_cycles(workload, one.cluster, single) / emulated_cycles(workload, point.cluster, plan)


def test_tables_stand_between_comments() -> None:
    """Only what is between a table's comments is replaced."""
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
    assert replaced(text, "x", "new\n") == "a\n<!-- x -->\nnew\n<!-- /x -->\nb\n"


def test_a_missing_result_is_a_dash(tmp_path: Path) -> None:
    """A strategy without a value has a dash, and no mean; the best of the others is bold."""
    path = tmp_path / "field-x.csv"
    names = list(HEADINGS.values())
    values = ["2" if name != "pipedream" else "" for name in names]
    head = ",".join(f'"{name}"' for name in names)
    path.write_text(
        f"workload,fpgas,{head}\nlarge/a,1,{',' * (len(names) - 1)}\nlarge/a,4,{','.join(values)}\n",
        encoding="utf-8",
    )
    _, _, line, mean = table(path).splitlines()
    assert line.startswith("| a | 4 | 2.00 |")
    assert mean.count("–") == line.count("–") == 1
    assert line.count("**2.00**") == len(EXAMPLES) - 1
