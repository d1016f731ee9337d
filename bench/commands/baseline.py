"""`bench baseline`: time workloads on this machine's CPU and GPU, and store the times."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def baseline(
    engine: Annotated[
        list[str] | None,
        typer.Option(
            help="numpy, onnxruntime, torch, torch-cuda or torch-cuda-half; repeatable (default: all that "
            "can run here)."
        ),
    ] = None,
    workload: Annotated[
        list[str] | None,
        typer.Option(
            help="Name, file or pattern; repeatable (default: DeepBench's inference-server problems at "
            "batch 1, and the paper's networks)."
        ),
    ] = None,
    threads: Annotated[
        list[int] | None, typer.Option(min=1, help="Of the CPU's engines; repeatable (default: all cores).")
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(min=0, help="To spend on each workload and engine, about: 3 to 200 rounds are timed."),
    ] = 1.0,
    label: Annotated[
        str | None, typer.Option(help="What this machine is called (default: processor, cores, GPU).")
    ] = None,
    add: Annotated[
        bool, typer.Option("--add", help="Keep what LABEL.csv has of other workloads, engines and threads.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder for LABEL.csv and LABEL.json.")] = Path(
        "reports/measured"
    ),
) -> None:
    """Time workloads with numpy, ONNX Runtime and PyTorch on this machine, and store times and machine.

    Outputs are compared with the project's float32 numbers before anything is timed. Ctrl-C keeps the times
    so far. Exit code 1: an engine computed something else, or broke.
    """
    import os

    from bench.baselines import measure, stored
    from bench.baselines.stored import Row
    from bench.results import provenance

    if label is not None:
        stored.check_label(label)
    names = measure.chosen_workloads(workload or measure.WORKLOADS)
    engines, left_out = measure.chosen_engines(engine or [])
    for left, why in left_out.items() if not engine else ():
        typer.echo(f"{left} is left out: {why}", err=True)
    counts = list(dict.fromkeys(threads or [len(os.sched_getaffinity(0))]))
    machine = measure.describe_machine(provenance.machine(), left_out)
    name = label or stored.default_label(machine)
    if add:  # refused before anything is timed
        stored.joined(out, name, machine, ())
    batches = measure.make_tasks(names, engines, counts, seconds)
    total = sum(map(len, batches))
    rows: list[Row] = []

    def done(row: Row) -> None:
        rows.append(row)
        what = f"{row.median_s * 1e3:.4g} ms" if row.median_s is not None else f"{row.status}: {row.reason}"
        threads_of = f"{row.threads} thread{'s' if row.threads > 1 else ''}"
        typer.echo(f"{len(rows)}/{total} {row.workload}, {row.engine}, {threads_of}: {what}", err=True)

    stopped = False
    try:
        for tasks in batches:
            measure.measure(tasks, done)
    except KeyboardInterrupt:
        stopped = True
    if not rows:
        raise typer.Exit(130)
    files = stored.write_machine(out, name, machine, stored.joined(out, name, machine, rows) if add else rows)
    typer.echo(f"{sum(row.status == 'ok' for row in rows)} of {total} timed: {', '.join(map(str, files))}")
    if stopped:
        raise typer.Exit(130)
    raise typer.Exit(1 if any(row.status in ("wrong numbers", "error") for row in rows) else 0)
