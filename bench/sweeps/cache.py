"""Results kept by content: a point computed once is not computed again, whichever sweep asks for it.

A cache is a folder that processes and machines may share. Each partition of it (a workload and a
partitioner, `bench.sweeps.keys`) holds segments: Parquet files named by the SHA-256 of their bytes,
written once and never changed. Two writers therefore cannot disagree about a file. A segment that is
damaged does not have the hash that its name says; it is left out, and its points are computed again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bench.rows import Row
from bench.sweeps.keys import Address
from bench.sweeps.store import OUTCOME, SEGMENT_SCHEMA, encode, write_whole

Say = Callable[[str], None]
"""Told what is worth a line in the log."""

FLEETING = ("timeout", "crash", "out of memory")
"""Ends that depend on the machine; they are not kept."""


def look_up(folder: Path, wanted: Iterable[Address], say: Say) -> dict[Address, Row]:
    """The results that are there of those that are ``wanted``."""
    keys: dict[str, set[bytes]] = {}
    for address in wanted:
        keys.setdefault(address.partition, set()).add(address.key)
    found: dict[Address, Row] = {}
    for partition, asked in sorted(keys.items()):
        missing = set(asked)
        for segment in sorted((folder / partition).glob("*.parquet")):
            if not missing:
                break
            rows = _read(segment, missing, say)
            found |= {Address(partition, key): row for key, row in rows.items()}
            missing -= rows.keys()
    return found


def look_up_keys(folder: Path, wanted: Iterable[Address], say: Say) -> int:
    """How many of the results that are ``wanted`` are there."""
    return len(look_up(folder, wanted, say))


def _read(segment: Path, wanted: set[bytes], say: Say) -> dict[bytes, Row]:
    """The rows of a segment that are ``wanted``; none, and a line in the log, if it is damaged."""
    try:
        content = segment.read_bytes()
        if hashlib.sha256(content).hexdigest() != segment.stem:
            say(f"cache: {segment} is damaged (its content has another hash than its name); left out")
            return {}
        source = pa.BufferReader(content)
        # small files: threads take longer to start and to end than they save
        keys = pq.read_table(source, columns=["key"], use_threads=False).column("key")
        present = pc.is_in(keys, pa.array(list(wanted), pa.binary(16)))
        if not pc.any(present).as_py():
            return {}
        table = pq.read_table(source, use_threads=False).filter(present)
    except (OSError, pa.ArrowException) as error:
        say(f"cache: {segment} cannot be read ({error}); left out")
        return {}
    if table.schema.names != SEGMENT_SCHEMA.names:
        say(f"cache: {segment} has other columns than expected; left out")
        return {}
    values = table.column("key").to_pylist()
    rows = table.select(OUTCOME).to_pylist()
    return {key: row for key, row in zip(values, rows, strict=True) if key is not None}


def keep(folder: Path, results: Mapping[Address, Row], say: Say) -> None:
    """Keep ``results``, but for those that depend on the machine; a full disk is worth a line, no more."""
    partitions: dict[str, list[Row]] = {}
    for address, row in results.items():
        if row["termination"] not in FLEETING:
            partitions.setdefault(address.partition, []).append({"key": address.key, **row})
    for partition, rows in sorted(partitions.items()):
        rows.sort(key=lambda row: row["key"])
        content = encode(pa.Table.from_pylist(rows, schema=SEGMENT_SCHEMA))
        path = folder / partition / f"{hashlib.sha256(content).hexdigest()}.parquet"
        try:
            # one of this name with other bytes is damaged
            if not path.exists() or path.read_bytes() != content:
                write_whole(content, path)
        except OSError as error:
            say(f"cache: {path} cannot be written ({error.strerror}); its {len(rows)} points are not kept")
