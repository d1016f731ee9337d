"""One benchmark of each part, as a ratio to a fixed loop of Python and numpy that is timed in the same run.

Processor time, so that what else the machine does counts little. compare.py shows the ratios beside those
of reference.csv, or times two revisions by turns (docs/speed.md); ``make test`` runs each once.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import timeit
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench.emulator.timing import count_cycles
from bench.experiments import Experiment, expand
from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Cluster
from bench.numerics.check import make_network, verdict
from bench.numerics.formats import load_format
from bench.numerics.scale_down import scale_down
from bench.partitioners import full, load_partitioner
from bench.plans.lower import Bodies, lower
from bench.plans.plan import Plan
from bench.rows import evaluate_point, request_columns
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Workload

ROOT = Path(__file__).parents[2]


def cpu_seconds() -> float:
    """Processor time of this process and of those that it has waited for."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


pytestmark = pytest.mark.benchmark(timer=cpu_seconds)


def calibrate() -> float:
    """Seconds of the fixed loop, the least of several: dictionaries, tuples, small products of numpy."""

    def loop() -> float:
        counts: dict[tuple[int, int], int] = {}
        for n in range(20_000):
            key = (n % 97, n % 31)
            counts[key] = counts.get(key, 0) + n
        matrix = np.arange(64.0 * 64.0).reshape(64, 64) / 4096.0
        vector = np.ones(64)
        for _ in range(500):
            vector = np.clip(matrix @ vector, -1.0, 1.0)
        return float(vector[0]) + sorted(counts.values())[0]

    return min(timeit.repeat(loop, timer=cpu_seconds, number=1, repeat=30))


@pytest.fixture
def timed(benchmark: BenchmarkFixture) -> Callable[..., object]:
    """Times a function, ``rounds`` times and once before, and notes its ratio to the loop's time."""

    def run(function: Callable[..., object], *args: object, rounds: int = 10, setup: object = None) -> object:
        before = 0.0 if benchmark.disabled else calibrate()
        made = benchmark.pedantic(function, args=args, rounds=rounds, warmup_rounds=1, setup=setup)
        if not benchmark.disabled:
            fixed = min(before, calibrate())
            benchmark.extra_info["ratio"] = float(f"{benchmark.stats.stats.min / fixed:.4g}")
        return made

    return run


def forget() -> None:
    """Clear what modules keep of earlier calls, so that each round is like the first of a process."""
    modules = [module for name, module in sys.modules.items() if name.partition(".")[0] == "bench"]
    for value in [value for module in modules for value in vars(module).values()]:
        if callable(clear := getattr(value, "cache_clear", None)):
            clear()
        elif isinstance(value, Bodies):
            value.clear()


def question(name: str, partitioner: str) -> tuple[Workload, Cluster, Plan]:
    """A workload, a ring of eight FPGAs, and a plan for them."""
    workload, cluster = load_workload(name), make_cluster(load_profile("s10-gx2800-dac20"), 8, "ring")
    return workload, cluster, load_partitioner(partitioner).plan(workload, cluster)


def test_emulator(timed: Callable[..., object]) -> None:
    """Encoder-8 on eight FPGAs, from a program."""
    workload, cluster, plan = question("dac20/encoder-8", "full-dac20")
    program = lower(plan, workload, cluster)
    assert timed(count_cycles, program, cluster.profile.overlay, rounds=100) == count_cycles(
        program, cluster.profile.overlay
    )


def test_lowering(timed: Callable[..., object]) -> None:
    """Encoder-8, all rows on all of eight FPGAs: from the plan to the program."""
    workload, cluster, plan = question("dac20/encoder-8", "row-wise")
    program = timed(lower, plan, workload, cluster, setup=forget)
    assert program.devices == 8  # type: ignore[attr-defined]


def test_search(timed: Callable[..., object]) -> None:
    """The search of `full` for GRU-2048, nothing known of a search before it."""
    workload, cluster, _ = question("dac20/gru-2048", "row-wise")
    plan = timed(full.plan, workload, cluster, rounds=3, setup=forget)
    assert plan.partitioner == "full"  # type: ignore[attr-defined]


def test_interpreter(timed: Callable[..., object]) -> None:
    """BLSTM-4 with columns on eight FPGAs, scaled down, in int8: program, numbers, comparison."""
    workload, cluster, plan = question("dac20/blstm-4", "column-wise")
    plan, workload = scale_down(plan, workload)
    network = make_network(workload, load_format("int8"))
    assert timed(verdict, plan, cluster, network, rounds=3, setup=forget) == "exact"


def test_import(timed: Callable[..., object], tmp_path: Path) -> None:
    """An ONNX file of LSTM-512, written from the catalogue's workload, read as a workload."""
    from bench.commands.export_onnx import export_workload
    from bench.workloads.onnx_import.importer import import_onnx

    path = tmp_path / "lstm.onnx"
    export_workload("lstm-512-b1-t25", path, 0, None)
    imported = timed(import_onnx, path)
    assert imported.workload.steps == 25  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the rows of a few dozen points."""
    from bench.results.store import write_results

    experiment = Experiment.model_validate(
        {
            "name": "few",
            "workloads": ["lstm-512-b1-t25", "gru-512-b1-t25", "dac20/lstm-2048", "dac20/gru-2048"],
            "profiles": ["s10-gx2800-dac20"],
            "fpgas": [1, 2, 4],
            "partitioners": ["input-wise", "gate-wise", "row-wise", "column-wise"],
        }
    )
    rows = [request_columns("few", point, "none") | evaluate_point(point) for point in expand(experiment)]
    folder = tmp_path_factory.mktemp("reference") / "results"
    write_results(rows, folder / "results.parquet")
    return folder


def test_aggregation(timed: Callable[..., object], results: Path, tmp_path: Path) -> None:
    """From results on disk to all general tables, as CSV, Markdown and LaTeX."""
    from bench.results.tables import write_tables

    assert timed(write_tables, results, tmp_path / "tables", rounds=3)


def test_report(timed: Callable[..., object], results: Path, tmp_path: Path) -> None:
    """From results and their tables to the site."""
    from bench.results.tables import write_tables
    from bench.site.build import write_site
    from bench.site.parts import Sources

    write_tables(results, tmp_path / "tables")
    assert timed(write_site, Sources(results, tmp_path), tmp_path / "site", rounds=3)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["-m", "bench", "--help"], id="help"),
        pytest.param(
            [
                "-m",
                "bench",
                "run",
                "--workload",
                "lstm-512-b1-t25",
                "--partitioner",
                "row-wise",
                "--fpgas",
                "2",
            ],
            id="run",
        ),
        pytest.param(
            ["-m", "snakemake", "reproduce-all", "-n", "-q", "--config", "config=config/smoke.yaml"],
            id="pipeline",
        ),
    ],
)
def test_command(timed: Callable[..., object], arguments: list[str], tmp_path: Path) -> None:
    """Whole commands, start included; the pipeline finds out what to do, and does nothing."""
    if "snakemake" in arguments:
        arguments = [*arguments, f"out={tmp_path}"]

    def call() -> int:
        command = [sys.executable, *arguments]
        return subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False).returncode

    assert timed(call, rounds=3) == 0
