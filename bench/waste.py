"""Python's search for cyclic garbage, in processes that make many values and hardly any cycle."""

from __future__ import annotations

import gc

YOUNG_OBJECTS = 100_000
"""That are made before it looks among the new ones: some 10 MB. Python's own figure is 700."""


def collect_seldom() -> None:
    """Look for cyclic garbage seldom, and never among what is there by now: modules above all.

    Plans, programs and numbers hold no cycles; Python frees them without looking. Looking through all of
    them again and again takes an eighth to a third of a point's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, 20, 100)
