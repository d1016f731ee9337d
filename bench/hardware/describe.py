"""A profile as a short table, for the command line."""

from __future__ import annotations

from bench.hardware.profile import BoardPower, LinkProfile, Profile


def describe(profile: Profile) -> str:
    """The numbers of ``profile`` that matter to a reader, as aligned text; sources are in its file."""
    overlay = profile.overlay
    shape = f"{overlay.tiles} tiles x {overlay.engines} engines x {overlay.lanes} lanes"
    if overlay.cores > 1 or overlay.vectors_per_pass > 1:
        shape += f", {overlay.cores} cores, {overlay.vectors_per_pass} vectors a pass"
    tops = 2e-6 * overlay.macs_per_cycle * profile.clock_mhz
    rows = [
        ("device", profile.device),
        ("overlay", f"{shape}, {profile.clock_mhz:g} MHz"),
        ("peak", f"{overlay.macs_per_cycle:,} multiply-accumulates a cycle, {tops:.2f} TOPS"),
        (
            "latencies",
            f"matrix unit {overlay.matrix_latency_cycles}, multifunction units "
            f"{overlay.multifunction_latency_cycles}, write-back {overlay.writeback_latency_cycles} cycles",
        ),
        ("weight memory", _memory(profile)),
        (
            "bytes an element",
            f"weight {profile.weight_bytes_per_element:g}, vector {profile.vector_bytes_per_element:g}, "
            f"partial sum {profile.partial_sum_bytes_per_element:g}",
        ),
        ("arithmetic", _arithmetic(profile)),
        ("network ports", "not known" if profile.network_ports is None else str(profile.network_ports)),
        ("power", _power(profile.board_power)),
    ]
    rows += [("link" if n else "link (default)", _link(link)) for n, link in enumerate(profile.links)]
    width = max(len(label) for label, _ in rows)
    head = [profile.name, *([profile.summary] if profile.summary else []), *remarks(profile)]
    return "\n".join(head + [f"  {label:<{width}}  {text}" for label, text in rows])


def remarks(profile: Profile) -> list[str]:
    """What to know before one believes its numbers: whether it is a projection, and what it extends."""
    found = ["projection: nobody has built or measured it"] if profile.status == "projection" else []
    if profile.extends:
        found.append(f"extends {', which extends '.join(profile.extends)}")
    return found


def _memory(profile: Profile) -> str:
    text = f"{profile.weight_memory_bytes / 2**20:.1f} MiB on chip"
    if profile.ignore_weight_capacity:
        text += ", but all weights count as on-chip"
    if profile.external_memory:
        spill = profile.external_memory
        text += f"; {spill.capacity_bytes / 1e9:g} GB outside at {spill.bytes_per_s / 1e9:g} GB/s"
    return text


def _arithmetic(profile: Profile) -> str:
    formats = profile.arithmetic
    sums = f", sums in {formats.accumulator_bits} bits" if formats.accumulator_bits else ""
    return f"matrix products in {formats.matrix}{sums}; vector operations in {formats.vector}"


def _power(power: BoardPower | None) -> str:
    if power is None:
        return "not known"
    stated = [("idle", power.idle_w), ("active", power.active_w), ("peak", power.peak_w)]
    text = ", ".join(f"{name} {watts:g} W" for name, watts in stated if watts is not None)
    return f"{text} ({power.covers}; {'measured' if power.measured else 'not calibrated'})"


def _link(link: LinkProfile) -> str:
    beats = "" if link.beat_bytes == 1 else f", beats of {link.beat_bytes} bytes"
    return f"{link.name}: {link.latency_ns:g} ns, {link.bandwidth_gbps:.1f} Gbit/s{beats}"
