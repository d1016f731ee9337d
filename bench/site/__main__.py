"""Command line of the site.

Example: ``python -m bench.site --results reports/results --reports reports --out reports/site``
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from bench.results.text import write_text
from bench.site.ahead import read_ahead
from bench.site.build import write_site
from bench.site.parts import Sources
from bench.site.render import environment


def main(argv: Sequence[str] | None = None) -> int:
    """Write the site; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.site",
        description="Write the static site of a run from results, tables/, figures/ and claims.csv.",
        epilog="example: python -m bench.site --results reports/results --reports reports --out reports/site",
    )
    parser.add_argument("--results", type=Path, help="folder of *.parquet (default: results/ in --reports)")
    parser.add_argument(
        "--reports", type=Path, default=Path("reports"), help="folder with tables/, figures/, claims.csv"
    )
    parser.add_argument("--out", type=Path, help="folder to write (default: site/ in the reports folder)")
    parser.add_argument("--ahead", type=Path, help="file of `python -m bench.site.ahead` (default: made now)")
    parser.add_argument("--forward", type=Path, help="also write a file that leads to the site's first page")
    arguments = parser.parse_args(argv)
    reports: Path = arguments.reports
    out: Path = arguments.out or reports / "site"
    ahead = read_ahead(arguments.ahead) if arguments.ahead else None
    size = write_site(Sources(arguments.results or reports / "results", reports), out, ahead)
    if arguments.forward:
        address = (out.resolve() / "index.html").relative_to(arguments.forward.resolve().parent)
        page = environment().get_template("forward.html.j2").render(address=address.as_posix())
        write_text(page, arguments.forward)
    print(f"site in {out}: {size / 1e6:.1f} MB; open {out / 'index.html'}")
    return 0


if __name__ == "__main__":
    from bench.results.command import run

    run(main)
