"""The static site of a run: pages that open from disk and ask nothing of a network."""
