"""`bench search`: the search of `full`, improvement by improvement, with the best plan so far in a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.anytime import Ending, Improvement, refuse_small_memory, watch
from bench.bounds import lower_bound
from bench.commands.run import asked, in_seconds, make_point
from bench.commands.validate import saved_plan
from bench.errors import DoesNotFit, InvalidPlan, Unsupported, UserError
from bench.evaluate import emulated_cycles
from bench.experiments import Point, read_workload
from bench.files import shown
from bench.plans.files import read_plan, save_plan
from bench.stopping import Stop
from bench.workloads.describe import counted

NO_PLAN = "no plan of the search space fits the devices' memory"


def search_plan(
    workload: str,
    cluster: tuple[str, str, str | None, float | None, int],
    seconds: float | None,
    out: Path | None,
    *,
    as_json: bool,
) -> bool:
    """Search, print and write each improvement; whether there is a plan.

    ``cluster``: profile, topology, link, its latency, FPGAs. ``seconds``: None is no limit. ``out`` has a
    whole plan from the first improvement on, whenever the process ends, and is replaced by faster
    ones alone. Raises UserError: unknown names, a file that cannot be written or holds something else.
    """
    point = make_point(workload, cluster, "full", [])
    held = _held_cycles(out, point) if out else None
    bound = lower_bound(read_workload(workload), point.cluster).cycles
    improvements: list[Improvement] = []

    def found(better: Improvement) -> None:
        improvements.append(better)
        if out:
            _write(out, better, point)
        if not as_json:
            _print_line(better)

    try:
        refuse_small_memory(read_workload(workload), point.cluster)
        if not as_json:
            _print_heading(point, bound, out, held)
        with Stop(seconds) as stop:
            ending = watch(read_workload(workload), point.cluster, stop, found, held)
    except (Unsupported, InvalidPlan) as refusal:
        return _say_no(point, f"unsupported: {refusal}", as_json=as_json)
    if not improvements and held is None:
        reason = f"unsupported: {NO_PLAN}" if not ending.why else "interrupted before there was a plan"
        return _say_no(point, reason, as_json=as_json)
    if as_json:
        print(json.dumps(_as_object(point, bound, improvements, ending, out, held), indent=2))
    else:
        _print_end(ending, improvements, bound, out, held)
    return True


# --- the file ---------------------------------------------------------------------------


def _held_cycles(out: Path, point: Point) -> int | None:
    """Cycles of the plan that ``out`` holds already; None: there is no such file, or it is empty.

    Raises UserError if it cannot be written, or holds anything but a plan for this very question.
    """
    _check_writable(out)
    if not out.exists() or not out.stat().st_size:
        return None
    advice = "name another file, or remove this one"
    try:
        file = read_plan(out)
    except UserError:
        raise UserError(f"{shown(out)}: exists and is no plan; {advice}") from None
    keys = ("workload", "profile", "topology", "link", "link_latency_ns", "fpgas")
    for key in keys:
        theirs, ours = getattr(file, key), getattr(point, key)
        if theirs != ours:
            raise UserError(f"{shown(out)}: holds a plan for {key} {theirs}, not for {ours}; {advice}")
    plan, workload, cluster = saved_plan(out)
    try:
        return emulated_cycles(workload, cluster, plan)
    except DoesNotFit as error:
        raise UserError(f"{shown(out)}: holds a plan that does not fit: {error}; {advice}") from None


def _check_writable(out: Path) -> None:
    """Raise UserError if a file cannot be put where ``out`` is to be."""
    if out.is_dir():
        raise UserError(f"{shown(out)}: is a folder; name a file in it")
    trial = out.with_name(out.name + ".partial")  # what `save_plan` writes first
    try:
        trial.touch()
        trial.unlink()
    except OSError as error:
        raise _unwritable(out, error) from None


def _write(out: Path, better: Improvement, point: Point) -> None:
    try:
        save_plan(out, better.plan, point)
    except OSError as error:
        raise _unwritable(out, error) from None


def _unwritable(out: Path, error: OSError) -> UserError:
    return UserError(
        f"{shown(out)}: cannot be written ({error.strerror}); name a file in a folder that you may write to"
    )


# --- what is printed --------------------------------------------------------------------


def _print_heading(point: Point, bound: int, out: Path | None, held: int | None) -> None:
    print(f"{asked(point)}: no plan takes fewer than {bound:,} cycles")
    if held is not None and out:
        print(f"{shown(out)} holds a plan of {held:,} cycles ({held / bound:.2f} x the bound), to be beaten")
    print(f"{'seconds':>7}  {'cycles':>13}  {'latency':>10}  x bound  plan", flush=True)


def _print_line(better: Improvement) -> None:
    print(
        f"{better.seconds:7.2f}  {better.cycles:13,}  {in_seconds(better.latency_s):>10}  "
        f"{better.over_bound:7.2f}  {better.candidate}",
        flush=True,
    )


def _print_end(
    ending: Ending, improvements: list[Improvement], bound: int, out: Path | None, held: int | None
) -> None:
    done = f"{counted(ending.candidates, 'candidate')} emulated, of {counted(ending.layouts, 'layout')}"
    if not ending.why:
        print(f"search finished after {ending.seconds:.1f} s: {done}")
    else:
        stopped = "interrupted" if ending.why == "interrupted" else "stopped by --seconds"
        # until the first plan it is not known how many there are
        text = f"search not finished, {stopped} after {ending.seconds:.1f} s"
        print(f"{text}: {done}" if ending.layouts else text)
    cycles = improvements[-1].cycles if improvements else held
    if out and cycles:
        kept = "holds the best plan" if improvements else "keeps its plan, nothing faster was found"
        print(f"{shown(out)} {kept}: {cycles:,} cycles, {cycles / bound:.2f} x the bound")


def _say_no(point: Point, reason: str, *, as_json: bool) -> bool:
    if as_json:
        print(json.dumps(question(point) | {"reason": reason, "best": None}, indent=2))
    else:
        print(f"no result: {reason}")
    return False


def question(point: Point) -> dict[str, Any]:
    """What was asked, as the first keys of ``--json``."""
    keys = ("workload", "profile", "fpgas", "topology", "link", "link_latency_ns")
    return {key: getattr(point, key) for key in keys}


def _as_object(
    point: Point,
    bound: int,
    improvements: list[Improvement],
    ending: Ending,
    out: Path | None,
    held: int | None,
) -> dict[str, Any]:
    found = [
        {
            "seconds": better.seconds,
            "cycles": better.cycles,
            "latency_s": better.latency_s,
            "over_bound": better.over_bound,
            "candidate": str(better.candidate),
            "plan_id": better.plan.plan_id,
        }
        for better in improvements
    ]
    return question(point) | {
        "bound_cycles": bound,
        "finished": not ending.why,
        "stopped_by": ending.why or None,
        "seconds": ending.seconds,
        "layouts": ending.layouts,
        "candidates_emulated": ending.candidates,
        "improvements": found,
        "best": found[-1] if found else None,
        "out": str(out) if out else None,
        "cycles_held_before": held,
    }
