"""The check itself: what a target is, what it is tried on, and what is said about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.conformance.battery import describe_point, points
from bench.conformance.handed_in import check_plans
from bench.conformance.judge import judge, judge_files, judge_repeats
from bench.conformance.repeat import Repeats, ask_again
from bench.conformance.report import Finding, Problem, Report, finding
from bench.conformance.trial import Outcome, try_points
from bench.errors import UserError
from bench.experiments import Limits, Point
from bench.partitioners.choices import check_parameters
from bench.partitioners.parameters import Parameter, Scalar
from bench.partitioners.sources import Source, find_source

SECONDS, MEMORY_MIB = 20.0, 4096
"""Limits for one point, unless others are given."""

SIGNATURE = "signature"


def check(
    target: str,
    parameters: Mapping[str, Scalar] | None = None,
    *,
    every: int = 1,
    seconds: float = SECONDS,
    memory_mib: int = MEMORY_MIB,
) -> Report:
    """Check the partitioner that ``target`` refers to, as `--partitioner` does: nothing it does harms us.

    ``parameters`` hold for every point; with ``every`` n each workload is tried on every nth cluster
    alone, to be sooner. ``seconds`` and ``memory_mib`` limit each plan. Raises UserError if there is
    no such target, or a parameter is wrong.
    """
    return check_all([target], parameters, every=every, seconds=seconds, memory_mib=memory_mib)[0]


def assert_conforms(
    target: str,
    parameters: Mapping[str, Scalar] | None = None,
    *,
    every: int = 1,
    seconds: float = SECONDS,
    memory_mib: int = MEMORY_MIB,
) -> None:
    """Raise AssertionError, with what is wrong and the fix, unless `check` passes."""
    report = check(target, parameters, every=every, seconds=seconds, memory_mib=memory_mib)
    lines = [
        f"{one.name}: {problem.place}: {problem.reason}; fix: {problem.fix}"
        for one in report.findings
        for problem in one.problems
    ]
    if not report.passed:
        raise AssertionError("\n".join([f"{target} does not conform:", *lines]))


def check_all(
    targets: Sequence[str],
    parameters: Mapping[str, Scalar] | None = None,
    *,
    every: int = 1,
    seconds: float = SECONDS,
    memory_mib: int = MEMORY_MIB,
) -> list[Report]:
    """`check` for several targets, which share the processes that watch over them: sooner than one by one."""
    limits = Limits(seconds_per_point=float(seconds), memory_mib=memory_mib)
    sources = {target: find_source(target) for target in targets}
    signatures = {target: _signature(source) for target, source in sources.items()}
    wanted = {
        source.reference: points(source, check_parameters(source.reference, parameters or {}), every)
        for target, source in sources.items()
        if source.kind != "plans" and not signatures[target].problems
    }
    outcomes = try_points(wanted, limits)
    repeats = ask_again({reference: outcomes.get(reference, []) for reference in wanted}, limits)
    return [
        _of_plans(target, source, limits)
        if source.kind == "plans"
        else _of_code(
            target,
            source,
            signatures[target],
            limits,
            _Tried(
                wanted.get(source.reference, []),
                outcomes.get(source.reference, []),
                repeats.get(source.reference, Repeats()),
            ),
        )
        for target, source in sources.items()
    ]


class _Tried(NamedTuple):
    points: list[Point]
    outcomes: list[Outcome]
    repeats: Repeats


def _signature(source: Source) -> Finding:
    """What the file says before it is run."""
    if source.kind == "plans":
        return finding(SIGNATURE, [], "")
    try:
        told = ", ".join(_shown(one) for one in source.interface.parameters.values())
    except UserError as error:
        fix = "write plan(workload, cluster, *, ...) as docs/add-a-partitioner.md shows, section 1"
        problems = [Problem(source.place, line, fix) for line in str(error).splitlines()]
        return finding(SIGNATURE, problems, "")
    return finding(SIGNATURE, [], told or "no parameters")


def _of_code(target: str, source: Source, signature: Finding, limits: Limits, tried: _Tried) -> Report:
    """The report on a partitioner that was run."""
    remarks = [] if signature.problems else _remarks(source, tried)
    return Report(
        target,
        source.name,
        (signature, *judge(tried.outcomes, limits), judge_repeats(tried.repeats)),
        points=len(tried.points),
        tried=len(tried.outcomes),
        declined=tuple(
            (describe_point(one.point), one.row["reason"]) for one in tried.outcomes if one.declined
        ),
        remarks=tuple(remarks),
    )


def _of_plans(target: str, source: Source, limits: Limits) -> Report:
    """The report on a folder of plans."""
    checks = check_plans(source.files, limits)
    tried = sum(check.row is not None for check in checks)
    return Report(target, source.name, tuple(judge_files(checks)), points=len(checks), tried=tried)


def _remarks(source: Source, tried: _Tried) -> list[str]:
    """What is allowed, and could be better."""
    interface = source.interface
    remarks = []
    if not interface.summary:
        remarks.append("the file has no docstring; its first line is what lists show")
    if not source.version:
        remarks.append("the file has no __version__; results carry it")
    noted = [bool(one.row["plan_notes"]) for one in tried.outcomes if one.good]
    if noted and not any(noted):
        remarks.append("its plans have no notes; they tell a reader of the results why a plan is as it is")
    return remarks


def _shown(parameter: Parameter) -> str:
    limits = f" ({parameter.range})" if parameter.range else ""
    return f"{parameter.name}: {parameter.type.__name__}{limits}"
