"""Results kept by content: found again, never trusted when damaged, and never in each other's way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bench.experiments import Limits, Point
from bench.rows import Row, failure
from bench.sweeps.cache import keep, look_up
from bench.sweeps.evaluate import evaluate_group
from bench.sweeps.group import Group
from bench.sweeps.keys import Address, address

POINT = Point("lstm-96-b1-t9", "s10-gx2800-dac20", "ring", "dac20-ring", 100.0, 2, "row-wise")


def results(count: int, termination: str = "") -> dict[Address, Row]:
    """So many results in two partitions."""
    row = failure("unsupported", termination or "none", "no")
    return {Address(f"part-{n % 2}", n.to_bytes(16, "big")): {**row, "cycles": n} for n in range(count)}


def lost(line: str) -> None:
    """Fails the test: nothing was to be said."""
    raise AssertionError(line)


def test_what_was_kept_is_found(tmp_path: Path) -> None:
    """Each result comes back as it was, and nothing that nobody asked for."""
    kept = results(50)
    keep(tmp_path, kept, lost)
    wanted = dict(list(kept.items())[::3])
    unknown = Address("part-1", b"\xff" * 16)
    assert look_up(tmp_path, [*wanted, unknown], lost) == wanted


def test_a_real_row_comes_back_as_it_was(tmp_path: Path) -> None:
    """Every column of a row keeps its value and its type."""
    (row,) = evaluate_group(Group((POINT,), (0,), True))["rows"]
    where = address(POINT, Limits(), check=True)
    keep(tmp_path, {where: row}, lost)
    assert look_up(tmp_path, [where], lost) == {where: row}


@pytest.mark.parametrize("damage", ["truncated", "changed", "empty", "text"])
def test_a_damaged_segment_is_left_out(tmp_path: Path, damage: str) -> None:
    """Cut short, with a byte changed, or something else: a line in the log, and its points are missing."""
    kept = results(40)
    keep(tmp_path, kept, lost)
    first, _ = sorted(tmp_path.rglob("*.parquet"))
    content = first.read_bytes()
    middle = len(content) // 2
    first.write_bytes(
        {
            "truncated": content[:middle],
            "changed": content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :],
            "empty": b"",
            "text": b"PAR1 no PAR1",
        }[damage]
    )
    said: list[str] = []
    found = look_up(tmp_path, kept, said.append)
    assert found == {where: row for where, row in kept.items() if where.partition == "part-1"}
    (line,) = said
    assert str(first) in line
    keep(tmp_path, kept, lost)  # computed again: the segment is whole again
    assert look_up(tmp_path, kept, lost) == kept


@pytest.mark.parametrize("termination", ["timeout", "crash", "out of memory"])
def test_ends_that_depend_on_the_machine_are_not_kept(tmp_path: Path, termination: str) -> None:
    """A point that was stopped is tried again by the next sweep that asks for it."""
    keep(tmp_path, results(4, termination), lost)
    assert not list(tmp_path.rglob("*.parquet"))


def test_many_may_write_at_once(tmp_path: Path) -> None:
    """Writers of the same and of other results leave whole segments and no temporary files."""
    kept = results(60)
    halves = [dict(list(kept.items())[:40]), dict(list(kept.items())[20:]), kept]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: keep(tmp_path, halves[n % 3], lost), range(24)))
    assert look_up(tmp_path, kept, lost) == kept
    assert all(path.suffix == ".parquet" for path in tmp_path.rglob("*") if path.is_file())


def test_a_folder_that_cannot_be_written_costs_a_line(tmp_path: Path) -> None:
    """Where a cache cannot be, results are not lost: that is said, and nothing raised."""
    (tmp_path / "file").write_text("no folder")
    said: list[str] = []
    keep(tmp_path / "file", results(2), said.append)
    assert len(said) == 2
    assert all("cannot be written" in line for line in said)


def test_a_key_is_of_content() -> None:
    """Whatever a result depends on changes the key; how the same numbers are written does not."""
    from dataclasses import replace

    limits = Limits()
    base = address(POINT, limits, check=True)
    others = [
        replace(POINT, link_latency_ns=101.0),
        replace(POINT, fpgas=3),
        replace(POINT, topology="switch"),
        replace(POINT, profile="s10-gx2800-dac20?clock_mhz=200"),
        replace(POINT, profile="s10-gx2800-dac20?overlay.tiles=2"),
        replace(POINT, parameters='{"software_pipelining":true}'),
        replace(POINT, partitioner="column-wise"),
        replace(POINT, workload="lstm-96-b1-t10"),
    ]
    keys = {address(point, limits, check=True).key for point in others}
    keys.add(address(POINT, limits, check=False).key)
    assert base.key not in keys
    assert len(keys) == len(others) + 1
    assert address(replace(POINT), Limits(seconds_per_point=1), check=True) == base


def test_the_key_changes_with_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of the sources that a row depends on is another key, in another partition."""
    from bench.sweeps import keys

    before = address(POINT, Limits(), check=True)
    for cached in (keys.partition, keys._common, keys.code_digest):
        cached.cache_clear()
    monkeypatch.setattr(keys, "source_digest", lambda partitioner, more: "another-one")
    after = address(POINT, Limits(), check=True)
    for cached in (keys.partition, keys._common, keys.code_digest):
        cached.cache_clear()
    assert after.key != before.key
    assert after.partition != before.partition
