"""Running a module's `main` from a shell: a user's mistake ends with its message, not a traceback."""

from __future__ import annotations

import sys
from collections.abc import Callable

from bench.errors import UserError


def run(main: Callable[[], int]) -> None:
    """Exit with what ``main`` returns; with 2 and the message on a UserError."""
    try:
        status = main()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        status = 2
    sys.exit(status)
