"""Synthetic result rows for tests: the paper's closed cost formulas instead of an emulator.

Latencies are (compute / N + exchanges) a step; good enough that every table and figure
has plausible numbers, with no claim to fidelity.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from bench.experiments import read_profile
from bench.partitioners.space import IDEAS
from bench.results.fidelity_sets import read_sets, references

PROFILE = "s10-gx2800-dac20"
CLOCK_HZ = 275e6
MACS_PER_CYCLE = 19_200
STEPS = 32

STACKS = {
    "encoder-8": ("lstm", 8, 2048),
    "encoder-8-4096": ("lstm", 8, 4096),
    "decoder-8": ("lstm", 8, 2048),
    "blstm-4": ("lstm", 8, 2048),
    "blstm-pyramid-4": ("lstm", 8, 2048),
    "gnmt-4": ("lstm", 9, 1024),
    "encoder-8-1536": ("lstm", 8, 1536),
    "decoder-8-1536": ("lstm", 8, 1536),
    "blstm-4-1536": ("lstm", 8, 1536),
    "blstm-pyramid-4-1536": ("lstm", 8, 1536),
}
SERIAL = {"decoder-8": 1, "blstm-4": 2, "blstm-pyramid-4": 2, "gnmt-4": 2}
"""How many layers can run at once; a stacked encoder runs all."""


def make_row(
    *,
    experiment: str = "fig10",
    workload: str = "dac20/lstm-2048",
    cell: str = "lstm",
    hidden: int = 2048,
    layers: int = 1,
    steps: int = STEPS,
    batch: int = 1,
    fpgas: int = 1,
    partitioner: str = "single",
    pipelined: bool = False,
    link_ns: float = 1000.0,
    latency_s: float = 1e-3,
    utilization: float = 0.5,
    communication_share: float = 0.0,
    profile: str = PROFILE,
    status: str = "ok",
    termination: str = "none",
    reason: str = "",
) -> dict[str, Any]:
    """One row of the schema; a status or termination other than success has no numbers."""
    solved = status == "ok" and termination == "none"
    gates = 4 if cell == "lstm" else 3
    weights = layers * gates * hidden * hidden * 2
    parameters = json.dumps({"software_pipelining": pipelined}, sort_keys=True)
    point = f"{experiment}/{workload}/{profile}/n{fpgas}/{partitioner}/{parameters}/{link_ns:g}"
    numbers = {
        "latency_s": latency_s,
        "cycles": round(latency_s * CLOCK_HZ),
        "cycles_per_step": latency_s * CLOCK_HZ / steps,
        "utilization": utilization,
        "communication_share": communication_share,
        "devices_used": fpgas,
        "weight_bytes_per_device": weights // fpgas,
        "fits_on_chip": weights // fpgas < 28_000_000,
        "plan_id": "0123456789ab",
        "plan_notes": "",
    }
    return {
        "point_id": point,
        "experiment": experiment,
        "workload": workload,
        "cell": cell,
        "hidden_size": hidden,
        "layers": layers,
        "steps": steps,
        "batch": batch,
        "products": "input+recurrent",
        "weights": weights,
        "macs": weights * steps * batch,
        "profile": profile,
        "topology": "ring",
        "link": "ring",
        "link_latency_ns": link_ns,
        "fpgas": fpgas,
        "partitioner": partitioner,
        "parameters": parameters,
        "budget_s": 60.0,
        "backend": "emulated",
        "status": status,
        "termination": termination,
        "reason": reason,
        **{name: (value if solved else None) for name, value in numbers.items()},
        "bound_cycles": numbers["cycles"] // 2 if solved else None,
        "split_bound_cycles": numbers["cycles"] * 2 // 3 if solved else None,
        "numerics": {"none": "exact" if status == "ok" else None, "wrong numbers": f"failed: {reason}"}.get(
            termination
        ),
        "numerics_full_size": False if solved or termination == "wrong numbers" else None,
        "version": "0.1.0",
        "source_digest": "0" * 12,
        "partitioner_version": "0.1.0",
        "partitioner_source": "0" * 12,
        "log": None,
    }


def _layer_step_s(
    cell: str, hidden: int, fpgas: int, partitioner: str, link_ns: float
) -> tuple[float, float]:
    """(compute, communication) seconds of one layer and step."""
    gates = 4 if cell == "lstm" else 3
    compute = (gates * 2 * hidden * hidden / MACS_PER_CYCLE + 0.28 * hidden) / CLOCK_HZ
    rounds = 1 if cell == "lstm" else 2
    if fpgas == 1:
        return compute, 0.0
    hop = link_ns * 1e-9
    share = hidden if partitioner in ("gate-wise", "input-wise") else hidden / fpgas
    return compute / fpgas, rounds * (fpgas - 1) * (hop + share * 0.17e-9)


def _both_ways(experiment: str, name: str, fpgas: int, partitioner: str) -> dict[str, Any]:
    """The same on a ring whose links are used in both directions."""
    return point(experiment, name, fpgas, partitioner) | {"topology": "ring-bidirectional"}


def point(
    experiment: str,
    name: str,
    fpgas: int,
    partitioner: str,
    *,
    pipelined: bool = False,
    link_ns: float = 1000.0,
) -> dict[str, Any]:
    """One emulated-looking row for ``dac20/name``."""
    if name in STACKS:
        cell, layers, hidden = STACKS[name]
    else:
        cell, size = name.split("-")
        layers, hidden = 1, int(size)
    best = (math.inf, 0.0)
    for groups in _groups(name, layers, fpgas, partitioner):
        inner = fpgas // groups
        compute, exchange = _layer_step_s(cell, hidden, inner, partitioner, link_ns)
        if pipelined:
            exchange = max(exchange - 0.4 * compute, 0.0)
        total = (compute + exchange) * layers / min(groups, SERIAL.get(name, layers)) * STEPS
        best = min(best, (total, exchange / (compute + exchange)))
    latency, share = best
    gates = 4 if cell == "lstm" else 3
    ideal = layers * gates * 2 * hidden * hidden * STEPS / MACS_PER_CYCLE / CLOCK_HZ / fpgas
    return make_row(
        experiment=experiment,
        workload=f"dac20/{name}",
        cell=cell,
        hidden=hidden,
        layers=layers,
        fpgas=fpgas,
        partitioner=partitioner,
        pipelined=pipelined,
        link_ns=link_ns,
        latency_s=latency,
        utilization=ideal / latency,
        communication_share=share,
    )


def _groups(name: str, layers: int, fpgas: int, partitioner: str) -> list[int]:
    if name not in STACKS or partitioner in ("row-wise", "input-wise", "gate-wise", "column-wise"):
        return [1]
    if partitioner == "layer-wise":
        return [fpgas]
    return [groups for groups in (1, 2, 4, 8, 16, 32, 64) if groups <= min(fpgas, layers)]


SINGLE = ("lstm-2048", "lstm-4096", "gru-2048", "gru-4096")


def fidelity_rows(deviation: float = 0.001) -> list[dict[str, Any]]:
    """Every row of the sets A to F, each this share slower than published, and the rows of the trace."""
    rows = []
    for one in read_sets().sets:
        clock_hz = read_profile(one.profile).clock_mhz * 1e6
        for reference in references(one):
            seconds = (1 + deviation) * reference.value / (1e3 if one.unit == "ms" else clock_hz)
            rows.append(_timed(one.experiment, reference.row, one.profile, one.choice, seconds, clock_hz))
    for name, cycles in (("gemv-1920-b1-t1", 318), ("rnn-1920-b1-t1", 526)):
        rows.append(_timed("fidelity-h", name, "s10-gx2800-fccm19", "{}", cycles / 250e6, 250e6))
    return rows


def _timed(
    experiment: str, workload: str, profile: str, parameters: str, seconds: float, clock_hz: float
) -> dict[str, Any]:
    row = make_row(experiment=experiment, workload=workload, profile=profile, latency_s=seconds)
    return row | {"parameters": parameters, "cycles": round(seconds * clock_hz)}


def paper_rows() -> list[dict[str, Any]]:
    """Rows for every figure of the paper."""
    return list(_paper_rows())


def _paper_rows() -> Iterator[dict[str, Any]]:
    for n in (1, 2, 3, 4):
        yield point("fig1b", "gnmt-4", n, "single" if n == 1 else "layer-wise")
    for name in ("encoder-8", "decoder-8", "blstm-4", "blstm-pyramid-4"):
        yield point("fig4b", f"{name}-1536", 1, "single")
        yield point("fig8", name, 1, "single")
        for n in (2, 4, 8):
            yield point("fig4b", f"{name}-1536", n, "layer-wise")
            yield point("fig8", name, n, "layer-wise")
            yield point("fig8", name, n, "row-wise")
            yield point("fig8", name, n, "full-dac20")
            yield point("fig8", name, n, "full-dac20", pipelined=True)
            yield point("fig8", name, n, "full", pipelined=True)
            for partitioner in ("layer-wise", "full"):
                yield _both_ways("beyond-stacks", name, n, partitioner)
    for name in (*SINGLE, "lstm-1024", "gru-1024"):
        for n in (2, 4):
            yield _both_ways("beyond-layers", name, n, "gate-wise")
            yield _both_ways("beyond-layers", name, n, "full")
    for name in ("lstm-2560", "gru-2560"):
        yield point("fig5c", name, 1, "single")
        yield point("fig5c", name, 2, "input-wise")
        yield point("fig5c", name, 2, "gate-wise")
        yield point("fig5c", name, 4, "gate-wise")
    for name in SINGLE:
        for experiment in ("fig7", "fig10", "fig11"):
            yield point(experiment, name, 1, "single")
        for n in (4, 8):
            yield point("fig7", name, n, "row-wise")
        for n in (2, 4):
            for partitioner in ("input-wise", "gate-wise", "row-wise"):
                yield point("fig10", name, n, partitioner)
            for link_ns in (1000.0, 500.0, 250.0):
                yield point("fig11", name, n, "row-wise", link_ns=link_ns)
    for name in ("encoder-8", "encoder-8-4096"):
        yield point("fig9", name, 1, "single")
        for n in (2, 4, 8, 16, 32, 64):
            yield point("fig9", name, n, "full-dac20")
    for name in (*SINGLE, "lstm-1024", "gru-1024"):
        for n in (1, 2, 4):
            for pipelined in (False, True):
                yield point("fig12", name, n, "single" if n == 1 else "row-wise", pipelined=pipelined)


def other_rows() -> list[dict[str, Any]]:
    """A few rows of the ``deepbench`` and ``large`` experiments, failures among them."""
    rows = []
    for cell, hidden, steps in (("lstm", 1024, 25), ("lstm", 2048, 25), ("gru", 2816, 187)):
        for batch in (1, 2):
            workload = f"deepbench/inference_server/{cell}-{hidden}-b{batch}-t{steps}"
            for n in (1, 2, 4):
                for partitioner in ("single", "layer-wise", "row-wise", "full"):
                    if (n == 1) != (partitioner == "single"):
                        continue
                    compute, exchange = _layer_step_s(cell, hidden, n, partitioner, 1000.0)
                    refused = partitioner == "layer-wise"
                    rows.append(
                        make_row(
                            experiment="deepbench",
                            workload=workload,
                            cell=cell,
                            hidden=hidden,
                            steps=steps,
                            batch=batch,
                            fpgas=n,
                            partitioner=partitioner,
                            latency_s=(compute + exchange) * steps * batch,
                            status="unsupported" if refused else "ok",
                            reason="one layer cannot be split over layers" if refused else "",
                        )
                    )
    for row in [row for row in rows if row["batch"] == 1]:
        workload = row["workload"].replace("deepbench/", "deepbench-skip-input/")
        other = {"experiment": "deepbench-skip-input", "workload": workload, "products": "recurrent"}
        rows.append(row | other | {"point_id": "skip-" + row["point_id"]})
        if row["fpgas"] == 1:
            for profile in ("brainwave-s10", "s10-nx2100"):
                other = {"experiment": "devices", "profile": profile}
                rows.append(row | other | {"point_id": f"{profile}-{row['point_id']}"})
    for name in ("large/gnmt-4", "large/biglstm"):
        for n in (1, 2, 4, 8, 16):
            timeout = name.endswith("biglstm") and n == 16
            rows.append(
                make_row(
                    experiment="large",
                    workload=name,
                    layers=8,
                    hidden=1024,
                    fpgas=n,
                    partitioner="single" if n == 1 else "full",
                    latency_s=1e-3 / n**0.8,
                    termination="timeout" if timeout else "none",
                    reason="60 s limit" if timeout else "",
                )
            )
    return rows


def study_row(experiment: str, name: str, fpgas: int, seconds: float, **columns: Any) -> dict[str, Any]:
    """A row of ``full`` for ``dac20/name`` in both directions of a ring; ``ideas`` are its parameters."""
    ideas = json.dumps(columns.pop("ideas", {}), sort_keys=True)
    partitioner = columns.pop("partitioner", "full")
    row = make_row(
        experiment=experiment,
        workload=f"dac20/{name}",
        fpgas=fpgas,
        partitioner=partitioner,
        latency_s=seconds,
    )
    row |= {"topology": "ring-bidirectional", "link": "dac20-ring", "parameters": ideas} | columns
    named = "/".join(str(row[column]) for column in ("topology", "link", "link_latency_ns", "parameters"))
    return row | {"point_id": f"{row['point_id']}/{named}"}


def study_rows() -> list[dict[str, Any]]:
    """A few rows for each study; leaving out ``helpers`` is faster than the full search."""
    rows = []
    for n, seconds in ((1, 1e-3), (2, 6e-4), (4, 5e-4), (8, 5e-4)):
        baseline = {"partitioner": "single"} if n == 1 else {}
        rows.append(study_row("scaling", "encoder-8", n, seconds, devices_used=min(n, 3), **baseline))
        if n > 1:
            ideas = {"software_pipelining": True}
            rows.append(study_row("scaling", "encoder-8", n, 7e-4, partitioner="full-dac20", ideas=ideas))
    for latency, seconds in ((100.0, 4e-4), (1000.0, 5e-4)):
        for partitioner, factor in (("full", 1), ("gate-wise", 2), ("layer-wise", 3)):
            rows.append(
                study_row(
                    "sensitivity-latency-stacks", "encoder-8", 8, factor * seconds, partitioner=partitioner,
                    link_latency_ns=latency,
                )
            )  # fmt: skip
    for link, seconds in (("hypothetical-quarter", 6e-4), ("dac20-ring", 5e-4)):
        rows.append(study_row("sensitivity-bandwidth-stacks", "encoder-8", 8, seconds, link=link))
    for topology in ("switch", "ring"):
        rows.append(study_row("sensitivity-topology-stacks", "encoder-8", 8, 5e-4, topology=topology))
    every = "+".join(IDEAS)
    for ideas, seconds in (
        ({}, 5e-4), ({"without": every}, 1e-3), ({"only": "pipelining"}, 6e-4), ({"only": "parts"}, 1e-3),
        ({"without": "pipelining"}, 8e-4), ({"without": "helpers"}, 4.9e-4),
    ):  # fmt: skip
        rows.append(study_row("ablation-stacks", "encoder-8", 8, seconds, ideas=ideas))
    return rows
