"""What comes back from a plug-in's process: plans as text, or why there are none."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from bench.plans.plan import Block, Plan, VectorRange


@dataclass(frozen=True)
class HandedIn:
    """A plan as JSON text, not read yet, and how many seconds after the start it came."""

    seconds: float
    text: str


@dataclass(frozen=True)
class Peak:
    """The most memory that a plug-in's process had, in MiB; 0 where the system does not say.

    ``resident_mib``: in RAM, with what every such process starts with: 30 MiB or so, more with packages.
    ``address_mib``: its address space, which is what the limit counts.
    """

    resident_mib: int = 0
    address_mib: int = 0


@dataclass(frozen=True)
class Answer:
    """What a plug-in has answered for one point.

    ``status`` and ``termination`` are those of the row, ``reason`` says why there is no result, or that
    the plug-in was stopped. The last plan is the answer; those before show how a search went on.
    ``peak`` is known of a process that reached its end.
    """

    plans: tuple[HandedIn, ...] = ()
    status: str = "ok"
    termination: str = "none"
    reason: str = ""
    peak: Peak = Peak()

    @property
    def failed(self) -> bool:
        """Whether there is nothing to emulate."""
        return self.status != "ok" or self.termination != "none"


def plan_text(plan: Plan) -> str:
    """A plan as one line of JSON, of the form of a plan file without what the plan is for.

    Raises TypeError for what is neither a number nor text.
    """
    owned = {"blocks": _entries(plan.blocks), "vectors": _entries(plan.vectors)}
    others = asdict(replace(plan, blocks=(), vectors=()))  # of those, too, it would copy each value
    return json.dumps(others | owned, default=_plain)


def _entries(values: Iterable[Any]) -> list[Any]:
    """With the names of fields; what is no block or vector range is left for the reader to refuse."""
    return [each._asdict() if isinstance(each, Block | VectorRange) else each for each in values]


def _plain(value: Any) -> Any:
    """Sets as sorted lists, whole numbers of other libraries as our own."""
    return sorted(value) if isinstance(value, set | frozenset) else operator.index(value)
