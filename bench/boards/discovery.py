"""All that `bench boards` knows of this machine, and what is missing, in plain words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from bench.boards.apart import find_devices_apart
from bench.boards.bitstreams import BITSTREAMS, Bitstream, board_kernel, search
from bench.boards.cables import Links, find_links, load_cables
from bench.boards.intel_emulator import emulator_environment, why_no_emulator
from bench.boards.known import compile_target
from bench.boards.machine import Card, Tool, find_cards, find_tools
from bench.boards.platforms import Device, Kind, Platforms


@dataclass(frozen=True)
class Discovery:
    """Devices, tools, cards and links of this machine, and what is missing, a sentence each."""

    devices: tuple[Device, ...]
    tools: tuple[Tool, ...]
    cards: tuple[Card, ...]
    links: Links | None
    missing: tuple[str, ...]


def discover(cables: Path | None = None, emulate: int | None = None) -> Discovery:
    """Look at this machine, and at the user's file of cables; at so many emulated FPGAs with ``emulate``.

    Raises UserError for mistakes in the file, for boards of it that are not there, and where there
    is no emulation.
    """
    wanted = load_cables(cables) if cables else None
    platforms = find_devices_apart({} if emulate is None else emulator_environment(emulate))
    links = find_links(wanted, platforms.devices) if wanted else None
    tools, cards = find_tools(), find_cards()
    missing = missing_here(platforms, tools, cards, emulation=why_no_emulator(), linked=links is not None)
    return Discovery(platforms.devices, tools, cards, links, (*missing, *_no_bitstreams(platforms.devices)))


def missing_here(
    platforms: Platforms, tools: Sequence[Tool], cards: Sequence[Card], *, emulation: str, linked: bool
) -> tuple[str, ...]:
    """What keeps programs from running on boards here, and on devices that stand in for them.

    ``emulation`` says why there are no emulated FPGAs, or is empty; ``linked``: cables are known.
    """
    kinds = Counter(device.kind for device in platforms.devices)
    found = [*platforms.problems]
    if not kinds[Kind.BOARD]:
        found.append(_no_board(cards))
        if not kinds[Kind.EMULATED] and emulation not in found:
            way = emulation or "`bench boards list --emulate 8` shows eight"
            found.append(f"no emulated FPGA: {way}")
    if kinds[Kind.BOARD] and not _has(tools, "aoc"):
        found.append(
            "no offline compiler (`aoc` is not on PATH): `bench boards build` writes sources and the command"
        )
    if kinds[Kind.BOARD] > 1 and not linked:
        found.append("no cables: without --cables FILE, messages between boards go through the host")
    return tuple(found)


def as_object(found: Discovery) -> dict[str, Any]:
    """A discovery as a value for JSON; memory in bytes."""
    devices = [
        {**asdict(device), "place": device.place, "runs": device.runs(), "lacks": device.lacks()}
        for device in found.devices
    ]
    return {
        "devices": devices,
        "links": _link_objects(found.links),
        "tools": [asdict(tool) for tool in found.tools],
        "cards": [asdict(card) for card in found.cards],
        "missing": list(found.missing),
    }


def as_lines(found: Discovery) -> list[str]:
    """A discovery as text: what is there, alike devices once, then what is missing."""
    lines = [_summary(found.devices)]
    for _, group in groupby(found.devices, key=_what):
        lines += ["", *_device_lines(list(group))]
    if found.links:
        lines += ["", f"links, from {found.links.cables.file}"]
        lines += [f"  {one['a']} - {one['b']}" for one in _link_objects(found.links) or []]
        lines += [] if found.links.cables.cables else ["  none"]
    tools = [tool for tool in found.tools if tool.path]
    if tools or found.cards:
        lines.append("")
        lines += [f"{tool.name}{f' {tool.version}' if tool.version else ''}: {tool.path}" for tool in tools]
        lines += [f"PCI {card.address}: {card.what} ({card.vendor}:{card.device})" for card in found.cards]
    if found.missing:
        lines += ["", "missing", *(f"  {sentence}" for sentence in found.missing)]
    return lines


def _no_board(cards: Sequence[Card]) -> str:
    if not cards:
        return "no board: no OpenCL platform of an FPGA, and no FPGA card on the PCI bus"
    names = ", ".join(f"{card.what} at {card.address}" for card in cards)
    return (
        f"no board that OpenCL sees, although there is {names}: Intel's FPGA SDK for OpenCL or its runtime, "
        "and the board's support package (`aocl install`), are not installed or not set up in this shell"
    )


def _no_bitstreams(devices: Sequence[Device], folder: Path = BITSTREAMS) -> Iterator[str]:
    """Which boards have no bitstream where `bench boards build` puts them."""
    for board in dict.fromkeys(device.board for device in devices if device.io_channels is not None):
        if board and not isinstance(search(folder, board_kernel(board)), Bitstream):
            way = f"`bench boards build --board {compile_target(board)}`"
            yield f"no bitstream for {board} in {folder}/: {way}"


def _has(tools: Sequence[Tool], name: str) -> bool:
    return any(tool.name == name and tool.path for tool in tools)


def _summary(devices: Sequence[Device]) -> str:
    """How many devices of each kind; boards are always counted."""
    counts = Counter(device.kind for device in devices)
    boards = counts.pop(Kind.BOARD, 0)
    parts = [_count(boards, "board"), *(_count(count, str(kind)) for kind, count in counts.items())]
    return ", ".join(parts)


def _count(count: int, kind: str) -> str:
    """``1 board``, ``no board``, ``8 emulated FPGAs``, ``2 other devices``."""
    kind = "other device" if kind == Kind.OTHER else kind
    return f"{count or 'no'} {kind}{'s' if count > 1 else ''}"


def _what(device: Device) -> tuple[object, ...]:
    """All but which one it is: devices that agree are shown together."""
    values = asdict(device)
    return tuple(value for key, value in values.items() if key != "index")


def _device_lines(alike: Sequence[Device]) -> list[str]:
    first, last = alike[0], alike[-1]
    place = first.place if first == last else f"{first.place} to {last.place}"
    lines = [
        f"{place}  {first.kind}  {first.name}",
        f"  platform  {first.platform}, driver {first.driver}",
        f"  memory    {first.memory_bytes / 2**30:.1f} GiB"
        + (", the host's" if first.kind in (Kind.CPU, Kind.EMULATED) else ""),
    ]
    if first.kind is Kind.BOARD:
        slot = f", {first.slot}" if first.slot else ""
        lines.append(f"  board     {first.board or 'its name does not say'}{slot}")
    lines.append(f"  can run   {'; '.join(first.runs()) or 'nothing'}")
    lines += [f"  {'lacks' if not number else '':<9} {text}" for number, text in enumerate(first.lacks())]
    return lines


def _link_objects(links: Links | None) -> list[dict[str, str]] | None:
    """Each cable with its ends and their devices."""
    if links is None:
        return None
    places = {name: place for place, name in links.names.items()}
    return [
        {"a": f"{a} ({places[a.board]})", "b": f"{b} ({places[b.board]})"} for a, b in links.cables.cables
    ]
