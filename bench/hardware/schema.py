"""The schema of a profile file, and the `Profile` value that it stands for."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from bench.files import FileModel, as_text, json_schema
from bench.hardware.extension_schema import with_extension
from bench.hardware.profile import (
    Arithmetic,
    BatchCore,
    BoardPower,
    ExternalMemory,
    LinkProfile,
    Overlay,
    Profile,
)
from bench.hardware.quantities import (
    Bandwidth,
    Count,
    Cycles,
    Duration,
    ElementSize,
    Fraction,
    Frequency,
    InverseBandwidth,
    MatrixFormat,
    Power,
    Size,
    Text,
    VectorFormat,
    Width,
)

PROJECTION = "-projection"
"""End of the names of projections, in files, tables and figures alike."""

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]*$")]


class BatchCoreFile(FileModel):
    """Rules of a core that multiplies several vectors at once; see `bench.hardware.profile.BatchCore`."""

    accumulators: Count = Field(description="row blocks that share a pass over the columns")
    output_cycles: Cycles = Field(description="between two row blocks' results, at least")
    instruction_gap: Cycles = Field(description="lost by the matrix unit at each of its instructions")
    first_unit: Cycles = Field(description="entry of the vector pipeline -> first unit reads its operand")
    second_unit: Cycles = Field(description="entry of the vector pipeline -> second unit reads its operand")
    output_latency: Cycles = Field(description="loader -> output")
    program_steps: Count | None = Field(
        default=None, description="time steps that one program holds; left out: all of a run"
    )

    def core(self) -> BatchCore:
        """The value that the emulator reads."""
        return BatchCore(
            accumulators=int(self.accumulators.base),
            output_cycles=int(self.output_cycles.base),
            instruction_gap_cycles=int(self.instruction_gap.base),
            first_unit_cycles=int(self.first_unit.base),
            second_unit_cycles=int(self.second_unit.base),
            output_latency_cycles=int(self.output_latency.base),
            program_steps=int(self.program_steps.base) if self.program_steps else None,
        )


class OverlayFile(FileModel):
    """Structure and latencies of the overlay; see `bench.hardware.profile.Overlay`."""

    tiles: Count
    engines: Count = Field(description="dot-product engines per tile")
    lanes: Count = Field(description="multipliers per engine")
    cores: Count
    vectors_per_pass: Count = Field(description="batch items a core multiplies with the same weights at once")
    row_block_overhead: Cycles = Field(description="added to each block of `engines` rows")
    matrix_latency: Cycles = Field(description="last column issued -> result at the multifunction units")
    multifunction_latency: Cycles = Field(description="both multifunction units in series")
    writeback_latency: Cycles = Field(description="multifunction units -> readable vector register")
    instruction_issue: Cycles = Field(description="least distance between two instructions of a device")
    input_load: Cycles = Field(description="once a run: first input vector and start of the pipeline")
    vector_cycles: Cycles | None = Field(
        default=None, description="a native vector in the multifunction units; 1 if left out"
    )
    step_interval: Cycles | None = Field(
        default=None, description="least distance between the starts of two time steps; 0 if left out"
    )
    steps_overlap: bool = Field(
        default=False, description="a time step begins while the one before it ends, in program order"
    )
    batch_core: BatchCoreFile | None = Field(
        default=None, description="rules of a core with tensor blocks; input_load is then the start alone"
    )

    def overlay(self) -> Overlay:
        """The value that the emulator reads."""
        return Overlay(
            tiles=int(self.tiles.base),
            engines=int(self.engines.base),
            lanes=int(self.lanes.base),
            cores=int(self.cores.base),
            vectors_per_pass=int(self.vectors_per_pass.base),
            row_block_overhead_cycles=int(self.row_block_overhead.base),
            matrix_latency_cycles=int(self.matrix_latency.base),
            multifunction_latency_cycles=int(self.multifunction_latency.base),
            writeback_latency_cycles=int(self.writeback_latency.base),
            instruction_issue_cycles=int(self.instruction_issue.base),
            input_load_cycles=int(self.input_load.base),
            vector_cycles=int(self.vector_cycles.base) if self.vector_cycles else 1,
            step_interval_cycles=int(self.step_interval.base) if self.step_interval else 0,
            steps_overlap=self.steps_overlap,
            batch_core=self.batch_core.core() if self.batch_core else None,
        )


class LinkFile(FileModel):
    """One kind of link: latency from card to card, and bandwidth one way or the other."""

    name: Name
    latency: Duration
    inverse_bandwidth: InverseBandwidth | None = None
    bandwidth: Bandwidth | None = None
    beat: Size = Field(description="a message occupies the link in whole beats")

    @model_validator(mode="after")
    def _one_bandwidth(self) -> LinkFile:
        if (self.inverse_bandwidth is None) == (self.bandwidth is None):
            raise ValueError(
                "a link has either a bandwidth or an inverse_bandwidth; give exactly one of them"
            )
        if not self.beat.base.is_integer():
            raise ValueError(f"a beat is a whole number of bytes, not {self.beat.base}")
        return self

    def link(self) -> LinkProfile:
        """The value that the emulator reads."""
        if self.bandwidth is not None:
            ns_per_byte = 1.0 / self.bandwidth.base
        else:
            assert self.inverse_bandwidth is not None
            ns_per_byte = self.inverse_bandwidth.base
        return LinkProfile(self.name, self.latency.base, ns_per_byte, int(self.beat.base))


class ExternalMemoryFile(FileModel):
    """Memory on the card that weights may spill to."""

    capacity: Size
    bandwidth: Bandwidth

    def memory(self) -> ExternalMemory:
        """The value that the emulator reads."""
        return ExternalMemory(int(self.capacity.base), self.bandwidth.base * 1e9)


class MemoryFile(FileModel):
    """Where weights stay."""

    weight_capacity: Size = Field(description="on-chip memory that could hold weights")
    usable_fraction: Fraction = Field(description="the part of it left for weights by everything else")
    ignore_weight_capacity: bool = Field(
        default=False, description="count all weights as on-chip, as a paper simulated them"
    )
    external: ExternalMemoryFile | None = None


class ElementsFile(FileModel):
    """What one element takes."""

    weight: ElementSize
    vector: ElementSize = Field(description="of x, h or c on a link")
    partial_sum: ElementSize = Field(description="of a partial sum on a link")


class ArithmeticFile(FileModel):
    """Number formats that the overlay computes in; `bench.numerics.formats` says what they are."""

    matrix: MatrixFormat = Field(description="of matrix products")
    accumulator: Width | None = Field(default=None, description="of integer sums; for int8 formats alone")
    vector: VectorFormat = Field(description="of elementwise operations")

    @model_validator(mode="after")
    def _integers_have_a_width(self) -> ArithmeticFile:
        if self.matrix.value.startswith("int8") != (self.accumulator is not None):
            raise ValueError(
                f"an accumulator has a width where the matrix format is int8 or int8-tensor, and only there; "
                f"it is {self.matrix.value}"
            )
        return self

    def arithmetic(self) -> Arithmetic:
        """The value that `bench.numerics` reads."""
        bits = int(self.accumulator.base) if self.accumulator else None
        return Arithmetic(self.matrix.value, self.vector.value, bits)


class BoardPowerFile(FileModel):
    """What a device draws; see `bench.hardware.profile.BoardPower`. What no source says is left out."""

    covers: Literal["board", "chip"] = Field(default="board", description="chip: nothing else on the board")
    idle: Power | None = Field(default=None, description="configured, with nothing to do")
    active: Power | None = Field(default=None, description="the least while the overlay runs")
    peak: Power | None = Field(default=None, description="the most; no run takes more")

    @model_validator(mode="before")
    @classmethod
    def _is_a_group(cls, data: Any) -> Any:
        if isinstance(data, dict) and "value" in data:
            raise ValueError(
                "is a group of idle, active and peak, each a number with a source; "
                "write board_power: {peak: {value: ..., unit: W, kind: ..., source: ...}}"
            )
        return data

    @model_validator(mode="after")
    def _does_not_fall(self) -> BoardPowerFile:
        stated = [
            (name, power.base)
            for name, power in (("idle", self.idle), ("active", self.active), ("peak", self.peak))
            if power
        ]
        if not stated:
            raise ValueError("states none of idle, active and peak; leave board_power out, or state one")
        for (name, less), (other, more) in pairwise(stated):
            if less > more:
                raise ValueError(f"{name} is {less:g} W and {other} {more:g} W; they should not fall")
        return self

    def power(self) -> BoardPower:
        """The value that `bench.energy` reads."""
        running = (self.active, self.peak)
        return BoardPower(
            idle_w=self.idle.base if self.idle else None,
            active_w=self.active.base if self.active else None,
            peak_w=self.peak.base if self.peak else None,
            covers=self.covers,
            measured=self.covers == "board" and all(p and p.kind == "measured" for p in running),
        )


class ProfileFile(FileModel):
    """One kind of FPGA: overlay, memory, links, every number with unit, kind and source.

    A file with ``extends`` states only what differs from that profile (`bench.hardware.extends`).
    """

    extends: Text | None = Field(
        default=None, description="name of a profile, or a .yaml file beside this one, to take the rest from"
    )
    name: Name
    status: Literal["projection"] | None = Field(
        default=None, description="projection: nobody has built or measured it; its name says so too"
    )
    device: Text
    summary: Text = Field(description="one line for lists")
    clock: Frequency
    overlay: OverlayFile
    memory: MemoryFile
    elements: ElementsFile
    arithmetic: ArithmeticFile
    links: list[LinkFile] = Field(min_length=1, description="the first is the default")
    network_ports: Count | None = Field(
        default=None, description="cables a card takes; left out: no limit is known"
    )
    board_power: BoardPowerFile | None = Field(default=None, description="left out: no energy is told")

    @model_validator(mode="after")
    def _link_names_differ(self) -> ProfileFile:
        names = [link.name for link in self.links]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"each link has a name of its own; twice here: {', '.join(twice)}")
        return self

    @model_validator(mode="after")
    def _projections_are_named_so(self) -> ProfileFile:
        if (self.status == "projection") != self.name.endswith(PROJECTION):
            raise ValueError(
                f"`status: projection` and a name that ends in {PROJECTION} go together, so that every table "
                f"shows it; the name is {self.name!r}, the status {self.status or 'left out'}"
            )
        return self

    def profile(self) -> Profile:
        """The value that the emulator reads."""
        memory, elements = self.memory, self.elements
        return Profile(
            name=self.name,
            device=self.device,
            clock_mhz=self.clock.base,
            overlay=self.overlay.overlay(),
            links=tuple(link.link() for link in self.links),
            weight_memory_bytes=int(memory.weight_capacity.base * memory.usable_fraction.base),
            weight_bytes_per_element=elements.weight.base,
            vector_bytes_per_element=elements.vector.base,
            partial_sum_bytes_per_element=elements.partial_sum.base,
            ignore_weight_capacity=memory.ignore_weight_capacity,
            external_memory=memory.external.memory() if memory.external else None,
            board_power=self.board_power.power() if self.board_power else None,
            arithmetic=self.arithmetic.arithmetic(),
            network_ports=int(self.network_ports.base) if self.network_ports else None,
            summary=self.summary,
            status=self.status or "",
        )


def schema_text() -> str:
    """The JSON Schema of a profile file, for editors; kept in docs/schemas/profile.schema.json."""
    return as_text(with_extension(json.loads(json_schema(ProfileFile, "Hardware profile"))))


if __name__ == "__main__":
    print(schema_text(), end="")
