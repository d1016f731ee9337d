"""Programs to run on devices: a plan of a small or catalogued network, with numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.boards.assemble import assemble
from bench.boards.image import Image
from bench.boards.links import emulated_channels
from bench.boards.run import BoardRun, Repeats, Seat, run_images
from bench.hardware.files import load_profile, make_cluster
from bench.numerics.check import Network, find_deviation, make_network
from bench.numerics.formats import load_format
from bench.numerics.numbers import Numbers
from bench.partitioners import load_partitioner
from bench.plans.lower import lower
from bench.plans.plan import Plan
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Workload
from bench.workloads.variants import limit_steps


@dataclass(frozen=True)
class Case:
    """A plan with its network and images."""

    plan: Plan
    network: Network
    images: tuple[Image, ...]

    @property
    def workload(self) -> Workload:
        """What it runs."""
        return self.network.workload

    def wrong(self, run: BoardRun) -> str:
        """Where the run's outputs first differ from those without a plan; empty: in no bit."""
        return find_deviation(self.network, self.plan, run.outputs, 0.0)


def make_case(
    workload: str | Workload,
    partitioner: str,
    fpgas: int,
    *,
    steps: int | None = None,
    topology: str = "ring",
    fmt: str = "int8",
) -> Case:
    """The images of what a partitioner plans; ``steps``: no more time steps than that."""
    loaded = load_workload(workload) if isinstance(workload, str) else workload
    loaded = loaded if steps is None else limit_steps(loaded, steps)
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), fpgas, topology)
    plan = load_partitioner(partitioner).plan(loaded, cluster)
    network = make_network(loaded, load_format(fmt))
    numbers = Numbers(network.fmt, loaded, network.parameters, network.ranges)
    images = assemble(lower(plan, loaded, cluster), plan, loaded, numbers, network.inputs)
    return Case(plan, network, images)


def run_staged(case: Case, environment: Mapping[str, str], *, limit_s: float = 60.0) -> BoardRun:
    """Run on the first device that the environment shows, all images; the host carries messages."""
    seats = [Seat(0, 0, environment) for _ in case.images]
    return run_images(case.images, case.workload, seats, None, limit_s=limit_s)


def run_emulated(
    case: Case, environment: Mapping[str, str], *, repeats: int = 1, limit_s: float = 150.0
) -> BoardRun:
    """Run on emulated FPGAs, a process for each, over channels."""
    seats = [Seat(0, 0, environment) for _ in case.images]
    channels = emulated_channels(case.images)
    assert channels is not None
    return run_images(
        case.images,
        case.workload,
        seats,
        channels,
        repeats=Repeats(repeats),
        limit_s=limit_s,
        cabled=False,
    )
