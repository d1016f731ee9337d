"""What a run takes in energy: the power of its boards, from the least to the most, times its latency.

Two bounds, no estimate. A device that a plan uses draws between its active power (idle, where active is
not known) and its peak for the whole run, waiting included. A device of the cluster that the plan leaves
out draws its idle power; where that is not known, between nothing and what a device in use draws at
least. There is no energy for an operation or a bit: for most of them nobody has published one.
"""

from __future__ import annotations

from dataclasses import dataclass

from bench.hardware.profile import BoardPower


@dataclass(frozen=True, slots=True)
class Draw:
    """Power of a device in W, at least and at most; None where no source bounds it."""

    used_low_w: float | None
    used_high_w: float | None
    unused_low_w: float
    unused_high_w: float | None


def draw(power: BoardPower) -> Draw:
    """What a device in use draws, and one that a plan leaves out.

    >>> draw(BoardPower(active_w=54, peak_w=70))
    Draw(used_low_w=54, used_high_w=70, unused_low_w=0.0, unused_high_w=54)
    """
    least = power.active_w if power.active_w is not None else power.idle_w
    if power.idle_w is not None:
        return Draw(least, power.peak_w, power.idle_w, power.idle_w)
    return Draw(least, power.peak_w, 0.0, power.peak_w if least is None else least)


def energy_j(
    power: BoardPower, devices_used: int, fpgas: int, latency_s: float
) -> tuple[float | None, float | None]:
    """The least and the most energy, in J, of a run of ``latency_s`` on a cluster of ``fpgas``.

    None where no source bounds it.
    """
    one, unused = draw(power), fpgas - devices_used
    low = None if one.used_low_w is None else devices_used * one.used_low_w + unused * one.unused_low_w
    high = (
        None
        if one.used_high_w is None or one.unused_high_w is None
        else devices_used * one.used_high_w + unused * one.unused_high_w
    )
    return (
        None if low is None else low * latency_s,
        None if high is None else high * latency_s,
    )


COLUMNS_SQL = (
    "(devices_used * used_low_w + (fpgas - devices_used) * unused_low_w) * latency_s AS energy_j_low, "
    "(devices_used * used_high_w + (fpgas - devices_used) * unused_high_w) * latency_s AS energy_j_high"
)
"""The same over columns, for queries; NULL where it is None there."""
