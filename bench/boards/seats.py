"""Which OpenCL devices programs are run on, and a seat there for every image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from bench.boards.apart import find_devices_apart
from bench.boards.bitstreams import BITSTREAMS, board_kernel, find_bitstream
from bench.boards.cables import Links, cabled_channels, find_links, load_cables
from bench.boards.image import Image
from bench.boards.intel_emulator import emulator_environment
from bench.boards.links import Channels, emulated_channels
from bench.boards.platforms import Device, Kind
from bench.boards.run import Seat
from bench.errors import Unsupported, UserError


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


def take_seats(boards: Boards, images: Sequence[Image]) -> tuple[list[Seat], Mapping[int, Channels] | None]:
    """A seat for each image, and the channels between them; None: the host carries messages.

    Raises Unsupported: fewer boards than images, or no bitstream.
    """
    if boards.kind is Kind.EMULATED:
        environment = emulator_environment(1)  # each in a process of its own, where it is the only one
        return [Seat(0, 0, environment) for _ in images], emulated_channels(images)
    if boards.kind is not Kind.BOARD:
        device = boards.devices[0]
        return [Seat(device.platform_index, device.index) for _ in images], None
    if len(boards.devices) < len(images):
        raise Unsupported(f"{len(images)} boards are needed, and {len(boards.devices)} are here")
    devices = boards.devices[: len(images)]
    peers = {image.device: image.peers for image in images}
    cabled = cabled_channels(boards.links, devices, peers) if boards.links else None
    seats = [
        _board_seat(boards, device, image, cabled is not None)
        for device, image in zip(devices, images, strict=True)
    ]
    # a bitstream with channels is started in that way, whether the program uses them or not
    return seats, None if cabled is None else {device: cabled.get(device, {}) for device in peers}


def _board_seat(boards: Boards, device: Device, image: Image, cabled: bool) -> Seat:
    try:
        kernel = board_kernel(device.board or device.name, None if cabled else (), image.fmt)
        found = find_bitstream(boards.bitstreams, kernel)
    except UserError as error:
        raise Unsupported(str(error)) from None
    return Seat(device.platform_index, device.index, binary=found.content)
