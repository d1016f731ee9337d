"""Time the benchmarks of test_reference.py in two git revisions, by turns, and print how they compare.

Both revisions are taken out of git into temporary folders and run the benchmarks of this one, on the
packages that are installed. Example: ``python tests/benchmarks/compare.py HEAD~1 HEAD --rounds 5``
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from statistics import median

HERE = Path(__file__).parent
BENCHMARKS = "test_reference.py"
REFERENCE = HERE / "reference.csv"

Ratios = dict[str, float]
"""Benchmark -> its time as a multiple of the calibration loop's."""


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns 0, or 1 where a benchmark or a revision cannot be run."""
    parser = argparse.ArgumentParser(
        prog="python tests/benchmarks/compare.py",
        description="Time the benchmarks of two git revisions by turns, in one run.",
        epilog="example: python tests/benchmarks/compare.py HEAD~1 HEAD --rounds 5; "
        "without revisions: this working tree beside reference.csv",
    )
    parser.add_argument("revisions", nargs="*", metavar="REVISION", help="two of them, or none")
    parser.add_argument("--rounds", type=int, default=3, help="times that each revision has its turn")
    parser.add_argument("--only", default="", help="benchmarks whose names hold this, as pytest's -k")
    parser.add_argument("--write", action="store_true", help="write reference.csv anew; no revisions")
    given = parser.parse_args(argv)
    if len(given.revisions) not in (0, 2) or given.rounds < 1 or (given.write and given.revisions):
        parser.error("name two revisions, or none; --write takes none; --rounds is 1 or more")
    try:
        if given.revisions:
            print(compared(*given.revisions, given.rounds, given.only))
        else:
            print(against_reference(given.rounds, given.only, write=given.write))
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def compared(old: str, new: str, rounds: int, only: str) -> str:
    """The table of two revisions: ratios of each, and how many times as long the second takes."""
    with tempfile.TemporaryDirectory(prefix="bench-compare-") as made:
        folders = [take_out(revision, Path(made) / name) for revision, name in ((old, "a"), (new, "b"))]
        turns: list[list[Ratios]] = [[], []]
        for number in range(rounds):
            for which in (0, 1) if number % 2 == 0 else (1, 0):  # so that neither is always the second
                turns[which].append(measure(folders[which], only))
    lines = [f"{'benchmark':24}{old[:12]:>14}{new[:12]:>14}{'new / old':>12}{'least':>8}{'most':>8}"]
    for name in sorted(set(turns[0][0]) & set(turns[1][0])):
        before, after = ([turn[name] for turn in side] for side in turns)
        changes = [b / a for a, b in zip(before, after, strict=True)]
        lines.append(
            f"{name:24}{median(before):14.4g}{median(after):14.4g}{median(changes):12.2f}"
            f"{min(changes):8.2f}{max(changes):8.2f}"
        )
    return "\n".join([*lines, f"ratios to the calibration loop, medians of {rounds} rounds by turns"])


def against_reference(rounds: int, only: str, *, write: bool) -> str:
    """The table of the working tree beside the committed ratios, which ``write`` replaces."""
    turns = [measure(HERE.parents[1], only) for _ in range(rounds)]
    now = {name: median(turn[name] for turn in turns) for name in sorted(turns[0])}
    if write:
        lines = ["benchmark,ratio", *(f"{name},{ratio:.3g}" for name, ratio in now.items())]
        REFERENCE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    known = read_reference()
    lines = [f"{'benchmark':24}{'reference':>12}{'now':>12}{'now / reference':>18}"]
    for name, ratio in now.items():
        before = known.get(name)
        shown = f"{before:12.4g}{ratio:12.4g}{ratio / before:18.2f}" if before else f"{'':12}{ratio:12.4g}"
        lines.append(f"{name:24}{shown}")
    return "\n".join([*lines, f"ratios to the calibration loop, medians of {rounds} rounds"])


def read_reference() -> Ratios:
    """The committed ratios."""
    _, *lines = REFERENCE.read_text(encoding="utf-8").splitlines()
    return {name: float(ratio) for name, ratio in (line.split(",") for line in lines)}


def take_out(revision: str, folder: Path) -> Path:
    """The files of a git revision in a new folder, with this one's benchmarks; RuntimeError if it is none."""
    packed = subprocess.run(
        ["git", "archive", "--format=tar", revision], cwd=HERE.parents[1], capture_output=True, check=False
    )
    if packed.returncode:
        raise RuntimeError(f"{revision}: no git revision of the repository here")
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as files:
        files.extractall(folder, filter="data")
    target = folder / "tests/benchmarks" / BENCHMARKS
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes((HERE / BENCHMARKS).read_bytes())
    return folder


def measure(folder: Path, only: str) -> Ratios:
    """The ratios of one turn, in ``folder``; RuntimeError if a benchmark fails there."""
    with tempfile.TemporaryDirectory() as made:
        out = Path(made) / "times.json"
        command = [sys.executable, "-m", "pytest", f"tests/benchmarks/{BENCHMARKS}", "-p", "no:cacheprovider"]
        command += ["--benchmark-enable", "--benchmark-only", f"--benchmark-json={out}", "-k", only]
        # the revision's own package, not the installed one; byte code, as an installed package has
        changed = {"PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1"}
        left_out = ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS")
        settings = {name: value for name, value in os.environ.items() if name not in left_out} | changed
        done = subprocess.run(command, cwd=folder, env=settings, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"a benchmark failed:\n{done.stdout[-2000:]}")
        times = json.loads(out.read_text(encoding="utf-8"))
    return {each["name"].removeprefix("test_"): each["extra_info"]["ratio"] for each in times["benchmarks"]}


if __name__ == "__main__":
    sys.exit(main())
