"""Plans in files, written by any tool: read, timed and run with numbers, apart from this process."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.experiments import Limits, Point, read_profile, read_workload
from bench.files import read_text, shown
from bench.hardware.files import make_cluster
from bench.isolation.answer import Answer, HandedIn
from bench.isolation.client import Plugins
from bench.isolation.watch import PLAN_BYTES
from bench.partitioners.plan_folders import header
from bench.plans.form import read_form
from bench.rows import Row
from bench.runner import run_points

PROFILE, TOPOLOGY = "s10-gx2800-dac20", "ring"
"""What a plan is tried on that does not say what it is for."""


@dataclass(frozen=True)
class PlanCheck:
    """What came of a plan file: the mistakes in its ``form``, a line each, or its point's ``row``."""

    path: Path
    form: tuple[str, ...] = ()
    point: Point | None = None
    row: Row | None = None

    @property
    def passed(self) -> bool:
        """Whether it is valid, was timed, and has the right numbers."""
        return self.row is not None and (self.row["status"], self.row["termination"]) == ("ok", "none")


class _Files(Plugins):
    """Answers that stand in files: no process is started for them."""

    def __init__(self, limits: Limits, folder: Path, texts: dict[Point, str]) -> None:
        super().__init__(limits, folder)
        self._texts = texts

    def ask(self, point: Point) -> Answer:
        return Answer((HandedIn(0.0, self._texts[point]),))


def check_plans(
    paths: Iterable[Path], limits: Limits, *, profile: str = PROFILE, topology: str = TOPOLOGY
) -> list[PlanCheck]:
    """What came of each file, in order; ``profile`` and ``topology`` are for files that leave them out.

    Each plan is evaluated in another process, with the ``limits`` of time and memory.
    """
    checks: dict[Path, PlanCheck] = {}
    texts: dict[Point, str] = {}
    files: dict[Point, Path] = {}
    for path in paths:
        try:
            point, text = _read(path, profile, topology)
            checks[path] = PlanCheck(path, point=point)
            if point in files:
                other = shown(files[point])
                raise UserError(f"{shown(path)}: is for the same workload and cluster as {other}; remove one")
            texts[point], files[point] = text, path
        except UserError as error:
            checks[path] = PlanCheck(path, form=tuple(str(error).splitlines()))
    with tempfile.TemporaryDirectory() as folder, _Files(limits, Path(folder), texts) as plugins:
        for point, row in run_points(texts, limits, plugins=plugins):
            checks[files[point]] = PlanCheck(files[point], point=point, row=row)
    return list(checks.values())


def plan_files(path: Path) -> list[Path]:
    """The file itself, or all plans in a folder, sorted; UserError if there is none."""
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*.json"))
    if not found:
        raise UserError(f"{shown(path)}: the folder holds no plans (*.json)")
    return found


def _read(path: Path, profile: str, topology: str) -> tuple[Point, str]:
    """The point that a file is for, and its text, once its form is right."""
    name, text = shown(path), read_text(path)
    if len(text) > PLAN_BYTES:
        raise UserError(f"{name}: is larger than {PLAN_BYTES // 2**20} MiB; expected a plan of less")
    meant: dict[str, Any] = {"profile": profile, "topology": topology, **header(path)}
    try:
        known = {**meant, "link": "", "link_latency_ns": 0.0, "workload": str(meant["workload"])}
        read_form(text, name, {key: known[key] for key in known if key not in ("workload", "fpgas")})
        read_workload(meant["workload"])
        cluster = make_cluster(
            read_profile(meant["profile"]), meant["fpgas"], meant["topology"],
            meant.get("link"), meant.get("link_latency_ns"),
        )  # fmt: skip
    except UserError as error:
        lines = (line if line.startswith(name) else f"{name}: {line}" for line in str(error).splitlines())
        raise UserError("\n".join(lines)) from None
    point = Point(
        meant["workload"], meant["profile"], meant["topology"], cluster.link.name, cluster.link.latency_ns,
        meant["fpgas"], f"{path.parent}/",
    )  # fmt: skip
    return point, text
