"""Where published results contradict each other or themselves: tables made from the CSV files alone.

docs/fidelity.md shows them between ``<!-- table: NAME -->`` and ``<!-- /table -->``.
Example: ``python -m bench.results.disagreements`` writes them there again.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from bench.files import read_text
from bench.results.fidelity_sets import FILE, read_sets, references
from bench.results.output import markdown_text
from bench.results.published import PUBLISHED, read_figures
from bench.results.text import write_text

PAGE = PUBLISHED.parents[1] / "docs" / "fidelity.md"

MACS_PER_CYCLE = 19_200
DAC_HZ, FCCM_HZ, ISCA_HZ, NX_HZ = 275e6, 250e6, 250e6, 300e6
BETA_NS = 0.17
"""DAC 2020, Table II: per byte."""
GATES = {"lstm": 4, "gru": 3}
EXCHANGES = {"lstm": 1, "gru": 2}
"""All-gathers a step of a row-wise split: a GRU's reset hidden vector is gathered too."""

_MARKED = re.compile(r"(<!-- table: (\S+) -->\n)(.*?)(<!-- /table -->)", re.DOTALL)


def ideal_cycles(cell: str, hidden: int) -> float:
    """Cycles of a step on one FPGA with every multiplier of 4T-120D-40L busy."""
    return GATES[cell] * 2 * hidden**2 / MACS_PER_CYCLE


def fig12(published: Path = PUBLISHED) -> dict[tuple[str, int, int], dict[str, float]]:
    """Fig. 12 as cycles a step, by (cell, hidden size, FPGAs): ``pipelined``, ``plain``, ``least``.

    ``least``: the pipelined step if the utilisation is one step of the drawing higher.
    """
    frame = read_figures(published)
    frame = frame[frame["figure"] == "12"]
    found: dict[tuple[str, int, int], dict[str, float]] = {}
    for row in frame[frame["metric"] == "hw_utilization"].to_dict("records"):
        ideal = ideal_cycles(row["cell"], row["hidden_size"]) / row["num_fpgas"]
        key = (row["cell"], row["hidden_size"], row["num_fpgas"])
        found[key] = {
            "pipelined": ideal / row["value"],
            "least": ideal / (row["value"] + row["digitisation_step"]),
        }
    for row in frame[frame["metric"] == "speedup_from_sw_pipelining"].to_dict("records"):
        key = (row["cell"], row["hidden_size"], row["num_fpgas"])
        found[key]["plain"] = found[key]["pipelined"] * row["value"]
    return found


def _npu(published: Path) -> pd.DataFrame:
    return pd.read_csv(published / "published_intel_npu.csv")


def one_overlay_two_papers(published: Path = PUBLISHED) -> pd.DataFrame:
    """Cycles a step of the layers that FCCM 2019 and DAC 2020 both time on one 4T-120D-40L."""
    rows = _npu(published)
    rows = rows[(rows["npu_config"] == "4T-120D-40L") & (rows["hidden_size"] == 1024)]
    dac = fig12(published)
    records = []
    for row in rows.to_dict("records"):
        seconds = row["latency_ms"] * 1e-3 / row["time_steps"]
        fccm = seconds * FCCM_HZ
        there = dac[row["cell"], int(row["hidden_size"]), 1]
        records.append(
            {
                "layer": f"{row['cell'].upper()}-{row['hidden_size']:.0f}",
                "ideal": round(ideal_cycles(row["cell"], row["hidden_size"])),
                "FCCM 2019": round(fccm),
                "if at 275 MHz": round(seconds * DAC_HZ),
                "DAC 2020, pipelined": round(there["pipelined"]),
                "one drawing step less": round(there["least"]),
                "DAC 2020, not pipelined": round(there["plain"]),
                "pipelined / FCCM": there["pipelined"] / fccm,
                "not pipelined / FCCM": there["plain"] / fccm,
            }
        )
    return pd.DataFrame(records)


def isca_floor(published: Path = PUBLISHED) -> pd.DataFrame:
    """Microseconds a step in ISCA 2018, Table V, for the layers on the latency floor."""
    rows = pd.read_csv(published / "published_brainwave_isca18.csv")
    rows = rows[(rows["device"] == "BW_S10") & (rows["hidden_size"] <= 1536) & (rows["time_steps"] > 1)]
    return pd.DataFrame(
        {
            "layer": f"{row['cell'].upper()}-{row['hidden_size']:.0f}",
            "steps": row["time_steps"],
            "latency (ms)": row["latency_ms"],
            "a step (us)": 1e3 * row["latency_ms"] / row["time_steps"],
            "a step (cycles)": round(1e-3 * row["latency_ms"] / row["time_steps"] * ISCA_HZ),
        }
        for row in rows.to_dict("records")
    )


