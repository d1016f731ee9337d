"""Whether the same question gets the same plan: each asked again, from a fresh process."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.conformance.report import KEPT
from bench.conformance.trial import Outcome
from bench.experiments import Limits, Point
from bench.isolation.answer import Answer
from bench.isolation.client import Plugins


@dataclass(frozen=True)
class Repeats:
    """Points whose plan was another one the second time, with what differs, and how many were asked for."""

    different: tuple[tuple[Point, str], ...] = ()
    asked: int = 0
    stopped: int = 0
    """Searches that the limit has stopped: how far they get depends on the machine."""


def ask_again(outcomes: Mapping[str, Sequence[Outcome]], limits: Limits) -> dict[str, Repeats]:
    """Ask each partitioner again for the plans that were good, until a few are different.

    The process that children are forked from is another than the first time: with one for both,
    generators that it has imported would start in the same state each time, and no run after it.
    """
    with tempfile.TemporaryDirectory() as logs, Plugins(limits, Path(logs)) as plugins:
        return {reference: _again(plugins, tried) for reference, tried in outcomes.items()}


def _again(plugins: Plugins, tried: Sequence[Outcome]) -> Repeats:
    different: list[tuple[Point, str]] = []
    asked = stopped = 0
    for first in tried:
        if len(different) >= KEPT:
            break
        if not first.good:
            continue
        second = Answer() if first.answer.reason else plugins.ask(first.point)
        if first.answer.reason or (second.reason and not second.failed):
            stopped += 1
            continue
        asked += 1
        if second.failed:
            different.append((first.point, f"a plan the first time; the second time: {second.reason}"))
        elif second.plans[-1].text != first.answer.plans[-1].text:
            what = _difference(first.answer.plans[-1].text, second.plans[-1].text)
            different.append((first.point, what))
    return Repeats(tuple(different), asked, stopped)


def _difference(first: str, second: str) -> str:
    """The first key or entry in which two plans, as JSON, differ."""
    one, other = json.loads(first), json.loads(second)
    for key, value in one.items():
        if value != other[key]:
            return f"{key}: {_first(value, other[key])}"
    return "the order of its parts"


def _first(one: Any, other: Any) -> str:
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return f"{len(one)} first, then {len(other)}"
        number = next(n for n, (a, b) in enumerate(zip(one, other, strict=True)) if a != b)
        return f"[{number}] is {json.dumps(one[number])} first, then {json.dumps(other[number])}"
    return f"{json.dumps(one)} first, then {json.dumps(other)}"
