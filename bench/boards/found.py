"""Which OpenCL devices programs are run on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench.boards.apart import find_devices_apart
from bench.boards.bitstreams import BITSTREAMS
from bench.boards.cables import Links, find_links, load_cables
from bench.boards.intel_emulator import emulator_environment
from bench.boards.platforms import Device, Kind
from bench.errors import UserError


class Where(StrEnum):
    """What to run on."""

    AUTO = "auto"
    """Boards, if there are any."""
    EMULATED = "fpga-emulator"
    """Intel's emulated FPGAs: the kernels with their channels, in no time that means anything."""
    OPENCL = "opencl"
    """Another OpenCL device, a CPU or a GPU, in place of all FPGAs; the host carries messages."""


@dataclass(frozen=True)
class Boards:
    """Devices to run on. ``bitstreams``: the folder with those of boards."""

    kind: Kind
    devices: tuple[Device, ...]
    links: Links | None = None
    bitstreams: Path = BITSTREAMS

    @property
    def fingerprint(self) -> str:
        """What the devices are, in a line."""
        return "; ".join(sorted(f"{one.platform}, {one.name}, {one.driver}" for one in self.devices))


def find_boards(where: Where, cables: Path | None = None, bitstreams: Path = BITSTREAMS) -> Boards | str:
    """The devices of one kind that this machine has, or why there are none.

    Raises UserError for mistakes in the file of cables, and boards of it that are not there.
    """
    wanted = load_cables(cables) if cables else None
    try:
        settings = emulator_environment(1) if where is Where.EMULATED else {}
    except UserError as error:
        return str(error)
    found = find_devices_apart(settings)
    kinds = {
        Where.AUTO: (Kind.BOARD,),
        Where.EMULATED: (Kind.EMULATED,),
        Where.OPENCL: (Kind.GPU, Kind.CPU, Kind.OTHER),
    }
    for kind in kinds[where]:
        if devices := tuple(device for device in found.devices if device.kind is kind):
            return Boards(kind, devices, find_links(wanted, devices) if wanted else None, bitstreams)
    what = {Where.AUTO: "board", Where.EMULATED: "emulated FPGA", Where.OPENCL: "OpenCL device"}[where]
    return "; ".join([f"no {what} is here", *found.problems])
