"""Programs on OpenCL devices: Intel's emulated FPGAs over channels, and PoCL with the host in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import Unsupported
from bench.workloads.model import Input, Layer, Workload
from tests.boards.opencl import (
    requires_intel_emulator,
    requires_pocl,
    seeing_emulated,
    seeing_pocl,
)
from tests.boards.programs import make_case, run_emulated, run_staged
from tests.numerics.test_interpreter import KINDS

ENCODER = Workload(
    "encoder",
    (
        Layer("bottom", "lstm", 96, 128, 6),
        Layer("middle", "lstm", 128, 128, 6, (Input("bottom", 128),)),
        Layer("top", "gru", 128, 96, 6, (Input("middle", 128),), direction="backward"),
    ),
)


@requires_intel_emulator
@pytest.mark.parametrize("fpgas", [1, 2, 4, pytest.param(8, marks=pytest.mark.slow)])
@pytest.mark.parametrize("partitioner", ["row-wise", "full"])
def test_lstm_512_on_emulated_fpgas(partitioner: str, fpgas: int, tmp_path: Path) -> None:
    """All 25 steps, messages over the kernels' I/O channels: every bit is that of the interpreter."""
    case = make_case("lstm-512-b1-t25", partitioner, fpgas)
    run = run_emulated(case, seeing_emulated(tmp_path, 1))
    assert case.wrong(run) == ""
    assert not run.staged or not any(image.peers for image in case.images)


@requires_intel_emulator
@pytest.mark.parametrize("partitioner", ["layer-wise", "full"])
def test_layers_on_different_emulated_fpgas(partitioner: str, tmp_path: Path) -> None:
    """Three layers, one of them a GRU that runs backwards, on three devices."""
    case = make_case(ENCODER, partitioner, 3)
    assert case.wrong(run_emulated(case, seeing_emulated(tmp_path, 1))) == ""


@requires_intel_emulator
def test_repeats_start_from_the_same_state(tmp_path: Path) -> None:
    """The last of three runs computes what the first would."""
    case = make_case(ENCODER, "row-wise", 2)
    run = run_emulated(case, seeing_emulated(tmp_path, 1), repeats=3)
    assert case.wrong(run) == ""
    assert len(run.latencies_s) == 3
    assert min(run.latencies_s) > 0


@requires_intel_emulator
@pytest.mark.parametrize("fmt", ["int8-wide", "int8-tensor+piecewise", "int8+table", "int8+table-linear"])
def test_formats_on_the_emulated_fpga(fmt: str, tmp_path: Path) -> None:
    """Accumulator widths, scales and activations give the interpreter's bits."""
    case = make_case(KINDS["gru, reset after"], "single", 1, fmt=fmt)
    assert case.wrong(run_emulated(case, seeing_emulated(tmp_path, 1))) == ""


@requires_pocl
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_network_on_pocl(kind: str, tmp_path: Path) -> None:
    """Cells, directions, reductions in time, projections and batches, rows on two devices, staged."""
    try:
        case = make_case(KINDS[kind], "row-wise", 2)
    except Unsupported as refusal:
        pytest.skip(str(refusal))
    run = run_staged(case, seeing_pocl(tmp_path))
    assert case.wrong(run) == ""
    assert run.staged


@requires_pocl
@pytest.mark.parametrize("topology", ["switch", "torus-2d", "host-star"])
def test_topologies_on_pocl(topology: str, tmp_path: Path) -> None:
    """What crosses several hops, or a hub, arrives."""
    case = make_case(ENCODER, "column-wise", 4, topology=topology)
    assert case.wrong(run_staged(case, seeing_pocl(tmp_path))) == ""


@requires_intel_emulator
def test_the_emulated_fpga_without_channels(tmp_path: Path) -> None:
    """The same kernels without I/O channels, as for a board that has none, on Intel's platform too."""
    case = make_case(ENCODER, "gate-wise", 2)
    assert case.wrong(run_staged(case, seeing_emulated(tmp_path, 1))) == ""
