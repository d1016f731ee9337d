"""From what came of each point to findings: which rule was broken, and what mends it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

from bench.conformance.battery import describe_point
from bench.conformance.handed_in import PlanCheck
from bench.conformance.repeat import Repeats
from bench.conformance.report import Finding, Problem, finding
from bench.conformance.trial import Outcome
from bench.experiments import Limits, Point
from bench.files import shown
from bench.isolation.answer import Answer

ANSWERS, CONDUCT, TIME, MEMORY = "answers", "conduct", "time", "memory"
VALID, EMULATED, NUMBERS, SAME, FORM = (
    "valid plans", "emulation", "numbers", "same plan twice", "form",
)  # fmt: skip

LOOK = "run the command below to see the whole traceback, and mend the line that it names"

FIXES = {
    ANSWERS: "where it cannot plan, raise bench.errors.Unsupported with the reason; else " + LOOK,
    CONDUCT: "plan() must leave its process as it was, and come back: return the plan, start nothing that "
    "stays, change only what is its own, print little",
    TIME: "plan faster, or yield plans as a search goes on: the last one until the limit counts; "
    "--seconds sets another limit",
    MEMORY: "need less memory; --memory-mib sets another limit",
    VALID: "blocks cover every matrix once, vectors every stage, on devices 0 to fpgas - 1; split() and "
    "the own_* functions of bench.partitioners.build do so for any size",
    EMULATED: "own less on a device, or decline with Unsupported; if the reason is an error of the emulator, "
    "it is the suite's mistake: please report it",
    NUMBERS: "the plan passes for valid, yet its program computes something else: it is the suite's mistake; "
    "please report it with the plan (bench run --save-plan)",
    FORM: "write it as docs/schemas/plan.schema.json says",
    SAME: "the same arguments must give the same plan: draw from a generator of its own that a parameter "
    "`seed: int` starts, and use no clock, no process id, no order of a set",
}

NO_PLAN = "return a Plan, or yield Plans: assemble() of bench.partitioners.build makes one"


def rule_of(outcome: Outcome) -> str:
    """The rule that a point has failed by; "" if it has not."""
    status, termination = outcome.kind
    if outcome.good or outcome.declined:
        return ""
    if termination == "misbehaved" or (status, termination) == ("error", "crash"):
        return CONDUCT
    if status == "error":
        return {"timeout": TIME, "out of memory": MEMORY}.get(termination, ANSWERS)
    return {"invalid plan": VALID, "wrong numbers": NUMBERS}.get(termination, EMULATED)


def judge(outcomes: Sequence[Outcome], limits: Limits) -> list[Finding]:
    """The findings about what a partitioner's code has done and handed in."""
    return [*_behaviour(outcomes, limits), *judge_plans(outcomes)]


def judge_plans(outcomes: Sequence[Outcome]) -> list[Finding]:
    """The findings about plans alone, whoever has made them."""
    planned = [outcome for outcome in outcomes if rule_of(outcome) in ("", VALID, EMULATED, NUMBERS)]
    planned = [outcome for outcome in planned if not outcome.declined]
    valid = [outcome for outcome in planned if rule_of(outcome) != VALID]
    timed = [outcome for outcome in valid if rule_of(outcome) != EMULATED]
    right = [outcome for outcome in timed if outcome.good]
    exact = sum(outcome.row["numerics"] == "exact" for outcome in right)
    agree = f"{exact} exact, {len(right) - exact} within 1e-5" if right else "none"
    told = {
        VALID: (f"{len(valid)} of {len(planned)} plans", planned),
        EMULATED: (f"{len(timed)} of {len(valid)} plans", valid),
        NUMBERS: (f"{agree} of {len(timed)} plans", timed),
    }
    return [
        finding(rule, _problems(outcomes, rule), detail, reached=bool(reached))
        for rule, (detail, reached) in told.items()
    ]


def judge_repeats(repeats: Repeats) -> Finding:
    """The finding about plans that were asked for again."""
    problems = [
        Problem(describe_point(point), reason, FIXES[SAME], command(point))
        for point, reason in repeats.different
    ]
    left = f"; {repeats.stopped} searches that were stopped are not compared" if repeats.stopped else ""
    same = repeats.asked - len(problems)
    return finding(SAME, problems, f"{same} of {repeats.asked} plans{left}", reached=repeats.asked > 0)


def judge_files(checks: Sequence[PlanCheck]) -> list[Finding]:
    """The findings about plans in files: their form, then as for all plans."""
    problems = [
        Problem(shown(check.path), line.removeprefix(f"{shown(check.path)}: "), FIXES[FORM], "")
        for check in checks
        for line in check.form
    ]
    formed = [check for check in checks if not check.form]
    outcomes = [Outcome(check.point, check.row, Answer()) for check in checks if check.point and check.row]
    stopped = [problem for rule in (TIME, MEMORY, ANSWERS) for problem in _problems(outcomes, rule)]
    return [
        finding(FORM, [*problems, *stopped], f"{len(formed)} of {len(checks)} files"),
        *judge_plans(outcomes),
    ]


def command(point: Point) -> str:
    """The `bench run` that evaluates a point again."""
    words = ["bench", "run", "--partitioner", point.partitioner, "--workload", point.workload]
    words += ["--profile", point.profile, "--fpgas", str(point.fpgas), "--topology", point.topology]
    for key, value in json.loads(point.parameters).items():
        words += ["--param", f"{key}={str(value).lower() if isinstance(value, bool) else value}"]
    return shlex.join(words)


def _behaviour(outcomes: Sequence[Outcome], limits: Limits) -> list[Finding]:
    declined = [outcome for outcome in outcomes if outcome.declined]
    answered = [outcome for outcome in outcomes if outcome.answer.plans and not outcome.answer.failed]
    answers = _problems(outcomes, ANSWERS)
    if outcomes and len(declined) == len(outcomes):
        reason = f"declined every point: {declined[0].row['reason']}"
        fix = "accept at least one point, or nothing can be checked; install what the reason names, if any"
        answers = [Problem("all points", reason, fix, command(declined[0].point))]
    streams = sum(len(outcome.answer.plans) > 1 for outcome in answered)
    ways = f"; {streams} with several plans" if streams else ""
    longest = max((outcome.seconds for outcome in outcomes), default=0.0)
    resident = max((outcome.answer.peak.resident_mib for outcome in outcomes), default=0)
    address = max((outcome.answer.peak.address_mib for outcome in outcomes), default=0)
    reached = bool(answered or declined)
    return [
        finding(ANSWERS, answers, f"{len(answered)} plans, {len(declined)} declined{ways}", reached=reached),
        finding(CONDUCT, _problems(outcomes, CONDUCT), "its process as before", reached=reached),
        finding(
            TIME, _problems(outcomes, TIME), f"{longest:.2f} s at most, of {limits.seconds_per_point:g} s",
            reached=reached,
        ),
        finding(
            MEMORY, _problems(outcomes, MEMORY),
            f"{address:,} MiB of address space at most, of {limits.memory_mib:,}; {resident:,} resident"
            if address else "not known here",
            reached=reached,
        ),
    ]  # fmt: skip


def _problems(outcomes: Sequence[Outcome], rule: str) -> list[Problem]:
    return [
        Problem(describe_point(one.point), reason, _fix(rule, reason), command(one.point))
        for one in outcomes
        for reason in [one.row["reason"]]
        if rule_of(one) == rule
    ]


def _fix(rule: str, reason: str) -> str:
    return NO_PLAN if rule == ANSWERS and reason.startswith("plan() ") else FIXES[rule]
