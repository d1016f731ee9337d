"""Files that say whether they are whole."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import UserError
from bench.sealed import find_damage, read_sealed, write_sealed
from bench.sweeps.store import encode_sealed

ROWS = [{"a": 1, "b": None}, {"a": 2.5, "b": "text"}]
VALUES = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=5) | st.none(), max_size=3)


@given(rows=st.lists(VALUES, max_size=4), at=st.integers(0, 10_000), cut=st.booleans())
def test_every_change_is_found(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]], at: int, cut: bool
) -> None:
    """Rows are read as written; a file cut anywhere, or with any bit turned over, is refused and named."""
    path = tmp_path_factory.mktemp("sealed") / "shard.jsonl"
    write_sealed(rows, path)
    assert read_sealed(path) == json.loads(json.dumps(rows))
    data = bytearray(path.read_bytes())
    if cut:
        del data[at % len(data) :]
    else:
        data[at % len(data)] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"shard\.jsonl: (cut short|changed).*run again"):
        read_sealed(path)


def test_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """Rows that cannot be written leave the file before as it was, and nothing beside it."""
    path = tmp_path / "shard.jsonl"
    write_sealed(ROWS, path)
    with pytest.raises(ValueError, match="JSON compliant"):
        write_sealed([{"a": float("nan")}], path)
    assert read_sealed(path) == ROWS
    assert list(tmp_path.iterdir()) == [path]


def test_other_process_does_not_meet_this_one(tmp_path: Path) -> None:
    """What another process is about to rename into place is neither taken nor removed."""
    other = tmp_path / "shard.jsonl.elsewhere-1.partial"
    other.write_text("half", encoding="utf-8")
    write_sealed(ROWS, tmp_path / "shard.jsonl")
    assert other.read_text(encoding="utf-8") == "half"
    assert find_damage(tmp_path / "shard.jsonl") is None


def test_missing_file_is_damage(tmp_path: Path) -> None:
    """A file that is not there says so in one line."""
    with pytest.raises(UserError, match=r"none\.jsonl: not readable \(No such file or directory\)"):
        read_sealed(tmp_path / "none.jsonl")


@given(values=st.lists(st.integers(0, 2**40), max_size=5), at=st.integers(0, 10_000), cut=st.booleans())
def test_every_change_of_parquet_is_found(
    tmp_path_factory: pytest.TempPathFactory, values: list[int], at: int, cut: bool
) -> None:
    """A sealed Parquet file is read as any other, is whole as written, and is not with any byte changed."""
    path = tmp_path_factory.mktemp("sealed") / "rows.parquet"
    table = pa.table({"value": pa.array(values, pa.int64())})
    data = bytearray(encode_sealed(table))
    path.write_bytes(data)
    assert find_damage(path) is None
    assert pq.read_table(path).equals(table)
    assert bytes(data) == encode_sealed(table)
    if cut:
        del data[at % len(data) :]
    else:
        data[at % len(data)] ^= 1
    path.write_bytes(data)
    assert find_damage(path)
