"""One point to one row: the columns that say what was asked, and those that say what came out."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

from bench import __version__
from bench.errors import DoesNotFit, InvalidPlan, PluginFailed, Unsupported, describe
from bench.experiments import Limits, Point, read_workload
from bench.isolation.answer import Answer
from bench.isolation.client import ask_once
from bench.partitioners import load_partitioner
from bench.partitioners.plan_folders import folder_plan, plan_from_text
from bench.partitioners.sources import find_source
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

LOGS = "logs/plugins"
"""Within the folder of a run's outputs: what plug-ins have printed."""


def request_columns(experiment: str, point: Point, source_digest: str, limits: Limits | None = None) -> Row:
    """The columns that are known before anything runs."""
    workload, source = read_workload(point.workload), find_source(point.partitioner)
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
        "partitioner": source.name,
        "parameters": point.parameters,
        "budget_s": (limits or Limits()).seconds_per_point,
        "backend": "emulated",
        "version": __version__,
        "source_digest": source_digest,
        "partitioner_version": source.version,
        "partitioner_source": source.fingerprint,
        "log": f"{LOGS}/{source.name}/{point.point_id}.log" if source.isolated else None,
    }


def failure(
    status: str, termination: str, reason: str, plan: Plan | None = None, numerics: Numerics | None = None
) -> Row:
    """Outcome columns of a point without a result."""
    return {
        "status": status,
        "termination": termination,
        "reason": reason,
        **dict.fromkeys((*MEASURES, "bound_cycles", "split_bound_cycles")),
        **_plan_columns(plan, numerics),
    }


def evaluate_point(
    point: Point, reached: Callable[[str], None] = lambda stage: None, answer: Answer | None = None
) -> Row:
    """Plan and emulate one point and check its numbers; its outcome columns, whatever goes wrong.

    ``reached`` is told what comes next once the partitioner has answered: ``emulating``, then
    ``checking the numbers``. ``answer`` is what a plug-in has answered; without it, it is asked.
    MemoryError is not caught.
    """
    return explain_point(point, reached, answer, units=False)[0]


def explain_point(
    point: Point,
    reached: Callable[[str], None] = lambda stage: None,
    answer: Answer | None = None,
    *,
    numbers: bool = True,
    units: bool = True,
) -> tuple[Row, Plan | None, Timing | None]:
    """`evaluate_point`, with the plan and the timing themselves; no timing where numbers are wrong.

    ``numbers``: whether they are checked. ``units``: whether the timing says what each unit did.
    """
    # numba is slow to import; listing and planning need none
    from bench.bounds import lower_bound, split_by_rows
    from bench.evaluate import evaluate
    from bench.numerics.check import check_plan

    workload, cluster = read_workload(point.workload), point.cluster
    if answer is None and find_source(point.partitioner).isolated:
        answer, _ = ask_once(point, Limits())
    if answer and answer.failed:
        return failure(answer.status, answer.termination, answer.reason), None, None
    try:
        plan = plan_from_text(answer.plans[-1].text, point) if answer else make_plan(point)
    except Unsupported as refusal:
        return failure("unsupported", "none", str(refusal)), None, None
    except InvalidPlan as error:
        return failure("ok", "invalid plan", str(error)), None, None
    except MemoryError:
        raise
    except (Exception, SystemExit) as error:
        return failure("error", "none", describe(error)), None, None
    reached("emulating")
    try:
        timing = evaluate(workload, cluster, plan, units=units)
    except InvalidPlan as error:
        return failure("ok", "invalid plan", str(error), plan), plan, None
    except DoesNotFit as error:
        return failure("ok", "does not fit", str(error), plan), plan, None
    except MemoryError:
        raise
    except Exception as error:
        return failure("ok", "crash", describe(error), plan), plan, None
    numerics = None
    if numbers:
        reached("checking the numbers")
    try:
        numerics = check_plan(plan, workload, cluster) if numbers else None
    except MemoryError:
        raise
    except Exception as error:
        reason = f"the check of the numbers failed: {describe(error)}"
        return failure("ok", "crash", reason, plan), plan, None
    if numerics and not numerics.right:
        reason = numerics.verdict.removeprefix("failed: ")
        return failure("ok", "wrong numbers", reason, plan, numerics), plan, None
    reason = answer.reason if answer else ""
    row: Row = {"status": "ok", "termination": "none", "reason": reason, **_plan_columns(plan, numerics)}
    row.update({name: getattr(timing, name) for name in MEASURES})
    bound = lower_bound(workload, cluster)
    row["bound_cycles"] = bound.cycles
    row["split_bound_cycles"] = bound.split_cycles if split_by_rows(plan, workload) else None
    return row, plan, timing


def search_progress(point: Point, reached: Callable[[str], None], answer: Answer) -> Row:
    """The cycles of all plans of a search: ``{"cycles": [...]}``, null for a plan that is not valid."""
    from bench.evaluate import evaluate

    reached("emulating")
    workload, cluster = read_workload(point.workload), point.cluster
    cycles: list[int | None] = []
    for one in answer.plans:
        try:
            plan = plan_from_text(one.text, point)
            cycles.append(evaluate(workload, cluster, plan, units=False).cycles)
        except (InvalidPlan, DoesNotFit):
            cycles.append(None)
    return {"cycles": cycles}


def make_plan(point: Point) -> Plan:
    """The partitioner's answer; Unsupported, PluginFailed, or whatever else a partitioner may raise."""
    source = find_source(point.partitioner)
    if source.kind == "plans":
        return folder_plan(source.files, point)
    if source.isolated:
        answer, _ = ask_once(point, Limits())
        if answer.status == "unsupported":
            raise Unsupported(answer.reason)
        if answer.failed:
            raise PluginFailed(answer.reason)
        return plan_from_text(answer.plans[-1].text, point)
    partitioner = load_partitioner(point.partitioner)
    with redirect_stdout(StringIO()):  # what a partitioner prints must not end up in our output
        workload = read_workload(point.workload)
        plan = partitioner.plan(workload, point.cluster, **json.loads(point.parameters))
        if not isinstance(plan, Plan):
            raise TypeError(f"plan() returned {type(plan).__name__}, not a Plan")
        plan.plan_id  # noqa: B018 - a plan that cannot be written down fails here
    return plan


def _plan_columns(plan: Plan | None, numerics: Numerics | None = None) -> Row:
    return {
        "plan_id": plan and plan.plan_id,
        "plan_notes": plan and "; ".join(plan.notes),
        "numerics": numerics and numerics.verdict,
        "numerics_full_size": numerics and numerics.full_size,
    }
