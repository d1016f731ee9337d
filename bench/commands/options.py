"""Options that several commands have, with their help."""

from __future__ import annotations

from typing import Annotated

import typer

DEFAULT_PROFILE = "s10-gx2800-dac20"
WORKLOAD_HELP = "Catalogue name, YAML or .onnx file, or a layer like lstm-1024-b1-t25."
PARTITIONER_HELP = "A name from `bench list partitioners`, a Python file, or a folder of plans/."
ProfileName = Annotated[str, typer.Option(help="Hardware profile: name or file.")]
Fpgas = Annotated[int, typer.Option(min=1, help="Number of FPGAs.")]
TopologyName = Annotated[str, typer.Option(help="How they are joined.")]
Parameters = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="A parameter of the partitioner; repeatable."),
]
LinkName = Annotated[str | None, typer.Option(help="One of the profile's links (default: its first).")]
LinkLatency = Annotated[float | None, typer.Option(min=0, help="Replaces the link's latency.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
