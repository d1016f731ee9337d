"""Pages to HTML: the templates, the menu, and the files that all pages share."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import jinja2

import bench
from bench.results.published import PUBLISHED
from bench.site.parts import Page

TEMPLATES = PUBLISHED.parent / "templates"


class Entry(NamedTuple):
    """A line of the menu."""

    file: str
    name: str


MENU = (
    Entry("index.html", "Start"),
    Entry("explore.html", "Explore"),
    Entry("paper.html", "Paper"),
    Entry("fidelity.html", "Fidelity"),
    Entry("studies.html", "Studies"),
    Entry("plans.html", "Plans"),
    Entry("methods.html", "Methods"),
)


def environment() -> jinja2.Environment:
    """The templates, with escaping on and unknown names refused."""
    loader = jinja2.FileSystemLoader(TEMPLATES)
    return jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )


def render(
    templates: jinja2.Environment, page: Page, template: str, menu: tuple[Entry, ...], **values: Any
) -> str:
    """``page`` as HTML; ``values`` are what the template needs besides."""
    return templates.get_template(template).render(page=page, menu=menu, version=bench.__version__, **values)


def copy_static(out: Path, vega: str) -> None:
    """Copy the style sheet and the scripts, with Vega-Lite (`vega_bundle`) beside them."""
    shutil.copytree(TEMPLATES / "static", out / "static")
    (out / "static" / "vega.js").write_text(vega, encoding="utf-8")


def vega_bundle() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script that needs no network."""
    import vl_convert

    return str(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))
