"""The Plan value: an ownership map, and nothing else.

A partitioner returns a Plan. It says, for each weight matrix, which rectangular block
(row range x column range) which device owns, and for each vector operation which row
range runs where. Communication is derived from it by `bench.plans.lower`.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

Range = tuple[int, int]
"""A half-open range of rows or columns, (start, stop)."""

ROUTES = "routes"
"""No collective: what travels follows the tree of the topology's routes (`bench.plans.transfers`)."""


class Block(NamedTuple):
    """A block of one matrix, owned by one device.

    ``matrix`` is named ``gate.source`` as `bench.plans.cells` lists them for each cell,
    for example ``i.x`` or ``n.rh``.
    """

    layer: str
    matrix: str
    rows: Range
    cols: Range
    device: int


class VectorRange(NamedTuple):
    """A range of one vector stage's elements (``stage`` as in `bench.plans.cells`), and where it runs."""

    layer: str
    stage: str
    rows: Range
    device: int


@dataclass(frozen=True, slots=True)
class Streaming:
    """How a layer's products overlap with the exchange that they wait for.

    ``parts``: products are cut by columns into up to so many parts, by the distance that their
    operand's rows travel: what a device has itself or is near comes first, what is farthest last.
    ``ahead``: of the products with the next step's input, so many run while the rows of the first
    stage travel (a GRU's reset hidden vector), the others while those of the last one do.
    """

    layer: str
    parts: int = 1
    ahead: int = 0


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the network on ``devices`` of its own; it takes so many ``items`` of the batch."""

    items: int
    devices: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """An ownership map for one workload on one cluster.

    ``groups`` are the device groups that a ring topology cables as rings of their own.
    ``software_pipelined`` names the layers whose input products of the next time step are
    moved in front of this step's exchange. ``streamed``: layers whose exchanges overlap with
    the products that wait for them. ``wavefront``: in a phase, input products of the next step
    come after the stages of all layers, not of their own alone, so that layers which share
    devices hide each other's exchanges. ``collective`` (`bench.plans.collectives`) says how a
    stage's finished rows and its partial sums travel: along the topology's routes, or in rounds.
    ``copies``: data parallelism; each of them owns the whole network, and the batch is split over
    them (none: all devices work on the whole batch). ``notes`` explain the plan to a reader.
    """

    partitioner: str
    blocks: tuple[Block, ...]
    vectors: tuple[VectorRange, ...]
    groups: tuple[tuple[int, ...], ...]
    software_pipelined: frozenset[str] = frozenset()
    streamed: tuple[Streaming, ...] = ()
    wavefront: bool = False
    collective: str = ROUTES
    copies: tuple[Copy, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def plan_id(self) -> str:
        """A short hash of what the plan does (notes and the partitioner's name left out)."""
        return hashlib.sha256(self.to_json(notes=False).encode()).hexdigest()[:12]

    def to_json(self, *, notes: bool = True) -> str:
        """The plan as JSON with sorted keys: equal plans give equal text."""
        value: dict[str, object] = {
            "blocks": sorted((b.layer, b.matrix, b.rows, b.cols, b.device) for b in self.blocks),
            "vectors": sorted((v.layer, v.stage, v.rows, v.device) for v in self.vectors),
            "groups": self.groups,
            "software_pipelined": sorted(self.software_pipelined),
        }
        if self.streamed:
            value["streamed"] = sorted((s.layer, s.parts, s.ahead) for s in self.streamed)
        if self.wavefront:
            value["wavefront"] = True
        if self.collective != ROUTES:
            value["collective"] = self.collective
        if self.copies:
            value["copies"] = [(copy.items, copy.devices) for copy in self.copies]
        if notes:
            value |= {"partitioner": self.partitioner, "notes": self.notes}
        return json.dumps(value, sort_keys=True, separators=(",", ":"))

    @property
    def devices(self) -> tuple[int, ...]:
        """Devices that own anything, ascending."""
        return tuple(sorted({b.device for b in self.blocks} | {v.device for v in self.vectors}))
