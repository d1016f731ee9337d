"""Hardware: overlay profiles, links, topologies and the cluster they make."""

from bench.hardware.profile import Cluster, ExternalMemory, LinkProfile, Overlay, Profile

__all__ = ["Cluster", "ExternalMemory", "LinkProfile", "Overlay", "Profile"]
