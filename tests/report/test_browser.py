"""Tests of the site in Debian's chromium, opened from disk: what a person clicks, sees and downloads."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from bench.results.frames import prepare
from bench.results.store import read_results
from bench.site.data import explore_script
from tests.report.browser import CHROMIUM, Tab, browser

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")

FAST_MS = 200
MANY = 100_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the browser keeps its profile and its downloads."""
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def browser_tab(folder: Path) -> Iterator[Tab]:
    """One browser for all tests."""
    with browser(folder) as tab:
        yield tab


@pytest.fixture
def tab(browser_tab: Tab) -> Iterator[Tab]:
    """The browser; whatever a test does must cause no console error and no request to a network."""
    browser_tab.requests.clear()
    browser_tab.errors.clear()
    browser_tab.look(width=1280)
    yield browser_tab
    browser_tab.run("1")  # what the page still says
    assert browser_tab.errors == []
    assert browser_tab.network == []


def explore(tab: Tab, site: Path, fragment: str = "") -> None:
    """Open Explore and wait for its rows."""
    tab.open((site / "explore.html").as_uri() + fragment)
    tab.wait("document.getElementById('status').dataset.rows !== undefined")


def rows_found(tab: Tab) -> int:
    """How many rows the status line speaks of."""
    return int(tab.run("Number(document.getElementById('status').dataset.rows)"))


def first_cells(tab: Tab, heading: str) -> list[str]:
    """The first rows' cells below a heading."""
    found = tab.run(
        f"""(() => {{
          const titles = [...document.querySelectorAll('#grid th')].map((cell) => cell.textContent);
          const at = titles.indexOf({heading!r});
          return [...document.querySelectorAll('#grid tbody tr[aria-rowindex]')].slice(0, 8)
            .map((row) => row.cells[at].textContent);
        }})()"""
    )
    return list(found)


def test_filter_sort_and_permanent_link(tab: Tab, site: Path, results: Path) -> None:
    """Clicks narrow and order the rows, and the address that follows gives the same view again."""
    frame = prepare(read_results(results))
    explore(tab, site)
    assert rows_found(tab) == len(frame)
    tab.click("#facets details:nth-child(4) summary")
    tab.click("#facets input[name=fpgas][value='4']")
    tab.press("Escape", 27)
    assert rows_found(tab) == (frame["fpgas"] == 4).sum()
    tab.run("document.getElementById('search').focus()")
    tab.call("Input.insertText", text="gru row-wise")
    text = frame[["workload", "cell", "experiment"]].agg(" ".join, axis=1)
    wanted = frame[(frame["fpgas"] == 4) & text.str.contains("gru") & (frame["partitioner"] == "row-wise")]
    assert rows_found(tab) == len(wanted) > 3
    tab.click("#grid th:nth-child(5) .sort")
    tab.click("#grid th:nth-child(5) .sort")
    assert tab.run("document.querySelector('#grid th:nth-child(5)').getAttribute('aria-sort')") == "ascending"
    latencies = [float(cell.replace(",", "")) for cell in first_cells(tab, "latency, µs")]
    expected = wanted["latency_s"].dropna().sort_values().head(8) * 1e6
    assert latencies == pytest.approx(list(expected), abs=0.06)

    link = tab.run("document.getElementById('permalink').href")
    tab.open("about:blank")
    tab.open(link)
    tab.wait("document.getElementById('status').dataset.rows !== undefined")
    assert rows_found(tab) == len(wanted)
    assert tab.run("document.getElementById('search').value") == "gru row-wise"
    assert [float(cell.replace(",", "")) for cell in first_cells(tab, "latency, µs")] == latencies


@pytest.mark.parametrize("base", ["one", "conventional", "row-wise"])
def test_speedup_over_any_baseline(tab: Tab, site: Path, results: Path, base: str) -> None:
    """Speed-ups are those over one FPGA, over the best conventional plan, and over any other."""
    frame = prepare(read_results(results))
    frame = frame[frame["solved"]]
    explore(tab, site, f"#workload=dac20%2Fencoder-8&experiment=fig8&base={base}&sort=-speedup&fpgas=8")
    mine = frame[(frame["workload"] == "dac20/encoder-8") & (frame["fpgas"] == 8)]
    mine = mine[mine["experiment"] == "fig8"]
    same = frame[(frame["workload"] == "dac20/encoder-8") & (frame["profile"] == mine["profile"].iloc[0])]
    names = {"one": ["single"], "conventional": ["layer-wise", "input-wise", "gate-wise"]}.get(base, [base])
    link = mine["link_latency_ns"].iloc[0]
    same = same[
        (same["fpgas"] == 1) if base == "one" else (same["fpgas"] == 8) & (same["link_latency_ns"] == link)
    ]
    reference = same[same["strategy"].isin(names)]["latency_s"].min()
    expected = sorted((reference / mine["latency_s"]).tolist(), reverse=True)[:8]
    assert [float(cell) for cell in first_cells(tab, "speed-up")] == pytest.approx(expected, abs=0.006)


def test_download_holds_the_filtered_rows(tab: Tab, site: Path, results: Path, folder: Path) -> None:
    """The CSV has the rows in sight, in their order, with their numbers in full."""
    frame = prepare(read_results(results))
    explore(tab, site, "#cell=lstm&fpgas=2&sort=latency_us")
    tab.click("#csv")
    file = folder / "downloads" / "results.csv"
    for _ in range(500):
        if file.is_file() and file.stat().st_size:
            break
        time.sleep(0.02)
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    wanted = frame[(frame["cell"] == "lstm") & (frame["fpgas"] == 2)].sort_values("latency_s")
    assert len(rows) == len(wanted) == rows_found(tab)
    assert {row["fpgas"] for row in rows} == {"2"}
    solved = [float(row["latency_us"]) for row in rows if row["latency_us"]]
    assert solved == pytest.approx(list(wanted["latency_s"].dropna() * 1e6), rel=1e-6)
    assert sorted(row["workload"] for row in rows) == sorted(wanted["workload"])


