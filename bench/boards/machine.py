"""What else tells of FPGA boards: the vendor's tools, and cards on the PCI bus, driver or not."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

PCI = Path("/sys/bus/pci/devices")
INTEL, ALTERA = "0x8086", "0x1172"
CARDS = {
    "0x0b2b": "Intel PAC D5005",
    "0x0b2c": "Intel PAC D5005, virtual function",
    "0xbcce": "Intel FPGA card with OPAE's open shell",
    "0xbccf": "Intel FPGA card with OPAE's open shell, virtual function",
}
"""PCI device ids of Intel's own vendor id; all cards of Altera's are FPGAs."""

VERSION_S = 20.0
"""A compiler that has not said its version by then is not waited for."""


@dataclass(frozen=True)
class Tool:
    """A program of the vendor's: where it is, and its version where it says one."""

    name: str
    path: str | None
    version: str | None = None


@dataclass(frozen=True)
class Card:
    """An FPGA card as the PCI bus shows it."""

    address: str
    vendor: str
    device: str
    what: str


def find_tools() -> tuple[Tool, ...]:
    """The SDK's compiler ``aoc`` and its ``aocl``, and OPAE's ``fpgainfo``, as PATH has them."""
    compiler = shutil.which("aoc")
    return (
        Tool("aoc", compiler, aoc_version(compiler) if compiler else None),
        Tool("aocl", shutil.which("aocl")),
        Tool("fpgainfo", shutil.which("fpgainfo")),
    )


def aoc_version(compiler: str) -> str | None:
    """The version that ``compiler`` says it is, as ``20.4.0``; None if it does not say."""
    try:
        done = subprocess.run(
            [compiler, "-version"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=VERSION_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"[Vv]ersion\s+(\d[\w.]*)", done.stdout + done.stderr)
    return found[1] if found else None


def find_cards(folder: Path = PCI) -> tuple[Card, ...]:
    """FPGA cards on the PCI bus, by vendor and device id; none where ``folder`` cannot be read."""
    found = []
    for place in sorted(folder.glob("*")):
        try:
            vendor, device = ((place / name).read_text().strip().lower() for name in ("vendor", "device"))
        except (OSError, UnicodeDecodeError):
            continue
        if vendor == ALTERA:
            found.append(Card(place.name, vendor, device, "Altera or Intel FPGA card"))
        elif vendor == INTEL and device in CARDS:
            found.append(Card(place.name, vendor, device, CARDS[device]))
    return tuple(found)
