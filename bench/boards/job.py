"""What a worker process is told: images, the OpenCL devices that they go to, and their channels."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.boards.image import Image


@dataclass(frozen=True)
class Assignment:
    """An image and its device. ``platform`` and ``index`` count as pyopencl lists them in the worker.

    ``channels``: peer -> number of the I/O channel that leads to it; None: the host carries messages.
    ``binary``: a bitstream's contents; None: the device builds the kernels from their text.
    """

    image: Image
    platform: int
    index: int
    channels: Mapping[int, int] | None = None
    binary: bytes | None = None


@dataclass(frozen=True)
class Job:
    """The assignments of one process: one with channels, or any number without."""

    assignments: tuple[Assignment, ...]


JOB, OUTPUTS = "job.pickle", "outputs.npz"
"""Files in a worker's folder: what it is told, and the memories it gives back."""


def write_job(job: Job, folder: Path) -> None:
    """Put a job into a worker's folder."""
    (folder / JOB).write_bytes(pickle.dumps(job))


def read_job(folder: Path) -> Job:
    """The job in a folder that this same program has written."""
    job = pickle.loads((folder / JOB).read_bytes())
    assert isinstance(job, Job)
    return job
