"""Where the weights go: bytes per device, whether they fit, what spilling costs."""

from __future__ import annotations

from collections import defaultdict

from bench.errors import DoesNotFit
from bench.hardware.profile import Cluster
from bench.plans.plan import Plan


def weight_bytes(plan: Plan, cluster: Cluster) -> dict[int, int]:
    """Bytes of weights that each device owns."""
    elements: dict[int, int] = defaultdict(int)
    for _, _, (top, bottom), (left, right), device in plan.blocks:
        elements[device] += (bottom - top) * (right - left)
    each = cluster.profile.weight_bytes_per_element
    return {device: int(count * each) for device, count in sorted(elements.items())}


def check_memory(plan: Plan, cluster: Cluster) -> bool:
    """Whether all weights are on chip; raises DoesNotFit if they have nowhere to go."""
    profile = cluster.profile
    fits = True
    for device, needed in weight_bytes(plan, cluster).items():
        if needed <= profile.weight_memory_bytes:
            continue
        fits = False
        if profile.ignore_weight_capacity:
            continue
        memory = profile.external_memory
        if memory is None or needed - profile.weight_memory_bytes > memory.capacity_bytes:
            raise DoesNotFit(
                f"device {device} would hold {needed / 2**20:.1f} MiB of weights; {profile.name} has "
                f"{profile.weight_memory_bytes / 2**20:.1f} MiB on chip and "
                + ("no external memory" if memory is None else "too little external memory")
            )
    return fits


def memory_stall(plan: Plan, cluster: Cluster) -> dict[int, float]:
    """By what factor each device's products slow down because spilled weights stream in.

    The spilled share of each product's weights is read again every time step; the product
    takes at least as long as that. Devices whose weights fit are left out.
    """
    profile = cluster.profile
    if profile.ignore_weight_capacity or profile.external_memory is None:
        return {}
    overlay = profile.overlay
    per_cycle = profile.external_memory.bytes_per_s / (profile.clock_mhz * 1e6)
    used_per_cycle = overlay.tiles * overlay.engines * overlay.lanes * profile.weight_bytes_per_element
    stalls = {}
    for device, needed in weight_bytes(plan, cluster).items():
        spilled = max(0, needed - profile.weight_memory_bytes) / max(needed, 1)
        if spilled * used_per_cycle > per_cycle:
            stalls[device] = spilled * used_per_cycle / per_cycle
    return stalls
