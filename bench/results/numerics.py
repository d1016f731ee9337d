"""What was found where plans were run with numbers: verdicts counted, and the accuracy of low formats."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bench.sealed import read_sealed

PLANNED = ("none", "wrong numbers", "crash")
"""Terminations of valid plans that fit: their numbers are to be checked. A crash may be the check's."""

NUMERICS_NOTE = (
    "plans: rows with a valid plan that fits. exact: every bit as in a run without a plan (integer formats). "
    "within 1e-5: of the largest output of each layer (float32). wrong: listed among the failures, without a "
    "speed-up. full size: checked on the network itself; the others on a smaller one of the same structure."
)

ACCURACY_NOTE = (
    "h of the last layers against float32, over the first time steps. At 20 dB the error is a tenth of the "
    "signal (root mean square), and 6 dB more halve it. Weights and biases are random and uniform, inputs "
    "random and normal, from a fixed seed: the table compares formats, it does not tell what a trained "
    "network would lose. Uniform weights make all rows alike, so a scale for each row (int8) gains little "
    "here over one for all (int8-tensor). bfp5: block floating point, a sign and 5 bits "
    "under a shared exponent. +table, +piecewise: sigmoid and tanh out of a table, or piecewise linear. "
    "All formats: bench list formats."
)


def by_experiment(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of a prepared frame by experiment and verdict of their numbers.

    Columns: experiment, plans, exact, ``within_1e-5``, wrong, unchecked, full_size.
    """
    rows = frame[(frame["status"] == "ok") & frame["termination"].isin(PLANNED)]
    verdict = rows["numerics"].fillna("")
    counted = pd.DataFrame(
        {
            "experiment": rows["experiment"],
            "plans": 1,
            "exact": verdict == "exact",
            "within_1e-5": verdict == "within 1e-5",
            "wrong": verdict.str.startswith("failed"),
            "unchecked": verdict == "",
            "full_size": rows["numerics_full_size"].fillna(False).astype(bool),
        }
    )
    return counted.groupby("experiment", sort=True).sum().astype(int).reset_index()


def read_accuracy(path: Path) -> pd.DataFrame:
    """Rows of `bench.numerics.accuracy` as a table, rounded to what does not depend on the machine.

    UserError if the file is damaged.
    """
    table = pd.DataFrame(read_sealed(path))
    errors = ["max_abs_error", "max_abs_error_any_layer"]
    table["snr_db"] = table["snr_db"].astype(float).round(1)
    for name in errors:
        table[name] = [float(f"{value:.2g}") for value in table[name].astype(float)]
    return table[["workload", "format", "steps", "snr_db", *errors]]
