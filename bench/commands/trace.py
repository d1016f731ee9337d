"""`bench trace`: the timeline of a run as a file that Perfetto and chrome://tracing open."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench import __version__
from bench.commands.given_plan import NoPlan, plan_of
from bench.errors import DoesNotFit, UserError
from bench.experiments import Point
from bench.files import shown
from bench.hardware.profile import Cluster
from bench.plans.memory import check_memory
from bench.plans.plan import Plan
from bench.timeline.chrome import write_trace
from bench.timeline.spans import Timeline
from bench.timeline.timelines import whole_run
from bench.workloads.model import Workload


def trace(asked: Point | Path, out: Path, steps: int | None) -> bool:
    """Write the timeline of a point, or of a saved plan, and say what is in it; whether there is a plan.

    ``steps``: of each phase the first so many; None: all. Raises UserError for what does not exist, or a
    file that cannot be written.
    """
    with Console(stderr=True).status("emulating every instruction ..."):
        try:
            plan, workload, cluster = plan_of(asked)
            check_memory(plan, cluster)
        except (NoPlan, DoesNotFit) as error:
            print(f"no result: {error}")
            return False
        timeline = whole_run(plan, workload, cluster, steps)
        hub = "host" if cluster.topology == "host-star" else "switch"
        try:
            write_trace(timeline, out, hub, _about(plan, workload, cluster))
        except OSError as error:
            raise UserError(f"{shown(out)}: cannot be written ({error.strerror})") from None
    _print(Console(), timeline, out, steps)
    return True


def _about(plan: Plan, workload: Workload, cluster: Cluster) -> dict[str, object]:
    """What the file says of the run."""
    return {
        "bench_version": __version__,
        "workload": workload.name,
        "profile": cluster.profile.name,
        "topology": cluster.topology,
        "link": cluster.link.name,
        "link_latency_ns": cluster.link.latency_ns,
        "fpgas": cluster.fpgas,
        "partitioner": plan.partitioner,
        "plan_id": plan.plan_id,
    }


def _print(console: Console, timeline: Timeline, out: Path, steps: int | None) -> None:
    latency = timeline.microseconds(timeline.cycles)
    print(f"{shown(out)}: {len(timeline.spans):,} spans, {timeline.cycles:,} cycles ({latency:,.2f} us)")
    if timeline.left_out:
        missing = sum(end - start for start, end in timeline.left_out) / timeline.cycles
        print(
            f"It has the first {steps} time steps of each phase; {missing:.1%} of the time is left out "
            "(--all-steps)."
        )
    print("Open it at https://ui.perfetto.dev, or in chrome://tracing.")
    waited: Counter[str] = Counter()
    for part in timeline.path:
        waited[part.why] += part.end - part.start
    table = Table(box=None, pad_edge=False)
    table.add_column("critical path")
    table.add_column("share", justify="right")
    table.add_column("cycles", justify="right")
    for why, cycles in waited.most_common():
        table.add_row(why, f"{cycles / timeline.cycles:.1%}", f"{cycles:,}")
    console.print(table, highlight=False)
