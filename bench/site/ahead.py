"""What takes long on the site and needs no table or figure: the pages of plans, and Vega as one script.

The pipeline makes it beside the figures, so that the site does not wait for it.
Example: ``python -m bench.site.ahead --results reports/results --out reports/site_ahead.json``
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter, ValidationError

from bench.errors import UserError
from bench.results.frames import prepare
from bench.results.store import read_results
from bench.results.text import write_text
from bench.site.parts import Link, Page
from bench.waste import collect_seldom


@dataclass(frozen=True)
class Ahead:
    """``plans``: a page for each, and the line that leads to it. ``vega``: a script."""

    plans: tuple[tuple[Page, Link], ...]
    vega: str


def make_ahead(rows: pd.DataFrame) -> Ahead:
    """What a site of ``rows`` (prepared) shows of plans; each takes a search."""
    # slow to import, and of no use to the job that reads what was made
    from bench.site.plan_pages import plan_link, plan_page
    from bench.site.plan_points import plan_points
    from bench.site.render import vega_bundle

    return Ahead(tuple((plan_page(plan), plan_link(plan)) for plan in plan_points(rows)), vega_bundle())


def write_ahead(ahead: Ahead, path: Path) -> None:
    """Write it as JSON, the same bytes for the same value."""
    write_text(TypeAdapter(Ahead).dump_json(ahead).decode() + "\n", path)


def read_ahead(path: Path) -> Ahead:
    """What `write_ahead` has written. Raises UserError for another file, or none."""
    try:
        return TypeAdapter(Ahead).validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not of this version"
        raise UserError(
            f"{path}: cannot be read ({reason}), expected what `python -m bench.site.ahead` writes; remove "
            "it and run again"
        ) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: write the file; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.site.ahead",
        description="What takes long on the site and needs no table or figure, for `python -m bench.site`.",
        epilog="example: python -m bench.site.ahead --results reports/results --out reports/site_ahead.json",
    )
    parser.add_argument("--results", type=Path, default=Path("reports/results"), help="folder of *.parquet")
    parser.add_argument("--out", type=Path, default=Path("reports/site_ahead.json"), help="file to write")
    arguments = parser.parse_args(argv)
    collect_seldom()
    ahead = make_ahead(prepare(read_results(arguments.results)))
    write_ahead(ahead, arguments.out)
    print(f"{len(ahead.plans)} pages of plans in {arguments.out}")
    return 0


if __name__ == "__main__":
    from bench.results.command import run

    run(main)
