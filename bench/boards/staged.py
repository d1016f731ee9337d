"""Messages that the host carries: for boards without channels to each other, and other OpenCL devices.

A device is given work until an instruction receives; the host then waits for what the peer has sent,
while the other devices work on.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyopencl as cl

from bench.boards.image import Ints, PhaseCode
from bench.boards.opencl import Loaded
from bench.boards.words import COUNT, FIRST, LENGTH, OP, PEER, TO, A, Op


@dataclass
class Staging:
    """A run under way: messages by (sender, receiver), each with the event of its copy, and all events."""

    boxes: dict[tuple[int, int], deque[tuple[Ints, Any]]] = field(default_factory=lambda: defaultdict(deque))
    moved: int = 0
    kernels: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    copies: list[Any] = field(default_factory=list)

    @property
    def kernel_s(self) -> float:
        """Time in kernels on the device that has most of it."""
        return max((sum(map(seconds, events)) for events in self.kernels.values()), default=0.0)

    @property
    def copies_s(self) -> float:
        """Time in copies of messages, of all devices."""
        return sum(map(seconds, self.copies))


def run_staged(devices: Sequence[Loaded]) -> Staging:
    """Run all images to their end.

    Raises RuntimeError if all devices wait for each other, which a program in one order cannot make them.
    """
    staging = Staging()
    under_way = [_carry_out(device, staging) for device in devices]
    while under_way:
        moved, count = staging.moved, len(under_way)
        under_way = [one for one in under_way if next(one, False)]
        if moved == staging.moved and count == len(under_way):
            raise RuntimeError("every device waits for a message of another")
    for device in devices:
        device.queue.finish()
    return staging


def seconds(event: Any) -> float:
    """How long an event took on its device."""
    return 1e-9 * float(event.profile.end - event.profile.start)


def _carry_out(device: Loaded, staging: Staging) -> Iterator[bool]:
    """Give the device its run; yields when it must wait for a message."""
    image = device.assignment.image
    kernels = staging.kernels[image.device]
    for number, phase in enumerate(image.phases):
        if not np.isin(phase.words[:, OP], (Op.SEND, Op.RECEIVE)).any():
            if len(phase.words):
                kernels.append(device.window(number, 0, len(phase.words), 0, phase.iterations))
            continue
        for iteration in range(phase.iterations):
            start = 0
            for n in _messages(phase, iteration):
                word = phase.words[n]
                sends = word[OP] == Op.SEND
                stop = n + 1 if sends else n
                if stop > start:
                    kernels.append(device.window(number, start, stop, iteration, iteration + 1))
                start = stop
                if sends:
                    _send(device, staging, int(word[PEER]), int(word[TO]), int(word[LENGTH]))
                    continue
                device.queue.flush()
                while not staging.boxes[int(word[PEER]), image.device]:
                    yield True
                _receive(device, staging, int(word[PEER]), int(word[A]))
            if start < len(phase.words):
                kernels.append(device.window(number, start, len(phase.words), iteration, iteration + 1))
    device.queue.flush()


def _send(device: Loaded, staging: Staging, peer: int, place: int, length: int) -> None:
    message = np.empty(length * device.assignment.image.batch, np.int32)
    copy = cl.enqueue_copy(device.queue, message, device.memory, src_offset=4 * place, is_blocking=False)
    staging.boxes[device.assignment.image.device, peer].append((message, copy))
    staging.copies.append(copy)
    staging.moved += 1


def _receive(device: Loaded, staging: Staging, peer: int, place: int) -> None:
    message, sent = staging.boxes[peer, device.assignment.image.device].popleft()
    sent.wait()
    copy = cl.enqueue_copy(device.queue, device.memory, message, dst_offset=4 * place, is_blocking=False)
    staging.copies.append(copy)  # pyopencl's event keeps the message alive
    staging.moved += 1


def _messages(phase: PhaseCode, iteration: int) -> list[int]:
    """Instructions of an iteration that send or receive."""
    words = phase.words
    step = iteration - words[:, FIRST]
    active = np.isin(words[:, OP], (Op.SEND, Op.RECEIVE)) & (step >= 0) & (step < words[:, COUNT])
    return [int(n) for n in np.flatnonzero(active)]
