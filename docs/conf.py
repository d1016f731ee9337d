"""The documentation site: `make docs` writes it to reports/docs; any warning is an error."""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.application import Sphinx

import bench

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))  # for reference_pages

import reference_pages  # noqa: E402

project = "rnn-fpga-bench"
author = "the contributors of rnn-fpga-bench"
version = release = bench.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["schemas"]
html_theme = "furo"
html_title = f"rnn-fpga-bench {version}"
html_show_copyright = False
html_copy_source = False
nitpicky = False
# `#section` links and headings' ids as GitHub makes them, so that pages read the same there.
myst_heading_anchors = 4
# A link to a file of the repository is a link into the repository.
myst_url_schemes = {"http": None, "https": None}
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
python_display_short_literal_types = True


def setup(app: Sphinx) -> None:
    """Write the generated pages before Sphinx looks for sources."""
    reference_pages.write(DOCS / "reference")
