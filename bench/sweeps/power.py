"""What the devices of a sweep draw, as a table beside its points.

Joined when a query asks, so that another figure in a profile makes no point of a sweep stale.
"""

from __future__ import annotations

from functools import cache

import duckdb

from bench.energy import draw
from bench.errors import UserError
from bench.hardware.files import load_profile
from bench.hardware.profile import Profile
from bench.hardware.variants import vary_profile
from bench.variants import split_reference

COLUMNS = (
    "profile VARCHAR, used_low_w DOUBLE, used_high_w DOUBLE, unused_low_w DOUBLE, unused_high_w DOUBLE, "
    "power_of VARCHAR, power_measured BOOLEAN"
)


def add_power(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table ``power``: a row for each profile in ``points`` whose power is known."""
    connection.execute(f"CREATE TABLE power ({COLUMNS})")
    found = connection.execute("SELECT DISTINCT profile FROM points ORDER BY profile").fetchall()
    rows = [row for (profile,) in found if (row := _row(profile))]
    if rows:
        connection.executemany("INSERT INTO power VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def _row(reference: str) -> tuple[object, ...] | None:
    """None if no source says, or if the profile is not on this machine."""
    try:
        name, changes = split_reference(reference)
        profile = _load(name)
        changed = {path: text for path, text in changes.items() if path.startswith("board_power.")}
        power = vary_profile(profile, reference, changed).board_power
    except UserError:
        return None
    if power is None:
        return None
    one = draw(power)
    return (
        reference, one.used_low_w, one.used_high_w, one.unused_low_w, one.unused_high_w,
        power.covers, power.measured and not changed,
    )  # fmt: skip


@cache
def _load(name: str) -> Profile:
    return load_profile(name)
