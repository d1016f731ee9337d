"""A seat on a device for every image of a program, and the channels between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bench.boards.bitstreams import board_kernel, find_bitstream
from bench.boards.cables import cabled_channels
from bench.boards.found import Boards
from bench.boards.image import Image
from bench.boards.intel_emulator import emulator_environment
from bench.boards.links import Channels, emulated_channels
from bench.boards.platforms import Device, Kind
from bench.boards.run import Seat
from bench.errors import Unsupported, UserError


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
        raise Unsupported(f"needs {len(images)} boards; this machine has {len(boards.devices)}")
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
