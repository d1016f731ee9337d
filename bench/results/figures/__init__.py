"""Figures as SVG, PDF and PNG: the paper's beside ours, fidelity, DeepBench, the large RNNs, and the studies.

Notebooks call `paper.paper_figures`, `fidelity.fidelity_figures`, `sweeps.deepbench_figures`,
`sweeps.large_figures`, `studies.study_figures` and `for_print.print_figures`; each writes its files and
returns the figures by name, the same bytes for the same results.
"""
