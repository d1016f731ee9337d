"""The OpenCL devices of this machine, as values: what each is, and what it could run.

Only a real board is ever called a board. Intel's emulations, old and new, have "Emulat" in the name
of platform or device, and count as boards nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bench.boards.intel_emulator import why_no_pyopencl
from bench.boards.known import io_channels
from bench.errors import describe

CPU_TYPE, GPU_TYPE = 2, 4
"""Bits of CL_DEVICE_TYPE, from the OpenCL specification."""

_BOARD = re.compile(r"^(?P<board>\w+) : .*?(?:\((?P<slot>[^()]+)\))?$")
"""A name like ``pac_s10 : Intel PAC Platform (pac_ee00000)``."""


class Kind(StrEnum):
    """What a device is."""

    BOARD = "board"
    EMULATED = "emulated FPGA"
    CPU = "CPU"
    GPU = "GPU"
    OTHER = "other"


@dataclass(frozen=True)
class Device:
    """One OpenCL device. ``platform_index`` and ``index`` count as pyopencl lists them."""

    platform_index: int
    index: int
    platform: str
    platform_version: str
    name: str
    kind: Kind
    driver: str
    board: str | None
    """Name of the board support package, if the device's name carries one."""
    slot: str | None
    """Which of several such boards it is: what stands in brackets in the device's name."""
    memory_bytes: int
    channels: bool
    """Whether kernels may be joined by channels."""
    fp64: bool

    @property
    def place(self) -> str:
        """Platform and device, as `bench boards` shows them: ``0:1``."""
        return f"{self.platform_index}:{self.index}"

    @property
    def io_channels(self) -> int | None:
        """How many channels lead to other boards; None if that is not known."""
        return io_channels(self.board) if self.board else None

    def runs(self) -> list[str]:
        """What it could run, in words; nothing without double precision, which the kernels compute in."""
        if not self.fp64:
            return []
        found = ["kernels from a bitstream" if self.kind is Kind.BOARD else "plain kernels"]
        if self.channels:
            found.append("channels")
        if self.kind is Kind.EMULATED:
            found.append("links to other emulated FPGAs, through FIFOs")
        elif self.kind is Kind.BOARD and self.io_channels:
            found.append(f"links to other boards, {self.io_channels} channels")
        return found

    def lacks(self) -> list[str]:
        """What it could not run, and why, in words."""
        found = []
        if not self.fp64:
            found.append("no double precision (no cl_khr_fp64): the kernels need it for sigmoid and tanh")
        if not self.channels:
            found.append("no channels (no cl_intel_channels): messages go through the host")
        elif self.kind is Kind.BOARD and self.io_channels == 0:
            found.append("no known channels to other boards: messages go through the host")
        elif self.kind is Kind.BOARD and self.io_channels is None:
            found.append("a board that is not known here: a file of cables must say which channels it has")
        return found


@dataclass(frozen=True)
class Platforms:
    """All devices, and what went wrong in looking for them, a sentence each."""

    devices: tuple[Device, ...]
    problems: tuple[str, ...] = ()


def kind_of(platform: str, device: str, device_type: int) -> Kind:
    """What a device is, from the two names and CL_DEVICE_TYPE.

    >>> str(kind_of("Intel(R) FPGA SDK for OpenCL(TM)", "pac_s10 : Intel PAC Platform (pac_ee00000)", 8))
    'board'
    >>> str(kind_of("Intel(R) FPGA SDK for OpenCL(TM)", "EmulatorDevice : Emulated Device", 8))
    'emulated FPGA'
    """
    if device_type & CPU_TYPE:
        return Kind.CPU
    if device_type & GPU_TYPE:
        return Kind.GPU
    if "FPGA" not in platform:
        return Kind.OTHER
    return Kind.EMULATED if "emulat" in f"{platform} {device}".lower() else Kind.BOARD


def find_devices() -> Platforms:
    """The OpenCL devices that pyopencl sees in this process, or why it sees none."""
    if missing := why_no_pyopencl():
        return Platforms((), (missing,))
    try:
        import pyopencl
    except ImportError as error:
        return Platforms((), (f"pyopencl cannot be imported: {error}",))
    try:
        platforms = pyopencl.get_platforms()
    except pyopencl.Error as error:
        if "PLATFORM_NOT_FOUND" not in str(error):
            return Platforms((), (f"OpenCL does not start: {error}",))
        platforms = []
    if not platforms:
        return Platforms((), ("no OpenCL platform is installed",))
    return read_devices(platforms)


def read_devices(platforms: Iterable[Any]) -> Platforms:
    """The devices of pyopencl's ``platforms``; what cannot be asked is left out, with the reason.

    A driver may fail in ways of its own: no exception of one platform or device hides the others.
    """
    devices: list[Device] = []
    problems: list[str] = []
    for number, platform in enumerate(platforms):
        try:
            name, listed = str(platform.name), list(platform.get_devices())
        except Exception as error:
            problems.append(f"platform {number} does not answer: {describe(error)}")
            continue
        if not listed:
            problems.append(f"platform {number}, {name}, has no device")
        for index, device in enumerate(listed):
            try:
                devices.append(_read(platform, device, number, index))
            except Exception as error:
                problems.append(f"device {number}:{index} of {name} does not answer: {describe(error)}")
    return Platforms(tuple(devices), tuple(problems))


def _read(platform: Any, device: Any, number: int, index: int) -> Device:
    name = " ".join(str(device.name).split())
    kind = kind_of(str(platform.name), name, int(device.type))
    board = _BOARD.match(name) if kind is Kind.BOARD else None
    extensions = str(device.extensions).split()
    return Device(
        number,
        index,
        str(platform.name),
        str(platform.version),
        name,
        kind,
        str(device.driver_version),
        board["board"] if board else None,
        board["slot"] if board else None,
        int(device.global_mem_size),
        # A board's driver does not list it: channels are the offline compiler's.
        kind is Kind.BOARD or "cl_intel_channels" in extensions,
        "cl_khr_fp64" in extensions,
    )
