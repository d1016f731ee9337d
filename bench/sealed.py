"""Files that hold a hash of themselves: one that was cut short or changed says so.

Snakemake sees that a file is there and when it was written, not whether it is whole, and a Parquet
file with a changed byte may well be read. The last line of JSON lines is a hash of all before it; in
Parquet an entry of the file's own metadata is one of all bytes, with zeros in its place.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from bench.errors import UserError

SEAL = "sha256"
UNSEALED = "0" * 64
"""What stands in Parquet's metadata before the hash is known."""

_ENTRY = re.compile(SEAL.encode() + rb"..([0-9a-f]{64})", re.DOTALL)
"""Name and value in Parquet's compact Thrift: between them are the value's type and length."""


def write_sealed(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write rows and their seal; the file appears by rename, whole or not at all.

    Two processes that write the same file, as when a node was given up that still runs, do not meet: each
    has a name of its own until then. UserError if it cannot be written.
    """
    body = "".join(json.dumps(row, sort_keys=True, allow_nan=False) + "\n" for row in rows).encode()
    partial = path.with_name(f"{path.name}.{os.uname().nodename}-{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("wb") as file:
                file.write(body + _seal(body))
                file.flush()
                os.fsync(file.fileno())
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        size = len(body) / 1e6
        raise UserError(
            f"{path}: {size:.2g} MB could not be written ({error.strerror}); nothing is lost but this file: "
            "make room or choose another folder (--config out=FOLDER), and run again"
        ) from None


def read_sealed(path: Path) -> list[dict[str, Any]]:
    """The rows, without the seal; UserError if the file is not as it was written."""
    if damage := find_damage(path):
        raise UserError(f"{path}: {damage}; run again: what is damaged is computed again")
    lines = path.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines[:-1]]


def find_damage(path: Path) -> str | None:
    """What is wrong with a sealed file, or None."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return f"not readable ({error.strerror})"
    return _parquet_damage(data) if path.suffix == ".parquet" else _lines_damage(data)


def _lines_damage(data: bytes) -> str | None:
    end = data.rfind(b"\n", 0, -1) + 1
    if not data.endswith(b"\n") or not data[end:].startswith(f'{{"{SEAL}"'.encode()):
        return f"cut short: the last line is not its {SEAL}"
    return None if data[end:] == _seal(data[:end]) else f"changed since it was written ({SEAL})"


def seal_parquet(data: bytes) -> bytes:
    """A Parquet file whose metadata has `UNSEALED` for `SEAL`, with its hash there."""
    start, end = _entry(data)
    return data[:start] + hashlib.sha256(data).hexdigest().encode() + data[end:]


def _parquet_damage(data: bytes) -> str | None:
    start, end = _entry(data)
    if start == end or not data.endswith(b"PAR1"):
        return f"cut short: its {SEAL} is not at its end"
    expected = hashlib.sha256(data[:start])
    expected.update(UNSEALED.encode() + data[end:])
    same = data[start:end] == expected.hexdigest().encode()
    return None if same else f"changed since it was written ({SEAL})"


def _entry(data: bytes) -> tuple[int, int]:
    """Where a Parquet file's hash stands, the last of that name; (0, 0) if nowhere."""
    found = _ENTRY.match(data, max(data.rfind(SEAL.encode()), 0))
    return found.span(1) if found else (0, 0)


def _seal(body: bytes) -> bytes:
    return json.dumps({SEAL: hashlib.sha256(body).hexdigest()}).encode() + b"\n"
