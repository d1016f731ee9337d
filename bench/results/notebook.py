"""Execute a notebook on the results of a run; what is wrong with it is said in one line.

Example: ``python -m bench.results.notebook notebooks/studies.ipynb reports/notebooks/studies.ipynb``
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

# Grammars of addresses, which a notebook's format has none of, take longer to make than all else to import;
# jsonschema goes without them where they are not installed.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from jupyter_client.kernelspec import NoSuchKernel  # noqa: E402
from papermill import execute_notebook  # noqa: E402
from papermill.exceptions import PapermillExecutionError  # noqa: E402

from bench.errors import UserError  # noqa: E402


def execute(notebook: Path, out: Path, parameters: Mapping[str, str]) -> None:
    """Run all cells of ``notebook`` with ``parameters`` and write it, with outputs, to ``out``.

    Raises UserError if its kernel is not installed or a cell fails.
    """
    # What it warns of (parameters that a notebook does not take, unencrypted loopback) is as it should be.
    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        execute_notebook(notebook, out, parameters=dict(parameters), progress_bar=False)
    except NoSuchKernel as error:
        raise UserError(
            f"{notebook}: its kernel {error.name!r} is not installed; `jupyter kernelspec list` shows those "
            "that are, and the notebook's metadata.kernelspec names the one it asks for"
        ) from error
    except PapermillExecutionError as error:
        raise UserError(
            f"{notebook}: cell {error.exec_count} raised {error.ename}: {error.evalue} ({out} shows where)"
        ) from error


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: execute one notebook; returns 0, or 1 with a line on stderr."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.results.notebook",
        description="Execute a notebook on the results of a run.",
        epilog="example: python -m bench.results.notebook notebooks/studies.ipynb /tmp/studies.ipynb",
    )
    parser.add_argument("notebook", type=Path)
    parser.add_argument("out", type=Path, help="the executed copy")
    parser.add_argument("--results", default="reports/results", help="folder of *.parquet, or one of them")
    parser.add_argument("--tables", default="reports/tables", help="folder of tables")
    parser.add_argument("--figures", default="reports/figures", help="folder to write figures to")
    arguments = parser.parse_args(argv)
    parameters = {"results": arguments.results, "tables": arguments.tables, "out": arguments.figures}
    try:
        execute(arguments.notebook, arguments.out, parameters)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
