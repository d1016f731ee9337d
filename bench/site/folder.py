"""A folder of files that appears as a whole: a run that fails leaves the one before as it was."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.errors import UserError


@contextmanager
def replaced(folder: Path) -> Iterator[Path]:
    """A new folder to write to, which takes the place of ``folder`` at the end, but not after an exception.

    Raises UserError if the folder, or the one that it is in, cannot be written, or is no folder.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(
            f"{folder}: is a file, expected a folder for the site; remove it or give --out FOLDER"
        )
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        fresh = work / "new"
        fresh.mkdir()
        yield fresh
        if folder.exists():
            folder.rename(work / "old")
        fresh.rename(folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        if (work / "old").exists() and not folder.exists():
            (work / "old").rename(folder)
        shutil.rmtree(work, ignore_errors=True)


def _unwritable(folder: Path, error: OSError) -> UserError:
    reason = error.strerror or str(error)
    return UserError(
        f"{folder}: the site cannot be written here ({reason}); free or open the folder, or give --out FOLDER"
    )
