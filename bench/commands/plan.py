"""`bench plan check`: plans that any tool has written, read, timed and run with numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bench.threads import use_one_thread

if TYPE_CHECKING:
    from rich.table import Table

    from bench.conformance.handed_in import PlanCheck
    from bench.experiments import Point
    from bench.rows import Row

plans = typer.Typer(no_args_is_help=True, help="Plans in files, which any tool may write.")


@plans.callback()
def _plans() -> None:
    """Let `check` be a command of its own, although it is the only one."""


@plans.command("check", epilog="Example: bench plan check plan.json")
def check_plan(
    files: Annotated[list[Path], typer.Argument(help="Plans in JSON, or folders of them.")],
    profile: Annotated[str, typer.Option(help="For a plan that names none.")] = "s10-gx2800-dac20",
    topology: Annotated[str, typer.Option(help="For a plan that names none.")] = "ring",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")] = False,
) -> None:
    """Read plans, emulate them and run them with numbers: latency, bound, memory, notes, or what is wrong.

    Their form is that of docs/schemas/plan.schema.json. Exit code 1: one is wrong.
    """
    use_one_thread()
    raise typer.Exit(0 if check_files(files, profile, topology, as_json=as_json) else 1)


def check_files(paths: list[Path], profile: str, topology: str, *, as_json: bool) -> bool:
    """Check and print each plan; whether all are right."""
    from rich.console import Console

    from bench.conformance.handed_in import check_plans, plan_files
    from bench.experiments import Limits

    files = [file for path in paths for file in plan_files(path)]
    with Console(stderr=True).status(f"checking {len(files)} plans ..."):
        checks = check_plans(files, Limits(), profile=profile, topology=topology)
    if as_json:
        print(json.dumps([as_object(check) for check in checks], indent=2))
    else:
        for check in checks:
            _print(check)
    return all(check.passed for check in checks)


def as_object(check: PlanCheck) -> dict[str, Any]:
    """What ``--json`` prints of one plan."""
    from bench.rows import MEASURES

    value: dict[str, Any] = {"file": str(check.path), "passed": check.passed, "mistakes": list(check.form)}
    if check.point and check.row:
        point, row = check.point, check.row
        kept = ("plan_id", "plan_notes", *MEASURES, "bound_cycles", "numerics", "numerics_full_size")
        value |= {
            "workload": point.workload,
            "profile": point.profile,
            "fpgas": point.fpgas,
            "topology": point.topology,
            "link": point.link,
            "link_latency_ns": point.link_latency_ns,
            **{key: row[key] for key in ("status", "termination", "reason", *kept)},
        }
    return value


def _print(check: PlanCheck) -> None:
    from rich.console import Console

    from bench.commands.run import asked
    from bench.files import shown

    if check.form:
        print("\n".join(check.form))
    elif check.point and check.row and check.passed:
        print(f"{shown(check.path)}: right; {asked(check.point)}")
        Console().print(_facts(check.point, check.row))
    elif check.row:
        print(f"{shown(check.path)}: {check.row['termination']}: {check.row['reason']}")


def _facts(point: Point, row: Row) -> Table:
    from rich.table import Table

    from bench.commands.run import in_seconds
    from bench.experiments import read_profile
    from bench.numerics.report import verdict_text

    profile = read_profile(point.profile)
    bound, cycles = row["bound_cycles"], row["cycles"]
    step_s = row["cycles_per_step"] / (profile.clock_mhz * 1e6)
    held = f"{row['weight_bytes_per_device'] / 1e6:.3g} MB of weights on the fullest device"
    facts = Table(box=None, show_header=False, padding=(0, 2))
    facts.add_row("step latency", f"{in_seconds(step_s)} ({row['cycles_per_step']:,.1f} cycles)")
    facts.add_row("latency", f"{in_seconds(row['latency_s'])} ({cycles:,} cycles)")
    facts.add_row("bound", f"{bound:,} cycles: no plan takes fewer, this one {cycles / bound:.2f} x")
    facts.add_row("memory", f"{held} ({'on chip' if row['fits_on_chip'] else 'more than fits on chip'})")
    facts.add_row("devices used", f"{row['devices_used']} of {point.fpgas}")
    facts.add_row("numbers", verdict_text(row["numerics"], row["numerics_full_size"], profile))
    facts.add_row("notes", row["plan_notes"] or "none")
    return facts
