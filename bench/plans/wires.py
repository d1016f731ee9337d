"""From what a message is to how long it takes: the one place where the link and the clock count.

Layers are lowered with messages in bytes and in latencies of the link, so that one body serves clusters that
differ in link or clock alone.
"""

from __future__ import annotations

import numpy as np

from bench.hardware.profile import Cluster
from bench.plans.program import INTERVAL, LAST_RESULT, LATENCY, RESULT, UNIT, PhaseArrays, Unit


def tell_links(phase: PhaseArrays, cluster: Cluster) -> None:
    """Put cycles in place of bytes and of latencies, in the fields of the messages of ``phase``.

    A message occupies the link for its bytes, rounded up to whole beats.
    """
    fields = phase.fields
    messages = np.flatnonzero(fields[:, UNIT] == Unit.LINK)
    if not messages.size:
        return
    link, cycles_per_ns = cluster.link, cluster.profile.clock_mhz / 1000.0
    beats = -(-fields[messages, INTERVAL] // link.beat_bytes) * link.beat_bytes
    cycles = np.ceil(beats * link.ns_per_byte * cycles_per_ns).astype(np.int64)
    for column in (INTERVAL, RESULT, LAST_RESULT):
        fields[messages, column] = cycles
    latencies = fields[messages, LATENCY]
    fields[messages, LATENCY] = np.ceil(link.latency_ns * latencies * cycles_per_ns).astype(np.int64)
