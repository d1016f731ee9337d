"""Measured times on disk: for each machine a CSV of rows, and beside it what the machine is, as JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from bench.errors import UserError
from bench.files import shown

STORED = Path(__file__).resolve().parents[2] / "reports" / "baselines"
"""What is kept with the project; the README.md there says how to add a machine."""

STATUSES = ("ok", "unsupported", "wrong numbers", "error")


@dataclass(frozen=True)
class Row:
    """One workload on one engine with so many threads. Times are of one whole run, in seconds.

    ``device``: cpu or cuda; ``version``: of the engine; ``macs``: of the workload when it was timed;
    ``rounds``: runs that were timed, after ``warmup_rounds`` others, the first of which was checked;
    ``p99_s``: nearest rank, so the slowest of fewer than 100; ``deviation``: the largest from the project's
    own float32 numbers; ``load_average``: processes that wanted a core in the minute before the end, this one
    among them. Without a time, ``reason`` says why.
    """

    workload: str
    engine: str
    version: str
    device: str
    precision: str
    threads: int
    batch: int
    macs: int
    status: str
    reason: str = ""
    rounds: int | None = None
    warmup_rounds: int | None = None
    median_s: float | None = None
    least_s: float | None = None
    iqr_s: float | None = None
    p99_s: float | None = None
    deviation: float | None = None
    load_average: float | None = None


COLUMNS = [field.name for field in fields(Row)]
_TEXT = ("workload", "engine", "version", "device", "precision", "status", "reason")
_SHARES = ("deviation", "load_average")
_LABEL = re.compile(r"[a-z0-9]+(?:[-.][a-z0-9]+)*")


def check_label(label: str) -> str:
    """``label`` if it can name a machine's files; UserError if not."""
    if not _LABEL.fullmatch(label):
        raise UserError(f"label {label!r}: small letters and digits, with - or . between them")
    return label


def default_label(machine: Mapping[str, Any]) -> str:
    """A name out of processor, cores and GPU.

    >>> default_label({"processor": "AMD EPYC 7B13", "cores": 2, "gpu": None})
    'amd-epyc-7b13-2-cores'
    """
    text = f"{machine['processor'] or 'cpu'} {machine['cores']} cores {machine['gpu'] or ''}"
    return "-".join(re.findall(r"[a-z0-9]+", re.sub(r"\((r|tm)\)", " ", text.lower())))


def write_machine(folder: Path, label: str, machine: Mapping[str, Any], rows: Iterable[Row]) -> list[Path]:
    """Write ``label``.csv and ``label``.json in ``folder``, in place of those before; the two paths.

    Raises UserError if they cannot be written.
    """
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in rows:
        values = {name: _text(value) for name, value in asdict(row).items()}
        writer.writerow(values)
    contents = {
        f"{check_label(label)}.json": json.dumps(machine, indent=2, sort_keys=True) + "\n",
        f"{label}.csv": buffer.getvalue(),
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in contents.items():
            (folder / f"{name}.partial").write_text(text, encoding="utf-8")
        for name in contents:  # the rows last: without them nothing is read
            (folder / f"{name}.partial").replace(folder / name)
    except OSError as error:
        raise UserError(f"{shown(folder)}: cannot be written ({error.strerror})") from None
    return [folder / name for name in contents]


def joined(folder: Path, label: str, machine: Mapping[str, Any], rows: Iterable[Row]) -> list[Row]:
    """``rows`` with those stored for the machine before, where they are of something else; those first.

    Raises UserError if the machine is described in another way now, so that its times are not comparable.
    """
    rows = list(rows)
    if not (folder / f"{label}.csv").exists():
        return rows
    before = read_description(folder, label)
    for key in sorted(before.keys() | machine.keys()):
        if before.get(key) != machine.get(key):
            raise UserError(
                f"{shown(folder / label)}.json: {key} was {before.get(key)!r} and is {machine.get(key)!r}; "
                "leave out --add, or give another --label"
            )
    new = {_key(row) for row in rows}
    old = _rows(_read(folder / f"{label}.csv"))
    return [*(row for row in old if _key(row) not in new), *rows]


def _key(row: Row) -> tuple[str, str, int]:
    return (row.workload, row.engine, row.threads)


def _rows(frame: pd.DataFrame) -> list[Row]:
    records = frame[COLUMNS].astype(object).where(frame[COLUMNS].notna(), None).to_dict("records")
    return [Row(**{str(name): value for name, value in record.items()}) for record in records]


def read_machines(folder: Path = STORED) -> pd.DataFrame:
    """The rows of every machine in ``folder``, with its label as ``machine``; empty if there is none.

    Raises UserError for a file with other columns, another status, numbers that are none, or no description.
    """
    frames = [_read(path) for path in sorted(folder.glob("*.csv"))]
    if not frames:
        return pd.DataFrame(columns=["machine", *COLUMNS])
    return pd.concat(frames, ignore_index=True)


def read_description(folder: Path, label: str) -> dict[str, Any]:
    """What a machine is; UserError if its file is missing or no JSON object."""
    path = folder / f"{label}.json"
    again = "`bench baseline` writes both files: measure again"
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UserError(
            f"{shown(path)}: missing, or no JSON; it says what {label}.csv ran on; {again}"
        ) from None
    if not isinstance(value, dict):
        raise UserError(f"{shown(path)}: no JSON object; {again}")
    return value


def _read(path: Path) -> pd.DataFrame:
    again = "`bench baseline` writes such files: measure again"
    read_description(path.parent, path.stem)
    try:
        header = list(pd.read_csv(path, nrows=0).columns)
        if header != COLUMNS:
            raise UserError(f"{shown(path)}: columns {header}, expected {COLUMNS}; {again}")
        text = dict.fromkeys(_TEXT, str)
        frame = pd.read_csv(
            path,
            keep_default_na=False,
            na_values={name: [""] for name in COLUMNS if name not in _TEXT},
            dtype=text,
        )
        frame = frame.astype({name: float for name in COLUMNS if name.endswith("_s") or name in _SHARES})
    except ValueError as error:
        raise UserError(f"{shown(path)}: {' '.join(str(error).split())}; {again}") from None
    wrong = sorted(set(frame["status"]) - set(STATUSES))
    if wrong:
        raise UserError(f"{shown(path)}: status {wrong[0]!r}, expected one of {', '.join(STATUSES)}; {again}")
    frame.insert(0, "machine", path.stem)
    return frame


def _text(value: Any) -> Any:
    if value is None:
        return ""
    return format(value, ".6g") if isinstance(value, float) else value
