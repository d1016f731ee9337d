"""The kernels' text for a device: which channels it has, and in which format it computes."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import numpy as np

from bench.boards.words import FLIT_INTS
from bench.numerics.activations import TABLE_RANGE, TABLE_SIZES, sigmoid, tanh
from bench.numerics.formats import FORMATS, NumberFormat
from bench.numerics.vectors import FIXED_BITS

KERNELS = Path(__file__).with_name("kernels")

VECTOR_FILE_BYTES = 2**16
"""Of the matrix unit of a device with channels: operands of one step, all batch items."""

INT8 = FORMATS["int8"]


@cache
def kernel_source(channels: tuple[int, ...] = (), fmt: NumberFormat = INT8) -> str:
    """OpenCL C for a device with these I/O channels; none: plain OpenCL, links staged by the host."""
    return "\n".join([*_settings(fmt), *_channels(channels), (KERNELS / "device.cl").read_text()])


def source_hash(channels: tuple[int, ...] = (), fmt: NumberFormat = INT8) -> str:
    """A short hash of `kernel_source`."""
    return hashlib.sha256(kernel_source(channels, fmt).encode()).hexdigest()[:16]


def _settings(fmt: NumberFormat) -> list[str]:
    lines = [
        f"#define ACCUMULATOR_BITS {fmt.accumulator_bits}",
        f"#define VECTOR_BITS {FIXED_BITS[fmt.vector]}",
        f"#define FLIT_INTS {FLIT_INTS}",
        f"#define {fmt.activation.upper().replace('-', '_')}_ACTIVATION",
    ]
    if fmt.activation in TABLE_SIZES:
        ends = np.linspace(-TABLE_RANGE, TABLE_RANGE, TABLE_SIZES[fmt.activation] + 1)
        lines.append(f"#define TABLE_INTERVALS {TABLE_SIZES[fmt.activation]}")
        for name, values in (("SIGMOID_TABLE", sigmoid(ends)), ("TANH_TABLE", tanh(ends))):
            entries = ", ".join(map(float.hex, values.tolist()))
            lines.append(f"__constant double {name}[] = {{{entries}}};")
    return lines


def _channels(numbers: tuple[int, ...]) -> list[str]:
    """The I/O channels, and functions that reach them by number."""
    if not numbers:
        return []
    lines = [
        "#pragma OPENCL EXTENSION cl_intel_channels : enable",
        "#define PORTS",
        f"#define VECTOR_FILE {VECTOR_FILE_BYTES}",
        "typedef struct { int word[FLIT_INTS]; } Flit;",
    ]
    for n in numbers:
        lines += [
            f'channel Flit to_{n} __attribute__((depth(64), io("kernel_output_ch{n}")));',
            f'channel Flit from_{n} __attribute__((depth(64), io("kernel_input_ch{n}")));',
        ]
    to = " ".join(f"case {n}: write_channel_intel(to_{n}, flit); break;" for n in numbers)
    come = " ".join(f"case {n}: flit = read_channel_intel(from_{n}); break;" for n in numbers)
    return [
        *lines,
        f"void to_port(int port, Flit flit) {{ switch (port) {{ {to} }} }}",
        f"Flit from_port(int port) {{ Flit flit; switch (port) {{ {come} }} return flit; }}",
    ]
