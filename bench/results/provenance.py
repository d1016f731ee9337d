"""Where a run comes from: the one output that differs between two runs of the same inputs.

Example: ``python -m bench.results.provenance --config config/default.yaml --out reports/provenance.json``
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import bench
from bench.results.text import write_text

ROOT = Path(__file__).resolve().parents[2]
"""The project's folder."""

PACKAGES = ("numpy", "pandas", "pyarrow", "numba", "pydantic", "matplotlib", "snakemake", "jupyter")


def collect(config: Path | None = None, results: Path | None = None) -> dict[str, Any]:
    """Commit, hashes of locks and configuration, machine, versions, times.

    No host name, user name or path outside the project is recorded. ``results_written``
    is the span over which the result shards were written, or null.
    """
    locks = {path.name: file_hash(path) for path in sorted(ROOT.glob("*.lock"))}
    return {
        "commit": _git("rev-parse", "HEAD"),
        "uncommitted_changes": bool(_git("status", "--porcelain")),
        "bench_version": bench.__version__,
        "locks_sha256": locks,
        "config": config.name if config else None,
        "config_sha256": file_hash(config) if config else None,
        "machine": machine(),
        "packages": {name: _installed(name) for name in PACKAGES},
        "results_written": _span(results) if results else None,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def machine() -> dict[str, Any]:
    """Operating system, processor, usable cores, memory and Python."""
    return {
        "system": platform.system(),
        "release": platform.release(),
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_mib": _memory_mib(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None  # a source archive without git
    return done.stdout.strip()


def _installed(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _memory_mib() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    except (AttributeError, ValueError, OSError):
        return None


def _span(results: Path) -> dict[str, str] | None:
    shards = [results] if results.is_file() else sorted(results.glob("*.parquet"))
    times = [path.stat().st_mtime for path in shards]
    if not times:
        return None
    first, last = (
        datetime.fromtimestamp(t, UTC).isoformat(timespec="seconds") for t in (min(times), max(times))
    )
    return {"first": first, "last": last}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line: write provenance.json; returns 0."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.results.provenance",
        description="Write commit, lock and configuration hashes, machine, versions and times as JSON.",
        epilog="example: python -m bench.results.provenance --config config/default.yaml "
        "--results reports/results --out reports/provenance.json",
    )
    parser.add_argument("--config", type=Path, help="the configuration that was run")
    parser.add_argument("--results", type=Path, default=Path("reports/results"), help="folder of *.parquet")
    parser.add_argument("--out", type=Path, default=Path("reports/provenance.json"), help="file to write")
    arguments = parser.parse_args(argv)
    found = collect(arguments.config, arguments.results)
    write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", arguments.out)
    print(f"provenance in {arguments.out}")
    return 0


if __name__ == "__main__":
    from bench.results.command import run

    run(main)
