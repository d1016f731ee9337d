"""Writing the site: every page, the figures and files that they show, and the data of Explore."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from bench.results.frames import prepare
from bench.results.store import read_results
from bench.results.text import write_text
from bench.site.ahead import Ahead, make_ahead
from bench.site.baselines import baselines_section
from bench.site.data import explore_script
from bench.site.fidelity import fidelity_sections, glance_section
from bench.site.field import field_section, notes_section
from bench.site.folder import replaced
from bench.site.methods import method_sections
from bench.site.paper import pairs_script, paper_section, winners_section
from bench.site.parts import Page, Section, Sources
from bench.site.render import MENU, copy_static, environment, render
from bench.site.start import cards, claims_section, failures_section, run_section
from bench.site.studies import studies_section
from bench.site.sweeps import boards_section, numbers_section, speedups_section, sweep_section

_PATH = re.compile(r' d="[^"]*"| (?:x|y|x1|y1|x2|y2)="[^"]*"')
_LONG = re.compile(r"-?\d+\.\d{3,}")


def write_site(sources: Sources, out: Path, ahead: Ahead | None = None) -> int:
    """Write the site to ``out``, in place of what is there; bytes in all files.

    ``ahead``: what was made before (`bench.site.ahead`); without, it is made now.
    Raises UserError for results that cannot be read and for a folder that cannot be written; the site
    that was there stays.
    """
    rows = prepare(read_results(sources.results))
    ahead = ahead or make_ahead(rows)
    plans = ahead.plans
    pages = [page for page in _pages(sources, rows) if page.sections or page.cards]
    with replaced(out) as folder:
        files = {page.file for page in pages} | {"explore.html"} | ({"plans.html"} if plans else set())
        menu = tuple(entry for entry in MENU if entry.file in files)
        templates = environment()
        for page in (*pages, *(page for page, _ in plans)):
            text = render(templates, page, "sections.html.j2", menu)
            write_text(text, folder / page.file)
            _copy_shown(sources.reports, folder, page.sections)
            if page.charts:
                write_text(pairs_script(sources), folder / "data" / page.charts)
        if plans:
            page = Page("plans.html", "Plans", PLANS)
            links = [link for _, link in plans]
            write_text(render(templates, page, "plans.html.j2", menu, links=links), folder / page.file)
        explore = Page("explore.html", "Explore", EXPLORE, wide=True)
        write_text(render(templates, explore, "explore.html.j2", menu), folder / explore.file)
        write_text(explore_script(rows), folder / "data" / "results.js")
        copy_static(folder, ahead.vega)
    return sum(path.stat().st_size for path in out.rglob("*") if path.is_file())


PLANS = (
    "The plan that the full search chooses for one network and cluster: who owns what, what each device "
    "does in one time step, and where the time goes."
)

EXPLORE = (
    "Every point of the run. Filter and search, choose what the speed-up is over, sort by any heading, or "
    "draw the rows; the address holds the view, so that it can be kept and sent."
)


def _pages(sources: Sources, rows: pd.DataFrame) -> list[Page]:
    """The pages of sections; one that has nothing to show has no sections."""
    return [
        Page(
            "index.html",
            "Splitting recurrent networks over several FPGAs",
            "How fast each way of splitting an RNN over N FPGAs is, emulated instruction by instruction. "
            "Published numbers stand beside ours: those of single FPGAs under Fidelity, the figures of Kwon "
            "et al., DAC 2020, under Paper.",
            _there(
                run_section(rows), glance_section(sources), claims_section(sources), failures_section(sources)
            ),
            tuple(cards(sources, rows)),
        ),
        Page(
            "paper.html",
            "The paper's figures",
            "Each result figure of Kwon et al., DAC 2020, published and emulated.",
            _there(paper_section(sources), winners_section(sources)),
            charts="pairs.js",
        ),
        Page(
            "fidelity.html",
            "Fidelity",
            "How near the emulator comes to what others have published about single FPGAs.",
            _there(*fidelity_sections(sources)),
        ),
        Page(
            "studies.html",
            "Studies",
            "What goes beyond the paper's figures.",
            _there(
                studies_section(sources),
                sweep_section(sources, "deepbench", "DeepBench", "DeepBench's inference-server problems."),
                sweep_section(
                    sources, "large", "Large RNNs", "Networks larger than one FPGA's on-chip memory."
                ),
                baselines_section(sources),
                field_section(sources),
                notes_section(sources),
                speedups_section(sources),
                numbers_section(sources),
                boards_section(sources),
            ),
        ),
        Page(
            "methods.html",
            "Methods",
            "What was assumed, what the numbers come from, how to run it again and how to cite it.",
            method_sections(sources, rows),
        ),
    ]


def _there(*sections: Section | None) -> tuple[Section, ...]:
    return tuple(section for section in sections if section is not None and section.parts)


def _copy_shown(reports: Path, folder: Path, sections: Iterable[Section]) -> None:
    """Copy the figures and files that ``sections`` show or link to."""
    for section in sections:
        for image in {part.image for part in section.parts if part.image}:
            _copy(reports / image, folder / image)
        for link in section.links:
            _copy(reports / link, folder / "files" / link)


def _copy(source: Path, target: Path) -> None:
    if source.suffix == ".svg":
        write_text(slim(source.read_text("utf-8")), target)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


def slim(svg: str) -> str:
    """A figure without indents and comments, coordinates to a hundredth of a point; it looks the same."""
    svg = re.sub(r">\s+<", "><", re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL))
    return _PATH.sub(lambda path: _LONG.sub(lambda found: _short(found[0]), path[0]), svg)


def _short(text: str) -> str:
    return f"{float(text):.2f}".rstrip("0").rstrip(".")
