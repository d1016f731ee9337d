"""Images on devices: run several times, with results and times."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.boards.image import Image
from bench.boards.job import OUTPUTS, Assignment, Job
from bench.boards.links import Channels, fifos
from bench.boards.memory import from_fixed
from bench.boards.workers import BoardFailed, start_workers
from bench.numerics.whole import time_of
from bench.workloads.model import Workload

Array = NDArray[Any]


@dataclass(frozen=True)
class Seat:
    """Where an image goes: an OpenCL device as pyopencl lists it, in a process with this environment.

    ``binary``: contents of a bitstream; None: the device builds the kernels itself.
    """

    platform: int
    index: int
    environment: Mapping[str, str] = field(default_factory=dict)
    binary: bytes | None = None


@dataclass(frozen=True)
class Repeats:
    """How often a program is run: first ``warm_up`` times that do not count."""

    counted: int = 1
    warm_up: int = 0


@dataclass(frozen=True)
class BoardRun:
    """What a program made on devices, and how long it took.

    ``outputs``: every layer's h, (steps, batch, output_size), in order of time. ``latencies_s``: of each
    counted repeat, from the last device's start to the last one's end. ``skews_s``: from the first
    device's start to the last one's, before that. ``kernel_s``: medians of the time in kernels on the
    device with most of it. ``copies_s``: medians of what the host's copies of messages took, in all.
    ``transfer_s``: inputs written and outputs read. ``load_s``: kernels built, weights written, once.
    """

    outputs: dict[str, Array]
    latencies_s: tuple[float, ...]
    skews_s: tuple[float, ...]
    kernel_s: float
    copies_s: float
    transfer_s: float
    load_s: float
    staged: bool


def run_images(
    images: Sequence[Image],
    workload: Workload,
    seats: Sequence[Seat],
    channels: Mapping[int, Channels] | None,
    *,
    repeats: Repeats = Repeats(),
    limit_s: float = 60.0,
    cabled: bool = True,
) -> BoardRun:
    """Run ``images``, the one of device n on ``seats[n]``.

    ``channels``: device -> its `Channels`; None: the host carries all messages, from one process, whose
    environment is that of the first seat. ``cabled``: whether channels are cables; otherwise FIFOs
    stand for them. ``limit_s``: for each request to the devices. Raises BoardFailed.
    """
    used = [image for image in images if any(len(phase.words) for phase in image.phases)]
    with _folders(used) as folders, ExitStack() as stack:
        if channels is None:
            jobs = [Job(tuple(_assignment(image, seats[image.device], None) for image in used))]
            places = [folders[used[0].device]]
        else:
            if not cabled:
                stack.enter_context(fifos(folders, channels))
            jobs = [Job((_assignment(i, seats[i.device], channels.get(i.device)),)) for i in used]
            places = [folders[image.device] for image in used]
        environments = [seats[job.assignments[0].image.device].environment for job in jobs]
        workers = stack.enter_context(start_workers(jobs, places, environments, limit_s))
        loads = workers.ask("load")
        runs, resets = [], []
        for _ in range(repeats.warm_up + repeats.counted):
            resets.append(workers.ask("reset"))
            runs.append(workers.ask("run"))
        fetches = workers.ask("fetch")
        memories = {name: memory for place in places for name, memory in np.load(place / OUTPUTS).items()}
    runs, resets = runs[repeats.warm_up :], resets[repeats.warm_up :]
    return BoardRun(
        outputs=_outputs(used, workload, memories),
        latencies_s=tuple(1e-9 * (_most(run, "ended_ns") - _most(run, "started_ns")) for run in runs),
        skews_s=tuple(
            1e-9 * (_most(run, "started_ns") - min(one["started_ns"] for one in run)) for run in runs
        ),
        kernel_s=median(_most(run, "kernel_s") for run in runs),
        copies_s=median(_most(run, "copies_s") for run in runs),
        transfer_s=median(_most(reset, "transfer_s") for reset in resets) + _most(fetches, "transfer_s"),
        load_s=max(load["build_s"] + load["load_s"] for load in loads),
        staged=channels is None,
    )


def _assignment(image: Image, seat: Seat, channels: Channels | None) -> Assignment:
    return Assignment(image, seat.platform, seat.index, channels, seat.binary)


def _most(answers: Sequence[Mapping[str, Any]], what: str) -> float:
    return max(float(answer[what]) for answer in answers)


def _least(answers: Sequence[Mapping[str, Any]], what: str) -> float:
    return min(float(answer[what]) for answer in answers)


@contextmanager
def _folders(images: Sequence[Image]) -> Iterator[dict[int, Path]]:
    """A folder for each device's process."""
    root = Path(tempfile.mkdtemp(prefix="boards-"))
    try:
        folders = {image.device: root / f"device-{image.device}" for image in images}
        for folder in folders.values():
            folder.mkdir()
        yield folders
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _outputs(
    images: Sequence[Image], workload: Workload, memories: Mapping[str, NDArray[np.int32]]
) -> dict[str, Array]:
    """Every layer's h, from the memories of the devices that have made it."""
    outputs = {
        layer.name: np.zeros((layer.steps, workload.batch, layer.output_size)) for layer in workload.layers
    }
    for image in images:
        memory = memories[str(image.device)]
        for output in image.outputs:
            layer = workload.layer(output.layer)
            rows = np.arange(output.rows[1] - output.rows[0])
            items = output.pitch * np.arange(workload.batch)[:, np.newaxis]
            for step in range(layer.steps):
                values = from_fixed(memory[output.base + step * output.stride + items + rows])
                outputs[layer.name][time_of(layer, step)][:, slice(*output.rows)] = values
    return outputs


__all__ = ["BoardFailed", "BoardRun", "Repeats", "Seat", "run_images"]
