"""Plans as files: a plan with the workload and the cluster that it is for."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from bench.files import FileModel, load_yaml
from bench.plans.plan import ROUTES, Block, Copy, Plan, Range, Streaming, VectorRange

if TYPE_CHECKING:
    from bench.experiments import Point

PLAN_FORMAT = 1
"""History: 1, the first."""

Index = Annotated[int, Field(ge=0)]
Ends = Annotated[list[Index], Field(min_length=2, max_length=2, description="[start, stop), half open")]


class BlockEntry(FileModel):
    """A block of one matrix and the device that owns it."""

    layer: str
    matrix: str
    rows: Ends
    cols: Ends
    device: Index


class VectorEntry(FileModel):
    """A range of one vector stage and the device that computes it."""

    layer: str
    stage: str
    rows: Ends
    device: Index


class StreamingEntry(FileModel):
    """How one layer's products overlap with exchanges."""

    layer: str
    parts: Annotated[int, Field(ge=1, description="parts by distance that products are cut in")] = 1
    ahead: Annotated[int, Field(ge=0, description="input products behind the first stage")] = 0


class CopyEntry(FileModel):
    """A copy of the network, and its share of the batch."""

    items: Annotated[int, Field(gt=0, description="items of the batch that it takes")]
    devices: list[Index]


class PlanFile(FileModel):
    """An ownership map, and what it is a plan for."""

    plan_format: Annotated[int, Field(ge=PLAN_FORMAT, le=PLAN_FORMAT)]
    workload: str
    profile: str
    topology: str
    link: str
    link_latency_ns: Annotated[float, Field(ge=0)]
    fpgas: Annotated[int, Field(gt=0)]
    partitioner: str
    blocks: list[BlockEntry]
    vectors: list[VectorEntry]
    groups: list[list[Index]]
    software_pipelined: list[str] = Field(default=[])
    streamed: list[StreamingEntry] = Field(default=[])
    wavefront: bool = False
    collective: str = ROUTES
    copies: list[CopyEntry] = Field(default=[])
    notes: list[str] = Field(default=[])

    def plan(self) -> Plan:
        """The plan itself."""
        return Plan(
            partitioner=self.partitioner,
            blocks=tuple(
                Block(b.layer, b.matrix, _range(b.rows), _range(b.cols), b.device) for b in self.blocks
            ),
            vectors=tuple(VectorRange(v.layer, v.stage, _range(v.rows), v.device) for v in self.vectors),
            groups=tuple(tuple(group) for group in self.groups),
            software_pipelined=frozenset(self.software_pipelined),
            streamed=tuple(Streaming(s.layer, s.parts, s.ahead) for s in self.streamed),
            wavefront=self.wavefront,
            collective=self.collective,
            copies=tuple(Copy(c.items, tuple(c.devices)) for c in self.copies),
            notes=tuple(self.notes),
        )


def read_plan(path: Path) -> PlanFile:
    """Read a plan file (JSON or YAML); UserError with all that is wrong with its form."""
    return load_yaml(path, PlanFile)


def save_plan(path: Path, plan: Plan, point: Point) -> None:
    """Write ``plan`` as JSON, with the point's workload and cluster; the file appears by rename."""
    value: dict[str, object] = {
        "plan_format": PLAN_FORMAT,
        "workload": point.workload,
        "profile": point.profile,
        "topology": point.topology,
        "link": point.link,
        "link_latency_ns": point.link_latency_ns,
        "fpgas": point.fpgas,
        "partitioner": plan.partitioner,
        "notes": plan.notes,
        "software_pipelined": sorted(plan.software_pipelined),
        "streamed": [asdict(streaming) for streaming in plan.streamed],
        "wavefront": plan.wavefront,
        **({} if plan.collective == ROUTES else {"collective": plan.collective}),
        **({"copies": [asdict(copy) for copy in plan.copies]} if plan.copies else {}),
        "groups": plan.groups,
        "blocks": [block._asdict() for block in plan.blocks],
        "vectors": [vector._asdict() for vector in plan.vectors],
    }
    partial = path.with_name(path.name + ".partial")
    partial.write_text(_readable(value), encoding="utf-8")
    partial.replace(path)


def _readable(value: dict[str, object]) -> str:
    """JSON with one block, vector range or value a line."""
    parts = []
    for key, item in value.items():
        if isinstance(item, list) and item and isinstance(item[0], dict):
            inner = ",\n".join(f"    {json.dumps(entry)}" for entry in item)
            parts.append(f"  {json.dumps(key)}: [\n{inner}\n  ]")
        else:
            parts.append(f"  {json.dumps(key)}: {json.dumps(item)}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _range(ends: list[int]) -> Range:
    return (ends[0], ends[1])
