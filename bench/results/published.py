"""The published numbers of ``reports/published``, as typed frames."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from bench.errors import UserError

PUBLISHED = Path(__file__).resolve().parents[2] / "reports" / "published"
"""Where the files are; their sources stand in the README.md beside them."""

FIGURES = ("1b", "4b", "5c", "7", "8", "9", "10", "11", "12")
"""The result figures of Kwon et al., DAC 2020, in the paper's order."""

ASSUMED_HIDDEN_SIZE = {"4b": 1536, "5c": 2560}
"""For the figures whose hidden size the paper does not state (docs/assumptions.md says why these)."""

_FIGURE_COLUMNS: dict[str, str] = {
    "figure": "string",
    "model": "string",
    "cell": "string",
    "hidden_size": "Int64",
    "layers": "Int64",
    "num_fpgas": "Int64",
    "series": "string",
    "metric": "string",
    "value": "float64",
    "digitisation_step": "float64",
    "note": "string",
    "source": "string",
}

_GPU_COLUMNS: dict[str, str] = {
    "device": "string",
    "precision": "string",
    "cell": "string",
    "hidden_size": "Int64",
    "batch_size": "Int64",
    "time_steps": "Int64",
    "time_ms": "float64",
    "source_file": "string",
    "sheet": "string",
}


def read_figures(folder: Path = PUBLISHED) -> pd.DataFrame:
    """Bars and points of the DAC 2020 result figures, one row each, in the file's order.

    ``figure`` is the bare name ("10"), ``cell`` as in workloads ("lstm"), ``hidden_size``
    filled with `ASSUMED_HIDDEN_SIZE` where ``hidden_assumed`` is true. Fig. 1a (parameter
    counts) is left out. Raises UserError if the file is missing or has other columns.
    """
    frame = _read(folder / "published_dac20_figures.csv", _FIGURE_COLUMNS)
    frame["figure"] = frame["figure"].str.removeprefix("Fig. ")
    frame = frame[frame["figure"].isin(FIGURES)].reset_index(drop=True)
    frame["cell"] = frame["cell"].str.lower()
    frame["hidden_assumed"] = frame["hidden_size"].isna()
    frame["hidden_size"] = frame["hidden_size"].fillna(
        frame["figure"].map(ASSUMED_HIDDEN_SIZE).astype("Int64")
    )
    return frame


def read_parameters(folder: Path = PUBLISHED) -> pd.DataFrame:
    """The set-up of DAC 2020: parameter, value (text), unit, source."""
    columns = dict.fromkeys(("parameter", "value", "unit", "source"), "string")
    return _read(folder / "published_dac20_parameters.csv", columns)


def read_gpu_latencies(folder: Path = PUBLISHED) -> pd.DataFrame:
    """DeepBench's GPU inference times: ``time_ms`` for a cell, hidden and batch size, and steps."""
    return _read(folder / "deepbench_rnn_published_gpu.csv", _GPU_COLUMNS)


def _read(path: Path, columns: dict[str, str]) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"{path}: missing; it is part of the project, restore it with `git checkout`")
    header = list(pd.read_csv(path, nrows=0).columns)
    if header != list(columns):
        raise UserError(f"{path}: columns {header}, expected {list(columns)}; restore it with `git checkout`")
    return pd.read_csv(path, dtype=columns)
