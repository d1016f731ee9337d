"""Which points of a configuration are measured, and on what."""

from __future__ import annotations

import hashlib
from pathlib import Path

from bench.boards.found import Boards, Where, find_boards
from bench.digest import PACKAGE, sources
from bench.experiments import BoardSettings, Config, Point, expand, read_workload


def wanted_points(config: Config) -> dict[Point, str]:
    """Points to measure and the experiment that asks for each first; those of a workload together."""
    assert config.boards is not None
    names = config.boards.experiments
    found: dict[Point, str] = {}
    for experiment in config.experiments:
        if names is None or experiment.name in names:
            for point in expand(experiment):
                found.setdefault(point, experiment.name)
    order = {workload: place for place, workload in enumerate(dict.fromkeys(p.workload for p in found))}
    return {point: found[point] for point in sorted(found, key=lambda point: order[point.workload])}


def boards_of(settings: BoardSettings) -> Boards | str:
    """The devices that the section ``boards`` of a configuration means, or why there are none."""
    cables = Path(settings.cables) if settings.cables else None
    return find_boards(Where(settings.backend), cables, Path(settings.bitstreams))


def boards_digest(config: Config) -> str:
    """A hash over all that measured rows depend on: points, code, devices, bitstreams' folder."""
    if config.boards is None:
        return ""
    boards = boards_of(config.boards)
    parts = [
        config.boards.model_dump_json(),
        boards if isinstance(boards, str) else boards.fingerprint,
        *(point.point_id for point in wanted_points(config)),
        *(str(read_workload(name)) for name in dict.fromkeys(p.workload for p in wanted_points(config))),
        *(path.read_text(encoding="utf-8") for path in sources([PACKAGE / "boards" / "rows.py"])),
    ]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]