def simulator_rtl_board(published: Path = PUBLISHED) -> pd.DataFrame:
    """Cycles a step of the open C++ simulator and its RTL (8 steps), and of the board (256 steps)."""
    sets = {one.id: one for one in read_sets().sets}
    board = {_layer(r.row): r.value * 1e-3 * NX_HZ / 256 for r in references(sets["d"], published)}
    rtl = {_layer(r.row): r.value for r in references(sets["f"], published)}
    records = []
    for reference in references(sets["e"], published):
        name = _layer(reference.row)
        steps = int(reference.row.rpartition("-t")[2])
        there = board.get(name)
        records.append(
            {
                "layer": name,
                "C++": round(reference.value / steps, 1),
                "RTL": round(rtl[name] / steps, 1),
                "board": there if there is None else round(there, 1),
                "C++ / RTL": reference.value / rtl[name],
                "board / RTL": float("nan") if there is None else there / (rtl[name] / steps),
            }
        )
    return pd.DataFrame(records)


def _layer(row: str) -> str:
    cell, hidden, *_ = row.split("-")
    return f"{cell.upper()}-{hidden}"


def several_fpgas(published: Path = PUBLISHED) -> pd.DataFrame:
    """Cycles a step of row-wise splits: what Fig. 12 implies beside Figs. 10 and 11.

    ``alpha (ns)``: the link latency at which one FPGA's time over N plus the all-gathers of
    Eq. (2) takes as long as Fig. 12 says.
    """
    frame = read_figures(published)
    dac = fig12(published)
    records = []
    for (cell, hidden, fpgas), row in sorted(dac.items()):
        if fpgas == 1 or hidden == 1024:
            continue
        alone = dac[cell, hidden, 1]["plain"]
        here = frame[
            (frame["cell"] == cell) & (frame["hidden_size"] == hidden) & (frame["num_fpgas"] == fpgas)
        ]
        speedup = {
            name: float(here.loc[(here["figure"] == figure) & (here["series"] == series), "value"].iloc[0])
            for name, figure, series in (
                ("10", "10", "row-wise (ours)"),
                ("1 us", "11", "row-wise, link latency 1 us"),
                ("250 ns", "11", "row-wise, link latency 250 ns"),
            )
        }
        rounds = EXCHANGES[cell] * (fpgas - 1)
        spare_ns = (row["plain"] - alone / fpgas) / DAC_HZ * 1e9
        records.append(
            {
                "layer": f"{cell.upper()}-{hidden}",
                "FPGAs": fpgas,
                "Fig. 12": round(row["plain"]),
                "Fig. 10": round(alone / speedup["10"]),
                "Fig. 11, 1 us": round(alone / speedup["1 us"]),
                "Fig. 11, 250 ns": round(alone / speedup["250 ns"]),
                "Fig. 10 / Fig. 12": alone / speedup["10"] / row["plain"],
                "250 ns / Fig. 12": alone / speedup["250 ns"] / row["plain"],
                "alpha (ns)": round(spare_ns / rounds - hidden / fpgas * BETA_NS),
            }
        )
    return pd.DataFrame(records)


def layer_wise_twice(published: Path = PUBLISHED) -> pd.DataFrame:
    """Layer-wise speed-ups of Fig. 8, and of Fig. 4b as 1 over its normalised time, as ranges.

    A range ends one step of the drawing above what was read, because readings tend to be low.
    """
    frame = read_figures(published)
    bars = frame[
        (frame["figure"] == "4b")
        & frame["series"].str.endswith("total (stack top)")
        & (frame["num_fpgas"] > 1)
    ]
    other = frame[(frame["figure"] == "8") & (frame["series"] == "layer-wise")]
    speedups = {(r["model"], r["num_fpgas"]): r for r in other.to_dict("records")}
    records = []
    for bar in bars.to_dict("records"):
        line = speedups[bar["model"], bar["num_fpgas"]]
        low, high = 1 / (bar["value"] + bar["digitisation_step"]), 1 / bar["value"]
        top = line["value"] + line["digitisation_step"]
        records.append(
            {
                "network": bar["model"],
                "FPGAs": bar["num_fpgas"],
                "Fig. 4b": f"{low:.2f} to {high:.2f}",
                "Fig. 8": f"{line['value']:.2f} to {top:.2f}",
                "meet": "yes" if low <= top and line["value"] <= high else "no",
            }
        )
    return pd.DataFrame(records)


