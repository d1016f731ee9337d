"""What a workload file may hold: one workload, a family of them, or a table of single layers.

``python -m bench.workloads.schema`` writes the JSON Schema that editors complete and
check workload files with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, RootModel, Tag

from bench.files import FileModel, json_schema
from bench.workloads.model import Cell, Combine, Direction

SCHEMA_FILE = Path(__file__).resolve().parents[2] / "docs" / "schemas" / "workload.schema.json"

Size = Annotated[int, Field(gt=0)]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
LayerNames = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*(\.\.[0-9]+)?$")]


class LayerFeed(FileModel):
    """Another layer's output."""

    layer: str = Field(description="name of a layer, or `below`: the layer listed before this one")
    delay: Literal[0, 1] = Field(default=0, description="1: the output of the step before (feedback)")


class ExternalFeed(FileModel):
    """A vector from outside the network."""

    external: Size = Field(description="elements of the vector")


def _feed_kind(value: Any) -> str:
    if isinstance(value, dict | FileModel):
        keys = value if isinstance(value, dict) else type(value).model_fields
        return "data from outside" if "external" in keys else "a layer"
    return "a name"


Feed = Annotated[
    Annotated[str, Tag("a name")]
    | Annotated[LayerFeed, Tag("a layer")]
    | Annotated[ExternalFeed, Tag("data from outside")],
    Discriminator(_feed_kind),
]


class LayerEntry(FileModel):
    """One layer, a range of equal layers (``encoder-2..7``), or a bidirectional layer."""

    name: LayerNames = Field(description="`top` is one layer, `layer-0..7` eight in a stack")
    cell: Cell
    hidden_size: Size
    input_size: Size | None = Field(
        default=None, description="elements of x; needed beside a plain `input`, checked elsewhere"
    )
    projection_size: Size | None = Field(default=None, description="elements of h after LSTM projection")
    direction: Direction | Literal["both"] = "forward"
    merge: Combine = Field(
        default="concat", description="how the two directions of a bidirectional layer feed the next layer"
    )
    inputs: list[Feed] | None = Field(
        default=None,
        min_length=1,
        description="layer names, `below`, `input` (from outside, the rest of input_size); "
        "default: `input` for the first layer, `below` for the others",
    )
    combine: Combine | None = Field(
        default=None, description="how several inputs become one; default: concat"
    )
    time_reduction: Size = Field(default=1, description="so many steps of the layers below become one step")
    reduction: Combine = Field(default="concat", description="how these steps become one vector")
    steps: Size | None = Field(default=None, description="default: as the layers below give")
    reset: Literal["before", "after"] | None = Field(
        default=None, description="GRU: reset h before the candidate's product (default) or after it"
    )
    skip_input: bool = Field(default=False, description="no input product is computed, as in cuDNN")
    after: list[str] = Field(default=[], description="layers that must have ended, though no vector flows")


class WorkloadEntry(FileModel):
    """One workload: layers in any order that names below above."""

    name: Name
    source: str | None = Field(default=None, description="where the shape comes from")
    assumptions: list[str] = Field(default=[], description="what the source leaves open, and what was chosen")
    steps: Size | None = Field(default=None, description="time steps of layers that no other layer feeds")
    batch: Size | None = Field(default=None, description="default: 1")
    layers: list[LayerEntry] = Field(min_length=1)


class Defaults(FileModel):
    """What the workloads of a family share unless they say otherwise."""

    steps: Size | None = None
    batch: Size = 1


class Family(FileModel):
    """Workloads named ``family/name``."""

    family: Name
    source: str = ""
    assumptions: list[str] = Field(default=[], description="hold for every workload of the family")
    defaults: Defaults = Defaults()
    workloads: list[WorkloadEntry] = Field(min_length=1)


class Mode(FileModel):
    """A way to run every problem of a table."""

    skip_input: bool = False
    reset: Literal["before", "after"] = "before"
    assumptions: list[str] = Field(default=[])


class TableRow(FileModel):
    """Single layers: each hidden size with each batch size and each number of time steps."""

    cell: Cell
    hidden_sizes: list[Size] = Field(min_length=1)
    batches: list[Size] = Field(min_length=1)
    steps: list[Size] = Field(min_length=1)


class Table(FileModel):
    """Single-layer workloads named ``mode/set/cell-hidden-bBATCH-tSTEPS``, input as wide as hidden."""

    source: str = ""
    assumptions: list[str] = Field(default=[], description="hold for every workload of the table")
    modes: dict[Name, Mode] = Field(min_length=1, description="every problem exists in each mode")
    sets: dict[Name, list[TableRow]] = Field(min_length=1)


def _file_kind(value: Any) -> str:
    keys = value if isinstance(value, dict) else ()
    if "sets" in keys or "modes" in keys:
        return "a table"
    return "a family" if "family" in keys or "workloads" in keys else "a workload"


class WorkloadFile(
    RootModel[
        Annotated[
            Annotated[WorkloadEntry, Tag("a workload")]
            | Annotated[Family, Tag("a family")]
            | Annotated[Table, Tag("a table")],
            Discriminator(_file_kind),
        ]
    ]
):
    """A workload file: which of the three it is shows in its keys."""


def schema_text() -> str:
    """The JSON Schema of workload files."""
    return json_schema(WorkloadFile, "RNN workloads")


if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
