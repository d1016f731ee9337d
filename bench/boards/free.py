"""Parameters of a profile that a calibration may change, and profiles with other values of them.

Few, since latencies of whole runs tell few apart. Not among them: ``writeback_latency``, which is in
series with ``multifunction_latency`` (only their sum shows); ``instruction_issue``, which other units
hide; and what is structure of the overlay, such as tiles and lanes, which whoever built it knows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.hardware.profile import LinkProfile, Profile

CLOCK, LATENCY, BANDWIDTH = "clock", "link_latency", "link_bandwidth"

CYCLES = {
    "row_block_overhead": "row_block_overhead_cycles",
    "matrix_latency": "matrix_latency_cycles",
    "multifunction_latency": "multifunction_latency_cycles",
    "input_load": "input_load_cycles",
}
"""Key of a profile file's overlay -> field of `Overlay`: whole numbers of cycles."""

NAMES = (CLOCK, LATENCY, BANDWIDTH, *CYCLES)
DEFAULT = (CLOCK, LATENCY, BANDWIDTH)


@dataclass(frozen=True)
class Free:
    """One parameter; ``link`` is the link's name, or None for what is of the whole profile."""

    name: str
    link: str | None = None

    @property
    def whole(self) -> bool:
        """Whether it is a whole number."""
        return self.name in CYCLES

    def __str__(self) -> str:
        return f"{self.name} of {self.link}" if self.link else self.name


def free_parameters(names: Iterable[str], links: Iterable[str]) -> tuple[Free, ...]:
    """The parameters of ``names``, those of links once for each of ``links``.

    In the order of `NAMES`, which is the order of precedence where points tell two of them not apart.
    """
    wanted = set(names)
    used = list(dict.fromkeys(links))
    found: list[Free] = []
    for name in NAMES:
        if name in wanted:
            of_links = name in (LATENCY, BANDWIDTH)
            found += [Free(name, link) for link in used] if of_links else [Free(name)]
    return tuple(found)


def value_of(profile: Profile, free: Free) -> float:
    """Its value in ``profile``: MHz, ns, ns/byte or cycles."""
    if free.name == CLOCK:
        return profile.clock_mhz
    if free.name in CYCLES:
        return float(getattr(profile.overlay, CYCLES[free.name]))
    link = profile.link(free.link)
    return link.latency_ns if free.name == LATENCY else link.ns_per_byte


def with_values(profile: Profile, frees: Sequence[Free], values: Sequence[float]) -> Profile:
    """``profile`` with other values, in the units of `value_of`."""
    overlay, links, clock_mhz = profile.overlay, profile.links, profile.clock_mhz
    for free, value in zip(frees, values, strict=True):
        if free.name == CLOCK:
            clock_mhz = value
        elif free.name in CYCLES:
            cycles: dict[str, Any] = {CYCLES[free.name]: round(value)}
            overlay = replace(overlay, **cycles)
        else:
            links = tuple(_changed(link, free, value) for link in links)
    return replace(profile, overlay=overlay, links=links, clock_mhz=clock_mhz)


def _changed(link: LinkProfile, free: Free, value: float) -> LinkProfile:
    if link.name != free.link:
        return link
    return replace(link, latency_ns=value) if free.name == LATENCY else replace(link, ns_per_byte=value)


def start_value(profile: Profile, free: Free) -> float:
    """Where a search starts: the profile's value, or a cycle for a latency of 0, which has no logarithm."""
    value = value_of(profile, free)
    return value if value > 0 or free.whole else 1e3 / profile.clock_mhz


def moved(frees: Sequence[Free], values: Sequence[float], steps: Sequence[float]) -> tuple[float, ...]:
    """``values`` after relative ``steps``: of the logarithm, or for whole numbers of the value."""
    return tuple(
        float(max(0, round(value + step * unit(free, value)))) if free.whole else value * math.exp(step)
        for free, value, step in zip(frees, values, steps, strict=True)
    )


def unit(free: Free, value: float) -> float:
    """What a relative step of 1 means for a whole number."""
    return max(1.0, value) if free.whole else 1.0