def pyramid(published: Path = PUBLISHED) -> pd.DataFrame:
    """Fig. 8: the two bidirectional networks side by side."""
    frame = read_figures(published)
    frame = frame[(frame["figure"] == "8") & frame["model"].isin(["BLSTM-4", "BLSTM-Pyramid-4"])]
    frame = frame[frame["num_fpgas"] >= 4]
    wide = frame.pivot_table(index=["series", "num_fpgas"], columns="model", values="value", sort=False)
    table = wide.reset_index().rename(columns={"num_fpgas": "FPGAs"})
    table.columns.name = None
    table["series"] = table["series"].str.removesuffix(" (ours)")
    return table.assign(ratio=table["BLSTM-Pyramid-4"] / table["BLSTM-4"]).sort_values("FPGAs", kind="stable")


def fp32(published: Path = PUBLISHED) -> pd.DataFrame:
    """FCCM 2019's FP32 rows as shares of 4,096 multipliers' peak at 200 MHz, and of the printed peak."""
    configs = pd.read_csv(published / "published_npu_hw_configs.csv").to_dict("records")
    config = next(config for config in configs if config["name"] == "FP32 2T-64D-32L")
    peak = 2 * config["multipliers"] * config["clock_mhz"] * 1e6
    rows = _npu(published)
    rows = rows[rows["npu_config"] == "2T-64D-32L"]
    gates = {"rnn": 1, **GATES}
    records = []
    for row in rows.to_dict("records"):
        operations = 2 * gates[row["cell"]] * 2 * row["hidden_size"] ** 2 * row["time_steps"]
        rate = operations / (row["latency_ms"] * 1e-3)
        records.append(
            {
                "layer": f"{row['cell'].upper()}-{row['hidden_size']:.0f}",
                "latency (ms)": row["latency_ms"],
                "TFLOPS": rate / 1e12,
                f"of {peak / 1e12:.2f} (%)": 100 * rate / peak,
                f"of {config['peak_tops']:g} (%)": 100 * rate / (config["peak_tops"] * 1e12),
            }
        )
    return pd.DataFrame(records)


def bounds(published: Path = PUBLISHED) -> pd.DataFrame:
    """The sets with their rows, the deviation aimed at and the recorded bound, in percent."""
    sets = read_sets()
    records = []
    for one in sets.sets:
        rows = len(references(one, published))
        records.append(
            {
                "set": one.id.upper(),
                "rows": rows,
                "fitted": len(one.fitted),
                "aim, mean": f"{one.bar.mean:g}",
                "aim, any row": f"{one.bar.worst:g}",
                "reached, mean": f"{one.bound.mean:g}",
                "reached, worst row": f"{one.bound.worst:g}",
            }
        )
    return pd.DataFrame(records)


TABLES: dict[str, Callable[[], pd.DataFrame]] = {
    "bounds": bounds,
    "one-overlay-two-papers": one_overlay_two_papers,
    "isca-floor": isca_floor,
    "simulator-rtl-board": simulator_rtl_board,
    "several-fpgas": several_fpgas,
    "layer-wise-twice": layer_wise_twice,
    "pyramid": pyramid,
    "fp32": fp32,
}
"""Name on the page -> table."""


def with_tables(text: str) -> str:
    """A page's text with each marked table made anew; KeyError for a name that is not in `TABLES`."""

    def table(match: re.Match[str]) -> str:
        lines = markdown_text(TABLES[match[2]](), title="").splitlines()
        return match[1] + "\n".join(line for line in lines if line.startswith("|")) + "\n" + match[4]

    return _MARKED.sub(table, text)


def write_tables(page: Path = PAGE) -> None:
    """Bring the marked tables of the page up to date."""
    write_text(with_tables(read_text(page)), page)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: write the tables of docs/fidelity.md again; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.results.disagreements",
        description=f"Write the tables of docs/fidelity.md again, from reports/published and {FILE.name}.",
    )
    parser.add_argument("--page", type=Path, default=PAGE, help="page with marked tables")
    arguments = parser.parse_args(argv)
    write_tables(arguments.page)
    return 0


if __name__ == "__main__":
    from bench.results.command import run

    run(main)
