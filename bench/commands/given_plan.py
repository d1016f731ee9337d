"""The plan that a command is to look into: a partitioner's answer, or one from a file."""

from __future__ import annotations

from pathlib import Path

from bench.commands.options import DEFAULT_PROFILE
from bench.commands.run import make_point
from bench.commands.validate import saved_plan
from bench.errors import InvalidPlan, PluginFailed, Unsupported, UserError, describe
from bench.experiments import Point, read_workload
from bench.files import read_text
from bench.hardware.profile import Cluster
from bench.plans.plan import Plan
from bench.plans.validate import validate
from bench.rows import make_plan
from bench.workloads.model import Workload


def asked(
    plan: Path | None,
    workload: str | None,
    partitioner: str | None,
    cluster: tuple[str, str, str | None, float | None, int],
    parameters: list[str] | None,
) -> Point | Path:
    """The plan's file, or the point, that the options of a command mean; UserError if neither or both."""
    if plan is not None:
        if workload or partitioner or parameters or cluster != (DEFAULT_PROFILE, "ring", None, None, 1):
            raise UserError(
                "--plan has its own workload, partitioner and cluster; leave --workload, --partitioner, "
                "--param, --profile, --fpgas, --topology and --link out"
            )
        return plan
    if workload and partitioner:
        return make_point(workload, cluster, partitioner, parameters or [])
    raise UserError("nothing to run; give --workload and --partitioner, or --plan")


class NoPlan(Exception):
    """There is no plan, or none that is valid; the text says why."""


def plan_of(asked: Point | Path) -> tuple[Plan, Workload, Cluster]:
    """A valid plan with what it is for: of a point, or from a file of `bench run --save-plan`.

    Raises NoPlan where a partitioner has none; UserError for a file that is no plan, or breaks a rule.
    """
    return _saved(asked) if isinstance(asked, Path) else _planned(asked)


def _saved(path: Path) -> tuple[Plan, Workload, Cluster]:
    """`saved_plan`; of a file that is none, not every missing key but that."""
    if '"plan_format"' not in read_text(path):
        raise UserError(f"{path}: is no plan; expected a file that `bench run --save-plan` wrote")
    return saved_plan(path)


def _planned(point: Point) -> tuple[Plan, Workload, Cluster]:
    workload = read_workload(point.workload)
    try:
        plan = make_plan(point)
        validate(plan, workload, point.cluster)
    except Unsupported as refusal:
        raise NoPlan(f"unsupported: {refusal}") from None
    except InvalidPlan as error:
        raise NoPlan(f"invalid plan: {error}") from None
    except (UserError, MemoryError):
        raise
    except PluginFailed as error:
        raise NoPlan(f"{point.partitioner} failed: {error}") from None
    except (Exception, SystemExit) as error:
        raise NoPlan(f"{point.partitioner} failed: {describe(error)}") from None
    return plan, workload, point.cluster
