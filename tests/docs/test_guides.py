"""A newcomer's partitioner and workload, made from the pages alone."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import pytest

from bench.evaluate import emulated_cycles, evaluate
from bench.experiments import expand, load_config
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Overlay
from bench.hardware.quantities import MatrixFormat, VectorFormat
from bench.hardware.schema import OverlayFile, schema_text
from bench.partitioners import build, load_partitioner
from bench.plans.cells import cell_program
from bench.starters.write import starting_point
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Cell, Layer
from bench.workloads.schema import LayerEntry
from tests.docs.markdown import blocks, examples, read, run, shortened, workplace

PARTITIONER = "docs/add-a-partitioner.md"
WORKLOAD = "docs/add-a-workload.md"
PROFILE = "docs/add-a-profile.md"


def test_partitioner_s_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's example of a test passes for a start, and fails once the file is broken."""
    monkeypatch.chdir(tmp_path)
    start = starting_point("partitioner", "mine")[1]["mine.py"]
    Path("mine.py").write_text(start, encoding="utf-8")
    code = next(block for block in blocks(read(PARTITIONER), "python") if "assert_conforms" in block)
    names: dict[str, Any] = {}
    exec(compile(code.replace("every=3", "every=16"), PARTITIONER, "exec"), names)
    names["test_it_conforms"]()
    Path("mine.py").write_text(start.replace("        groups,\n", "        [],\n"), encoding="utf-8")
    with pytest.raises(AssertionError, match="is in none of the plan's groups"):
        names["test_it_conforms"]()


def test_partitioner_in_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's lines for a configuration are taken in an experiment: five runs of the file."""
    monkeypatch.chdir(tmp_path)
    text = starting_point("partitioner", "mine")[1]["mine.py"].replace("most:", "size:")
    Path("mine.py").write_text(text, encoding="utf-8")
    lines = next(block for block in blocks(read(PARTITIONER), "yaml") if "row-wise" in block)
    text = f"experiments:\n  - name: mine\n    workloads: [lstm-64-b1-t5]\n    fpgas: [2]\n{lines}"
    config = tmp_path / "mine.yaml"
    config.write_text(text + "    profiles: [s10-gx2800-dac20]\n", encoding="utf-8")
    points = [point for point in expand(load_config(config).experiments[0]) if point.partitioner == "mine.py"]
    assert sorted(point.parameters for point in points) == [
        '{"size":1,"software_pipelining":false}',
        '{"size":1,"software_pipelining":true}',
        '{"size":2,"software_pipelining":false}',
        '{"size":2,"software_pipelining":true}',
        "{}",
    ]


def test_helpers_table() -> None:
    """Each helper that the page lists exists."""
    table = read(PARTITIONER).partition("## Helpers")[2].partition("##")[0]
    names = re.findall(r"^\| `(\w+)\(", table, flags=re.MULTILINE)
    assert len(names) > 5
    assert all(callable(getattr(build, name)) for name in names)


def layer(cell: Cell, **options: object) -> Layer:
    """A layer of four elements."""
    return Layer("layer", cell, 4, 4, 1, **options)  # type: ignore[arg-type]


def test_cells_table() -> None:
    """Matrices and stages of each cell are those that the page lists."""
    cells = {
        "`lstm`": layer("lstm"),
        "`gru`, reset before": layer("gru", reset="before"),
        "`gru`, reset after": layer("gru", reset="after"),
        "`rnn_tanh`, `rnn_relu`": layer("rnn_relu"),
        "`mlstm`": layer("mlstm"),
        "`linear`": layer("linear"),
    }
    row = r"^\| (`[\w`, ]+?) \| `([\w. ]+)` \| `([\w ]+)` \|$"
    listed = re.findall(row, read(PARTITIONER), flags=re.MULTILINE)
    assert {name for name, _, _ in listed} == set(cells)
    for name, matrices, stages in listed:
        program = cell_program(cells[name])
        assert matrices.split() == [product.matrix for product in program.products]
        assert stages.split() == [stage.name for stage in program.stages]


def test_workload_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example is what the page's text says, and every command of the page works with it."""
    workplace(tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("my-network.yaml").write_text(blocks(read(WORKLOAD), "yaml")[0], encoding="utf-8")
    workload = load_workload("my-network.yaml")
    assert [layer.steps for layer in workload.layers] == [100, 100, 50, 50, 50, 50, 50, 50]
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 2, "ring")
    plan = load_partitioner("row-wise").plan(workload, cluster)
    assert evaluate(workload, cluster, plan).cycles > 0
    commands = [example.command for example in examples(read(WORKLOAD))]
    assert len(commands) == 3
    assert all(run(command)[0] == 0 for command in commands)


