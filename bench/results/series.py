"""What each bar and point of the paper is in our results: figure and series to a value.

The paper's words on the left, ours on the right; nothing here knows a published value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

PROFILE = "s10-gx2800-dac20"
TOPOLOGY = "ring"
LINK_LATENCY_NS = 1000.0

WORKLOADS = {
    ("GNMT-4 (4-layer GNMT)", 1024): "dac20/gnmt-4",
    ("Encoder-8", 2048): "dac20/encoder-8",
    ("Encoder-8", 1536): "dac20/encoder-8-1536",
    ("Decoder-8", 1536): "dac20/decoder-8-1536",
    ("BLSTM-4", 1536): "dac20/blstm-4-1536",
    ("BLSTM-Pyramid-4", 1536): "dac20/blstm-pyramid-4-1536",
    ("Encoder-8", 4096): "dac20/encoder-8-4096",
    ("Decoder-8", 2048): "dac20/decoder-8",
    ("BLSTM-4", 2048): "dac20/blstm-4",
    ("BLSTM-Pyramid-4", 2048): "dac20/blstm-pyramid-4",
}

Key = tuple[str, int, str, bool, float]
"""(workload, FPGAs, partitioner, software pipelining, link latency in ns)."""


@dataclass(frozen=True, slots=True)
class Emulated:
    """What the comparison needs of one solved row."""

    latency_s: float
    utilization: float
    communication_share: float


@dataclass(frozen=True)
class Point:
    """One emulated point of the paper's experiments, with one FPGA beside it."""

    rows: dict[Key, Emulated]
    workload: str
    fpgas: int

    def row(self, strategy: str, *, pipelined: bool = False, link_ns: float = LINK_LATENCY_NS) -> Emulated:
        """The row of ``strategy`` (``single`` on one FPGA); KeyError if it has no result."""
        if self.fpgas == 1:
            return self.rows[self.workload, 1, "single", pipelined, LINK_LATENCY_NS]
        return self.rows[self.workload, self.fpgas, strategy, pipelined, link_ns]

    @property
    def single(self) -> Emulated:
        """One FPGA without pipelining; KeyError if it has no result."""
        return self.rows[self.workload, 1, "single", False, LINK_LATENCY_NS]

    def normalized(self, strategy: str) -> float:
        """Latency over that of one FPGA."""
        return self.row(strategy).latency_s / self.single.latency_s

    def speedup(self, strategy: str, *, pipelined: bool = False, link_ns: float = LINK_LATENCY_NS) -> float:
        """One FPGA's latency over this one's."""
        row = self.row(strategy, pipelined=pipelined, link_ns=link_ns)
        return self.single.latency_s / row.latency_s


def emulated_rows(frame: pd.DataFrame) -> dict[Key, Emulated]:
    """Solved rows of a prepared frame on the paper's profile and ring, batch 1, by `Key`.

    Rows with parameters other than ``software_pipelining`` are left out. One FPGA uses no
    link, so its rows stand under the default latency.
    """
    rows = frame[
        frame["solved"]
        & (frame["profile"] == PROFILE)
        & (frame["topology"] == TOPOLOGY)
        & (frame["batch"] == 1)
        & ~frame["strategy"].str.contains("(", regex=False)
    ]
    found: dict[Key, Emulated] = {}
    for row in rows.to_dict("records"):
        link = row["link_latency_ns"] if row["fpgas"] > 1 else LINK_LATENCY_NS
        key = (row["workload"], row["fpgas"], row["partitioner"], row["pipelined"], link)
        found[key] = Emulated(row["latency_s"], row["utilization"], row["communication_share"])
    return found


def workload_name(model: str, cell: str, hidden_size: int) -> str:
    """The catalogue name of a published row's model."""
    if model == "single-layer":
        return f"dac20/{cell}-{hidden_size}"
    return WORKLOADS[model, hidden_size]


