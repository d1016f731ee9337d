"""A copy of the project to run the pipeline in."""

from __future__ import annotations

import shutil
from pathlib import Path

COPIED = (
    "Snakefile",
    "environment.yml",
    "bench",
    "config",
    "examples",
    "hw_profiles",
    "models",
    "profiles",
    "notebooks",
)


def copy_project(root: Path, folder: Path) -> None:
    """Copy what the pipeline needs from ``root`` to ``folder``."""
    for name in COPIED:
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name)
        else:
            shutil.copy2(root / name, folder / name)
    for name in ("baselines", "published", "expected", "templates"):
        shutil.copytree(root / "reports" / name, folder / "reports" / name)
