"""Names of layers and workloads, made from those in a file."""

from __future__ import annotations

import re
from collections.abc import Sequence

_TAKEN = ("input", "below")


def slug(text: str) -> str:
    """A text in the letters that names have: lower case, digits, ``-`` and ``_``."""
    return re.sub(r"-{2,}", "-", re.sub(r"[^a-z0-9_]+", "-", text.lower())).strip("-_")


def layer_names(labels: Sequence[str]) -> list[str]:
    """A name for each node: the last parts of its path, numbered where they repeat.

    >>> layer_names(["/encoder/rnn/LSTM", "/decoder/rnn/LSTM", "LSTM_0", "LSTM_0"])
    ['encoder-rnn-lstm', 'decoder-rnn-lstm', 'lstm_0', 'lstm_0-2']
    """
    parts = [
        [slug(part) for part in re.split(r"[/.:]+", label) if slug(part)] or ["layer"] for label in labels
    ]
    names: list[str] = []
    for own in parts:
        length = 1
        while length < len(own) and (
            _plain(own[-length]) or sum(other[-length:] == own[-length:] for other in parts) > 1
        ):
            length += 1
        if sum(other == own for other in parts) > 1:
            length = min(len(own), 2)
        name = "-".join(own[-length:])
        if not name[0].isalpha() or name in _TAKEN:
            name = f"layer-{name}"
        number, free = 1, name
        while free in names:
            number += 1
            free = f"{name}-{number}"
        names.append(free)
    return names


def _plain(part: str) -> bool:
    """Whether a part of a path says no more than the operator."""
    return re.fullmatch(r"(lstm|gru|rnn)[-_0-9]*", part) is not None
