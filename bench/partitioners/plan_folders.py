"""Plans that a tool has written to files, one a point, taken as a partitioner's answers.

A file says for which workload and how many FPGAs it is, and may say for which profile,
topology, link and link latency; what it leaves out it is good for all of.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from bench.errors import InvalidPlan, Unsupported, UserError
from bench.files import read_text, shown
from bench.plans.files import PlanFile
from bench.plans.form import FILLED_IN, parse_json

if TYPE_CHECKING:
    from bench.experiments import Point
    from bench.plans.plan import Plan

KEYS = ("workload", "fpgas", "profile", "topology", "link", "link_latency_ns")
"""What a file may be for; the first two it must say."""


def folder_plan(files: tuple[Path, ...], point: Point) -> Plan:
    """The plan for ``point`` among ``files``.

    Raises Unsupported if there is none, InvalidPlan if it is not of the published form, UserError if
    two are for the point.
    """
    found = [path for path in files if _meant(path, point)]
    if len(found) > 1:
        raise UserError(f"{shown(found[0])} and {shown(found[1])} are both for this point; remove one")
    if not found:
        asked = f"{point.workload} on {point.fpgas} x {point.profile}, {point.topology}"
        raise Unsupported(f"no file in {shown(files[0].parent)} is a plan for {asked}")
    return plan_from_text(read_text(found[0]), point)


def check_folder(files: tuple[Path, ...]) -> None:
    """Raise UserError, a line for each file that does not say what it is for."""
    problems = []
    for path in files:
        try:
            header(path)
        except UserError as error:
            problems.append(str(error))
    if problems:
        raise UserError("\n".join(problems))


def plan_from_text(text: str, point: Point) -> Plan:
    """A plan in JSON, which may leave out what it is for; InvalidPlan if it is not of the published form."""
    given = {**FILLED_IN, **{key: getattr(point, key) for key in KEYS}}
    try:
        content = parse_json(text)
        if not isinstance(content, dict):
            raise InvalidPlan(f"is a {type(content).__name__}, not an object with blocks, vectors, groups")
        return PlanFile.model_validate(given | content).plan()
    except ValidationError as error:
        first, *others = error.errors(include_url=False)
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"]).lstrip(".")
        more = f" (and {len(others)} more)" if others else ""
        raise InvalidPlan(f"{place}: {first['msg'][:1].lower()}{first['msg'][1:]}{more}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidPlan(f"is not JSON: {error}") from None


def _meant(path: Path, point: Point) -> bool:
    return all(getattr(point, key) == value for key, value in header(path).items())


def header(path: Path) -> dict[str, Any]:
    """What the file says it is for, `KEYS` that it has; UserError if those that it must say are missing."""
    stat = path.stat()
    return _read_header(path, stat.st_mtime_ns, stat.st_size)


@lru_cache(maxsize=4096)
def _read_header(path: Path, _mtime: int, _size: int) -> dict[str, Any]:
    try:
        content = parse_json(read_text(path))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{shown(path)}: is not JSON: {error}") from None
    given = content if isinstance(content, dict) else {}
    if not isinstance(given.get("workload"), str) or type(given.get("fpgas")) is not int:
        raise UserError(f"{shown(path)}: does not say what it is a plan for; it needs workload and fpgas")
    return {key: given[key] for key in KEYS if key in given}
