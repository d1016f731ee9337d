"""What every table asks of the result rows: which are solved, and what a strategy is called."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

import pandas as pd

from bench.results.repeats import SEED

CONVENTIONAL = ("layer-wise", "input-wise", "gate-wise")
"""The baselines that DAC 2020 calls conventional."""

STRATEGY_ORDER = (
    "single",
    "layer-wise",
    "input-wise",
    "gate-wise",
    "column-wise",
    "row-wise",
    "full-dac20",
    "full",
)
"""Order of strategies in tables and figures; others follow by name."""

SETUP = ["workload", "batch", "profile", "topology", "link", "link_latency_ns"]
"""What a point runs on, besides the number of FPGAs and the strategy."""

BASELINE_SETUP = ["workload", "batch", "profile"]
"""What a one-FPGA baseline must share with a point: one FPGA uses no link."""

PIPELINED_SUFFIX = " + pipelining"


def prepare(frame: pd.DataFrame) -> pd.DataFrame:
    """A copy with four columns more: ``solved``, ``pipelined``, ``seeded`` and ``strategy``.

    ``solved``: partitioner and harness both succeeded and there is a latency.
    ``pipelined``: the point asked for software pipelining. ``seeded``: it asked for a seed.
    ``strategy``: the partitioner's name with the parameters that tell it from its default.
    """
    frame = frame.copy()
    solved = (frame["status"] == "ok") & (frame["termination"] == "none")
    frame["solved"] = solved & frame["latency_s"].notna()
    parsed = {text: json.loads(text or "{}") for text in frame["parameters"].unique()}
    frame["pipelined"] = [bool(parsed[text].get("software_pipelining")) for text in frame["parameters"]]
    frame["seeded"] = [SEED in parsed[text] for text in frame["parameters"]]
    frame["strategy"] = [
        strategy_name(name, parsed[text])
        for name, text in zip(frame["partitioner"], frame["parameters"], strict=True)
    ]
    return frame


def strategy_name(partitioner: str, parameters: dict[str, Any]) -> str:
    """``row-wise``, ``row-wise + pipelining``, or with other parameters in brackets; a seed makes no other.

    >>> strategy_name("row-wise", {"software_pipelining": True, "rounds": 3})
    'row-wise + pipelining (rounds=3)'
    """
    unnamed = ("software_pipelining", SEED)
    others = {key: value for key, value in sorted(parameters.items()) if key not in unnamed}
    suffix = PIPELINED_SUFFIX if parameters.get("software_pipelining") else ""
    brackets = f" ({', '.join(f'{key}={value}' for key, value in others.items())})" if others else ""
    return partitioner + suffix + brackets


def strategy_key(strategy: str) -> tuple[int, str]:
    """Sort key: the order of `STRATEGY_ORDER`, then the name."""
    base = strategy.partition(" ")[0]
    place = STRATEGY_ORDER.index(base) if base in STRATEGY_ORDER else len(STRATEGY_ORDER)
    return (place, strategy)


def chosen_plan(notes: object) -> str:
    """What the full search chose, from the notes of its plan; empty for other notes.

    >>> chosen_plan("best of 7 layouts, 17 candidates emulated: rows 2; streamed; then rows 1: 1.500 x")
    'rows 2; streamed'
    """
    return str(notes).split("; then ")[0].partition(": ")[2]


def single_latency(frame: pd.DataFrame) -> dict[Hashable, float]:
    """Seconds on one FPGA without pipelining, by the values of `BASELINE_SETUP`.

    Looked up in all experiments: the same point gives the same latency everywhere.
    """
    rows = frame[
        frame["solved"] & (frame["partitioner"] == "single") & (frame["fpgas"] == 1) & ~frame["pipelined"]
    ]
    return dict(rows.groupby(BASELINE_SETUP, sort=True)["latency_s"].min())


def best_conventional(frame: pd.DataFrame) -> dict[Hashable, tuple[float, str]]:
    """Seconds and name of the fastest conventional partitioner, by `SETUP` and FPGA count."""
    rows = frame[frame["solved"] & frame["partitioner"].isin(CONVENTIONAL) & ~frame["pipelined"]]
    rows = rows.sort_values([*SETUP, "fpgas", "latency_s", "partitioner"])
    first = rows.drop_duplicates([*SETUP, "fpgas"])
    keys = first[[*SETUP, "fpgas"]].itertuples(index=False, name=None)
    values = zip(first["latency_s"], first["partitioner"], strict=True)
    return {key: (float(latency), str(name)) for key, (latency, name) in zip(keys, values, strict=True)}
