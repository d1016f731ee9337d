"""Workloads: the graph of RNN layers to run, the catalogue, and reading them from YAML."""

from bench.workloads.model import Cell, Input, Layer, Workload

__all__ = ["Cell", "Input", "Layer", "Workload"]
