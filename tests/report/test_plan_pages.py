"""Tests of the Plan pages: pictures are to scale, times add up, and the right points are shown."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from xml.etree import ElementTree as ET

import pandas as pd
import pytest

from bench.hardware.files import load_profile, make_cluster
from bench.hardware.profile import Cluster
from bench.partitioners import load_partitioner
from bench.plans.plan import Plan
from bench.results.frames import prepare
from bench.results.store import read_results
from bench.site.cabling import cabling
from bench.site.ownership import ownership
from bench.site.plan_points import FPGAS, MOST, chosen_rows, plan_points
from bench.site.steady import busy, steady_drawing, waits
from bench.timeline.timelines import steady_step
from bench.workloads.catalogue import load_workload
from bench.workloads.model import Workload
from tests.results.factory import make_row

Case = tuple[Plan, Workload, Cluster]


@pytest.fixture(scope="module", params=["row-wise", "gate-wise", "layer-wise"])
def case(request: pytest.FixtureRequest) -> Case:
    """A plan of a small network for three devices."""
    workload = load_workload("dac20/gnmt-4")
    cluster = make_cluster(load_profile("s10-gx2800-dac20"), 3, "ring")
    return load_partitioner(request.param).plan(workload, cluster), workload, cluster


def shapes(drawing: str, tag: str, css: str) -> list[ET.Element]:
    """Elements of a drawing by tag and a word of their class."""
    root = ET.fromstring(drawing)
    return [one for one in root.iter(tag) if css in one.get("class", "").split()]


def test_blocks_are_drawn_to_scale(case: Case) -> None:
    """Areas in the picture are in proportion to the elements that each device owns, in each kind of layer."""
    plan, workload, _ = case
    drawn: dict[str, float] = defaultdict(float)
    for rect in shapes(ownership(plan, workload), "rect", "block"):
        title = rect.findtext("title", "")
        if "columns" in title:
            rows, cols = re.findall(r"(\d+) to (\d+)", title)
            elements = (int(rows[1]) - int(rows[0])) * (int(cols[1]) - int(cols[0]))
            drawn[title] = float(rect.get("width", "")) * float(rect.get("height", "")) / elements
    assert len(drawn) >= len({(block.matrix, block.rows, block.cols, block.device) for block in plan.blocks})
    assert max(drawn.values()) == pytest.approx(min(drawn.values()), rel=0.01)


def test_every_device_and_group_is_in_the_cabling(case: Case) -> None:
    """A circle for each device, those in no group marked as idle, and a box for each group."""
    plan, _, cluster = case
    drawing = cabling(plan, cluster, [1.0] * cluster.fpgas)
    owned = {device for group in plan.groups for device in group}
    circles = shapes(drawing, "circle", "block")
    assert len(circles) == cluster.fpgas
    assert len(shapes(drawing, "circle", "idle")) == cluster.fpgas - len(owned)
    boxes = [one for one in shapes(drawing, "rect", "group") if "idle" not in one.get("class", "")]
    assert len(boxes) == len(plan.groups)


def test_steady_step_adds_up(case: Case) -> None:
    """What the critical path waits for fills the step, and no unit works longer than the step lasts."""
    timeline = steady_step(*case)
    assert sum(cycles for _, cycles in waits(timeline)) == timeline.end - timeline.start
    assert all(0 <= share <= 1 for _, shares in busy(timeline) for share in shares.values())
    drawing = steady_drawing(timeline)
    kinds = {one.get("class") for one in ET.fromstring(drawing).iter("path")}
    assert {"busy matrix", "busy matrix critical"} & kinds
    assert len(shapes(drawing, "text", "layer")) == len({span.device for span in timeline.spans})


def test_chosen_points_are_of_the_full_search(results: Path) -> None:
    """Solved points of `full` alone, on the most FPGAs up to 8, one a workload."""
    rows = prepare(read_results(results))
    chosen = chosen_rows(rows)
    assert 0 < len(chosen) <= MOST
    assert set(chosen["strategy"]) == {"full"}
    assert set(chosen["fpgas"]) == {FPGAS}
    assert chosen["workload"].is_unique
    assert chosen["solved"].all()


def test_point_of_an_unknown_workload_is_left_out() -> None:
    """Results from elsewhere may name what is not here: no page, and no error."""
    rows = prepare(pd.DataFrame([make_row(workload="elsewhere", partitioner="full", fpgas=4)]))
    assert len(chosen_rows(rows)) == 1
    assert plan_points(rows) == []


def test_plan_page_says_where_results_differ(site: Path) -> None:
    """The synthetic results are not the emulator's, and the page says so; each page is in the list."""
    pages = sorted((site / "plans").glob("*.html"))
    assert pages
    listed = (site / "plans.html").read_text(encoding="utf-8")
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "they come from another version of the search" in text
        assert "The same in a shell" in text
        assert f'href="plans/{page.name}"' in listed
