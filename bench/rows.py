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


def failure(status: str, termination: str, reason: str, plan: Plan | None = None) -> Row:
    """Outcome columns of a point without a result."""
    return {
        "status": status,
        "termination": termination,
        "reason": reason,
        **dict.fromkeys(MEASURES),
        **_plan_columns(plan),
    }


def evaluate_point(point: Point, planned: Callable[[], None] = lambda: None) -> Row:
    """Plan and emulate one point; its outcome columns, whatever goes wrong.

    ``planned`` is called once the partitioner has answered. MemoryError is not caught.
    """
    return explain_point(point, planned)[0]


def explain_point(
    point: Point, planned: Callable[[], None] = lambda: None
) -> tuple[Row, Plan | None, Timing | None]:
    """`evaluate_point`, with the plan and the timing themselves."""
    from bench.evaluate import evaluate  # numba is slow to import; listing and planning need none

    workload, cluster = read_workload(point.workload), point.cluster
    try:
        partitioner = load_partitioner(point.partitioner)
        with redirect_stdout(StringIO()):  # what a plug-in prints must not end up in our output
            plan = partitioner.plan(workload, cluster, **json.loads(point.parameters))
            if not isinstance(plan, Plan):
                raise TypeError(f"plan() returned {type(plan).__name__}, not a Plan")
            plan.plan_id  # noqa: B018 - a plan that cannot be written down fails here
    except Unsupported as refusal:
        return failure("unsupported", "none", str(refusal)), None, None
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        return failure("error", "none", describe(error)), None, None
    planned()
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
    row: Row = {"status": "ok", "termination": "none", "reason": "", **_plan_columns(plan)}
    row.update({name: getattr(timing, name) for name in MEASURES})
    return row, plan, timing


def describe(error: BaseException) -> str:
    """An exception in one line, with the file (no folder) and line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}{place}" if text else f"{type(error).__name__}{place}"


def _plan_columns(plan: Plan | None) -> Row:
    return {"plan_id": plan and plan.plan_id, "plan_notes": plan and "; ".join(plan.notes)}
