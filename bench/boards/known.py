"""Boards that are known by the name of their board support package, which `aoc -board` takes."""

from __future__ import annotations

from dataclasses import dataclass

MOST_CHANNELS = 4
"""I/O channels of a BittWare 520N, one a network port: numbers 0 to 3."""


@dataclass(frozen=True)
class KnownBoard:
    """A board support package: its name, the card, and how many channels lead to other boards."""

    name: str
    card: str
    io_channels: int


KNOWN_BOARDS = {
    board.name: board
    for board in (
        KnownBoard("p520_max_sg280l", "BittWare 520N", MOST_CHANNELS),
        KnownBoard("p520_hpc_sg280l", "BittWare 520N", MOST_CHANNELS),
        KnownBoard("pac_s10_dc", "Intel PAC D5005", 0),
    )
}
"""By the name that ``aoc -board`` takes. No channel from card to card was found in the D5005's documents."""

RUNNING_NAMES = {"pac_s10": "pac_s10_dc"}
"""What a board calls itself where that is not the name that ``aoc -board`` takes."""


def compile_target(board: str) -> str:
    """The name that ``aoc -board`` takes for ``board``, which may be what the board calls itself."""
    return RUNNING_NAMES.get(board, board)


def io_channels(board: str) -> int | None:
    """How many channels lead from ``board`` to other boards; None for a board that is not known."""
    known = KNOWN_BOARDS.get(compile_target(board))
    return known.io_channels if known else None
