"""Partitioners: functions from (workload, cluster) to a plan, one file each.

A partitioner is a module with a function ``plan(workload, cluster, *, ...) -> Plan``, or one that
yields plans, each better than the one before; the last counts. The first line of the module's
docstring is what `bench list partitioners` shows. Parameters are keyword-only, typed, and have
defaults. It may raise `bench.errors.Unsupported` with a reason. These here are built in;
`sources` finds others, and `docs/add-a-partitioner.md` walks through one.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError, unknown_name
from bench.hardware.profile import Cluster
from bench.plans.plan import Plan
from bench.workloads.model import Workload

BUILT_IN = {
    "single": "single",
    "layer-wise": "layer_wise",
    "input-wise": "input_wise",
    "gate-wise": "gate_wise",
    "row-wise": "row_wise",
    "column-wise": "column_wise",
    "full-dac20": "full_dac20",
    "full": "full",
}
"""Name -> module of this package."""

CONVENTIONAL = ("layer-wise", "input-wise", "gate-wise")
"""The baselines that DAC 2020 calls conventional."""


@dataclass(frozen=True)
class Partitioner:
    """A partitioner ready for use: its name, what it does in a line, its file, its function."""

    name: str
    summary: str
    source: Path
    function: Callable[..., Plan | Iterator[Plan]]

    @property
    def parameters(self) -> dict[str, object]:
        """Parameter names and their defaults."""
        signature = inspect.signature(self.function)
        return {p.name: p.default for p in signature.parameters.values() if p.kind is p.KEYWORD_ONLY}

    def plan(self, workload: Workload, cluster: Cluster, **parameters: object) -> Plan:
        """The plan for ``workload`` on ``cluster``; of several the last one.

        Raises UserError for an unknown parameter, Unsupported if the partitioner declines.
        """
        for name in parameters:
            if name not in self.parameters:
                known = ", ".join(self.parameters) or "none"
                raise UserError(f"partitioner {self.name!r} has no parameter {name!r}; it has: {known}")
        result = self.function(workload, cluster, **parameters)
        if isinstance(result, Iterator):
            *_, result = result
        return result


def partitioner_names() -> list[str]:
    """Names of the built-in partitioners, baselines first."""
    return list(BUILT_IN)


def load_partitioner(name: str) -> Partitioner:
    """The partitioner called ``name``; raises UserError with the nearest names if there is none."""
    if name not in BUILT_IN:
        raise unknown_name("partitioner", name, BUILT_IN)
    module = importlib.import_module(f"bench.partitioners.{BUILT_IN[name]}")
    summary = (module.__doc__ or "").strip().splitlines()[0]
    return Partitioner(name, summary, Path(str(module.__file__)), module.plan)
