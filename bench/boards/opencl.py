"""One OpenCL device with an image on it: kernels built, weights loaded, ready to run. Needs pyopencl."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyopencl as cl

from bench.boards.image import Ints
from bench.boards.job import Assignment
from bench.boards.sources import VECTOR_FILE_BYTES, kernel_source
from bench.boards.words import OP, PEER, Op


class DeviceRefused(Exception):
    """A device does not take an image; the text says why, ``termination`` what a row says of it."""

    def __init__(self, termination: str, text: str) -> None:
        super().__init__(text)
        self.termination = termination


@dataclass(frozen=True)
class Loaded:
    """An image on its device. ``weights`` and tables stay there; ``memory`` is written before each run.

    ``side_by_side``: the queues of `matrix` and of `run`, kernels that work at the same time. They serve all
    runs, so that a kernel does not start before it has ended in the run before: two of `matrix` would
    read the same channel.
    ``build_s``, ``load_s``: what building the kernels and writing the buffers took.
    """

    assignment: Assignment
    context: Any
    program: Any
    queue: Any
    side_by_side: tuple[Any, Any]
    memory: Any
    units: Any
    weights: Any
    parts: Any
    vectors: Any
    codes: tuple[Any, ...]
    build_s: float
    load_s: float

    def reset(self) -> None:
        """Write the memory as it is before the first step: inputs, states, biases."""
        cl.enqueue_copy(self.queue, self.memory, self.assignment.image.memory)
        self.queue.finish()

    def fetch(self) -> Ints:
        """Read the memory back."""
        values = np.empty_like(self.assignment.image.memory)
        cl.enqueue_copy(self.queue, values, self.memory)
        return values

    def window(self, phase: int, start: int, stop: int, begin: int, end: int) -> Any:
        """Enqueue instructions ``start`` to ``stop`` of a phase in iterations ``begin`` to ``end``."""
        image = self.assignment.image
        numbers = map(np.int32, (image.batch, image.vector_file, start, stop, begin, end))
        kernel = cl.Kernel(self.program, "run")
        kernel.set_args(
            self.codes[phase], self.memory, self.units, *numbers, self.weights, self.parts, self.vectors
        )
        return cl.enqueue_nd_range_kernel(self.queue, kernel, (1,), (1,))

    def start(self) -> list[Any]:
        """Start all phases over channels, no host in between; events of the kernel of instructions."""
        image = self.assignment.image
        matrix, run = self.side_by_side
        events = []
        for code, phase in zip(self.codes, image.phases, strict=True):
            self._task(matrix, "matrix", self.weights, self.parts)
            sizes = (image.batch, image.vector_file, 0, len(phase.words), 0, phase.iterations)
            events.append(self._task(run, "run", code, self.memory, self.units, *map(np.int32, sizes)))
        return events

    def _task(self, queue: Any, name: str, *arguments: Any) -> Any:
        kernel = cl.Kernel(self.program, name)
        kernel.set_args(*arguments)
        event = cl.enqueue_nd_range_kernel(queue, kernel, (1,), (1,))
        queue.flush()
        return event


def load(assignment: Assignment) -> Loaded:
    """Build the kernels for the assignment's device and put the image there.

    Raises DeviceRefused if its compiler refuses the kernels, or it lacks what the image needs; OpenCL's
    own errors.
    """
    image = assignment.image
    device = cl.get_platforms()[assignment.platform].get_devices()[assignment.index]
    if "cl_khr_fp64" not in device.extensions:
        raise DeviceRefused(
            "build failed", f"{device.name} has no double precision (cl_khr_fp64), which the kernels need"
        )
    if assignment.channels is not None and image.batch * image.vector_file > VECTOR_FILE_BYTES:
        raise DeviceRefused(
            "out of memory",
            f"operands of a step take {image.batch * image.vector_file} bytes, and the matrix unit's vector "
            f"file has {VECTOR_FILE_BYTES}",
        )
    if image.size_bytes > device.global_mem_size:
        raise DeviceRefused(
            "out of memory",
            f"the image takes {image.size_bytes} bytes, and {device.name} has {device.global_mem_size}",
        )
    context = cl.Context([device])
    started = time.perf_counter()
    program = _build(context, assignment)
    build_s = time.perf_counter() - started
    queue, matrix, run = (
        cl.CommandQueue(context, properties=cl.command_queue_properties.PROFILING_ENABLE) for _ in range(3)
    )
    memory = _buffer(context, image.memory, cl.mem_flags.READ_WRITE)
    units, weights, parts = (_buffer(context, table) for table in (image.units, image.weights, image.parts))
    vectors = cl.Buffer(context, cl.mem_flags.READ_WRITE, max(1, image.batch * image.vector_file))
    channels = assignment.channels or {}
    codes = tuple(_buffer(context, _bound(phase.words, channels)) for phase in image.phases)
    queue.finish()
    load_s = time.perf_counter() - started - build_s
    return Loaded(
        assignment,
        context,
        program,
        queue,
        (matrix, run),
        memory,
        units,
        weights,
        parts,
        vectors,
        codes,
        build_s,
        load_s,
    )


def _build(context: Any, assignment: Assignment) -> Any:
    device = context.devices[0]
    try:
        if assignment.binary is not None:
            return cl.Program(context, [device], [assignment.binary]).build()
        numbers = tuple(sorted((assignment.channels or {}).values()))
        return cl.Program(context, kernel_source(numbers, assignment.image.fmt)).build()
    except cl.Error as error:
        lines = [line.strip() for line in str(error).splitlines() if "error:" in line] or [str(error)]
        what = "the bitstream" if assignment.binary is not None else "the kernels"
        raise DeviceRefused("build failed", f"{device.name} does not take {what}: {lines[0]}") from None


def _buffer(context: Any, values: np.ndarray[Any, Any], access: int = 4) -> Any:
    """A buffer with ``values``; read-only (CL_MEM_READ_ONLY is 4) unless told. OpenCL has no empty ones."""
    values = values if values.size else np.zeros(1, values.dtype)
    return cl.Buffer(context, access | cl.mem_flags.COPY_HOST_PTR, hostbuf=np.ascontiguousarray(values))


def _bound(words: Ints, channels: Mapping[int, int]) -> Ints:
    """The words with numbers of channels in place of those of peers."""
    bound = words.copy()
    for n in np.flatnonzero(np.isin(words[:, OP], (Op.SEND, Op.RECEIVE))):
        bound[n, PEER] = channels.get(int(words[n, PEER]), -1)
    return bound
