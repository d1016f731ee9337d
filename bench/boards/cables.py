"""A user's file of cables between boards: no API tells them.

``python -m bench.boards.cables`` prints the JSON Schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from bench.boards.known import MOST_CHANNELS
from bench.boards.platforms import Device
from bench.errors import UserError
from bench.files import FileModel, json_schema, load_yaml, shown

NAME = r"[A-Za-z][A-Za-z0-9_-]*"
Name = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
End = Annotated[str, StringConstraints(pattern=rf"^{NAME}:ch[0-9]+$")]


class BoardEntry(FileModel):
    """Which device a board is: by `platform` and `device`, or by `board`."""

    platform: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Number of its platform, as `bench boards` lists them."
    )
    device: Annotated[int, Field(ge=0)] | None = Field(None, description="Number of the device there.")
    board: Annotated[str, StringConstraints(min_length=1)] | None = Field(
        None, description="Its name in brackets (aclbitt_s10_pcie0), or a board's name that only one has."
    )

    @model_validator(mode="after")
    def _one_way(self) -> BoardEntry:
        numbered = self.platform is not None and self.device is not None
        half = (self.platform is None) != (self.device is None)
        if half or numbered == (self.board is not None):
            raise ValueError("give platform and device, or board")
        return self


class CablesFile(FileModel):
    """Which channel of which board is cabled to which; a cable carries traffic both ways."""

    boards: Annotated[dict[Name, BoardEntry], Field(min_length=1)] = Field(
        description="The boards, under names of your own."
    )
    cables: list[Annotated[list[End], Field(min_length=2, max_length=2)]] = Field(
        description="Pairs of channels, [left:ch0, right:ch1]; each channel at most once."
    )


@dataclass(frozen=True)
class Port:
    """A channel of a board: ``channel`` N stands for kernel_input_chN and kernel_output_chN."""

    board: str
    channel: int

    def __str__(self) -> str:
        """As the file has it."""
        return f"{self.board}:ch{self.channel}"


@dataclass(frozen=True)
class Board:
    """A board of the file, and how it says which device that is."""

    name: str
    place: tuple[int, int] | None
    """Numbers of platform and device."""
    board: str | None


@dataclass(frozen=True)
class Cables:
    """The boards and cables of a user's file, checked; ``file`` is its name for messages."""

    file: str
    boards: tuple[Board, ...]
    cables: tuple[tuple[Port, Port], ...]

    def between(self, a: str, b: str) -> tuple[int, int] | None:
        """The channels of the first cable from board ``a`` to board ``b``: a's, b's; None without one."""
        both_ways = [ends for x, y in self.cables for ends in ((x, y), (y, x))]
        return next(((x.channel, y.channel) for x, y in both_ways if (x.board, y.board) == (a, b)), None)


@dataclass(frozen=True)
class Links:
    """Cables whose boards were found: each board's device, by its place."""

    cables: Cables
    names: dict[str, str]
    """Place of a device (``0:1``) -> the board's name in the file."""

    def channels(self, source: Device, target: Device) -> tuple[int, int] | None:
        """Channels that lead from one device to another: source's output, target's input.

        None: no cable, so the host hands the message on.
        """
        a, b = self.names.get(source.place), self.names.get(target.place)
        return self.cables.between(a, b) if a and b else None


def load_cables(path: Path) -> Cables:
    """Read a file of cables.

    Raises UserError with every mistake: boards that it does not name, channels that are used
    twice or that no board has, cables from a board to itself.
    """
    file = load_yaml(path, CablesFile)
    if problems := _problems(file):
        raise UserError("\n".join(f"{shown(path)}: {problem}" for problem in problems))
    boards = [
        Board(
            name,
            None if one.platform is None or one.device is None else (one.platform, one.device),
            one.board,
        )
        for name, one in file.boards.items()
    ]
    pairs = [(_port(a), _port(b)) for a, b in file.cables]
    return Cables(shown(path), tuple(boards), tuple(pairs))


def find_links(cables: Cables, devices: Sequence[Device]) -> Links:
    """Which devices the boards of ``cables`` are.

    Raises UserError with every mistake: a board that is not there, a name that several devices have,
    two boards that are one device, a channel that the board does not have.
    """
    names: dict[str, str] = {}
    problems: list[str] = []
    for board in cables.boards:
        found = [device for device in devices if _is(board, device)]
        if len(found) != 1:
            problems.append(_not_one(board, found, devices))
            continue
        place = found[0].place
        if place in names:
            problems.append(
                f"boards.{board.name}: is device {place}, and so is boards.{names[place]}; keep one"
            )
            continue
        names[place] = board.name
        most = found[0].io_channels
        ends = [end for cable in cables.cables for end in cable if end.board == board.name]
        problems += [
            f"cables: {end}: a {found[0].board} has {f'channels 0 to {most - 1}' if most else 'no channels'} "
            "to other boards; take the cable out"
            for end in ends
            if most is not None and end.channel >= most
        ]
    if problems:
        raise UserError("\n".join(f"{cables.file}: {problem}" for problem in problems))
    return Links(cables, names)


def cabled_channels(
    links: Links, devices: Sequence[Device], peers: Mapping[int, Iterable[int]]
) -> dict[int, dict[int, int]] | None:
    """Device of a program -> peer -> the channel that leads to it; None if a peer has no cable.

    The program's device n is ``devices[n]``; ``peers``: those that it exchanges messages with.
    """
    found: dict[int, dict[int, int]] = {}
    for here, others in peers.items():
        for peer in sorted(others):
            ends = links.channels(devices[here], devices[peer])
            if ends is None:
                return None
            found.setdefault(here, {})[peer] = ends[0]
    return found


def schema_text() -> str:
    """The JSON Schema of a file of cables; kept in docs/schemas/cables.schema.json."""
    return json_schema(CablesFile, "Cables between boards")


def _port(text: str) -> Port:
    board, _, channel = text.partition(":ch")
    return Port(board, int(channel))


def _problems(file: CablesFile) -> list[str]:
    """What is wrong with the ends of the cables."""
    found: list[str] = []
    used: dict[Port, int] = {}
    for number, pair in enumerate(file.cables):
        a, b = (_port(text) for text in pair)
        for end in (a, b):
            where = f"cables[{number}]: {end}"
            if end.board not in file.boards:
                found.append(f"{where}: no board of that name; there are {', '.join(file.boards)}")
            if end.channel >= MOST_CHANNELS:
                found.append(f"{where}: expected a channel from ch0 to ch{MOST_CHANNELS - 1}")
            if end in used and used[end] != number:
                found.append(f"{where}: is cabled already in cables[{used[end]}]; a channel takes one cable")
            used.setdefault(end, number)
        if a.board == b.board:
            found.append(f"cables[{number}]: both ends are at {a.board}; a cable joins two boards")
    return found


def _is(board: Board, device: Device) -> bool:
    if board.place is not None:
        return (device.platform_index, device.index) == board.place
    return board.board in (device.slot, device.board, device.name)


def _not_one(board: Board, found: Sequence[Device], devices: Sequence[Device]) -> str:
    """Why ``board`` is not exactly one device, and what there is."""
    asked = ":".join(map(str, board.place)) if board.place is not None else repr(board.board)
    if found:
        slots = ", ".join(device.slot or device.place for device in found)
        return f"boards.{board.name}: {len(found)} devices are called {asked}; name one of {slots}"
    there = ", ".join(f"{device.place} {device.slot or device.board or device.kind}" for device in devices)
    return f"boards.{board.name}: there is no device {asked}; `bench boards` lists {there or 'none'}"


if __name__ == "__main__":
    print(schema_text(), end="")
