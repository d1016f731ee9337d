"""Structure checks: what published formulas and drawings say about units, beside the emulator.

Nothing here is a deviation to be minimised: the tables show that parts of the model, taken
by themselves, are those of the sources.
"""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from bench.results.published import PUBLISHED

TRACE_PROFILE = "s10-gx2800-fccm19"
TRACE_CONFIG = "4T-120D-40L"
TRACE_ROWS = {"C1": "gemv-1920-b1-t1", "C2": "rnn-1920-b1-t1"}
"""Chain of the trace -> workload that ends where the chain ends (12 columns a block fit h = 1920)."""

SDM_MACS = 96_000
SDM_CLOCK_HZ = 250e6


def sdm_cycles(cell: str, hidden: int) -> int:
    """Cycles of one step on ISCA 2018's idealised machine with `SDM_MACS` multipliers."""
    depth = math.ceil(math.log2(hidden))
    if cell == "lstm":
        return math.ceil(8 * hidden**2 / SDM_MACS) + 7 + depth
    if cell == "gru":
        return math.ceil(6 * hidden**2 / SDM_MACS) + 7 + 2 * depth
    raise ValueError(f"no bound is published for cell {cell!r}")


def sdm_table(points: pd.DataFrame, published: Path = PUBLISHED) -> pd.DataFrame:
    """Published bound, formula, and the emulated latency in multiples of the bound, row by row.

    ``points``: those of `bench.results.fidelity`; ``within_rounding``: the formula gives
    the published value to half a unit of its last printed digit.
    """
    frame = pd.read_csv(published / "published_brainwave_isca18.csv", dtype=str)
    frame = frame[frame["device"].str.startswith("SDM")]
    emulated = points[points["set"] == "c"].set_index("row")["emulated"]
    records = []
    for row in frame.to_dict("records"):
        cell, hidden, steps = row["cell"], int(row["hidden_size"]), int(row["time_steps"])
        name = f"{cell}-{hidden}-b{row['batch_size']}-t{steps}"
        value = float(row["latency_ms"])
        formula = 1e3 * sdm_cycles(cell, hidden) * steps / SDM_CLOCK_HZ
        half = 0.5 * 10.0 ** -max(3, len(row["latency_ms"].partition(".")[2]))
        records.append(
            {
                "row": name,
                "published_ms": value,
                "formula_ms": formula,
                "within_rounding": abs(formula - value) <= half + 1e-12,
                "emulated_over_bound": float(emulated.get(name, math.nan)) / formula,
            }
        )
    return pd.DataFrame(records)


def trace_table(frame: pd.DataFrame, published: Path = PUBLISHED) -> pd.DataFrame:
    """Ends of both products' chains, and what lies between: published and emulated, in cycles.

    ``frame`` is prepared. The two chains end with a matrix-vector product alone, and with a
    step of the RNN.
    """
    trace = pd.read_csv(published / "published_fccm19_trace.csv")
    trace = trace[trace["npu_config"] == TRACE_CONFIG]
    ends = trace.groupby("instruction_chain")["end_cycle"].max()
    rows = frame[frame["solved"] & (frame["profile"] == TRACE_PROFILE) & (frame["fpgas"] == 1)]
    cycles = rows.groupby("workload")["cycles"].min()
    first, second = (float(cycles.get(workload, math.nan)) for workload in TRACE_ROWS.values())
    values = {
        "product with x complete": (float(ends["C1"]), first),
        "product with h complete": (float(ends["C2"]), second),
        "from one to the other": (float(ends["C2"] - ends["C1"]), second - first),
    }
    return pd.DataFrame(
        {
            "event": name,
            "published": value,
            "emulated": emulated,
            "deviation_pct": 100 * (emulated / value - 1),
        }
        for name, (value, emulated) in values.items()
    )
