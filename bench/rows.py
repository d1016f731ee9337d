"""One point to one row: the columns that say what was asked, and those that say what came out."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import __version__
from bench.errors import DoesNotFit, InvalidPlan, Unsupported
from bench.experiments import Point, read_workload
from bench.partitioners import load_partitioner
from bench.plans.plan import Plan
from bench.workloads.describe import products

if TYPE_CHECKING:
    from bench.emulator.timing import Timing
    from bench.numerics.check import Numerics

Row = dict[str, Any]

MEASURES = (
    "latency_s",
    "cycles",
    "cycles_per_step",
    "utilization",
    "communication_share",
    "devices_used",
    "weight_bytes_per_device",
    "fits_on_chip",
)
"""Columns that are fields of Timing."""


def request_columns(experiment: str, point: Point, source_digest: str) -> Row:
    """The columns that are known before anything runs."""
    workload = read_workload(point.workload)
    first = workload.layers[0]
    return {
        "point_id": point.point_id,
        "experiment": experiment,
        "workload": point.workload,
        "cell": first.cell,
        "hidden_size": first.hidden_size,
        "layers": len(workload.layers),
        "steps": workload.steps,
        "batch": workload.batch,
        "products": products(workload),
        "weights": workload.weights,
        "macs": workload.macs,
        "profile": point.profile,
        "topology": point.topology,
        "link": point.link,
        "link_latency_ns": point.link_latency_ns,
        "fpgas": point.fpgas,
        "partitioner": point.partitioner,
        "parameters": point.parameters,
        "backend": "emulated",
        "version": __version__,
        "source_digest": source_digest,
    }


def failure(
    status: str, termination: str, reason: str, plan: Plan | None = None, numerics: Numerics | None = None
) -> Row:
    """Outcome columns of a point without a result."""
    return {
        "status": status,
        "termination": termination,
        "reason": reason,
        **dict.fromkeys((*MEASURES, "bound_cycles")),
        **_plan_columns(plan, numerics),
    }


def evaluate_point(point: Point, reached: Callable[[str], None] = lambda stage: None) -> Row:
    """Plan and emulate one point and check its numbers; its outcome columns, whatever goes wrong.

    ``reached`` is told what comes next once the partitioner has answered: ``emulating``, then
    ``checking the numbers``. MemoryError is not caught.
    """
    return explain_point(point, reached)[0]


def explain_point(
    point: Point, reached: Callable[[str], None] = lambda stage: None
) -> tuple[Row, Plan | None, Timing | None]:
    """`evaluate_point`, with the plan and the timing themselves; no timing where numbers are wrong."""
    # numba is slow to import; listing and planning need none
    from bench.bounds import lower_bound
    from bench.evaluate import evaluate
    from bench.numerics.check import check_plan

    workload, cluster = read_workload(point.workload), point.cluster
    try:
        plan = make_plan(point)
    except Unsupported as refusal:
        return failure("unsupported", "none", str(refusal)), None, None
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        return failure("error", "none", describe(error)), None, None
    reached("emulating")
    try:
        timing = evaluate(workload, cluster, plan)
    except InvalidPlan as error:
        return failure("ok", "invalid plan", str(error), plan), plan, None
    except DoesNotFit as error:
        return failure("ok", "does not fit", str(error), plan), plan, None
    except MemoryError:
        raise
    except Exception as error:
        return failure("ok", "crash", describe(error), plan), plan, None
    reached("checking the numbers")
    try:
        numerics = check_plan(plan, workload, cluster)
    except MemoryError:
        raise
    except Exception as error:
        reason = f"the check of the numbers failed: {describe(error)}"
        return failure("ok", "crash", reason, plan), plan, None
    if not numerics.right:
        reason = numerics.verdict.removeprefix("failed: ")
        return failure("ok", "wrong numbers", reason, plan, numerics), plan, None
    row: Row = {"status": "ok", "termination": "none", "reason": "", **_plan_columns(plan, numerics)}
    row.update({name: getattr(timing, name) for name in MEASURES})
    row["bound_cycles"] = lower_bound(workload, cluster).cycles
    return row, plan, timing


def make_plan(point: Point) -> Plan:
    """The partitioner's answer; Unsupported, or whatever else a plug-in may raise."""
    partitioner = load_partitioner(point.partitioner)
    with redirect_stdout(StringIO()):  # what a plug-in prints must not end up in our output
        workload = read_workload(point.workload)
        plan = partitioner.plan(workload, point.cluster, **json.loads(point.parameters))
        if not isinstance(plan, Plan):
            raise TypeError(f"plan() returned {type(plan).__name__}, not a Plan")
        plan.plan_id  # noqa: B018 - a plan that cannot be written down fails here
    return plan


def describe(error: BaseException) -> str:
    """An exception in one line, with the file (no folder) and line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}{place}" if text else f"{type(error).__name__}{place}"


def _plan_columns(plan: Plan | None, numerics: Numerics | None = None) -> Row:
    return {
        "plan_id": plan and plan.plan_id,
        "plan_notes": plan and "; ".join(plan.notes),
        "numerics": numerics and numerics.verdict,
        "numerics_full_size": numerics and numerics.full_size,
    }
