"""Evaluation benchmark suite for multi-FPGA RNN inference.

Data flows one way: workload, cluster -> plan -> program -> timing -> results.
"""

__version__ = "0.1.0"
