"""Starting points for partitioners, hardware profiles and workloads, written into a user's folder."""
