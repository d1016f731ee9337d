"""Our best plans beside the paper's best."""

import pandas as pd
import pytest

from bench.results.beyond import COLUMNS, beyond, published_best
from bench.results.frames import prepare
from bench.results.published import read_figures
from tests.results.factory import paper_rows


def test_the_papers_best_of_each_cell() -> None:
    """Software pipelining counts for the paper: in Fig. 8 as drawn, in Fig. 10 by Fig. 12's gain."""
    best = published_best(read_figures()).set_index(["workload", "fpgas"])
    assert len(best) == 22
    assert best.loc[("dac20/blstm-4", 8), "published"] == pytest.approx(4.284)
    # Fig. 10: row-wise 1.5; Fig. 12: 1.153 times as fast with software pipelining
    assert best.loc[("dac20/lstm-2048", 2), "published"] == pytest.approx(1.5 * 1.153)
    # Fig. 12 alone: utilisation 0.487 on two, 0.651 / 1.158 on one without pipelining
    assert best.loc[("dac20/lstm-1024", 2), "published"] == pytest.approx(2 * 0.487 / (0.651 / 1.158))


def test_ratios_are_those_of_speedups() -> None:
    """ratio, over_bound and over_conventional are what their names say."""
    frame = prepare(pd.DataFrame(paper_rows()))
    table = beyond(frame, read_figures())
    assert list(table.columns) == COLUMNS
    assert len(table) == 22
    assert (table["ratio"] - table["ours"] / table["published"]).abs().max() < 1e-12
    assert (table["over_bound"] > 1).all()
    row = table[(table["workload"] == "dac20/blstm-4") & (table["fpgas"] == 8)].iloc[0]
    both = frame[(frame["topology"] == "ring-bidirectional") & (frame["workload"] == row["workload"])]
    latency = both[both["fpgas"] == 8].set_index("partitioner")["latency_s"]
    assert row["over_conventional"] == pytest.approx(latency["layer-wise"] / latency["full"])


def test_cells_that_were_not_run_are_left_out() -> None:
    """Without runs on rings in both directions there is nothing to compare."""
    rows = [row for row in paper_rows() if row["topology"] == "ring"]
    assert beyond(prepare(pd.DataFrame(rows)), read_figures()).empty
