"""`bench numerics`: a plan run with numbers, layer by layer."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.commands.given_plan import NoPlan, plan_of
from bench.errors import BrokenProgram, UserError
from bench.experiments import Point
from bench.numerics.report import Report, chosen_format, make_report
from bench.plans.plan import Plan


def show_numerics(
    asked: Point | Path,
    *,
    format_name: str | None,
    full_size: bool,
    steps: int | None,
    seed: int,
    as_json: bool,
) -> bool:
    """Run the plan of a point, or one from a file, and print what it computes; whether it is right.

    Raises UserError: unknown format, a file that is no valid plan, not enough memory.
    """
    with Console(stderr=True).status("running the plan with numbers ..."):
        try:
            plan, workload, cluster = plan_of(asked)
        except NoPlan as error:
            return _say_no(str(error), as_json=as_json)
        fmt = chosen_format(cluster.profile, format_name)
        try:
            report = make_report(plan, workload, cluster, fmt, full_size=full_size, steps=steps, seed=seed)
        except BrokenProgram as error:
            return _say_no(f"wrong numbers: {error}", as_json=as_json)
        except MemoryError:
            raise UserError(
                f"{workload.name} needs more memory than there is; leave --full-size out"
            ) from None
    if as_json:
        value = asdict(report) | {"plan_id": plan.plan_id, "seed": seed}
        for layer in value["layers"]:
            layer["snr_db"] = layer["snr_db"] if math.isfinite(layer["snr_db"]) else None
        print(json.dumps(value, indent=2))
    else:
        _explain(
            Console(), report, f"{workload.name} on {cluster.fpgas} x {cluster.profile.name}", plan, seed
        )
    return not report.verdict.startswith("failed")


def _say_no(reason: str, *, as_json: bool) -> bool:
    print(json.dumps({"verdict": f"failed: {reason}"}, indent=2) if as_json else f"no result: {reason}")
    return False


def _explain(console: Console, report: Report, what: str, plan: Plan, seed: int) -> None:
    size = "full size" if report.full_size else "scaled down"
    print(f"{what}, {plan.partitioner}, {report.format}, {report.steps} steps, {size}, seed {seed}")
    words = {"exact": "exact: every bit as without a plan"}.get(report.verdict, report.verdict)
    print(f"numbers  {words}" + (f" in {report.judged}" if report.judged != report.format else ""))
    table = Table(box=None, pad_edge=False)
    for heading in ("layer", "as without a plan", "error against float32", "SNR"):
        table.add_column(heading, justify="left" if heading == "layer" else "right", no_wrap=True)
    for layer in report.layers:
        same = "every bit" if not layer.deviation else f"within {layer.deviation:.1e}"
        snr = f"{layer.snr_db:.1f} dB" if math.isfinite(layer.snr_db) else "equal"
        table.add_row(layer.layer, same, f"{layer.max_error:.2g}", snr)
    console.print(table, highlight=False)
