"""All-gathers on rings against SimGrid, an independent network simulator, where it is installed.

Debian's package python3-simgrid brings its Python bindings, for Debian's own interpreter.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from bench.emulator.timing import count_cycles
from bench.hardware.profile import Cluster
from bench.partitioners.build import assemble, own_rows
from bench.plans.lower import lower
from bench.plans.program import Phase, Program, Unit
from bench.workloads.model import Input, Layer, Workload
from tests.strategies import SMALL_OVERLAY, small_profile

SCRIPT = Path(__file__).with_name("simgrid_ring.py")
NS_PER_CYCLE = 10.0


@cache
def interpreter() -> str | None:
    """A Python that can import simgrid, or None."""
    known = [sys.executable, "/usr/bin/python3", shutil.which("python3")]
    for python in dict.fromkeys(path for path in known if path and Path(path).exists()):
        done = subprocess.run([python, "-I", "-c", "import simgrid"], capture_output=True, check=False)
        if done.returncode == 0:
            return python
    return None


def all_gather(ranks: int, shard_bytes: int, topology: str, latency_ns: float, ns_per_byte: float) -> Program:
    """The messages of one row-wise time step, without the instructions that make and use the rows."""
    layer = Layer("l", "rnn_tanh", 8, ranks * shard_bytes, 1, (Input("input", 8),))
    workload = Workload("rnn", (layer,))
    plan = assemble("rows", workload, [own_rows(layer, range(ranks))], [range(ranks)])
    program = lower(plan, workload, Cluster(small_profile(latency_ns, ns_per_byte), ranks, topology))
    (phase,) = program.phases
    links = [n for n, i in enumerate(phase.instructions) if i.unit is Unit.LINK]
    assert {phase.instructions[n].size_bytes for n in links} == {shard_bytes}
    messages = tuple(
        replace(
            phase.instructions[n],
            waits=tuple(
                replace(w, on=links.index(w.on)) for w in phase.instructions[n].waits if w.on in links
            ),
        )
        for n in links
    )
    return replace(program, phases=(Phase(messages, iterations=1),))


def simgrid_ns(python: str, **question: object) -> float:
    """What SimGrid says, in ns."""
    command = [python, "-I", str(SCRIPT), json.dumps(question)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return float(json.loads(done.stdout)) * 1e9


@pytest.mark.skipif(interpreter() is None, reason="needs SimGrid's Python bindings: Debian's python3-simgrid")
@pytest.mark.parametrize("topology", ["ring", "ring-bidirectional"])
@pytest.mark.parametrize(
    ("ranks", "shard_bytes", "latency_ns", "ns_per_byte"),
    [
        (2, 1024, 1000.0, 0.17),
        (3, 1, 1000.0, 0.17),
        (4, 512, 250.0, 0.17),
        (6, 100, 1000.0, 1.5),
        (4, 250_000, 675.5, 1 / 9.871),
        (5, 77, 0.0, 1.5),
        (8, 256, 1000.0, 0.17),
        (16, 128, 500.0, 0.17),
    ],
)
def test_all_gather_takes_what_simgrid_says(
    topology: str, ranks: int, shard_bytes: int, latency_ns: float, ns_per_byte: float
) -> None:
    """The emulator's time is SimGrid's, each hop's latency and time on the wire rounded up to cycles."""
    python = interpreter()
    assert python is not None
    rounds = (ranks - 1, 0) if topology == "ring" else (ranks // 2, (ranks - 1) // 2)
    expected = simgrid_ns(
        python,
        ranks=ranks,
        shard_bytes=shard_bytes,
        bytes_per_s=1e9 / ns_per_byte,
        latency_s=latency_ns * 1e-9,
        rounds=rounds,
    )
    program = all_gather(ranks, shard_bytes, topology, latency_ns, ns_per_byte)
    emulated = count_cycles(program, replace(SMALL_OVERLAY, input_load_cycles=0)) * NS_PER_CYCLE
    rounded_up = sum(part % NS_PER_CYCLE > 0 for part in (latency_ns, shard_bytes * ns_per_byte))
    assert -1e-3 < emulated - expected < rounded_up * NS_PER_CYCLE * max(rounds) + 1e-3
