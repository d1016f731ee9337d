"""The numbers that a network computes: number formats, and runs of a workload without a plan."""
