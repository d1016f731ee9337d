"""Whether a partitioner keeps to its contract: `bench check`, and the same for tests of one's own.

>>> from bench.conformance import assert_conforms
>>> assert_conforms("mine/rows_if_large.py")  # doctest: +SKIP
"""

from __future__ import annotations

from bench.conformance.kit import assert_conforms, check, check_all
from bench.conformance.report import Finding, Problem, Report

__all__ = ["Finding", "Problem", "Report", "assert_conforms", "check", "check_all"]
