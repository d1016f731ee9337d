"""Figures as SVG, PDF and PNG: the paper's beside ours, fidelity, DeepBench, the large RNNs, and the studies.

Notebooks call `paper_figures`, `fidelity_figures`, `deepbench_figures`, `large_figures`, `study_figures` and
`print_figures`; each writes its files and returns the figures by name, the same bytes for the same results.
"""

from __future__ import annotations

from bench.results.figures.fidelity import fidelity_figures
from bench.results.figures.for_print import print_figures
from bench.results.figures.paper import paper_figures
from bench.results.figures.studies import study_figures
from bench.results.figures.sweeps import deepbench_figures, large_figures

__all__ = [
    "deepbench_figures",
    "fidelity_figures",
    "large_figures",
    "paper_figures",
    "print_figures",
    "study_figures",
]