def _stack(strategy: str, part: str, point: Point) -> float:
    """A part of a stacked bar, as a share of one FPGA's time.

    The ideal 1/N is arithmetic; communication is what the emulator attributes to
    exchanges; what is left is idling (data dependency, or load imbalance).
    """
    base = 1 / point.fpgas
    if part == "base (no overhead)":
        return base
    total = point.normalized(strategy)
    exchange = point.row(strategy).communication_share * total
    parts = {
        "total (stack top)": total,
        "vector forward": exchange,
        "vector reduction": exchange,
        "data dependency": total - base - exchange,
        "load imbalance": total - base - exchange,
    }
    if part not in parts:
        raise ValueError(f"unknown part {part!r} of a stacked bar")
    return round(parts[part], 12)  # a difference of equals is 0, not 3e-17


def _link(latency_ns: float) -> Callable[[Point], float]:
    return lambda point: point.speedup("row-wise", link_ns=latency_ns)


_VALUES: dict[tuple[str, str, str], Callable[[Point], float]] = {
    ("1b", "layer-wise", "normalized_inference_time"): lambda p: p.normalized("layer-wise"),
    ("7", "row-wise", "speedup"): lambda p: p.speedup("row-wise"),
    ("7", "row-wise: computation share", "fraction_of_time"): lambda p: (
        1 - p.row("row-wise").communication_share
    ),
    ("8", "layer-wise", "speedup_vs_single_fpga"): lambda p: p.speedup("layer-wise"),
    ("8", "row-wise", "speedup_vs_single_fpga"): lambda p: p.speedup("row-wise"),
    ("8", "layer/row-wise (ours)", "speedup_vs_single_fpga"): lambda p: p.speedup("full-dac20"),
    ("8", "layer/row-wise + sw pipelining (ours)", "speedup_vs_single_fpga"): lambda p: p.speedup(
        "full-dac20", pipelined=True
    ),
    ("9", "layer/row-wise", "speedup_vs_single_fpga"): lambda p: p.speedup("full-dac20"),
    ("9", "layer/row-wise", "hw_utilization"): lambda p: p.row("full-dac20").utilization,
    ("10", "input-wise", "speedup_vs_single_fpga"): lambda p: p.speedup("input-wise"),
    ("10", "gate-wise", "speedup_vs_single_fpga"): lambda p: p.speedup("gate-wise"),
    ("10", "row-wise (ours)", "speedup_vs_single_fpga"): lambda p: p.speedup("row-wise"),
    ("11", "row-wise, link latency 1 us", "speedup_vs_single_fpga"): _link(1000.0),
    ("11", "row-wise, link latency 500 ns", "speedup_vs_single_fpga"): _link(500.0),
    ("11", "row-wise, link latency 250 ns", "speedup_vs_single_fpga"): _link(250.0),
    ("12", "sw pipelining", "speedup_from_sw_pipelining"): lambda p: (
        p.row("row-wise").latency_s / p.row("row-wise", pipelined=True).latency_s
    ),
    ("12", "sw pipelining", "hw_utilization"): lambda p: p.row("row-wise", pipelined=True).utilization,
}


def emulated_value(figure: str, series: str, metric: str, point: Point) -> float:
    """Our value for one published bar or point; NaN if a row it needs has no result.

    Raises ValueError for a series that this module does not know.
    """
    try:
        if figure in ("4b", "5c"):
            strategy, _, part = series.partition(": ")
            return _stack(strategy, part, point)
        value = _VALUES.get((figure, series, metric))
        if value is None:
            raise ValueError(f"Fig. {figure}: unknown series {series!r} with metric {metric!r}")
        return value(point)
    except KeyError:
        return float("nan")


def by_definition(figure: str, series: str, metric: str, fpgas: int) -> bool:
    """Whether the value holds whatever the emulator says: 1/N, or one FPGA over itself."""
    if series.endswith("base (no overhead)"):
        return True
    return fpgas == 1 and metric not in ("hw_utilization", "speedup_from_sw_pipelining")