@pytest.mark.parametrize("view", ["line", "bar", "heat"])
def test_charts_are_drawn(tab: Tab, site: Path, view: str) -> None:
    """Each view draws marks, with a table of the same values, and the address names the view."""
    explore(tab, site, "#experiment=fig8")
    tab.click(f"[data-view={view}]")
    tab.wait("document.querySelectorAll('#chart svg path').length > 3")
    assert tab.run("document.querySelectorAll('#chart-table tbody tr').length") > 3
    assert f"view={view}" in tab.run("location.hash")


def test_hundred_thousand_rows_stay_fast(tab: Tab, site: Path, results: Path, tmp_path: Path) -> None:
    """With 100,000 rows a filter answers within 200 ms, and the page holds only the rows in sight."""
    frame = prepare(read_results(results))
    many = pd.concat([frame] * (MANY // len(frame) + 1), ignore_index=True).head(MANY)
    many["latency_s"] *= 1 + many.index.to_numpy() / MANY
    for name in ("explore.html", "static"):
        (tmp_path / name).symlink_to(site / name)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "results.js").write_text(explore_script(many), encoding="utf-8")
    explore(tab, tmp_path)
    assert rows_found(tab) == MANY
    spent = []
    for word in ("lstm", "lstm row", "lstm row-wise", "gru", "dac20"):
        tab.run(
            f"(() => {{ const box = document.getElementById('search'); box.value = {word!r};"
            " box.dispatchEvent(new Event('input')); })()"
        )
        spent.append(float(tab.run("Number(document.getElementById('status').dataset.ms)")))
        assert 0 < rows_found(tab) < MANY
    assert max(spent) < FAST_MS, spent
    tab.run("document.getElementById('grid').scrollTop = 1e9")
    tab.wait("document.querySelector('#grid tbody tr:last-child[aria-rowindex]') !== null")
    last = tab.run("document.querySelector('#grid tbody tr:last-child').getAttribute('aria-rowindex')")
    assert int(last) == rows_found(tab) + 1
    assert tab.run("document.querySelectorAll('#grid tbody tr').length") < 100


def test_tables_of_other_pages_sort(tab: Tab, site: Path) -> None:
    """Headings of plain tables are buttons: a click sorts, by number where there are numbers."""
    tab.open((site / "index.html").as_uri())
    tab.click("#fidelity th:nth-child(4) .sort")
    found = tab.run(
        "[...document.querySelectorAll('#fidelity tbody tr')].map((row) => Number(row.cells[3].textContent))"
    )
    numbers = [value for value in found if value is not None]
    assert numbers == sorted(numbers)


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("dark", [False, True])
def test_every_page_fits_its_window(tab: Tab, site: Path, width: int, dark: bool) -> None:
    """No page is wider than the window, its text contrasts with the ground, and it has one main heading."""
    tab.look(width=width, dark=dark, phone=width < 500)
    pages = sorted(site.rglob("*.html"))
    for path in pages:
        tab.open(path.as_uri())
        assert tab.run("[document.documentElement.scrollWidth <= innerWidth, innerWidth]") == [True, width], (
            path.name
        )
        assert tab.run("document.querySelectorAll('h1').length") == 1
        ground = tab.run("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(255, 255, 255)") is not dark


def test_keyboard_reaches_content_and_theme(tab: Tab, site: Path) -> None:
    """Tab stops at the skip link first, with a visible outline; the theme's button changes the colours."""
    tab.open((site / "index.html").as_uri())
    tab.press("Tab", 9)
    assert tab.run("document.activeElement.className") == "skip"
    assert tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    before = tab.run("getComputedStyle(document.body).backgroundColor")
    tab.click("#theme")
    tab.click("#theme")
    assert tab.run("document.documentElement.dataset.theme") == "dark"
    assert tab.run("getComputedStyle(document.body).backgroundColor") != before
    tab.click("#theme")


def test_plan_page_opens_from_the_list(tab: Tab, site: Path) -> None:
    """A click leads to a plan: its matrices, its groups, its time step, and where the time goes."""
    tab.open((site / "plans.html").as_uri())
    tab.click("main h2 a")
    tab.wait("location.pathname.includes('/plans/') && document.readyState === 'complete'")
    for drawing in ("ownership", "cabling", "steady", "shares"):
        assert tab.run(f"document.querySelector('svg.{drawing}').getBoundingClientRect().width") > 100
    assert tab.run("document.querySelectorAll('.ownership .block').length") >= 9  # 8 matrices and h
    assert tab.run("getComputedStyle(document.querySelector('.busy.critical')).fillOpacity") == "1"


def test_paper_figures_stand_side_by_side(tab: Tab, site: Path) -> None:
    """Each figure has a published and an emulated panel on the same axis."""
    tab.open((site / "paper.html").as_uri())
    charts = "document.querySelectorAll('[data-chart]')"
    tab.wait(f"{charts}.length > 5 && [...{charts}].every((one) => one.querySelector('svg'))")
    titles = tab.run(
        "[...document.querySelector('[data-chart=\"8\"]').querySelectorAll('.role-title-text text')]"
        ".map((one) => one.textContent)"
    )
    assert titles == ["published", "emulated"]
