"""A second carrying-out of instruction words, in numpy: images can be tested where there is no OpenCL."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.boards.image import Image
from bench.boards.memory import from_fixed, to_fixed
from bench.boards.words import (
    COUNT,
    FIRST,
    FLAG,
    LENGTH,
    OFFSET,
    OP,
    PART_COUNT,
    PARTS,
    PEER,
    PITCH,
    TO,
    A,
    B,
    Op,
)
from bench.numerics.numbers import Array
from bench.numerics.vectors import VectorUnit
from bench.numerics.whole import time_of
from bench.workloads.model import Workload

Messages = dict[tuple[int, int], deque[NDArray[np.int32]]]


@dataclass
class Device:
    """A device's memories while it runs."""

    image: Image
    memory: NDArray[np.int32] = field(init=False)
    vectors: NDArray[np.int8] = field(init=False)
    done: int = 0

    def __post_init__(self) -> None:
        """Load the image."""
        self.memory = self.image.memory.copy()
        self.vectors = np.zeros((self.image.batch, max(1, self.image.vector_file)), np.int8)

    def run(self, messages: Messages) -> Iterator[None]:
        """Carry out all phases; yields while it waits for a message."""
        for phase in self.image.phases:
            for iteration in range(phase.iterations):
                for word in phase.words.tolist():
                    step = iteration - word[FIRST]
                    if not 0 <= step < word[COUNT]:
                        continue
                    for item in range(self.image.batch):
                        if word[OP] == Op.RECEIVE:
                            while not messages[word[PEER], self.image.device]:
                                yield
                        self.carry_out(word, step, item, messages)
                        self.done += 1

    def carry_out(self, word: list[int], step: int, item: int, messages: Messages) -> None:
        """One instruction for one batch item."""
        image, length, op = self.image, word[LENGTH], word[OP]
        unit = VectorUnit(image.fmt)
        to, a, b = (self.rows(word[at : at + 6], step, item, length) for at in (TO, A, B))
        bits = image.fmt.accumulator_bits
        numbers = [from_fixed(values) for values in (a, b)]
        elementwise: dict[int, Any] = {
            Op.PLUS: lambda: unit.plus(*numbers),
            Op.TIMES: lambda: unit.times(*numbers),
            Op.COMPLEMENT: lambda: unit.complement(numbers[0]),
            Op.SIGMOID: lambda: unit.sigmoid(numbers[0]),
            Op.TANH: lambda: unit.tanh(numbers[0]),
            Op.RELU: lambda: unit.relu(numbers[0]),
        }
        if op in elementwise:
            to[:] = to_fixed(elementwise[op]())
        elif op == Op.COPY:
            to[:] = a
        elif op == Op.GATE:
            units = image.units[word[OFFSET] : word[OFFSET] + length]
            to[:] = to_fixed(unit.round(a * units * 2.0**-19))
        elif op == Op.ADD:
            to[:] = saturated(a.astype(np.int64) + b, bits)
        elif op == Op.OPERAND:
            scaled = np.rint(np.asarray(a * image.units[word[FLAG]], np.float32))
            self.vectors[item, word[OFFSET] : word[OFFSET] + length] = np.clip(scaled, -127, 127)
        elif op == Op.MULTIPLY:
            product = self.product(word, item)
            to[:] = saturated(to + product, bits) if word[FLAG] else product
        elif op == Op.SEND:
            messages[image.device, word[PEER]].append(a.copy())
        else:
            assert op == Op.RECEIVE
            to[:] = messages[word[PEER], image.device].popleft()

    def rows(self, place: list[int], step: int, item: int, length: int) -> NDArray[np.int32]:
        """A view of the rows at a place."""
        base, scale, shift, slots, stride, pitch = place
        start = base + (max(scale * step + shift, -1) + 1) % slots * stride + item * pitch
        return self.memory[start : start + length]

    def product(self, word: list[int], item: int) -> NDArray[np.int64]:
        """The rows of a product, its parts added in order."""
        pitch, bits = word[PITCH], self.image.fmt.accumulator_bits
        rows = self.image.weights[word[OFFSET] : word[OFFSET] + word[LENGTH] * pitch].reshape(-1, pitch)
        total: NDArray[np.int64] | None = None
        for column, operand, columns in self.image.parts[word[PARTS] : word[PARTS] + word[PART_COUNT]]:
            vector = self.vectors[item, operand : operand + columns].astype(np.int64)
            part = saturated(rows[:, column : column + columns].astype(np.int64) @ vector, bits)
            total = part if total is None else saturated(total + part, bits)
        assert total is not None
        return total


def saturated(values: NDArray[np.int64], bits: int) -> NDArray[np.int64]:
    """``values`` within ``bits`` bits."""
    return np.clip(values, -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def carry_out(images: Sequence[Image], workload: Workload) -> dict[str, Array]:
    """Run all images; every layer's h, as `bench.boards.run` gives it."""
    messages: Messages = defaultdict(deque)
    devices = [Device(image) for image in images]
    under_way = [device.run(messages) for device in devices]
    before = (-1, -1)
    while under_way:
        under_way = [one for one in under_way if next(one, "ended") != "ended"]
        now = (len(under_way), sum(device.done for device in devices))
        assert now != before or not under_way, "every device waits for a message of another"
        before = now
    assert not any(messages.values()), "a message that nobody has received"
    outputs = {
        layer.name: np.full((layer.steps, workload.batch, layer.output_size), np.nan)
        for layer in workload.layers
    }
    for device in devices:
        for output in device.image.outputs:
            layer = workload.layer(output.layer)
            for step in range(layer.steps):
                for item in range(workload.batch):
                    start = output.base + step * output.stride + item * output.pitch
                    rows = device.memory[start : start + output.rows[1] - output.rows[0]]
                    outputs[layer.name][time_of(layer, step), item, slice(*output.rows)] = from_fixed(rows)
    return outputs
