"""The exceptions that say who made a mistake, and how they are worded."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable
from pathlib import Path


class UserError(Exception):
    """A mistake in something a user wrote; shown as it is, without a traceback.

    The message names the file or value, what was found, what was expected and,
    where there is one, the fix.
    """


class Unsupported(Exception):
    """A partitioner says that it does not handle this workload on this cluster.

    Not a failure: the point's row gets the status ``unsupported`` and this text.
    """


class InvalidPlan(Exception):
    """A plan breaks a rule of `bench.plans.validate`; the text names layer, matrix, range."""


class DoesNotFit(Exception):
    """The weights exceed a device's memory, and the profile has nowhere to spill to."""


class BrokenProgram(Exception):
    """A program reads what a device does not hold, or does not wait for it; the text names the place."""


class PluginFailed(Exception):
    """A partitioner that runs in a process of its own has no plan; the text says why."""


def describe(error: BaseException) -> str:
    """An exception in one line, with the file (no folder) and line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}{place}" if text else f"{type(error).__name__}{place}"


LISTED = ("workloads", "profiles", "partitioners", "topologies", "formats")
"""What `bench list` lists."""

FEW = 8
"""Names that fit into a message."""


def unknown_name(kind: str, name: str, known: Iterable[str]) -> UserError:
    """The error for a name that is not in a catalogue, with the nearest names.

    >>> print(unknown_name("partitioner", "layerwise", ["layer-wise", "single"]))
    unknown partitioner 'layerwise'; did you mean 'layer-wise'? (2 known: see `bench list partitioners`)
    """
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(repr(n) for n in near)}?" if near else ""
    plural = kind.removesuffix("y") + ("ies" if kind.endswith("y") else "s")
    if plural in LISTED:
        known_names = f"{len(names)} known: see `bench list {plural}`"
    else:
        known_names = f"known: {', '.join(names)}" if len(names) <= FEW else f"{len(names)} known"
    return UserError(f"unknown {kind} {name!r}{hint} ({known_names})")