def test_workload_in_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page's experiment is taken in a configuration of one's own."""
    workplace(tmp_path)
    monkeypatch.chdir(tmp_path)
    network, experiment = blocks(read(WORKLOAD), "yaml")
    Path("my-network.yaml").write_text(network, encoding="utf-8")
    Path("mine.yaml").write_text(f"experiments:\n{experiment}", encoding="utf-8")
    assert load_config(Path("mine.yaml")).experiments[0].name == "mine"


def test_layer_keys() -> None:
    """The table of layer keys has every key of the schema."""
    table = read(WORKLOAD).partition("## Layers")[2].partition("##")[0]
    first = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", table, flags=re.MULTILINE)
    assert {name for cell in first for name in re.findall(r"`(\w+)`", cell)} == set(LayerEntry.model_fields)


def test_profile_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Six lines of YAML are a profile; every command of the page works and prints what is shown."""
    workplace(tmp_path)
    monkeypatch.chdir(tmp_path)
    mine, config, whole = blocks(read(PROFILE), "yaml")
    assert len(mine.splitlines()) <= 6
    Path("mine.yaml").write_text(mine, encoding="utf-8")
    Path("path/to").mkdir(parents=True)
    Path("path/to/my-board.yaml").write_text(whole, encoding="utf-8")
    Path("my-config.yaml").write_text(config, encoding="utf-8")
    shown = list(examples(read(PROFILE)))
    assert len(shown) == 4
    for example in shown:
        code, output = run(example.command)
        assert code == 0
        assert not example.output or shortened(output, example.output) == example.output
    assert load_config(Path("my-config.yaml")).experiments[0].profiles[1] == "./mine.yaml"


def test_timing_parameters_table() -> None:
    """Each key of an overlay that is no size has its row, and its default where it may be left out."""
    table = read(PROFILE).partition("## The timing parameters")[2].partition("| cell |")[0]
    rows = dict(re.findall(r"^\| `(\w+)`(?: \((\w+)\))? \|", table, flags=re.MULTILINE))
    sizes = {"tiles", "engines", "lanes", "cores", "vectors_per_pass"}
    assert set(rows) == set(OverlayFile.model_fields) - sizes
    defaults = {field.name: str(field.default).lower() for field in fields(Overlay)}
    for key, field in (
        ("vector_cycles", "vector_cycles"),
        ("step_interval", "step_interval_cycles"),
        ("steps_overlap", "steps_overlap"),
    ):
        assert rows[key] == defaults[field]


def test_latencies_table() -> None:
    """A step of each cell passes the latencies as often as the page says, whatever they are."""
    cells = {"`rnn_tanh`": "rnn-1024-b1", "`lstm`": "lstm-1024-b1", "`gru`, reset before": "gru-1024-b1"}
    listed = re.findall(r"^\| (`\w+`[\w ,]*) \| (\d) \| (\d) \|$", read(PROFILE), flags=re.MULTILINE)
    assert {cell for cell, _, _ in listed} == set(cells)
    profile = load_profile("s10-gx2800-dac20")

    def step(name: str, **longer: int) -> int:
        overlay = replace(profile.overlay, **{k: getattr(profile.overlay, k) + v for k, v in longer.items()})
        cluster = make_cluster(replace(profile, overlay=overlay), 1, "ring")
        runs = [load_workload(f"{name}-t{steps}") for steps in (20, 21)]
        short, long = (
            emulated_cycles(workload, cluster, load_partitioner("single").plan(workload, cluster))
            for workload in runs
        )
        return long - short

    for cell, matrix, vector in listed:
        name = cells[cell]
        assert step(name, matrix_latency_cycles=10) - step(name) == 10 * int(matrix)
        assert step(name, multifunction_latency_cycles=10) - step(name) == 10 * int(vector)
        assert step(name, writeback_latency_cycles=10) - step(name) == 10 * int(vector)


def _names(statement: type[MatrixFormat | VectorFormat]) -> tuple[str, ...]:
    """The names that a statement of a profile may have."""
    names: tuple[str, ...] = get_args(statement.model_fields["value"].annotation)
    return names


def test_guide_names_all_units() -> None:
    """Every unit that the schema accepts is in the guide's table."""
    guide = read(PROFILE)
    table = guide.split("## Units")[1].split("## ")[0]
    units = {
        unit
        for listed in re.findall(r'"enum": \[([^\]]*)\]', schema_text())
        for unit in listed.split('"')[1::2]
    }
    units -= {"published", "measured", "derived", "fitted", "assumed", "own", "projection", "board", "chip"}
    formats = {name for one in (MatrixFormat, VectorFormat) for name in _names(one)}
    assert all(name in guide for name in formats)
    units -= formats
    assert {"ns", "us", "GB/s"} <= units
    assert all(unit in table for unit in units)
