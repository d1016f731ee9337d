"""What the instructions of a layer depend on: all that its lowering is given."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from functools import cached_property, lru_cache

from bench.hardware.profile import Overlay, Profile
from bench.hardware.topology import Topology
from bench.plans.cells import CellProgram, Product
from bench.plans.outline import Shape
from bench.plans.ownership import Needs, Owned, Shards, Tile, Tiling
from bench.plans.plan import ROUTES
from bench.workloads.model import Layer


class Order(Enum):
    """The order of a layer's instructions; at the semicolon those of other layers may come."""

    PLAIN = "input products, stages"
    PIPELINED = "stages; then input products of the next step"
    LOOP = "input products, stages; then recurrent products of the next step, behind the layer above"
    LOOP_END = "recurrent products, behind the loop's first layer; then input products and stages"


@dataclass(frozen=True, eq=False)
class Machine:
    """What lowering asks of the devices, which compute ``batch`` items at once; nothing of links or clock."""

    overlay: Overlay
    vector_bytes_per_element: float
    partial_sum_bytes_per_element: float
    batch: int

    @cached_property
    def passes(self) -> int:
        """Runs of each product, back to back, that a batch takes."""
        return math.ceil(self.batch / (self.overlay.cores * self.overlay.vectors_per_pass))


def machine(profile: Profile, batch: int) -> Machine:
    """The one value for such devices and this batch size."""
    return _machine(
        profile.overlay, profile.vector_bytes_per_element, profile.partial_sum_bytes_per_element, batch
    )


_machine = lru_cache(maxsize=16)(Machine)


@dataclass(frozen=True)
class Setting:
    """A layer's shape and its surroundings, without names: equal settings give equal instructions.

    ``sources``: of each input, who makes it, if a layer does that advances through time with this one.
    ``stalls``: devices whose products slow down because weights stream in, and by what factor.
    ``streaming``: its parts and input products ahead, if the layer is streamed. ``collective``: how rows
    and sums travel; unless along the routes, ``wanted``: who needs what of each of the sources.
    """

    shape: Shape
    owned: Owned
    sources: tuple[Shards | None, ...]
    topology: Topology
    machine: Machine
    stalls: tuple[tuple[int, float], ...]
    order: Order
    streaming: tuple[int, int] | None
    collective: str = ROUTES
    wanted: tuple[Needs | None, ...] = ()

    @property
    def layer(self) -> Layer:
        """The layer; its name is empty."""
        return self.shape.layer

    @property
    def program(self) -> CellProgram:
        """Products and stages of a step."""
        return self.shape.program

    @property
    def pipelined(self) -> bool:
        """Whether the layer is software pipelined."""
        return self.order is not Order.PLAIN

    @property
    def known_early(self) -> str:
        """The operand whose products are made a step ahead."""
        if self.order in (Order.LOOP, Order.LOOP_END):
            return "h"
        return "x" if self.pipelined else ""

    @property
    def sent_early(self) -> str:
        """The operand, if any, whose sums are sent a step ahead.

        With nothing else to add to, they are this step's own sums.
        """
        others = any(product.operand != self.known_early for product in self.program.products)
        return self.known_early if self.streaming and others else ""

    @cached_property
    def tilings(self) -> dict[str, Tiling]:
        """The blocks of each matrix."""
        matrices = (product.matrix for product in self.program.products)
        return dict(zip(matrices, self.owned.tilings, strict=True))

    def tiles(self, product: Product) -> tuple[Tile, ...]:
        """The blocks of a product's matrix, by device."""
        return self.tilings[product.matrix].tiles

    @cached_property
    def shards(self) -> dict[str, Shards]:
        """Who computes each stage."""
        stages = (stage.name for stage in self.program.stages)
        return dict(zip(stages, self.owned.shards, strict=True))

    @cached_property
    def needs(self) -> dict[str, Needs]:
        """Who must hold what of each stage."""
        stages = (stage.name for stage in self.program.stages)
        return dict(zip(stages, self.owned.needs, strict=True))
