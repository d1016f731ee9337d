"""Which I/O channel leads to which peer, and the FIFOs that stand for cables between emulated FPGAs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.boards.image import Image

PORTS = 4
"""I/O channels of a BittWare 520N, and of an emulated FPGA here."""

Channels = Mapping[int, int]
"""Peer -> the channel that leads to it."""


def emulated_channels(images: Sequence[Image]) -> dict[int, Channels] | None:
    """Channels of devices with peers, cabled for this program; None if one needs more ports than it has."""
    channels: dict[int, dict[int, int]] = {image.device: {} for image in images if image.peers}
    for image in images:
        for peer in sorted(image.peers):
            channels[image.device].setdefault(peer, len(channels[image.device]))
    return dict(channels) if all(len(own) <= PORTS for own in channels.values()) else None


@contextmanager
def fifos(folders: Mapping[int, Path], channels: Mapping[int, Channels]) -> Iterator[None]:
    """A FIFO for each direction of each cable, under the names that the two kernels give its ends.

    An emulated FPGA opens a file named like the channel in the folder that it runs in. Opening one
    end waits for the other, so all are held open here.
    """
    opened = []
    try:
        for device, own in channels.items():
            for peer, channel in own.items():
                there = folders[peer] / f"kernel_input_ch{channels[peer][device]}"
                os.mkfifo(there)
                (folders[device] / f"kernel_output_ch{channel}").symlink_to(there)
                opened.append(os.open(there, os.O_RDWR | os.O_NONBLOCK))
        yield
    finally:
        for descriptor in opened:
            os.close(descriptor)
