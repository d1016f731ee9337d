"""A plan on devices: its numbers against the interpreter's format, and its latency over repeats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Any

import numpy as np

from bench.boards.assemble import assemble
from bench.boards.found import Boards
from bench.boards.platforms import Kind
from bench.boards.run import BoardFailed, BoardRun, Repeats, run_images
from bench.boards.seats import take_seats
from bench.errors import Unsupported
from bench.hardware.profile import Cluster
from bench.numerics.check import Network, find_deviation, make_network
from bench.numerics.formats import NumberFormat, overlay_format
from bench.numerics.numbers import Numbers
from bench.plans.lower import lower
from bench.plans.plan import Plan
from bench.workloads.model import Workload

Columns = dict[str, Any]

TIMES = (
    "latency_median_s",
    "latency_p99_s",
    "latency_least_s",
    "start_skew_s",
    "kernel_s",
    "copies_s",
    "transfer_s",
    "load_s",
)
"""Columns that are empty where a run came to nothing; `bench.boards.run.BoardRun` says what they are."""


@dataclass(frozen=True)
class Effort:
    """How often a program is run, and how long a request to the devices may take."""

    repeats: int = 20
    warm_up: int = 3
    limit_s: float = 60.0


def measure(plan: Plan, workload: Workload, cluster: Cluster, boards: Boards, effort: Effort) -> Columns:
    """Run ``plan``, which must be valid, and say how it went, whatever goes wrong.

    The workload has its full size and all its steps, with random numbers; every output must be the one
    that there is without a plan, bit for bit.
    """
    about = _about(boards, effort)
    try:
        network = _network(workload, overlay_format(cluster.profile))
        numbers = Numbers(network.fmt, workload, network.parameters, network.ranges)
        program = lower(plan, workload, cluster)
        images = assemble(program, plan, workload, numbers, network.inputs)
        seats, channels = take_seats(boards, images)
        run = run_images(
            images,
            workload,
            seats,
            channels,
            repeats=Repeats(effort.repeats, effort.warm_up),
            limit_s=effort.limit_s,
            cabled=boards.kind is Kind.BOARD,
        )
    except Unsupported as refusal:
        return about | _failure("unsupported", "none", str(refusal))
    except BoardFailed as error:
        return about | _failure("ok", error.termination, str(error))
    if wrong := find_deviation(network, plan, run.outputs, 0.0):
        return about | _failure("ok", "wrong numbers", wrong.removeprefix("failed: "))
    return about | {"status": "ok", "termination": "none", "reason": None, "staged": run.staged} | _times(run)


@lru_cache(maxsize=2)
def _network(workload: Workload, fmt: NumberFormat) -> Network:
    if not fmt.is_integer:
        raise Unsupported(f"boards compute in int8; the overlay's format is {fmt.name}")
    return make_network(workload, fmt)


def _about(boards: Boards, effort: Effort) -> Columns:
    """What the run is made on."""
    first = boards.devices[0]
    return {
        "device_kind": str(boards.kind),
        "platform": first.platform,
        "device": first.name,
        "board": first.board,
        "driver": first.driver,
        "repeats": effort.repeats,
        "warm_up": effort.warm_up,
    }


def _failure(status: str, termination: str, reason: str) -> Columns:
    return {
        "status": status,
        "termination": termination,
        "reason": reason,
        "staged": None,
        **dict.fromkeys(TIMES),
    }


def _times(run: BoardRun) -> Columns:
    values: Sequence[float] = (
        median(run.latencies_s),
        float(np.quantile(run.latencies_s, 0.99)),
        min(run.latencies_s),
        median(run.skews_s),
        run.kernel_s,
        run.copies_s,
        run.transfer_s,
        run.load_s,
    )
    return dict(zip(TIMES, values, strict=True))
